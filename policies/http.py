"""Talks JSON to a policy server over HTTP, and tells a dead server from a wrong answer."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from vlabench.errors import InfrastructureError, UsageError
from vlabench.types import Json

PAUSE_S = 0.2
"""Seconds before the second attempt to connect; each further pause is twice as long."""


class JsonServer:
    """One address that JSON is posted to, with a new connection for each request.

    A request is sent again only if the connection failed before any of the answer came. No proxy
    is asked and no redirection followed.

    Args:
        policy: The policy's name, for errors.
        url: Of the server, ``http`` or ``https``.
        path: What is posted to, below the url; a url that ends in it already stays as it is.
        connect_timeout_s: Seconds to wait for a connection.
        timeout_s: Seconds to wait for each part of an answer.
        attempts: How often a connection is tried.

    Raises:
        UsageError: If the url is no http or https address.
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
    ) -> None:
        self._policy, self._host, self._port = policy, *_address(policy, url)
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        base = parts.path.rstrip("/")
        self._path = base if base.endswith(path) else base + path
        self._connect_timeout_s, self._timeout_s = connect_timeout_s, timeout_s
        self._attempts = attempts
        self.url = f"{parts.scheme}://{parts.netloc}{self._path}"

    def post(self, payload: Mapping[str, Json]) -> Json:
        """The JSON value that the server answers `payload` with.

        Raises:
            InfrastructureError: If there is no connection, no answer in time, a status other than
                200, or no JSON.
        """
        status, body = self._exchange(json.dumps(payload).encode())
        if status != 200:
            raise self._failure(f"answered HTTP {status} ({_start(body)})")
        try:
            return json.loads(body)
        except ValueError as error:
            raise self._failure(f"answered no JSON ({_start(body)})") from error

    def _exchange(self, payload: bytes) -> tuple[int, bytes]:
        reason = ""
        for attempt in range(self._attempts):
            if attempt:
                time.sleep(PAUSE_S * 2 ** (attempt - 1))
            connection = self._connection()
            try:
                response = self._send(connection, payload)
                return response.status, response.read()
            except _NotAnswered as error:
                reason = _text(error)
            except (OSError, http.client.HTTPException) as error:
                raise self._failure(
                    f"broke off its answer, or took too long ({_text(error)})"
                ) from error
            finally:
                connection.close()
        raise self._failure(f"cannot be reached ({reason}; attempts: {self._attempts})")

    def _send(
        self, connection: http.client.HTTPConnection, payload: bytes
    ) -> http.client.HTTPResponse:
        """The head of the answer; raises `_NotAnswered` while nothing of it has come."""
        try:
            connection.connect()
        except OSError as error:
            raise _NotAnswered(_text(error)) from error
        connection.sock.settimeout(self._timeout_s)
        try:
            connection.request("POST", self._path, payload, {"Content-Type": "application/json"})
            return connection.getresponse()
        except ConnectionError as error:
            raise _NotAnswered(_text(error)) from error

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


def _address(policy: str, url: str) -> tuple[str, int | None]:
    wrong = UsageError(
        f"Policy {policy!r} got url={url}, which is no http or https address; "
        "write it like http://127.0.0.1:8000."
    )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    unwanted = parts.query or parts.fragment or parts.username or any(map(str.isspace, url))
    if parts.scheme not in ("http", "https") or not host or unwanted:
        raise wrong
    return host, port


def _start(body: bytes) -> str:
    return repr(body[:80].decode(errors="replace"))


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
