"""GR00T's wire: msgpack over ZeroMQ.

As ``gr00t/eval/service.py`` (N1.5) and ``gr00t/policy/server_client.py`` (N1.6 and later) of
github.com/NVIDIA/Isaac-GR00T speak it. A request is ``{"endpoint", "data", "api_token"}``, the last
two where there are any; an array is ``{"__ndarray_class__": True, "as_npy": a .npy file's bytes}``;
an error is ``{"error": text}``.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgpack
import numpy as np

from vlabench.arrays import read_npy
from vlabench.contract.unpacking import check_depth, read_json, unpack_msgpack
from vlabench.errors import InfrastructureError, PolicyError, UsageError
from vlabench.policies.addresses import check_address
from vlabench.policies.patience import AWAY_S, has_answered, tries
from vlabench.types import Json

if TYPE_CHECKING:
    import zmq

LARGEST_ANSWER = 64 * 2**20
"""Bytes; the server is cut off in a longer answer."""


def encode(value: Json) -> bytes:
    """`value` as the server's ``MsgSerializer.to_bytes`` writes it."""
    data: bytes = msgpack.packb(value, default=_packed)
    return data


def decode(data: bytes) -> Json:
    """What the server's ``MsgSerializer`` wrote; a ``ModalityConfig`` is the plain map of it.

    Raises:
        ValueError: If it is something else.
    """
    try:
        found: Json = unpack_msgpack(data, map_hook=_unpacked, strict_map_key=True)
        check_depth(found)
        return found
    except Exception as error:  # foreign bytes: msgpack and numpy raise what they like
        raise ValueError(str(error) or type(error).__name__) from error


def _packed(value: Any) -> dict[str, Json]:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"a {type(value).__name__} cannot be sent")
    output = io.BytesIO()
    np.save(output, value, allow_pickle=False)
    return {"__ndarray_class__": True, "as_npy": output.getvalue()}


def _unpacked(found: dict[str, Json]) -> Json:
    if "__ndarray_class__" in found:
        return read_npy(found["as_npy"])
    if "__ModalityConfig_class__" in found:
        inner = found["as_json"]  # text of JSON in N1.5, a map from N1.6 on
        return read_json(inner) if isinstance(inner, str) else inner
    return found


class GrootServer:
    """One GR00T server, asked over one connection that is made anew after it has failed.

    Args:
        policy: The policy's name, for errors.
        url: Of the server, ``tcp://HOST:PORT``.
        connect_timeout_s: Seconds to wait for a connection.
        timeout_s: Seconds to wait for an answer.
        token: The server's ``api_token``; empty for none.
        away_s: Seconds to wait for a server that has answered before and is gone.

    Raises:
        UsageError: If `url` is no such address, or pyzmq is not installed.
    """

    def __init__(
        self,
        policy: str,
        url: str,
        *,
        connect_timeout_s: float,
        timeout_s: float,
        token: str,
        away_s: float = AWAY_S,
    ) -> None:
        try:
            import zmq  # noqa: F401  (only to know now whether it is there)
        except ImportError as error:
            raise UsageError(
                f"Policy {policy!r} talks over ZeroMQ, and pyzmq is not installed; "
                "run pip install 'vlabench[zmq]'."
            ) from error
        check_address(policy, url, ("tcp",), "tcp address", usual_port=5555)
        self.url, self._policy, self._token = url, policy, token
        self._connect_timeout_s, self._timeout_s = connect_timeout_s, timeout_s
        self._away_s = away_s
        self._line: _Line | None = None

    def call(self, endpoint: str, data: Json = None, *, timeout_s: float | None = None) -> Json:
        """What the server's `endpoint` answers to `data`.

        Args:
            endpoint: One of the server's own.
            data: What it is called with; None for an endpoint that takes nothing.
            timeout_s: Seconds to wait for the answer; None for as long as usual.

        Raises:
            InfrastructureError: If there is no connection, it breaks, no answer comes in time, or
                it is no msgpack.
            PolicyError: If the server reports an error of its own.
        """
        request: dict[str, Json] = {"endpoint": endpoint}
        if data is not None:
            request["data"] = data
        if self._token:
            request["api_token"] = self._token
        answer = self._exchange(encode(request), timeout_s or self._timeout_s)
        if isinstance(answer, dict) and "error" in answer:
            said = " ".join(str(answer["error"]).split())[:300]
            raise PolicyError(f"GR00T's server at {self.url} answered the error {said!r}.")
        return answer

    def is_lost(self) -> bool:
        """Whether there is no connection, or no longer the one that was made."""
        if self._line is not None and self._line.is_broken():
            self.close()
        return self._line is None

    def close(self) -> None:
        """Hangs up."""
        line, self._line = self._line, None
        if line is not None:
            line.hang_up()

    def _exchange(self, message: bytes, timeout_s: float) -> Json:
        try:
            if self._line is None:
                self._line = self._connected()
            frame = self._line.exchange(message, timeout_s)
            has_answered(self.url)
            if frame == _ERROR:
                raise PolicyError(f"GR00T's server at {self.url} reported an error of its own.")
            return decode(frame)
        except _LineError as error:
            self.close()  # a REQ socket that waits for an answer can send nothing else
            raise self._failure(str(error)) from error
        except ValueError as error:
            self.close()
            raise self._failure(
                f"answered something else than GR00T's msgpack ({error})"
            ) from error

    def _connected(self) -> _Line:
        absence = _LineError("cannot be reached")
        for _ in tries(self.url, 1, self._away_s):
            try:
                return _Line.to(self.url, self._connect_timeout_s)
            except _AwayError as error:
                absence = error
        raise absence

    def _failure(self, what: str) -> InfrastructureError:
        return InfrastructureError(
            f"The server of policy {self._policy!r} at {self.url} {what}; "
            "see that it runs there, and run the same command again."
        )


