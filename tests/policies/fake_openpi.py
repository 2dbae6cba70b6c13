"""A server that speaks openpi's protocol.

It follows ``src/openpi/serving/websocket_policy_server.py`` and ``packages/openpi-client/src/
openpi_client/msgpack_numpy.py`` of github.com/Physical-Intelligence/openpi; its codec is its own,
so that a mistake in ours cannot hide.
"""

from __future__ import annotations

import http
import time
import traceback

import msgpack
import numpy as np
from fake_websocket import HANG_UP, FakeServer
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode


def pack(value):
    """msgpack_numpy.packb"""

    def packed(found):
        if isinstance(found, np.ndarray):
            return {
                b"__ndarray__": True,
                b"data": found.tobytes(),
                b"dtype": found.dtype.str,
                b"shape": found.shape,
            }
        if isinstance(found, np.generic):
            return {b"__npgeneric__": True, b"data": found.item(), b"dtype": found.dtype.str}
        return found

    return msgpack.packb(value, default=packed)


def unpack(data):
    """msgpack_numpy.unpackb"""

    def unpacked(found):
        if b"__ndarray__" in found:
            return np.ndarray(
                buffer=found[b"data"], dtype=np.dtype(found[b"dtype"]), shape=found[b"shape"]
            )
        if b"__npgeneric__" in found:
            return np.dtype(found[b"dtype"]).type(found[b"data"])
        return found

    return msgpack.unpackb(data, object_hook=unpacked)


class FakeOpenPi(FakeServer):
    """Asks ``infer(observation, call)``, where `call` counts the requests of a connection.

    `infer` gives what openpi's policies give (a map with ``actions``), raises, or gives bytes or
    text that are sent as they are, or `HANG_UP`.

    Attributes:
        headers: Of every connection that was opened.
        api_key: What a client must have; None for nothing.
    """

    def __init__(self, infer, metadata=None):
        self.infer, self.metadata = infer, {} if metadata is None else metadata
        self.headers, self.api_key = [], None
        super().__init__(process_request=self._process)

    @property
    def requests(self):
        return [unpack(frame) for frame in self.frames]

    def _process(self, connection, request):
        if request.path == "/healthz":
            return connection.respond(http.HTTPStatus.OK, "OK\n")
        key = request.headers.get("Authorization")
        if self.api_key is not None and key != f"Api-Key {self.api_key}":
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "no\n")
        return None

    def talk(self, connection):
        self.headers.append(dict(connection.request.headers))
        metadata = self.metadata
        connection.send(metadata if isinstance(metadata, bytes | str) else pack(metadata))
        before, call = None, 0
        while True:
            try:
                began = time.monotonic()
                frame = connection.recv()
                self.frames.append(frame)
                asked = time.monotonic()
                answer = self.infer(unpack(frame), call)
                call += 1
                if answer is HANG_UP:
                    connection.socket.close()
                    return
                if isinstance(answer, dict):
                    timing = {"infer_ms": (time.monotonic() - asked) * 1000}
                    if before is not None:
                        timing["prev_total_ms"] = before * 1000
                    answer = pack({**answer, "server_timing": timing})
                connection.send(answer)
                before = time.monotonic() - began
            except ConnectionClosed:
                return
            except Exception:  # noqa: BLE001  (as the server does)
                connection.send(traceback.format_exc())
                connection.close(
                    CloseCode.INTERNAL_ERROR,
                    "Internal server error. Traceback included in previous frame.",
                )
                return
