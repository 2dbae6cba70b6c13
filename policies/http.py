"""Talks JSON to a policy server over HTTP, and tells a dead server from a wrong answer."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from vlabench.contract.unpacking import TooMuchError, read_json
from vlabench.errors import InfrastructureError, PolicyError
from vlabench.policies.addresses import check_address
from vlabench.policies.patience import AWAY_S, GATEWAY, has_answered, is_known, tries
from vlabench.types import Json

_ITS_OWN = (422, 500)
"""What a server answers that is there and could not do what it was asked: it erred itself."""

LARGEST_ANSWER = 32 * 2**20
"""Bytes, unless told otherwise: of JSON, which takes many times as many in memory."""


class JsonServer:
    """One address that JSON is posted to, with a new connection for each request.

    A request is sent again only if the connection failed before any of the answer came. No proxy
    is asked and no redirection followed.

    Args:
        policy: The policy's name, for errors.
        url: Of the server, ``http`` or ``https``.
        path: What is posted to, below the url; a url that ends in it already stays as it is.
        connect_timeout_s: Seconds to wait for a connection.
        timeout_s: Seconds from the connection to the last byte of the answer.
        attempts: How often a connection is tried.
        away_s: Seconds to wait for a server that has answered before and is gone.
        max_bytes: The longest answer that is received.

    Raises:
        UsageError: If the url is no http or https address, or more than that.
    """

    def __init__(
        self,
        policy: str,
        url: str,
        path: str,
        *,
        connect_timeout_s: float,
        timeout_s: float,
        attempts: int,
        away_s: float = AWAY_S,
        max_bytes: int = LARGEST_ANSWER,
    ) -> None:
        parts = check_address(policy, url, ("http", "https"), "http or https address")
        self._policy, self._host, self._port = policy, parts.hostname or "", parts.port
        self._secure = parts.scheme == "https"
        base = parts.path.rstrip("/")
        self._path = base if base.endswith(path) else base + path
        self._connect_timeout_s, self._timeout_s = connect_timeout_s, timeout_s
        self._attempts, self._away_s, self._max_bytes = attempts, away_s, max_bytes
        self.url = f"{parts.scheme}://{parts.netloc}{self._path}"

    def post(self, payload: Mapping[str, Json]) -> Json:
        """The JSON value that the server answers `payload` with.

        Raises:
            InfrastructureError: If there is no connection, no whole answer in time, one that is too
                long, a status that says so, or no JSON.
            PolicyError: If the server says that it could not answer this request (500 or 422).
        """
        status, body = self._exchange(json.dumps(payload).encode())
        if status in _ITS_OWN:
            raise PolicyError(
                f"The server of policy {self._policy!r} at {self.url} reported HTTP {status} "
                f"({_start(body)}); its log has the whole."
            )
        if status != 200:
            raise self._failure(f"answered HTTP {status} ({_start(body)})")
        try:
            return read_json(body)
        except TooMuchError as error:
            raise self._failure(f"answered JSON that is not read: {error}") from error
        except ValueError as error:
            raise self._failure(f"answered no JSON ({_start(body)})") from error

    def _exchange(self, payload: bytes) -> tuple[int, bytes]:
        reason, number = "", 0
        reached = False
        for number in tries(self.url, self._attempts, self._away_s):
            connection = self._connection()
            try:
                status, body = self._answered(connection, payload)
                if status not in GATEWAY:
                    has_answered(self.url)
                elif is_known(self.url):
                    raise _NotAnswered(f"HTTP {status}")
                return status, body
            except _NotAnswered as error:
                reason, reached = _text(error), error.reached
                if reached and number >= self._attempts:
                    break  # somebody is there, and it does not help to wait
            except (OSError, http.client.HTTPException) as error:
                raise self._failure(
                    f"broke off its answer, or took too long ({_text(error)})"
                ) from error
            finally:
                connection.close()
        what = "closes without an answer" if reached else "cannot be reached"
        raise self._failure(f"{what} ({reason}; attempts: {number})")

    def _answered(
        self, connection: http.client.HTTPConnection, payload: bytes
    ) -> tuple[int, bytes]:
        """Status and body; raises `_NotAnswered` while nothing of the answer has come."""
        try:
            connection.connect()
        except OSError as error:
            raise _NotAnswered(_text(error)) from error
        connection.sock.settimeout(None)
        with _cut_off(connection.sock, self._timeout_s):
            response = self._head(connection, payload)
            body = response.read(self._max_bytes + 1)
        if len(body) > self._max_bytes:
            raise self._failure(f"answered with more than {self._max_bytes} bytes")
        if response.length:
            raise http.client.IncompleteRead(body, response.length)
        return response.status, body

    def _head(
        self, connection: http.client.HTTPConnection, payload: bytes
    ) -> http.client.HTTPResponse:
        try:
            connection.request("POST", self._path, payload, {"Content-Type": "application/json"})
            return connection.getresponse()
        except ConnectionError as error:
            raise _NotAnswered(_text(error), reached=True) from error

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=self._connect_timeout_s)

    def _failure(self, what: str) -> InfrastructureError:
        return InfrastructureError(
            f"The server of policy {self._policy!r} at {self.url} {what}; "
            "see that it runs there, and run the same command again."
        )


class _NotAnswered(Exception):  # noqa: N818  (never leaves this module)
    """The connection failed before any of the answer came: asking again is safe."""

    def __init__(self, text: str, *, reached: bool = False) -> None:
        super().__init__(text)
        self.reached = reached


@contextmanager
def _cut_off(line: socket.socket, timeout_s: float) -> Iterator[None]:
    """Shuts `line` after so many seconds, however often something came until then.

    A socket's own timeout begins anew with every byte, so that who sends them slowly enough would
    never be given up.

    Raises:
        TimeoutError: If it had to be shut.
    """
    over = threading.Event()

    def shut() -> None:
        over.set()
        with suppress(OSError):
            socket.socket.shutdown(line, socket.SHUT_RDWR)  # below TLS, which another thread reads

    clock = threading.Timer(timeout_s, shut)
    clock.daemon = True
    clock.start()
    try:
        yield
    except (OSError, http.client.HTTPException, _NotAnswered) as error:
        if over.is_set():
            raise TimeoutError(f"over {timeout_s:g} s") from error
        raise
    finally:
        clock.cancel()
    if over.is_set():
        raise TimeoutError(f"over {timeout_s:g} s")


def _start(body: bytes) -> str:
    return repr(body[:80].decode(errors="replace"))


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
