"""A websocket to a policy server, and what is told when it breaks.

One request is under way at a time. Compression is off, since images that are noise to it only
cost time, and so are keep-alive pings, since a server that compiles its model may not answer them
for minutes; `timeout_s` decides instead. A broken connection is never mended behind the caller's
back: whoever holds it says when a new one does no harm, which is between two episodes, or where
the server remembers nothing and no action of the request was used.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Mapping

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from vlabench.contract.wire import MAX_BYTES
from vlabench.errors import InfrastructureError, UsageError
from vlabench.policies.addresses import check_address
from vlabench.policies.patience import AWAY_S, GATEWAY, has_answered, is_known, tries

CLOSE_TIMEOUT_S = 2.0
"""Seconds that a server has to say goodbye."""


class ConnectionLostError(InfrastructureError):
    """The connection broke; nothing says whether the last request was carried out."""


class Connection:
    """A connection to one server, made at `connect` or at the first `send`.

    Args:
        policy: The policy's name, for errors.
        url: Of the server, ``ws`` or ``wss``.
        connect_timeout_s: Seconds to wait for a connection.
        timeout_s: Seconds to wait for each frame that is due, and to get rid of one.
        attempts: How often a connection is tried.
        away_s: Seconds to wait for a server that has answered before and is gone.
        headers: Sent when it is opened, for example those of `authorization`.
        max_bytes: The longest frame that is received.

    Raises:
        UsageError: If the url is no address of a websocket, or more than that.
    """

    def __init__(
        self,
        policy: str,
        url: str,
        *,
        connect_timeout_s: float,
        timeout_s: float,
        attempts: int,
        away_s: float = AWAY_S,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        check_address(policy, url, ("ws", "wss"), "address of a websocket")
        self.url = url
        self._policy = policy
        self._connect_timeout_s, self._timeout_s = connect_timeout_s, timeout_s
        self._attempts, self._away_s, self._max_bytes = attempts, away_s, max_bytes
        self._headers = dict(headers or {})
        self._socket: ClientConnection | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known; it may be dead all the same."""
        return self._socket is not None

    def connect(self) -> None:
        """Makes a connection, unless there is one.

        Raises:
            InfrastructureError: If the server cannot be reached, or does not speak websocket.
            UsageError: If it wants an API key, or another one.
        """
        if self._socket is None:
            self._socket = self._opened()

    def send(self, data: bytes) -> None:
        """Sends one binary frame, over a new connection if there is none.

        Raises:
            ConnectionLostError: If the connection breaks.
            InfrastructureError: If there is none, or the server takes nothing in for too long.
        """
        self.connect()
        try:
            self._alive().send(data)
        except ConnectionClosed as error:
            self.close()
            if isinstance(error.__cause__, BlockingIOError):
                raise self._failure(
                    f"has read nothing for {self._timeout_s:g} s", "raise timeout_s"
                ) from error
            raise self._lost(error) from error

    def receive(self) -> bytes | str:
        """The next frame: binary, or text.

        Raises:
            ConnectionLostError: If the connection breaks, or the frame is too long.
            InfrastructureError: If no frame comes in time; the connection is closed then, since
                the answer would be taken for that to the next request.
        """
        try:
            frame = self._alive().recv(timeout=self._timeout_s)
        except TimeoutError as error:
            self.close()
            raise self._failure(
                f"has not answered for {self._timeout_s:g} s", "raise timeout_s"
            ) from error
        except ConnectionClosed as error:
            self.close()
            raise self._lost(error) from error
        has_answered(self.url)
        return frame

    def close(self) -> None:
        """Says goodbye, if there is a connection; the next `send` makes another."""
        found, self._socket = self._socket, None
        if found is not None:
            found.close()

    def _alive(self) -> ClientConnection:
        if self._socket is None:
            raise ConnectionLostError(
                f"Policy {self._policy!r} has no connection to its server at {self.url}; "
                "run the same command again."
            )
        return self._socket

    def _opened(self) -> ClientConnection:
        reason, number = "", 0
        for number in tries(self.url, self._attempts, self._away_s):  # noqa: B007  (told below)
            try:
                return self._open()
            except InvalidStatus as error:
                status = error.response.status_code
                if not (status in GATEWAY and is_known(self.url)):
                    raise self._refused(status) from error
                reason = f"HTTP {status}"
            except (OSError, InvalidHandshake) as error:
                reason = str(error) or type(error).__name__
        raise self._failure(f"cannot be reached ({reason}; attempts: {number})")

    def _open(self) -> ClientConnection:
        entered = connect(
            self.url,
            additional_headers=self._headers,
            compression=None,
            proxy=None,
            open_timeout=self._connect_timeout_s,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=None,
            max_size=self._max_bytes,
        )
        opened = entered.__enter__()  # as a with statement would; `close` is its other end
        whole = int(self._timeout_s)
        micro = max(1, int((self._timeout_s - whole) * 1e6))
        opened.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", whole, micro)
        )
        return opened

    def _refused(self, status: int) -> InfrastructureError | UsageError:
        if status in (401, 403):
            return UsageError(
                f"The server of policy {self._policy!r} at {self.url} refuses the API key "
                f"(HTTP {status}); put the right one into an environment variable and give "
                "--policy-arg token_env=NAME."
            )
        return self._failure(
            f"answers HTTP {status} and opens no websocket", "see that the url is right"
        )

    def _lost(self, error: ConnectionClosed) -> ConnectionLostError:
        text = str(self._failure(f"closed the connection ({error})"))
        return ConnectionLostError(text)

    def _failure(self, what: str, mend: str = "see that it runs there") -> InfrastructureError:
        return InfrastructureError(
            f"The server of policy {self._policy!r} at {self.url} {what}; "
            f"{mend}, and run the same command again."
        )


def authorization(policy: str, variable: str) -> dict[str, str]:
    """The header with the API key that an environment variable holds; none for no variable.

    The key itself never is an argument, so that it stands in no record and no list of processes.

    Raises:
        UsageError: If the variable is not set, or holds what no header can.
    """
    if not variable:
        return {}
    token = os.environ.get(variable, "")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise UsageError(
            f"Policy {policy!r} got token_env={variable}, and the environment variable "
            f"{variable} holds no API key; set it to the server's, without blanks."
        )
    return {"Authorization": f"Api-Key {token}"}
