"""A policy behind ``vlabench serve``, or behind anything that speaks its protocol ``remote``.

The protocol is described in `vlabench.contract.protocol`, and `vlabench.serving` says how a model
is wrapped. The server declares the policy, so that nothing needs to be said twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from vlabench.contract.declared import NAMES, disagreements
from vlabench.contract.lengths import check_lengths
from vlabench.contract.protocol import (
    KNOWS,
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
    read,
    write,
)
from vlabench.contract.specs import PolicySpec
from vlabench.contract.wire import WireError
from vlabench.errors import ContractError, InfrastructureError, PolicyError, UsageError
from vlabench.policies.arguments import count, seconds, text
from vlabench.policies.card import Card, packaged_cards, read_card
from vlabench.policies.patience import AWAY_S
from vlabench.policies.websocket import Connection, ConnectionLostError, authorization
from vlabench.types import ActionChunk, EpisodeStart, Observation

_NAME = "remote"


class Remote:
    """Asks a server for the actions of many sessions at once.

    A broken connection loses the sessions that it carried, since the server forgets them with it:
    their episodes run again, over a new connection.

    Args:
        url: Of the server, for example ``ws://127.0.0.1:8000``.
        card: A packaged card's name, or a card file, that the server's declaration must agree
            with; nothing is compared unless told.
        token_env: Name of the environment variable that holds the server's API key, if it wants
            one.
        connect_timeout_s: Seconds to wait for a connection.
        timeout_s: Seconds to wait for an answer; the first one may take long.
        away_s: Seconds to wait for a server that has answered before and is gone.
        attempts: How often to try for a connection.

    Raises:
        UsageError: If there is no url, a value cannot be understood, or the server does not agree
            with the card.
        InfrastructureError: If the server cannot be reached.
    """

    def __init__(
        self,
        url: str = "",
        *,
        card: str = "",
        token_env: str = "",
        connect_timeout_s: str | float = 5.0,
        timeout_s: str | float = 120.0,
        attempts: str | int = 3,
        away_s: str | float = AWAY_S,
    ) -> None:
        if not text(url):
            raise UsageError(
                f"Policy {_NAME!r} has no url; start 'vlabench serve POLICY' where the policy can "
                "run, and give --policy-arg url=ws://HOST:8000."
            )
        self._connection = Connection(
            _NAME,
            text(url),
            connect_timeout_s=seconds(_NAME, "connect_timeout_s", connect_timeout_s),
            timeout_s=seconds(_NAME, "timeout_s", timeout_s),
            attempts=count(_NAME, "attempts", attempts),
            away_s=seconds(_NAME, "away_s", away_s),
            headers=dict([KNOWS]) | authorization(_NAME, text(token_env)),
        )
        self._sessions: set[str] = set()
        self._numbers = itertools.count(1)
        self._spec = self._greeted()
        if text(card):
            self._check_card(text(card))

    def spec(self) -> PolicySpec:
        """What the server declares."""
        return self._spec

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start, over a new connection if the old one is dead.

        Raises:
            InfrastructureError: If the server cannot be reached, or serves something else now.
            PolicyError: If the policy raised.
        """
        request = Reset(next(self._numbers), tuple(starts))
        idle = not self._sessions
        try:
            self._done(request)
        except ConnectionLostError:
            if not idle:
                raise
            self._done(request)
        self._sessions.update(start.episode_id for start in starts)

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """Asks for all of `observations` in one request.

        Raises:
            InfrastructureError: If the server is dead, too slow, or does not speak the protocol.
            PolicyError: If the policy raised, or gave too few or too many answers.
        """
        for seen in observations:
            if seen.episode_id not in self._sessions:
                raise InfrastructureError(
                    f"The server of policy {_NAME!r} at {self._connection.url} has forgotten the "
                    f"session {seen.episode_id} with a connection that broke; it runs again."
                )
        answer = self._asked(Act(next(self._numbers), tuple(observations)))
        if not isinstance(answer, Actions):
            raise self._wrong(answer)
        if len(answer.chunks) != len(observations):
            raise PolicyError(
                f"Policy {self._spec.name!r} gave {len(answer.chunks)} answers to "
                f"{len(observations)} observations; it must give one each."
            )
        return answer.chunks

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets these sessions; a server whose connection broke has forgotten them already.

        Raises:
            PolicyError: If the policy raised.
        """
        known = tuple(name for name in episode_ids if name in self._sessions)
        self._sessions.difference_update(known)
        if known and self._connection.connected:
            try:
                self._done(End(next(self._numbers), known))
            except InfrastructureError:
                self._lose()

    def close(self) -> None:
        """Closes the connection, which ends what sessions there still are."""
        self._lose()

    def _greeted(self) -> PolicySpec:
        """What the server says when the connection is new.

        Raises:
            ContractError: If it says too much.
            InfrastructureError: If there is no server, or it says something else.
        """
        self._connection.connect()
        hello = self._received()
        if not isinstance(hello, Hello):
            raise self._wrong(hello)
        try:
            check_lengths(hello.policy, f"The server of policy {_NAME!r} at {self._connection.url}")
        except ContractError:
            self.close()
            raise
        return hello.policy

    def _check_card(self, name: str) -> None:
        different = disagreements(
            _card(name).spec(),
            self._spec,
            (f"the card {name}", f"the server at {self._connection.url}"),
            ignored=(*NAMES, "fixed_batch"),
        )
        if different:
            self.close()
            raise ContractError(
                f"Policy {_NAME!r} is served otherwise than its card says: {'; '.join(different)}; "
                "mend the one that is wrong."
            )

    def _done(self, request: Request) -> None:
        answer = self._asked(request)
        if not isinstance(answer, Done):
            raise self._wrong(answer)

    def _asked(self, request: Request) -> Answer:
        """What the server answers; whatever breaks the connection loses its sessions."""
        try:
            self._connect_again()
            self._connection.send(write(request))
            answer = self._received()
        except InfrastructureError:
            self._lose()
            raise
        if isinstance(answer, Failure) and answer.request in (request.request, None):
            raise self._told(answer)
        if isinstance(answer, Hello | Reset | Act | End) or answer.request != request.request:
            raise self._wrong(answer)
        return answer

    def _connect_again(self) -> None:
        if self._connection.connected:
            return
        try:
            now = self._greeted()
        except ContractError as error:  # it was another one when the run was planned
            raise InfrastructureError(str(error)) from error
        different = disagreements(
            self._spec, now, ("what it said before", "what it says now"), ignored=()
        )
        if different:
            raise InfrastructureError(
                f"The server of policy {_NAME!r} at {self._connection.url} serves another policy "
                f"since it was reached again: {'; '.join(different)}; start the old one."
            )

    def _received(self) -> Frame:
        try:
            return read(self._connection.receive())
        except WireError as error:
            raise InfrastructureError(
                f"The server of policy {_NAME!r} at {self._connection.url} sent no frame of the "
                f"protocol ({error}); see that 'vlabench serve' runs there."
            ) from error

    def _told(self, failure: Failure) -> PolicyError | InfrastructureError:
        if failure.kind == "policy":
            return PolicyError(failure.text)
        self._lose()
        return InfrastructureError(
            f"The server of policy {_NAME!r} at {self._connection.url} reports: {failure.text}"
        )

    def _wrong(self, answer: Frame) -> InfrastructureError:
        self._lose()
        return InfrastructureError(
            f"The server of policy {_NAME!r} at {self._connection.url} sent "
            f"{type(answer).__name__.lower()} where it was not due; see that 'vlabench serve' of "
            "this version runs there."
        )

    def _lose(self) -> None:
        self._sessions.clear()
        self._connection.close()


def _card(name: str) -> Card:
    found = [card for card in packaged_cards() if card.name == name]
    return found[0] if found else read_card(Path(name))
