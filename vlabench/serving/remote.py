"""Serves a policy over the protocol ``remote``; see `vlabench.contract.protocol`."""

from __future__ import annotations

from collections.abc import Callable

from websockets.frames import CloseCode

from vlabench.contract.protocol import (
    KNOWS,
    VERSION,
    Act,
    Actions,
    Answer,
    Done,
    End,
    Failure,
    Frame,
    Hello,
    Request,
    Reset,
    for_older,
    read,
    request_number,
    write,
)
from vlabench.contract.specs import PolicySpec
from vlabench.contract.wire import WireError
from vlabench.errors import PolicyError, VlabenchError
from vlabench.provenance import vlabench_version
from vlabench.serving.host import Guest, UnknownSessionError
from vlabench.serving.server import Link, Protocol


def remote_protocol(spec: PolicySpec) -> Protocol:
    """How to talk to a client about a policy that declares `spec`."""
    hello = Hello(VERSION, f"vlabench {vlabench_version()}", spec)

    async def talk(guest: Guest, link: Link) -> None:
        header, knows = KNOWS
        told = (lambda frame: frame) if link.said(header) == knows else for_older
        await link.send(write(told(hello)))
        while (data := await link.receive()) is not None:
            try:
                answer = await _answer(guest, _request(data))
            except (WireError, UnknownSessionError) as error:
                await link.send(write(Failure(request_number(data), "protocol", str(error))))
                await link.close(CloseCode.PROTOCOL_ERROR, "no request of the protocol")
                return
            await link.send(_written(answer, told))

    return talk


def _request(data: bytes | str) -> Request:
    frame = read(data)
    if not isinstance(frame, Reset | Act | End):
        raise WireError(
            f"A client sent {type(frame).__name__.lower()}; clients send reset, act or end."
        )
    return frame


async def _answer(guest: Guest, request: Request) -> Answer:
    """What comes of a request; the policy's errors come back in words."""
    try:
        match request:
            case Reset(number, starts):
                await guest.reset(starts)
            case End(number, episode_ids):
                await guest.end(episode_ids)
            case Act(number, observations):
                return Actions(number, tuple(await guest.act(observations)))
    except PolicyError as error:
        return Failure(request.request, "policy", str(error))
    except VlabenchError as error:  # its own server is lost, or has become another
        return Failure(request.request, "infrastructure", str(error))
    return Done(number)


def _written(answer: Answer, told: Callable[[Frame], Frame]) -> bytes:
    """The frame of an answer; one that cannot travel is the policy's error."""
    try:
        return write(told(answer))
    except WireError as error:
        return write(Failure(answer.request, "policy", str(error)))
