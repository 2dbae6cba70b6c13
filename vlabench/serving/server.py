"""A websocket server around a policy: connections in one thread, the policy in another.

A page that a browser shows can open websockets to this machine. Browsers say where the page is
from (``Origin``) and programs do not, so whoever says it is refused.

The policy runs in the thread that calls `Server.run`, which of a command is the main one; so a
model is loaded, asked and closed in the same thread.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import http
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from vlabench.contract.policy import Policy
from vlabench.contract.specs import PolicySpec
from vlabench.contract.wire import MAX_BYTES
from vlabench.errors import UsageError
from vlabench.runner.job import BATCH_WAIT_MS
from vlabench.serving.host import Guest, Host

PING_INTERVAL_S = 20.0
"""Seconds between two questions whether a client still is there."""

PING_TIMEOUT_S = 120.0
"""Seconds that a client has to say so; a busy simulator may take a while."""

HEALTH = "/healthz"
"""Where a load balancer asks how the server is; no API key is needed."""

logger = logging.getLogger(__name__)


class Link:
    """One connection, as a protocol sees it."""

    def __init__(self, connection: ServerConnection, stopping: asyncio.Event) -> None:
        self._connection, self._stopping = connection, stopping

    def said(self, header: str) -> str:
        """What a header of the client's opening request says; empty if it has none."""
        request = self._connection.request
        return "" if request is None else request.headers.get(header, "")

    async def receive(self) -> bytes | str | None:
        """The next frame of the client; None when it has left, or the server stops.

        What comes before the server is told to stop is answered, and nothing that comes after.
        """
        if self._stopping.is_set():
            await self._leave()
            return None
        stopped = asyncio.ensure_future(self._stopping.wait())
        received = asyncio.ensure_future(self._connection.recv())
        await asyncio.wait({received, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not received.done():
            received.cancel()
            await self._leave()
            return None
        try:
            return received.result()
        except ConnectionClosed:
            return None

    async def _leave(self) -> None:
        await self.close(CloseCode.GOING_AWAY, "the server is stopping")

    async def send(self, data: bytes | str) -> None:
        """Sends one frame; nothing happens if the client has left."""
        try:
            await self._connection.send(data)
        except ConnectionClosed:
            logger.info("a client left before its answer came")

    async def close(self, code: int, reason: str) -> None:
        """Closes the connection."""
        await self._connection.close(code, reason)


Protocol: TypeAlias = Callable[[Guest, Link], Awaitable[None]]
"""Talks to one client until it leaves or the server stops."""


class Server:
    """Serves a policy to everybody who can reach `address` and `port`.

    Args:
        make: Makes the policy, here; the server closes it in the end.
        protocol: Makes of the policy's declaration how to talk to a client.
        address: Where to listen.
        port: Likewise; 0 for any that is free.
        token: The API key that clients must have; empty for none.
        wait_ms: Milliseconds that an observation waits for those of other sessions, so that they
            are answered together.

    Attributes:
        spec: What the policy declares.

    Raises:
        UsageError: If the policy cannot be made, or not be served by this protocol.
    """

    def __init__(
        self,
        make: Callable[[], Policy],
        protocol: Callable[[PolicySpec], Protocol],
        *,
        address: str,
        port: int,
        token: str = "",
        wait_ms: float = BATCH_WAIT_MS,
    ) -> None:
        self._host = Host(make, wait_ms)
        self.spec = self._host.spec
        self._protocol = protocol(self._host.offered)
        self._address, self.port, self._token = address, port, token
        self._ready = threading.Event()
        self._failure: UsageError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._network = threading.Thread(target=self._listen, name="network", daemon=True)

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = f"[{self._address}]" if ":" in self._address else self._address
        return f"ws://{host}:{self.port}"

    def start(self) -> None:
        """Begins to listen; requests wait until `run`.

        Raises:
            UsageError: If it cannot listen there.
        """
        self._network.start()
        self._ready.wait()
        if self._failure is not None:
            self._host.close()
            raise self._failure

    def run(self) -> None:
        """Answers requests in this thread until `stop`, and closes the policy."""
        try:
            self._host.work()
        finally:
            self._host.close()

    def stop(self) -> None:
        """Takes no more requests; `run` returns when those under way have been answered.

        May be called from any thread, and from a handler of signals.
        """
        if self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):  # it has stopped, and its loop is closed
                self._loop.call_soon_threadsafe(self._stopping.set)

    def join(self) -> None:
        """Waits until every connection is closed."""
        self._network.join()

    def _listen(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._host.stop()
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await serve(
                self._welcome,
                self._address,
                self.port,
                compression=None,
                max_size=MAX_BYTES,
                ping_interval=PING_INTERVAL_S,
                ping_timeout=PING_TIMEOUT_S,
                process_request=self._admit,
                origins=[None],
            )
        except OSError as error:
            self._failure = self._cannot_listen(error)
            return
        self.port = next(iter(server.sockets)).getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close(close_connections=False)
        await server.wait_closed()

    async def _welcome(self, connection: ServerConnection) -> None:
        if self._stopping is None:
            return
        guest = self._host.guest()
        try:
            await self._protocol(guest, Link(connection, self._stopping))
        finally:
            for error in await guest.leave():
                logger.warning("a session of a client that left cannot be ended: %s", error)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a request that opens no websocket; None lets it open one."""
        if request.path == HEALTH:
            return connection.respond(http.HTTPStatus.OK, "OK\n")
        given = request.headers.get("Authorization", "")
        due = f"Api-Key {self._token}"
        if self._token and not hmac.compare_digest(given.encode(), due.encode()):
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "The API key is wrong.\n")
        return None

    def _cannot_listen(self, error: OSError) -> UsageError:
        if error.errno == errno.EADDRINUSE:
            return UsageError(
                f"Port {self.port} of {self._address} is in use; give another --port, or stop what "
                "listens there."
            )
        return UsageError(
            f"Cannot listen on {self._address}:{self.port} ({error}); give another --host or "
            "--port."
        )
