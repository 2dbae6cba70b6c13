"""A server that speaks vla-eval's protocol.

It follows ``src/vla_eval/model_servers/serve.py`` and ``src/vla_eval/protocol`` of
github.com/allenai/vla-evaluation-harness; its codec is its own, so that a mistake in ours cannot
hide.
"""

from __future__ import annotations

import io
import time
from http import HTTPStatus

import msgpack
import numpy as np
from fake_websocket import HANG_UP, FakeServer
from PIL import Image
from websockets.exceptions import ConnectionClosed

DELTA = {"name": "position", "dims": 3, "format": "delta_xyz", "range": [-1, 1]}
AXIS_ANGLE = {"name": "rotation", "dims": 3, "format": "axis_angle", "range": [-3.15, 3.15]}
CLOSE_POSITIVE = {"name": "gripper", "dims": 1, "format": "binary_close_positive", "range": [-1, 1]}
IMAGE = {"name": "image", "dims": 0, "format": "rgb_hwc_uint8"}
LANGUAGE = {"name": "language", "dims": 0, "format": "language"}
STATE = {"name": "state", "dims": 8, "format": "eef_pos3_axisangle3_gripper2"}

OPENVLA = {
    "observation_params": {"env_seed": 0},
    "action_spec": {"position": DELTA, "rotation": AXIS_ANGLE, "gripper": CLOSE_POSITIVE},
    "observation_spec": {"image": IMAGE, "language": LANGUAGE},
}
"""What ``OpenVLAModelServer`` says of itself."""

RAW = {"name": "raw", "dims": 0, "format": "raw"}
PI0 = {
    "observation_params": {"send_wrist_image": True, "send_state": True},
    "action_spec": {"actions": RAW},
    "observation_spec": {"image": IMAGE, "state": RAW, "language": LANGUAGE},
}
"""What ``Pi0ModelServer`` says of itself."""


def pack(kind, payload, seq, timestamp=None):
    """pack_message; arrays of an answer are no images."""

    def packed(found):
        if isinstance(found, np.ndarray):
            return {
                "__ndarray__": True,
                "data": found.tobytes(),
                "dtype": found.dtype.str,
                "shape": list(found.shape),
            }
        return found

    raw = {
        "type": kind,
        "payload": payload,
        "seq": seq,
        "timestamp": time.time() if timestamp is None else timestamp,
    }
    return msgpack.packb(raw, default=packed, use_bin_type=True)


def unpack(data):
    """unpack_message, with decode_ndarray"""

    def unpacked(found):
        if "__image__" in found:
            return np.array(Image.open(io.BytesIO(found["data"])))
        if "__ndarray__" in found:
            numbers = np.frombuffer(found["data"], dtype=np.dtype(found["dtype"]))
            return numbers.reshape(found["shape"]).copy()
        return found

    return msgpack.unpackb(data, object_hook=unpacked, raw=False)


class FakeVlaEval(FakeServer):
    """Asks ``predict(observation, step)``, where `step` counts the observations of an episode.

    `predict` gives the payload of an action, raises, or gives bytes that are sent as they are, or
    `HANG_UP`. ``hello`` is what the server says of itself.
    """

    def __init__(self, predict, hello=OPENVLA, version=1):
        self.predict, self.hello, self.version = predict, hello, version
        super().__init__(ping_interval=None, process_request=_health)

    @property
    def messages(self):
        """Every message that came, with arrays."""
        return [unpack(frame) for frame in self.frames]

    def talk(self, connection):
        step = 0
        try:
            while True:
                frame = connection.recv()
                self.frames.append(frame)
                message = unpack(frame)
                if message["type"] == "hello":
                    connection.send(self._hello(message["seq"]))
                elif message["type"] == "episode_start":
                    step = 0
                elif message["type"] == "observation":
                    answer = self._answer(message, step)
                    if answer is HANG_UP:
                        connection.socket.close()
                        return
                    connection.send(answer)
                    step += 1
        except ConnectionClosed:
            return

    def _hello(self, seq):
        if isinstance(self.hello, bytes):
            return self.hello
        common = {"harness_version": "0.3.0", "protocol_version": self.version}
        server = {"model_server": "Fake", "capabilities": {}}
        return pack("hello", {**common, **server, **self.hello}, seq)

    def _answer(self, message, step):
        try:
            answer = self.predict(message["payload"], step)
        except Exception as error:  # noqa: BLE001  (as the server does)
            text = f"observation_failed: {type(error).__name__}: {error}"
            return pack("error", {"error": text}, message["seq"])
        return pack("action", answer, message["seq"]) if isinstance(answer, dict) else answer


def _health(connection, request):
    if request.path == "/health":
        return connection.respond(HTTPStatus.OK, '{"status": "ok"}\n')
    return None
