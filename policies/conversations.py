"""A websocket for each session, for servers that know a session by its connection.

It is opened when the session begins and closed when it ends, and a broken one is not replaced in
between: what the server remembered of the session would be lost, so the episode is run again.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from vlabench.contract.specs import PolicySpec
from vlabench.errors import ContractError, InfrastructureError, SessionLostError, UsageError
from vlabench.policies.arguments import count, seconds
from vlabench.policies.server import GREETING_TIMEOUT_S, ServerPolicy
from vlabench.policies.websocket import Connection
from vlabench.types import ActionChunk, Observation


@contextmanager
def of_one_session() -> Iterator[None]:
    """What is lost in here is one session's connection, and no other session's."""
    try:
        yield
    except SessionLostError:
        raise
    except InfrastructureError as error:
        raise SessionLostError(str(error)) from error


class Conversations:
    """The connections of the sessions that are under way.

    Args:
        connect: Makes a connection; it need not be open yet.
        greet: Talks to a new connection until it is ready for the first observation, and raises a
            `UsageError` if the server is not the one that was declared.
    """

    def __init__(
        self, connect: Callable[[], Connection], greet: Callable[[Connection], None]
    ) -> None:
        self._connect, self._greet = connect, greet
        self._open: dict[str, Connection] = {}

    def begin(self, episode_id: str) -> Connection:
        """A new connection for a session.

        Raises:
            SessionLostError: If the server cannot be reached, lets nobody in, or is not the
                declared one: none of that is a failure of the policy in this episode.
        """
        self.end([episode_id])
        connection = self._connect()
        try:
            with of_one_session():
                connection.connect()
                self._greet(connection)
        except UsageError as error:
            connection.close()
            raise SessionLostError(str(error)) from error
        except BaseException:
            connection.close()
            raise
        self._open[episode_id] = connection
        return connection

    def of(self, episode_id: str) -> Connection:
        """The connection of a session.

        Raises:
            SessionLostError: If it has none, or has lost it.
        """
        connection = self._open.get(episode_id)
        if connection is None or not connection.connected:
            raise SessionLostError(
                f"Session {episode_id} has no connection to its server; begin it again."
            )
        return connection

    def end(self, episode_ids: Iterable[str]) -> None:
        """Closes the connections of these sessions; those that have none are left out."""
        for episode_id in episode_ids:
            connection = self._open.pop(episode_id, None)
            if connection is not None:
                connection.close()

    def close(self) -> None:
        """Closes all."""
        self.end(list(self._open))


@dataclass(eq=False, repr=False, kw_only=True)
class ConversingPolicy(ServerPolicy):
    """A policy behind such a server, over one connection a session.

    Attributes:
        program: What must run at the url, in errors.
        attempts: How often to try for a connection.
    """

    program: ClassVar[str]

    attempts: str | int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._headers = self._identification()
        self._connection()  # a wrong url is told now
        self._conversations = Conversations(self._connection, self._greet)
        self._looked = False

    def spec(self) -> PolicySpec:
        """What its card and arguments declare, once a server that is there does not contradict.

        A server that is not there, or busy, says nothing now: the sessions will meet it, and a dry
        run needs none.

        Raises:
            UsageError: If the server says that it serves something else, or lets nobody in.
        """
        if not self._looked:
            self._look()
            self._looked = True
        return self._spec

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One request for each observation.

        Raises:
            SessionLostError: If the server is dead, too slow, or sends no frame of its protocol.
            PolicyError: If it reports an error of its own, or answers no such actions.
        """
        with of_one_session():
            return [self._ask(seen) for seen in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Closes the sessions' connections."""
        self._conversations.end(episode_ids)

    def close(self) -> None:
        """Closes all connections."""
        self._conversations.close()

    @abstractmethod
    def _greet(self, connection: Connection) -> None:
        """Talks to a new connection until it is ready for the first observation.

        Raises:
            ContractError: If the server is not the one that was declared.
        """

    @abstractmethod
    def _ask(self, seen: Observation) -> ActionChunk:
        """What the server answers to one observation."""

    def _identification(self) -> Mapping[str, str]:
        """The headers that a connection is opened with."""
        return {}

    def _connection(self, *, hurried: bool = False) -> Connection:
        longest = GREETING_TIMEOUT_S if hurried else math.inf
        connecting = seconds(self.name, "connect_timeout_s", self.connect_timeout_s)
        attempts = count(self.name, "attempts", self.attempts)
        return Connection(
            self.name,
            self.url,
            connect_timeout_s=min(connecting, longest),
            timeout_s=min(seconds(self.name, "timeout_s", self.timeout_s), longest),
            attempts=1 if hurried else attempts,
            away_s=0.0 if hurried else seconds(self.name, "away_s", self.away_s),
            headers=self._headers,
        )

    def _look(self) -> None:
        """Greets a server that is there once, so that a wrong one is refused now."""
        connection = self._connection(hurried=True)
        try:
            connection.connect()
            self._greet(connection)
        except InfrastructureError:
            pass
        finally:
            connection.close()

    def _refuse(self, different: Sequence[str]) -> None:
        """Refuses a server in which something is `different` from what its card declares."""
        if different:
            raise ContractError(
                f"The server of policy {self.name!r} at {self.url} is not what was declared: "
                f"{'; '.join(different)}; start it with the card's checkpoint, or give "
                "--policy-arg checkpoint=NAME or --policy-arg card=FILE."
            )

    def _stranger(self, what: str) -> InfrastructureError:
        return InfrastructureError(
            f"The server of policy {self.name!r} at {self.url} {what}; see that {self.program} "
            "runs there, and run the same command again."
        )
