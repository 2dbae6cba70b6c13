"""Draws the nominal scene of a task: every factor from its own named stream.

Places are drawn in discs whose size depends on the role, never on the shape that fills it: so a
change of shape or category leaves every place as it was. Metres and radians, in the frame of
`vlabench.envs.scene`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from vlabench.envs import views
from vlabench.envs.axes import background, lighting, physics, table_texture
from vlabench.envs.embodiments import TABLE_SIZE
from vlabench.envs.fixtures.base import Fixture, fixture
from vlabench.envs.language import draw_phrase
from vlabench.envs.objects.catalog import categories, category, draw_shape
from vlabench.envs.scene import roles_in
from vlabench.envs.splits import kept_from
from vlabench.envs.tasks.base import SIDES, Area, Role, Room, Task
from vlabench.seeding import DECIMALS, stream, uniform
from vlabench.types import Json

EMBODIMENT = "panda"

REACH: Area = ((-0.14, 0.13), (-0.25, 0.25))
"""Where objects are put: the range of x and of y. Nearer to the robot its elbow meets its limit,
further away its arm is stretched."""

BASE_X, FARTHEST = -0.56, 0.71
"""Metres: where the robot's base is in x, and how far from it the hand still reaches the table."""

GAP = 0.02
"""Metres between the discs of two roles, so that a hand fits."""

SIGHT_LENGTH, SIGHT_HALF_WIDTH = 0.24, 0.06
"""Metres: nothing tall stands in this strip between a thing that a goal speaks of and the camera.
A 20 cm bottle hides what is up to 24 cm behind it."""

BESIDE_GAP, SIDE_CONE = 0.13, math.cos(math.radians(50.0))
"""What is nearer than this to another thing, in metres, and less far off its side, may already be
beside it: a little more than the predicate takes."""

TALL_HEIGHT = 0.09
"""Metres: what is lower hides nothing that a goal speaks of."""

TALL = frozenset({"manipulated", "standing"})
"""Roles that tall things may play."""

JOINTS = 7
JOINT_NOISE = 0.02
"""Radians by which each joint may start away from home."""

Streams = Callable[[str], np.random.Generator]


def nominal_factors(task: Task, seed: int, index: int) -> dict[str, Json]:
    """Every factor of the nominal episode `index` of `task`."""

    def rng(factor: str) -> np.random.Generator:
        return stream("factor", seed, task.name, index, factor)

    factors: dict[str, Json] = {
        "embodiment": EMBODIMENT,
        "robot": _joint_offsets(rng("robot")),
        table_texture.FACTOR: table_texture.draw_table("seen", rng("table")),
        background.FACTOR: background.draw_room("seen", rng("room")),
        lighting.FACTOR: dict(lighting.NOMINAL),
        views.FACTOR: dict(views.NOMINAL),
        physics.FACTOR: dict(physics.NOMINAL),
        "noise": None,
        "events": [],
        "cast": {name: str(rng(name).choice(names)) for name, names in task.choices.items()},
        "phrase": asdict(draw_phrase(task.name, "seen", rng("phrase"))),
    }
    if task.chain:
        factors["chain"] = task.chain[0]
    for name in task.fixtures:
        factors |= _fixture_factors(fixture(name), task, factors["cast"], rng)
    for role in task.roles:
        draw = rng(f"{role.name}.category")
        factors[f"{role.name}.category"] = draw_category(task, role, factors, draw)
        factors[f"{role.name}.shape"] = draw_shape(rng(f"{role.name}.shape"))
        factors[f"{role.name}.color"] = draw_color(role.name, factors, rng(f"{role.name}.color"))
        if role.lying:
            factors[f"{role.name}.lying"] = True
        if role.on is not None:
            factors[f"{role.name}.on"] = role.on
    factors |= _places(task, factors["cast"], rng("places"))
    for role in task.roles:
        if role.on is not None:
            yaw = uniform(rng(f"{role.name}.yaw"), -math.pi, math.pi)
            factors[f"{role.name}.pose"] = [*factors[f"{role.on}.pose"][:2], yaw]
    return factors


def draw_category(
    task: Task,
    role: Role,
    factors: Mapping[str, Json],
    rng: np.random.Generator,
    *,
    unseen: bool = False,
    apart: bool = False,
) -> str:
    """A category that may play `role` and, while there is one, is not yet in the scene.

    Args:
        task: Whose role it is.
        role: What it will be.
        factors: What is in the scene already.
        rng: Takes one number.
        unseen: From the held-out categories.
        apart: From those that training never shows in this task, though it shows both.
    """
    kept = set(kept_from(task.name, role.kind)) if apart else _kept(task, role)
    choices = [
        name
        for name in categories(role.kind, "unseen" if unseen else "seen")
        if role.super_category in {None, category(name).super_category}
    ]
    if not unseen:
        choices = [name for name in choices if (name in kept) == apart]
    taken = {
        v for k, v in factors.items() if k.endswith(".category") and k != f"{role.name}.category"
    }
    free = [name for name in choices if name not in taken]
    return str(rng.choice(free or [n for n in choices if _colors_left(role.name, n, factors)]))


