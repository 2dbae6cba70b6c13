"""The protocol ``remote``: a policy in another process or on another machine, asked in batches.

It runs over one websocket (RFC 6455) a client, without compression, in binary frames of at most
`vlabench.contract.wire.MAX_BYTES`. A frame is a msgpack map as `vlabench.contract.wire` describes:
``type`` and the fields of one of the dataclasses below, all of them and no others.

1. The server speaks first: ``hello``, with the `VERSION` of the protocol and the policy's
   `PolicySpec`. Another version is the end of it.
2. The client asks, one request at a time, and numbers its requests as it likes; the answer bears
   the request's number.

   ======================  ==============================================  =====================
   request                 means                                           answer
   ======================  ==============================================  =====================
   ``reset`` starts        begins a session for each `EpisodeStart`        ``done``
   ``act`` observations    one `Observation` of each of some sessions,     ``actions`` chunks,
                           as the policy's declaration has them            one each, in order
   ``end`` episode_ids     forgets these sessions                          ``done``
   ======================  ==============================================  =====================

   Instead of its answer a request can get ``failure`` with a text and its kind: ``policy`` (the
   policy raised; the episode is a failure), ``infrastructure`` (something was lost; the episode
   may run again) or ``protocol`` (no such request; the server then closes the connection).
3. Either side says goodbye by closing the websocket; sessions that a connection began end with
   it. A server that stops answers what it has been asked and closes with 1001.

A session has the name of its episode and belongs to its connection. Sessions of several
connections may be answered together, up to the `PolicySpec.max_batch` of the policy;
`ActionChunk.batch_size` and `ActionChunk.infer_ms` say how many and how long. A policy that wants
batches of one size gets them from its server, whose ``hello`` therefore says
``fixed_batch: false``.

A ``failure`` speaks for the whole request: where one of several sessions fails, what the others
were answered is lost, and the client asks for each of them again, alone. Of a policy that remembers
(`PolicySpec.stateful`), which would be asked twice then, a client asks for one session a request;
its server answers it one session at a time.

Fields of `vlabench.types` and `PolicySpec` that came after version 2 (`vlabench.types.LATER`) are
sent only where they say something. To a client whose opening request has no header
``Vlabench-Knows: later``, which is older than they are, a server sends none that only inform
(`ActionChunk.compute`, `PolicySpec.params`, `PolicySpec.weight_type`).

Where the server wants an API key, the client's opening request bears the header
``Authorization: Api-Key KEY``; without it, the answer is HTTP 401. ``GET /healthz`` on the same
port answers 200.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from vlabench.contract.specs import PolicySpec
from vlabench.contract.wire import WireError, decode, encode, from_wire, to_wire
from vlabench.types import ActionChunk, EpisodeStart, Observation

VERSION = 2
"""Of the protocol; grows with every change of a frame."""

KNOWS = "Vlabench-Knows", "later"
"""The header of a client that knows the fields that came later, and what it says."""

FailureKind: TypeAlias = Literal["policy", "infrastructure", "protocol"]


@dataclass(frozen=True, slots=True)
class Hello:
    """The server's first frame; `server` is a name and version for people."""

    version: int
    server: str
    policy: PolicySpec


@dataclass(frozen=True, slots=True)
class Reset:
    """Begins sessions."""

    request: int
    starts: tuple[EpisodeStart, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """Asks for actions."""

    request: int
    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class End:
    """Ends sessions."""

    request: int
    episode_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A request has been carried out."""

    request: int


@dataclass(frozen=True, slots=True)
class Actions:
    """One answer to each observation."""

    request: int
    chunks: tuple[ActionChunk, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A request has failed; `request` is None where its number could not be read."""

    request: int | None
    kind: FailureKind
    text: str


Request: TypeAlias = Reset | Act | End
Answer: TypeAlias = Done | Actions | Failure
Frame: TypeAlias = Hello | Request | Answer

_KINDS: Mapping[str, type[Frame]] = {
    "hello": Hello,
    "reset": Reset,
    "act": Act,
    "end": End,
    "done": Done,
    "actions": Actions,
    "failure": Failure,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def write(frame: Frame) -> bytes:
    """The bytes of a frame.

    Raises:
        WireError: If something in it cannot travel.
    """
    return encode({"type": _NAMES[type(frame)], **to_wire(frame)})


def read(data: bytes | str) -> Frame:
    """The frame that `write` made `data` of.

    Raises:
        WireError: If it is none, or says hello in another version; names the field.
    """
    if isinstance(data, str):
        raise WireError("A frame is text; send binary frames.")
    found = decode(data)
    name = found.pop("type", None) if isinstance(found, dict) else None
    if not isinstance(name, str) or name not in _KINDS:
        raise WireError(f"A frame has the type {name!r}; types are {', '.join(_KINDS)}.")
    if name == "hello" and found.get("version") != VERSION:
        raise WireError(
            f"The other side speaks version {found.get('version')!r} of the protocol 'remote' and "
            f"this one version {VERSION}; run the same vlabench on both."
        )
    return from_wire(_KINDS[name], found)


def for_older(frame: Frame) -> Frame:
    """`frame` without what only informs, and an older client does not know."""
    match frame:
        case Hello():
            return replace(frame, policy=without_later(frame.policy))
        case Actions():
            chunks = tuple(replace(chunk, compute=None) for chunk in frame.chunks)
            return replace(frame, chunks=chunks)
    return frame


def without_later(spec: PolicySpec) -> PolicySpec:
    """`spec` without what only informs."""
    return replace(spec, params=None, weight_type="")


def request_number(data: bytes | str) -> int | None:
    """The number of a request that `read` refuses, if it has one."""
    try:
        found = decode(data) if isinstance(data, bytes) else None
    except WireError:
        return None
    number = found.get("request") if isinstance(found, dict) else None
    return number if type(number) is int else None
