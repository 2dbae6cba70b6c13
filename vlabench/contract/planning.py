"""Is what a planner said what it declares that it says? And what follows of it for a session."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NoReturn

from vlabench.contract.specs import PlannerSpec, PolicySpec
from vlabench.errors import PolicyError
from vlabench.plans import Keypoint, Path2D, Plan, SkillCall, Waypoint, parts_of

MOST_CHARACTERS = 1_000
"""Of a subtask, a stage, a name."""

MOST_POINTS = 256
"""Of a path; waypoints, keypoints and lines of a program likewise."""

MOST_PATHS = 16

FARTHEST_M = 10.0
"""No arm of a table reaches a point that is so far from its base: it was not told in metres."""


def check_plan(planner: PlannerSpec, policy: PolicySpec, plan: object) -> Plan:
    """`plan` in plain tuples and numbers, once it is known that `planner` may say it to `policy`.

    Numbers may be NumPy's, and lists or arrays stand where tuples are due.

    Raises:
        PolicyError: If it is no plan, has a part that the planner does not declare, a wrong shape,
            a number that is not finite or out of range, a camera that neither looks through, a
            skill that the policy does not offer, or too much of anything; one sentence that names
            the planner.
    """
    return _Check(planner, policy).plan(plan)


class _Check:
    def __init__(self, planner: PlannerSpec, policy: PolicySpec) -> None:
        self._planner = planner
        self._skills = policy.skills if "program" in policy.reads else None
        looking = (*planner.cameras, *policy.cameras)
        self._cameras = sorted({camera.role for camera in looking})

    def plan(self, plan: object) -> Plan:
        if not isinstance(plan, Plan):
            self._fail(f"said a {type(plan).__name__}; answer a vlabench.plans.Plan")
        checked = Plan(
            subtask=self._text("subtask", plan.subtask),
            stage=self._text("stage", plan.stage),
            paths=tuple(map(self._path, self._several("paths", plan.paths, MOST_PATHS))),
            waypoints=tuple(map(self._waypoint, self._several("waypoints", plan.waypoints))),
            keypoints=tuple(map(self._keypoint, self._several("keypoints", plan.keypoints))),
            program=tuple(map(self._call, self._several("lines", plan.program))),
        )
        parts = parts_of(checked)
        for part in parts:
            if part not in self._planner.says:
                declared = ", ".join(self._planner.says) or "nothing"
                self._fail(f"said {part} and declares that it says {declared}")
        if not parts:
            self._fail("said an empty plan; say at least one of what it declares")
        return checked

    def _path(self, path: object) -> Path2D:
        if not isinstance(path, Path2D):
            self._fail(f"said a path that is a {type(path).__name__}; make it a Path2D")
        camera = self._camera("a path", path.camera)
        points = self._several("points of a path", path.points)
        gripper = self._several("gripper states of a path", path.gripper_open)
        if len(points) < 1:
            self._fail("said a path without points; leave it out")
        if gripper and len(gripper) != len(points):
            self._fail(
                f"said a path with {len(points)} points and {len(gripper)} gripper states; give "
                "one each, or none"
            )
        pixels = tuple(self._pixel("a path", point) for point in points)
        return Path2D(camera, pixels, tuple(bool(is_open) for is_open in gripper))

    def _waypoint(self, waypoint: object) -> Waypoint:
        if not isinstance(waypoint, Waypoint):
            self._fail(f"said a waypoint that is a {type(waypoint).__name__}; make it a Waypoint")
        x, y, z = self._position("a waypoint", waypoint.position)
        rotation, opening = waypoint.rotation, waypoint.gripper_opening
        if rotation is not None:
            a, b, c, d = self._numbers("the rotation of a waypoint", rotation, 4)
            if abs(math.hypot(a, b, c, d) - 1) > 1e-3:
                self._fail(
                    f"said a waypoint turned by {[a, b, c, d]}; give a unit quaternion xyzw, "
                    "or None"
                )
            rotation = (a, b, c, d)
        if opening is not None:
            (opening,) = self._numbers("the gripper of a waypoint", [opening], 1)
            if not 0 <= opening <= 1:
                self._fail(f"said a gripper opening of {opening:g}; 0 is closed and 1 open")
        return Waypoint((x, y, z), rotation, opening)

    def _keypoint(self, point: object) -> Keypoint:
        if not isinstance(point, Keypoint):
            self._fail(f"said a keypoint that is a {type(point).__name__}; make it a Keypoint")
        name = self._text("name of a keypoint", point.name)
        if point.pixel is None and point.position is None:
            self._fail(f"said the keypoint {name!r} and not where it is; give pixel or position")
        if (point.pixel is None) != (not point.camera):
            self._fail(f"said the keypoint {name!r} with one of camera and pixel; give both")
        camera = self._camera(f"the keypoint {name!r}", point.camera) if point.camera else ""
        pixel = None if point.pixel is None else self._pixel("a keypoint", point.pixel)
        where = point.position
        position = None if where is None else self._position("a keypoint", where)
        return Keypoint(name, camera, pixel, position)

    def _call(self, call: object) -> SkillCall:
        if not isinstance(call, SkillCall):
            self._fail(f"said a program with a {type(call).__name__}; make it of SkillCalls")
        skill = self._text("name of a skill", call.skill)
        if self._skills is not None and skill not in self._skills:
            offered = ", ".join(self._skills)
            self._fail(f"asked for the skill {skill!r}; the policy offers {offered}")
        arguments = self._several("arguments of a skill", call.arguments)
        told = tuple(self._text("argument of a skill", argument) for argument in arguments)
        return SkillCall(skill, told)

    def _camera(self, whose: str, camera: object) -> str:
        if not isinstance(camera, str) or camera not in self._cameras:
            known = ", ".join(self._cameras) or "no camera"
            self._fail(
                f"said {whose} in the camera {camera!r}; planner and policy look through {known}"
            )
        return camera

    def _pixel(self, whose: str, point: Any) -> tuple[float, float]:
        x, y = self._numbers(f"a point of {whose}", point, 2)
        if not (0 <= x <= 1 and 0 <= y <= 1):
            self._fail(
                f"said a point of {whose} at ({x:g}, {y:g}); points are shares of the image's "
                "width and height, in [0, 1]"
            )
        return x, y

    def _position(self, whose: str, point: Any) -> tuple[float, float, float]:
        x, y, z = self._numbers(f"the position of {whose}", point, 3)
        if max(abs(x), abs(y), abs(z)) > FARTHEST_M:
            self._fail(
                f"said {whose} at ({x:g}, {y:g}, {z:g}); positions are metres in the robot's "
                f"base frame, at most {FARTHEST_M:g} from it"
            )
        return x, y, z

    def _numbers(self, what: str, values: Any, count: int) -> list[float]:
        try:
            numbers = [float(value) for value in values]
        except (TypeError, ValueError):
            self._fail(f"said {what} as {_short(values)}; give {count} numbers")
        if len(numbers) != count:
            self._fail(f"said {what} with {len(numbers)} numbers; give {count}")
        if not all(map(math.isfinite, numbers)):
            self._fail(f"said {what} as {numbers}; every number must be finite")
        return numbers

    def _several(self, what: str, values: Any, most: int = MOST_POINTS) -> Sequence[Any]:
        if isinstance(values, str) or not isinstance(values, Iterable):
            self._fail(f"said {what} as {_short(values)}; give a tuple")
        found = list(values)
        if len(found) > most:
            self._fail(f"said {len(found)} {what}; say at most {most}")
        return found

    def _text(self, what: str, text: object) -> str:
        if not isinstance(text, str):
            self._fail(f"said a {what} that is a {type(text).__name__}; say text")
        if len(text) > MOST_CHARACTERS:
            self._fail(f"said a {what} of {len(text)} characters; say at most {MOST_CHARACTERS}")
        return text

    def _fail(self, what: str) -> NoReturn:
        raise PolicyError(f"Planner {self._planner.name!r} {what}.")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def in_order(names: Iterable[str], stages: Collection[str]) -> tuple[int, int]:
    """How many of `stages` were named, and how many of those in the stages' order.

    A stage counts where it is named first. In order are those of the longest sequence of them
    that follows the order of the stages, whatever stands between: of ``b a c`` two are in the
    order ``a b c``.
    """
    places = {stage: place for place, stage in enumerate(stages)}
    first = [places[name] for name in dict.fromkeys(names) if name in places]
    longest: list[int] = []
    for number, place in enumerate(first):
        before = [longest[k] for k in range(number) if first[k] < place]
        longest.append(1 + max(before, default=0))
    return len(first), max(longest, default=0)
