"""GR00T's ZeroMQ servers, N1.5's and that of N1.6 and later.

They follow ``gr00t/eval/service.py`` and ``gr00t/policy/server_client.py`` of
github.com/NVIDIA/Isaac-GR00T; the codec is their own, so that a mistake in ours cannot hide.
"""

from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import asdict, dataclass

import msgpack
import numpy as np
import zmq

HANG, HANG_UP = "hang", "hang up"


@dataclass
class ModalityConfig:
    delta_indices: list
    modality_keys: list


def config(prefix, rows=16):
    """What ``get_modality_config`` tells of a LIBERO checkpoint; N1.5 puts a prefix before keys."""
    pose = ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]

    def keys(modality, names):
        return [f"{modality}.{name}" if prefix else name for name in names]

    return {
        "video": ModalityConfig([0], keys("video", ["image", "wrist_image"])),
        "state": ModalityConfig([0], keys("state", pose)),
        "action": ModalityConfig(list(range(rows)), keys("action", pose)),
        "language": ModalityConfig([0], ["annotation.human.action.task_description"]),
    }


class FakeGroot:
    """Asks ``act(observation)`` for the answers to ``get_action``, in a thread of its own.

    `act` gives what the server's policy gives, raises (the answer is then ``{"error": text}``), or
    gives bytes that are sent as they are, `HANG` or `HANG_UP`.
    """

    def __init__(self, version, act, modalities=None, wanted=None):
        self.version, self.act, self.api_token = version, act, wanted
        self.modalities = config(version == "n1.5") if modalities is None else modalities
        self.frames, self.asked = [], []
        self._context = zmq.Context()
        self._socket, self.url = self._bound("tcp://127.0.0.1:*")
        self._stopping, self.release = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stopping.set()
        self.release.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def to_bytes(self, value):
        """MsgSerializer.to_bytes"""
        return msgpack.packb(value, default=self._encoded)

    def from_bytes(self, data):
        """MsgSerializer.from_bytes"""

        def decoded(found):
            if "__ndarray_class__" in found:
                return np.load(io.BytesIO(found["as_npy"]), allow_pickle=False)
            return found

        return msgpack.unpackb(data, object_hook=decoded)

    def _encoded(self, found):
        if isinstance(found, ModalityConfig):
            inner = asdict(found)
            as_json = json.dumps(inner, separators=(",", ":")) if self.version == "n1.5" else inner
            return {"__ModalityConfig_class__": True, "as_json": as_json}
        if isinstance(found, np.ndarray):
            output = io.BytesIO()
            np.save(output, found, allow_pickle=False)
            return {"__ndarray_class__": True, "as_npy": output.getvalue()}
        return found

    def _bound(self, address):
        socket = self._context.socket(zmq.REP)
        socket.setsockopt(zmq.LINGER, 0)
        for patience in range(200, -1, -1):
            try:
                socket.bind(address)
                break
            except zmq.ZMQError:  # a socket that was there before is still being closed
                if not patience:
                    raise
                time.sleep(0.01)
        return socket, socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def _run(self):
        while not self._stopping.is_set():
            if not self._socket.poll(10):
                continue
            message = self._socket.recv()
            self.frames.append(message)
            answer = self._answer(self.from_bytes(message))
            if answer is HANG_UP:
                self._socket.close()
                self._socket, _ = self._bound(self.url)
                continue
            if answer is HANG:
                self.release.wait()
                answer = self.to_bytes({})
            self._socket.send(answer)

    def _answer(self, request):
        if self.api_token is not None and request.get("api_token") != self.api_token:
            return self.to_bytes({"error": "Unauthorized: Invalid API token"})
        try:
            return self._called(request.get("endpoint", "get_action"), request.get("data", {}))
        except Exception as error:  # noqa: BLE001  (as the server does)
            return self.to_bytes({"error": str(error)})

    def _called(self, endpoint, data):
        self.asked.append(endpoint)
        if endpoint == "ping":
            return self.to_bytes({"status": "ok", "message": "Server is running"})
        if endpoint == "get_modality_config":
            return self.to_bytes(self.modalities)
        if endpoint != "get_action":
            raise ValueError(f"Unknown endpoint: {endpoint}")
        answer = self.act(data) if self.version == "n1.5" else self.act(**data)
        return answer if isinstance(answer, bytes | str) else self.to_bytes(answer)


def split(actions):
    """``action.*`` of ``(..., 7)`` numbers, each with its axis."""
    names = ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]
    return {f"action.{name}": actions[..., i : i + 1] for i, name in enumerate(names)}