def draw_color(role: str, factors: Mapping[str, Json], rng: np.random.Generator) -> str:
    """A colour of the category that plays `role`, so that no two things have the same name."""
    return str(rng.choice(_colors_left(role, factors[f"{role}.category"], factors)))


def _colors_left(role: str, name: str, factors: Mapping[str, Json]) -> list[str]:
    """The colours of a category that no other than `role` has of those that are of it."""
    taken = {
        factors[f"{other}.color"]
        for other in roles_in(factors)
        if other != role and factors[f"{other}.category"] == name and f"{other}.color" in factors
    }
    return [color for color in category(name).colors if color not in taken]


def _kept(task: Task, role: Role) -> set[str]:
    """What training never shows in `role`, nor in any other that it may be cast into."""
    return {name for part in task.parts_of(role) for name in kept_from(task.name, part.kind)}


# --- places -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Disc:
    """What a thing occupies on the table, whatever its shape will be.

    Attributes:
        clearance: Its radius in metres.
        tall: Whether it may hide what is behind it.
        shown: Whether nothing may hide it.
    """

    clearance: float
    tall: bool
    shown: bool


def discs(task: Task) -> dict[str, Disc]:
    """What is placed among the objects of `task`, by name; what is kept free comes last."""
    carried = {role.on for role in task.roles if role.kind in TALL}
    placed = {
        role.name: Disc(
            role.clearance,
            role.name in carried or (role.kind in TALL and not role.lying),
            role in task.goal_roles,
        )
        for role in task.roles
        if role.on is None
    }
    for name in task.fixtures:
        if fixture(name).stand is None:
            placed[name] = Disc(fixture(name).clearance, False, True)
    return placed | {room.name: Disc(room.clearance, False, False) for room in task.rooms}


def fits(
    place: tuple[float, float],
    disc: Disc,
    others: Sequence[tuple[tuple[float, float], Disc]],
) -> bool:
    """Whether a disc at `place` keeps its distance, hides nothing and is not hidden."""
    eye = views.VIEWS[views.MAIN][0]
    for at, other in others:
        if math.dist(place, at) < disc.clearance + other.clearance + GAP:
            return False
        if (disc.tall and other.shown and hides(place, at, eye)) or (
            other.tall and disc.shown and hides(at, place, eye)
        ):
            return False
    return True


def standing(
    factors: Mapping[str, Json], known: Mapping[str, Disc], without: str = ""
) -> list[tuple[tuple[float, float], Disc]]:
    """Places and discs of all that `factors` put on the table, but for `without`.

    What an axis has added besides the `known` counts as wide as it is.
    """
    added = {role: measured(role, factors) for role in roles_in(factors) if is_extra(role)}
    return [
        ((factors[f"{name}.pose"][0], factors[f"{name}.pose"][1]), disc)
        for name, disc in (*known.items(), *added.items())
        if name != without
    ]


def as_they_are(factors: Mapping[str, Json], known: Mapping[str, Disc]) -> dict[str, Disc]:
    """The `known` discs no wider than what fills them: for a table with no room left otherwise."""
    narrow = dict(known)
    for role in known.keys() & set(roles_in(factors)):
        if not factors.get(f"{role}.lying", False):
            width = min(known[role].clearance, measured(role, factors).clearance)
            narrow[role] = replace(known[role], clearance=width)
    return narrow


def extra_role(number: int) -> str:
    """The name of something that an axis adds to a scene, counted from 1."""
    return f"{_EXTRA}{number}"


_EXTRA = "extra"


def is_extra(role: str) -> bool:
    """Whether it is such a name."""
    return role.removeprefix(_EXTRA).isdecimal()


def measured(role: str, factors: Mapping[str, Json]) -> Disc:
    """What one thing occupies of the table, as it is and not as its role may be."""
    kind, scale = category(factors[f"{role}.category"]), factors.get(f"{role}.scale", 1.0)
    shape = kind.shape(factors[f"{role}.shape"], scale)
    return Disc(shape.radius, shape.height > TALL_HEIGHT, False)


def reach(task: Task) -> Area:
    """The ranges of x and y in which the task's objects stand."""
    if task.area is not None:
        return task.area
    stands = [kind.stand for kind in map(fixture, task.fixtures) if kind.stand is not None]
    areas = [stand.objects for stand in stands] or [REACH]
    return _common([area[0] for area in areas]), _common([area[1] for area in areas])


def within(place: tuple[float, float], area: Area, slack: float = 0.0) -> bool:
    """Whether a place is in an area, or at most `slack` metres beside it, and can be reached."""
    (near, far), (right, left) = area
    x, y = place
    inside = near - slack <= x <= far + slack and right - slack <= y <= left + slack
    return inside and math.hypot(x - BASE_X, y) < FARTHEST + slack


