"""How a film looks: its size, and through which cameras it is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlabench.contract.environment import Environment
from vlabench.contract.images import Image, Shown, as_pictures, image_steps
from vlabench.contract.pipeline import rendered
from vlabench.contract.specs import CameraSpec, EnvSpec, PolicySpec
from vlabench.errors import UnknownNameError, UsageError
from vlabench.runner.job import seen_by

POLICY = "policy"
"""Stands for all cameras of the policy, each as it is shown to the policy."""

SMALLEST, LARGEST = 96, 2160
"""Pixels of a film's main view from top to bottom."""

_FRONTAL = ("exterior/1", "exterior/0")
_WRIST = "wrist/0"
_ASPECT = 4 / 3


@dataclass(frozen=True, slots=True)
class Style:
    """What a film shows.

    Attributes:
        size: Height of the main view in pixels; the texts around it grow with it.
        cameras: Camera roles of the environment, the main one first, or `POLICY`; empty for a
            frontal view beside what the policy saw (beside the wrist's, of one that does not look).
    """

    size: int = 480
    cameras: tuple[str, ...] = ()

    def check(self, env: EnvSpec | None = None) -> None:
        """Refuses what cannot be filmed, in one sentence.

        Raises:
            UsageError: If the size is out of bounds, or `env` has no such camera.
        """
        if not SMALLEST <= self.size <= LARGEST:
            raise UsageError(
                f"A film cannot be {self.size} pixels high; give --size from {SMALLEST} to "
                f"{LARGEST}."
            )
        for role in self.cameras if env is not None else ():
            if env is not None and role not in (*env.cameras, POLICY):
                raise UnknownNameError("camera", role, [*env.cameras, POLICY])


USUAL = Style()


@dataclass(frozen=True, slots=True)
class View:
    """One panel of a film.

    Attributes:
        label: What stands in its corner.
        camera: What is rendered for it, and what is done to the picture then.
        of_policy: Whether it shows what the policy saw.
    """

    label: str
    camera: CameraSpec
    of_policy: bool = False

    @property
    def width_over_height(self) -> float:
        """Shape of the picture that is shown."""
        height, width = self.camera.resized or (self.camera.height, self.camera.width)
        return width / height


def views_of(style: Style, env: EnvSpec, policy: PolicySpec) -> tuple[View, ...]:
    """The panels of a film in the world `env`, the main one first.

    Raises:
        UsageError: See `Style.check`.
    """
    style.check(env)
    front = next((role for role in _FRONTAL if role in env.cameras), env.cameras[0])
    beside = (POLICY,) if policy.cameras else tuple({_WRIST} & {*env.cameras} - {front})
    names = list(dict.fromkeys(style.cameras or (front, *beside)))
    others = len(names) - 1 + (POLICY in names) * (len(policy.cameras) - 1)
    views: list[View] = []
    for name in names:
        if name == POLICY:
            views += [View(f"{c.role} · as the policy sees it", c, True) for c in policy.cameras]
        elif views:
            views.append(_raw(name, style.size // others, 1.0))
        else:
            views.append(_raw(name, style.size, _ASPECT))
    if not views:
        raise UsageError(
            f"The policy {policy.name!r} does not look, so there is nothing to film as it saw it; "
            f"give --camera {front}."
        )
    return tuple(views)


def look(environment: Environment, views: Sequence[View], policy: str) -> list[Image]:
    """What each panel shows now.

    Args:
        environment: Where.
        views: The panels.
        policy: Reference of the policy; what its wrappers hide from it is hidden here too.
    """
    frames = [environment.observe([rendered(view.camera)]) for view in views]
    images = [frame.images[v.camera.role] for frame, v in zip(frames, views, strict=True)]
    seen: dict[str, Shown] = {}
    for view, image in zip(views, images, strict=True):
        if view.of_policy:
            seen[view.camera.role] = _converted(image, view.camera)
    if seen:
        left = seen_by(policy, replace(frames[0], images=seen)).images
        seen = {role: left.get(role, np.zeros_like(image)) for role, image in seen.items()}
    return [
        as_pictures(seen[v.camera.role], replace(v.camera, history=1))[-1] if v.of_policy else image
        for v, image in zip(views, images, strict=True)
    ]


def _converted(image: Shown, camera: CameraSpec) -> Shown:
    for step in image_steps(camera):
        image = step(image)
    return image


def _raw(role: str, size: int, aspect: float) -> View:
    """The main view is wide, those in the column beside it are square."""
    return View(role, CameraSpec(role, 2 * (size // 2), 2 * round(size * aspect / 2)))
