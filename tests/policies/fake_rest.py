"""HTTP servers that answer like ``vla-scripts/deploy.py`` of OpenVLA and of OpenVLA-OFT.

Their codec is their own, so that a mistake in ours cannot hide: arrays are written and read as
json-numpy's ``patch()`` makes FastAPI do, answers as Starlette's ``JSONResponse`` renders them.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np


def default(value):
    """json_numpy.default"""
    data = base64.b64encode(value.data if value.flags.c_contiguous else value.tobytes())
    dtype = np.lib.format.dtype_to_descr(value.dtype)
    return {"__numpy__": data.decode(), "dtype": dtype, "shape": value.shape}


def object_hook(found):
    """json_numpy.object_hook"""
    if "__numpy__" not in found:
        return found
    array = np.frombuffer(
        base64.b64decode(found["__numpy__"]), np.lib.format.descr_to_dtype(found["dtype"])
    )
    return array.reshape(found["shape"]) if found["shape"] else array[0]


def render(value):
    """starlette.responses.JSONResponse.render, with json_numpy's patch"""
    return json.dumps(value, default=default, ensure_ascii=False, separators=(",", ":")).encode()


class FakeRest(ThreadingHTTPServer):
    """Answers every request with `status` and `answer`, and keeps what it was sent.

    `answer` is bytes, or a function of the decoded request: what it raises is the answer
    ``"error"``, as in ``deploy.py``. `drops` connections are closed without an answer first.
    """

    daemon_threads = True

    def __init__(self, answer=b""):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.answer, self.drops, self.requests = 200, answer, 0, []
        self.release = threading.Event()
        self.release.set()

    def handle_error(self, request, client_address):
        """A client that hung up is part of a test, and no news."""

    def answered(self, body):
        if isinstance(self.answer, bytes):
            return self.answer
        payload = json.loads(body, object_hook=object_hook)
        if double_encode := "encoded" in payload:
            assert len(payload.keys()) == 1, "Only uses encoded payload!"
            payload = json.loads(payload["encoded"], object_hook=object_hook)
        try:
            action = self.answer(payload)
        except Exception:  # noqa: BLE001  (as deploy.py does)
            return render("error")
        return render(json.dumps(action, default=default)) if double_encode else render(action)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, self.headers["Content-Type"], body))
        self.server.release.wait(10)
        if self.server.drops:
            self.server.drops -= 1
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        answer = self.server.answered(body)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@contextmanager
def serving(answer=b""):
    """A `FakeRest` that runs meanwhile."""
    with FakeRest(answer) as fake:
        thread = threading.Thread(target=fake.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield fake
        finally:
            fake.release.set()
            fake.shutdown()
            thread.join()


def dead_port():
    """A port of this machine where nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return free.getsockname()[1]