_ERROR = b"ERROR"
"""What some versions of the server answer, and nothing more, when the policy raises."""


class _LineError(Exception):
    """What the server did, in half a sentence."""


class _AwayError(_LineError):
    """Nobody is there."""


@dataclass
class _Line:
    """One REQ socket, and a second one that tells what becomes of its connection."""

    context: zmq.Context[zmq.Socket[bytes]]
    socket: zmq.Socket[bytes]
    monitor: zmq.Socket[bytes]

    @classmethod
    def to(cls, url: str, timeout_s: float) -> _Line:
        """A connection to `url`."""
        import zmq
        from zmq.utils.monitor import recv_monitor_message

        context = zmq.Context()
        socket = context.socket(zmq.REQ)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_ANSWER)
        wrong = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        monitor = socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | wrong
        )
        line = cls(context, socket, monitor)
        try:
            socket.connect(url)
            if not monitor.poll(round(1000 * timeout_s)):
                raise _AwayError(f"cannot be reached (within {timeout_s:g} s)")
            if recv_monitor_message(monitor)["event"] != zmq.EVENT_HANDSHAKE_SUCCEEDED:
                raise _LineError("does not speak ZeroMQ")
        except BaseException as error:
            line.hang_up()
            if isinstance(error, zmq.ZMQError):
                raise _LineError(f"cannot be reached ({error})") from error
            raise
        return line

    def is_broken(self) -> bool:
        """Whether the connection has been lost since the last answer."""
        return bool(self.monitor.poll(0))

    def exchange(self, message: bytes, timeout_s: float) -> bytes:
        """The answer to `message`."""
        import zmq

        if self.is_broken():
            raise _LineError("hung up")
        self.socket.send(message)
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self.monitor, zmq.POLLIN)
        if not poller.poll(round(1000 * timeout_s)):
            raise _LineError(f"took too long (over {timeout_s:g} s)")
        if not self.socket.poll(0):
            raise _LineError("broke off before its answer")
        answer: bytes = self.socket.recv()
        if self.socket.getsockopt(zmq.RCVMORE):
            raise _LineError("answered in several parts")
        return answer

    def hang_up(self) -> None:
        """Frees both sockets."""
        self.socket.disable_monitor()
        self.context.destroy(linger=0)
