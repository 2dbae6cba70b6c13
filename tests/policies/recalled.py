"""A policy whose actions were recorded, recalled by exactly what it is shown.

Behind a protocol without sessions nothing else tells which answer is due, and it tells more: one
pixel, number or letter that is another on the other side of the wire makes another run.
"""

from __future__ import annotations

import hashlib

import numpy as np

from vlabench.policies.card import packaged_card
from vlabench.types import ActionChunk


def recall(instruction, images, state, rows, columns, dtype=np.float64):
    """``(rows, columns)``: small motions; the last number, the gripper's, is 0 or 1."""
    seen = hashlib.sha256(instruction.encode())
    for array in (*images, *([] if state is None else [state])):
        seen.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    rng = np.random.default_rng(int.from_bytes(seen.digest()[:8], "big"))
    actions = rng.uniform(-0.4, 0.4, (rows, columns))
    actions[:, -1] = rng.integers(2)
    return actions.astype(dtype)


class Recalling:
    """The same in process, under the declaration of a packaged card.

    Args:
        card: Its name.
        state_dtype: In which numbers the protocol carries the state.
        dtype: In which it carries the actions.
    """

    def __init__(self, card, state_dtype="f8", dtype="f8"):
        self._spec = packaged_card(card).spec()
        self._state_dtype, self._dtype = np.dtype(state_dtype), np.dtype(dtype)

    def spec(self):
        return self._spec

    def reset(self, starts):
        pass

    def act(self, observations):
        return [ActionChunk(self._recalled(seen)) for seen in observations]

    def end(self, episode_ids):
        pass

    def close(self):
        pass

    def _recalled(self, seen):
        images = [seen.images[camera.role] for camera in self._spec.cameras]
        state = None if seen.state is None else seen.state.astype(self._state_dtype)
        size = self._spec.chunk_length, self._spec.action.dimension
        return recall(seen.instruction, images, state, *size, self._dtype)
