"""A server of the protocol ``remote`` that answers as it is told, rightly or wrongly."""

from __future__ import annotations

import threading

import numpy as np
from fake_websocket import HANG_UP, FakeServer
from websockets.exceptions import ConnectionClosed

from vlabench.contract import protocol
from vlabench.contract.protocol import Actions, Done, Hello, Reset
from vlabench.contract.specs import PolicySpec
from vlabench.types import ActionChunk

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


class FakeRemote(FakeServer):
    """Says hello for `spec` and answers each request with ``answer(request)``.

    An answer is a frame, bytes or text that are sent as they are, `HANG_UP` or `SILENCE`.

    Attributes:
        requests: All that was received, read.
        released: Ends a silence.
    """

    def __init__(self, spec=None, answer=well):
        self.spec = spec or PolicySpec("zeros", max_batch=8)
        self.answer, self.hello = answer, None
        self.requests, self.released = [], threading.Event()
        super().__init__()

    def __exit__(self, *error):
        self.released.set()
        super().__exit__(*error)

    @property
    def resets(self):
        return sum(isinstance(request, Reset) for request in self.requests)

    def talk(self, connection):
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
