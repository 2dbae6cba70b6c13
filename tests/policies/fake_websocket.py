"""Websocket servers in threads of their own, for the fakes that speak somebody's protocol."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager

from websockets.sync.server import serve

HANG_UP = object()
"""An answer: the connection is closed without one."""


@contextmanager
def running(talk, **options):
    """The url of a websocket server that calls `talk` with each connection."""
    with serve(talk, "127.0.0.1", 0, compression=None, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


class FakeServer:
    """A server that runs until the end of a with statement.

    Attributes:
        url: Of it.
        frames: Every frame that came, as bytes.
        connections: How many there have been.
    """

    def __init__(self, **options):
        self.frames, self.connections = [], 0
        self._running = ExitStack()
        self.url = self._running.enter_context(running(self._meet, max_size=None, **options))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._running.close()

    def talk(self, connection):
        """What it says to a client."""
        raise AssertionError("a fake speaks some protocol")

    def _meet(self, connection):
        self.connections += 1
        self.talk(connection)
