"""A websocket for each session, for servers that know a session by its connection.

It is opened when the session begins and closed when it ends, and a broken one is not replaced in
between: what the server remembered of the session would be lost, so the episode is run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vlabench.errors import InfrastructureError, UsageError
from vlabench.policies.websocket import Connection

GREETING_TIMEOUT_S = 5.0
"""Seconds for a look at a server before anything runs; one that is busy is looked at later."""


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
            InfrastructureError: If the server cannot be reached, lets nobody in, or is not the
                declared one: none of that is a failure of the policy in this episode.
        """
        self.end([episode_id])
        connection = self._connect()
        try:
            connection.connect()
            self._greet(connection)
        except UsageError as error:
            connection.close()
            raise InfrastructureError(str(error)) from error
        except BaseException:
            connection.close()
            raise
        self._open[episode_id] = connection
        return connection

    def of(self, episode_id: str) -> Connection:
        """The connection of a session.

        Raises:
            InfrastructureError: If it has none, or has lost it.
        """
        connection = self._open.get(episode_id)
        if connection is None or not connection.connected:
            raise InfrastructureError(
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


def look(connection: Connection, greet: Callable[[Connection], None]) -> None:
    """Greets a server once, so that a wrong one is refused before anything runs.

    A server that is not there, or busy, says nothing now: the sessions will meet it, and a dry run
    needs none.

    Raises:
        UsageError: If the server is not the one that was declared, or lets nobody in.
    """
    try:
        connection.connect()
        greet(connection)
    except InfrastructureError:
        pass
    finally:
        connection.close()
