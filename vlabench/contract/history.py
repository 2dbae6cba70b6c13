"""The images that a policy with a memory of its own eyes is shown: one session's last frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vlabench.contract.images import Shown
from vlabench.contract.specs import CameraSpec


class History:
    """The frames of one session, as the policy sees them.

    Args:
        cameras: What the policy looks through.
    """

    def __init__(self, cameras: Sequence[CameraSpec]) -> None:
        self._cameras = {camera.role: camera for camera in cameras}
        self._frames: dict[str, dict[int, Shown]] = {role: {} for role in self._cameras}

    def add(self, step: int, images: Mapping[str, Shown]) -> None:
        """Keeps the frames after `step` control steps; forgets those that nobody asks for again."""
        for role, image in images.items():
            frames, camera = self._frames[role], self._cameras[role]
            frames[step] = image
            oldest = step - (camera.history - 1) * camera.history_stride
            known = [taken for taken in frames if taken <= oldest]
            for taken in known[:-1]:
                del frames[taken]

    def at(self, step: int, role: str) -> Shown:
        """What the policy is shown at `step`: one image, or ``(T, ...)``, oldest first.

        Where there was no frame as early as that, the first one stands for it.
        """
        camera, frames = self._cameras[role], self._frames[role]
        if camera.history == 1:
            return frames[step]
        first = min(frames)
        wanted = (step - k * camera.history_stride for k in reversed(range(camera.history)))
        found = [max((t for t in frames if t <= moment), default=first) for moment in wanted]
        return np.stack([frames[taken] for taken in found])


def looking(cameras: Sequence[CameraSpec], step: int, period: int | None) -> list[CameraSpec]:
    """Through which of `cameras` somebody must look at `step`, so that the histories are whole.

    Args:
        cameras: What the policy looks through.
        step: Control steps executed so far.
        period: Control steps from one question to the next, the first being asked at 0; None
            where that is not known before.
    """
    return [camera for camera in cameras if _is_wanted(camera, step, period)]


def _is_wanted(camera: CameraSpec, step: int, period: int | None) -> bool:
    if period is None:
        return camera.history > 1
    later = (step + k * camera.history_stride for k in range(camera.history))
    return any(moment % period == 0 for moment in later)
