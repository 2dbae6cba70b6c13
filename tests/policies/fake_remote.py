"""A server of the protocol ``remote`` that answers as it is told, rightly or wrongly."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from vlabench.contract import protocol
from vlabench.contract.protocol import Actions, Done, Hello, Reset
from vlabench.contract.specs import PolicySpec
from vlabench.types import ActionChunk

HANG_UP = object()
"""An answer: the connection is closed without one."""

SILENCE = object()
"""An answer: none ever comes."""


def well(request):
    """What a server answers that has a policy of zeros behind it."""
    match request:
        case protocol.Act(number, observations):
            chunk = ActionChunk(np.zeros((1, 7)), infer_ms=1.0, batch_size=len(observations))
            return Actions(number, (chunk,) * len(observations))
        case _:
            return Done(request.request)


class FakeRemote:
    """Says hello for `spec` and answers each request with ``answer(request)``.

    An answer is a frame, bytes or text that are sent as they are, `HANG_UP` or `SILENCE`.

    Attributes:
        frames: All that was received, as bytes.
        requests: The same, read.
        connections: How many there were.
    """

    def __init__(self, spec=None, answer=well):
        self.spec = spec or PolicySpec("zeros", max_batch=8)
        self.answer, self.hello = answer, None
        self.frames, self.requests, self.connections = [], [], 0
        self.released = threading.Event()

    @property
    def resets(self):
        return sum(isinstance(request, Reset) for request in self.requests)

    def talk(self, connection):
        self.connections += 1
        self._send(connection, self.hello or Hello(protocol.VERSION, "a fake", self.spec))
        try:
            for data in connection:
                self.frames.append(data)
                self.requests.append(protocol.read(data))
                self._send(connection, self.answer(self.requests[-1]))
        except ConnectionClosed:
            pass

    def _send(self, connection, frame):
        if frame is HANG_UP:
            connection.close()
        elif frame is SILENCE:
            self.released.wait(10)
        else:
            plain = isinstance(frame, bytes | str)
            connection.send(frame if plain else protocol.write(frame))


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