def on_table(place: tuple[float, float], disc: Disc) -> bool:
    """Whether all of a disc at `place` is over the table."""
    return all(abs(at) + disc.clearance <= TABLE_SIZE[i] / 2 for i, at in enumerate(place))


def _common(intervals: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return max(low for low, _ in intervals), min(high for _, high in intervals)


def hides(front: tuple[float, float], behind: tuple[float, float], eye: Sequence[float]) -> bool:
    """Whether what stands at `front` is in the line of sight from `eye` to `behind`."""
    dx, dy = eye[0] - behind[0], eye[1] - behind[1]
    length = math.hypot(dx, dy)
    px, py = front[0] - behind[0], front[1] - behind[1]
    along = (px * dx + py * dy) / length
    return 0 < along < SIGHT_LENGTH and abs(px * dy - py * dx) / length < SIGHT_HALF_WIDTH


def _places(task: Task, cast: Mapping[str, str], rng: np.random.Generator) -> dict[str, Json]:
    """A pose (x, y, yaw) for all that is placed freely; starts over when there is no room left."""
    wanted, rooms = discs(task), {room.name: room for room in task.rooms}
    (near, far), (right, left) = reach(task)
    for _ in range(2000):
        placed: dict[str, tuple[float, float]] = {}
        for name, disc in _largest_first(wanted, rooms):
            around = [(placed[other], wanted[other]) for other in placed]
            for _ in range(1 if name in rooms else 60):
                if name in rooms:
                    place = _beside(rooms[name], cast, placed, wanted)
                else:
                    place = (uniform(rng, near, far), uniform(rng, right, left))
                if within(place, reach(task)) and fits(place, disc, around):
                    placed[name] = place
                    break
            else:
                break
        if len(placed) == len(wanted) and not _begun(task, cast, placed, wanted):
            return {
                f"{name}.pose": [*placed[name], uniform(rng, -math.pi, math.pi)] for name in wanted
            }
    raise AssertionError(f"the table is too small for the task {task.name}")


def _begun(
    task: Task,
    cast: Mapping[str, str],
    placed: Mapping[str, tuple[float, float]],
    wanted: Mapping[str, Disc],
) -> bool:
    """Whether one of several stages in any order may be done already, whatever the shapes are."""
    if task.ordered:
        return False
    goals = (goal.cast(cast) for stage in task.stages for goal in stage.goals)
    for name, side, target in (g.arguments for g in goals if g.predicate == "beside"):
        (x, y), (dx, dy) = placed[name], SIDES[side]
        along = (x - placed[target][0]) * dx + (y - placed[target][1]) * dy
        distance = math.dist(placed[name], placed[target])
        gap = distance - wanted[name].clearance - wanted[target].clearance
        if gap < BESIDE_GAP and along > SIDE_CONE * distance:
            return True
    return False


def _largest_first(wanted: Mapping[str, Disc], rooms: Mapping[str, Room]) -> list[tuple[str, Disc]]:
    """What needs much room comes early: first what has room beside it, then that room."""
    first = {name for room in rooms.values() for name in (room.of, room.name)}
    return sorted(
        wanted.items(),
        key=lambda item: (item[0] not in first, item[0] in rooms, -item[1].clearance),
    )


def _beside(
    room: Room,
    cast: Mapping[str, str],
    placed: Mapping[str, tuple[float, float]],
    wanted: Mapping[str, Disc],
) -> tuple[float, float]:
    (x, y), (dx, dy) = placed[room.of], SIDES[cast.get(room.side, room.side)]
    far = room.clearance + wanted[room.of].clearance + GAP
    return (round(x + far * dx, DECIMALS), round(y + far * dy, DECIMALS))


# --- what stands around -----------------------------------------------------------------------


def _joint_offsets(rng: np.random.Generator) -> list[float]:
    return [uniform(rng, -JOINT_NOISE, JOINT_NOISE) for _ in range(JOINTS)]


def _fixture_factors(
    kind: Fixture, task: Task, cast: Mapping[str, str], rng: Streams
) -> dict[str, Json]:
    name = kind.name
    factors: dict[str, Json] = {
        f"{name}.shape": draw_shape(rng(f"{name}.shape")),
        f"{name}.color": str(rng(f"{name}.color").choice(sorted(kind.colors))),
    }
    starts = {cast.get(argument, argument): share for argument, share in task.starts.items()}
    draw = rng(f"{name}.parts")
    factors[f"{name}.parts"] = {
        part.name: uniform(draw, *starts.get(part.name, (0.0, 0.0))) for part in kind.parts
    }
    if kind.stand is not None:
        place = rng(f"{name}.pose")
        stand = kind.stand
        factors[f"{name}.pose"] = [uniform(place, *r) for r in (stand.x, stand.y, stand.yaw)]
    return factors
