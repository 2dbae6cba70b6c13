"""Serves a policy over openpi's protocol, for harnesses and robots that speak it.

The protocol is that of ``src/openpi/serving/websocket_policy_server.py`` in
github.com/Physical-Intelligence/openpi: on connecting the server sends one binary frame of
metadata, here ``{"policy_spec": ...}``, the policy's declaration; then every frame is an
observation and is answered with ``{"actions": (T, D), "policy_timing": {"infer_ms"},
"server_timing": {"infer_ms", "prev_total_ms"}}``; an error is a text frame with a traceback and
the close code 1011.

What openpi's protocol does not have, this server cannot know. It has no episodes: a connection is
a session, so a policy that remembers needs a new one for each episode, and its seed depends on
which connection of the server it is. It has no steps: an observation counts as one that came after
all actions of the answers before were executed as the policy declares. It has no environment: the
`EnvSpec` of the session repeats what the policy declares.

An observation is a flat map, and its arrays are what the policy would be shown: images in the
declared size, layout and type, the state vector as declared. `DEFAULT_KEYS` says what they are
called unless told; a camera is called by its `CameraSpec.key`, or else by its role, and a field of
proprioception ``observation/<field>``.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from websockets.frames import CloseCode

from vlabench.contract.answer import check_answer
from vlabench.contract.openpi_codec import pack, unpack
from vlabench.contract.proprio import FIELD_SIZES, size_of
from vlabench.contract.protocol import without_later
from vlabench.contract.specs import CameraSpec, EnvSpec, PolicySpec
from vlabench.contract.wire import Plain, WireError, policy_spec_to_wire
from vlabench.errors import UnknownNameError, UsageError
from vlabench.seeding import seed_of
from vlabench.serving.host import Guest
from vlabench.serving.server import Link, Protocol
from vlabench.types import ActionChunk, EpisodeStart, Floats, Observation

DEFAULT_KEYS = {
    "prompt": "prompt",
    "state": "observation/state",
    "last_action": "observation/last_action",
}
"""What the parts of an observation that every policy may have are called in a request."""

AND = "+"
"""Between the keys of a state vector that comes in several parts."""

USUAL_HZ = 20.0
"""Control steps per second where the policy does not care."""


def openpi_protocol(keys: Mapping[str, str] | None = None) -> Callable[[PolicySpec], Protocol]:
    """How to talk to clients that speak openpi's protocol.

    Args:
        keys: What a part of an observation is called in a request, if not by its usual name: of
            ``prompt``, ``state``, ``last_action``, a camera's role or a field of proprioception.
            A state vector in several parts has their keys with ``+`` between them.
    """

    def make(spec: PolicySpec) -> Protocol:
        reader = Reader(spec, _checked_keys(spec, keys or {}))
        metadata = pack({"policy_spec": policy_spec_to_wire(without_later(spec))})

        async def talk(guest: Guest, link: Link) -> None:
            await link.send(metadata)
            session = _Session(reader, guest)
            while (data := await link.receive()) is not None:
                try:
                    answer = await session.answer(data)
                except Exception:  # noqa: BLE001  (the client is told of whatever it is)
                    await link.send(traceback.format_exc())
                    await link.close(CloseCode.INTERNAL_ERROR, _REASON)
                    return
                await link.send(answer)
                session.sent()

        return talk

    return make


_REASON = "Internal server error. Traceback included in previous frame."


@dataclass(frozen=True)
class Reader:
    """Makes observations of a client's requests.

    Attributes:
        spec: What the policy declares.
        keys: Part of an observation to what it is called in a request; see `openpi_protocol`.
    """

    spec: PolicySpec
    keys: Mapping[str, str]

    def observation(self, data: bytes | str, episode_id: str, step: int) -> Observation:
        """What the request `data` shows.

        Raises:
            WireError: If it is no such request; names the key.
        """
        if isinstance(data, str):
            raise WireError("A request is text; send binary frames.")
        found = unpack(data)
        if not isinstance(found, dict):
            raise WireError(f"A request is a {type(found).__name__}; send a map.")
        spec = self.spec
        return Observation(
            episode_id=episode_id,
            step=step,
            time_s=step / (spec.control_hz or USUAL_HZ),
            instruction=self._prompt(found),
            images={camera.role: self._image(found, camera) for camera in spec.cameras},
            proprio={name: self._vector(found, name) for name in spec.proprio},
            state=self._vector(found, "state") if spec.state else None,
            last_action=self._vector(found, "last_action") if spec.needs else None,
        )

    def _prompt(self, found: Mapping[Any, Plain]) -> str:
        prompt = _part(found, self.keys["prompt"])
        if not isinstance(prompt, str):
            raise WireError(f"{self.keys['prompt']!r} is a {type(prompt).__name__}; send text.")
        return prompt

    def _image(self, found: Mapping[Any, Plain], camera: CameraSpec) -> npt.NDArray[Any]:
        key = self.keys[camera.role]
        image, due = _array(found, key), _shape(camera)
        if image.shape != due or image.dtype != camera.dtype:
            raise WireError(
                f"{key!r} is {image.dtype} {image.shape}, where the policy {self.spec.name!r} "
                f"wants {camera.dtype} {due}; prepare the image as it declares."
            )
        return image

    def _vector(self, found: Mapping[Any, Plain], name: str) -> Floats:
        parts = [_array(found, key) for key in self.keys[name].split(AND)]
        for key, part in zip(self.keys[name].split(AND), parts, strict=True):
            if part.ndim > 1 or part.dtype.kind not in "iuf":
                raise WireError(f"{key!r} is {part.dtype} {part.shape}; send a vector of numbers.")
        vector = np.concatenate([part.reshape(-1) for part in parts], dtype=np.float64)
        due = self._length(name)
        if due is not None and len(vector) != due:
            raise WireError(
                f"{self.keys[name]!r} has {len(vector)} numbers, where the policy "
                f"{self.spec.name!r} wants {due}."
            )
        if not np.isfinite(vector).all():
            raise WireError(f"{self.keys[name]!r} has a number that is not finite; send none.")
        return vector

    def _length(self, name: str) -> int | None:
        """How many numbers a vector has; None where that depends on the arm."""
        if name == "last_action":
            return self.spec.action.dimension
        if name != "state":
            return FIELD_SIZES.get(name)
        sizes = [size_of(part) for part in self.spec.state]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None


@dataclass
class _Session:
    """One connection: what was asked so far."""

    reader: Reader
    guest: Guest
    step: int | None = None
    began: float = 0.0
    total_ms: float | None = field(default=None)

    async def answer(self, data: bytes | str) -> bytes:
        """The frame that answers one request."""
        self.began = time.perf_counter()
        name = f"openpi-{self.guest.number}"
        seen = self.reader.observation(data, name, self.step or 0)
        if self.step is None:
            seed = seed_of("openpi", self.guest.number)
            env = _environment(self.reader.spec)
            await self.guest.reset([EpisodeStart(name, seed, seen.instruction, env)])
        asked = time.perf_counter()
        (chunk,) = await self.guest.act([seen])
        check_answer(self.reader.spec, chunk.actions)
        infer_ms = 1000 * (time.perf_counter() - asked)
        self.step = (self.step or 0) + self.reader.spec.executed
        return pack(self._map(chunk, infer_ms))

    def sent(self) -> None:
        """The answer has left."""
        self.total_ms = 1000 * (time.perf_counter() - self.began)

    def _map(self, chunk: ActionChunk, infer_ms: float) -> dict[str, Plain]:
        timing = {"infer_ms": infer_ms}
        if self.total_ms is not None:
            timing["prev_total_ms"] = self.total_ms
        return {
            "actions": chunk.actions,
            "policy_timing": {"infer_ms": chunk.infer_ms},
            "server_timing": timing,
        }


def _checked_keys(spec: PolicySpec, given: Mapping[str, str]) -> dict[str, str]:
    """What every part that the policy reads is called in a request."""
    if spec.privileged:
        raise UsageError(
            f"The policy {spec.name!r} reads the simulator's state, which openpi's protocol does "
            "not carry; serve it with --protocol remote."
        )
    if spec.planner is not None:
        raise UsageError(
            f"The policy {spec.name!r} has a planner, whose questions openpi's protocol does not "
            "carry; serve it with --protocol remote."
        )
    unknown = [need for need in spec.needs if need != "last_action"]
    if unknown:
        raise UsageError(
            f"The policy {spec.name!r} needs {', '.join(unknown)}, which openpi's protocol does "
            "not carry; serve it with --protocol remote."
        )
    keys = {
        **DEFAULT_KEYS,
        **{name: f"observation/{name}" for name in spec.proprio},
        **{camera.role: camera.key or camera.role for camera in spec.cameras},
    }
    for name in given:
        if name not in keys:
            raise UnknownNameError("part of an observation", name, keys, "--key")
    return {**keys, **given}


def _part(found: Mapping[Any, Plain], key: str) -> Plain:
    if key not in found:
        sent = ", ".join(map(repr, found)) or "nothing"
        raise WireError(f"A request has no {key!r} but {sent}; send it, or serve with --key.")
    return found[key]


def _array(found: Mapping[Any, Plain], key: str) -> npt.NDArray[Any]:
    value = _part(found, key)
    if isinstance(value, np.ndarray | np.number | int | float | list):
        return np.asarray(value)
    raise WireError(f"{key!r} is a {type(value).__name__}; send an array.")


def _shape(camera: CameraSpec) -> tuple[int, ...]:
    """Of what a policy is shown through `camera`."""
    height, width = camera.resized or (camera.height, camera.width)
    image = (3, height, width) if camera.layout == "chw" else (height, width, 3)
    return image if camera.history == 1 else (camera.history, *image)


def _environment(spec: PolicySpec) -> EnvSpec:
    """What a policy is told of an environment that nobody knows."""
    return EnvSpec(
        embodiment="unknown",
        control_hz=spec.control_hz or USUAL_HZ,
        cameras=tuple(camera.role for camera in spec.cameras),
        proprio=spec.proprio,
        action=spec.action,
        max_translation_m=spec.action.max_translation_m or 1.0,
        max_rotation_rad=spec.action.max_rotation_rad or 1.0,
        privileged=False,
        fingerprint="unknown",
        max_joint=spec.action.max_joint,
        needs=spec.needs,
    )
