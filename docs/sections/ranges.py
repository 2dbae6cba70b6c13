"""What each level of each axis can be, in words, from the constants that it is drawn with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from sections.markdown import counted, span
from vlabench.envs import language
from vlabench.envs.axes import (
    articulation,
    background,
    camera,
    combination,
    distractors,
    dynamic,
    embodiment,
    lighting,
    object_appearance,
    object_pose,
    object_scale,
    physics,
    robot_init,
    table_texture,
)
from vlabench.envs.axes.base import Ring, TwoRings
from vlabench.envs.objects.catalog import GRID, held_out
from vlabench.registry import AXES, TASKS


def range_of(axis: str, level: str) -> str:
    """What a level of an axis can be."""
    return _RANGES[axis](level)


def _articulation(level: str) -> str:
    return f"{_percent(articulation._LEVELS[level])} of its travel towards the goal"


def _background(level: str) -> str:
    walls, floors = ", ".join(background.WALLS[level]), ", ".join(background.FLOORS[level])
    return f"walls: {walls}; floors: {floors}"


def _camera(level: str) -> str:
    ring = camera._LEVELS[level]
    return f"turned by {_span(ring.turn_deg)}°; distance × or ÷ {_span(ring.further)}"


def _combination(level: str) -> str:
    levels = ("mildest", "two mildest", "three mildest")[combination.MILD - 1]
    count = combination._COUNTS[level]
    return f"{count} of a pool of {len(combination.POOL)}, each at one of its {levels} levels"


def _distractors(level: str) -> str:
    return f"{span(*distractors._LEVELS[level])} more"


def _dynamic(level: str) -> str:
    near = f"{_span(_centimetres(dynamic.NEAR))} cm away"
    hand, shift = f"when the hand is {near}", f"{_span(_centimetres(dynamic.SHIFT))} cm"
    what = {
        "light": f"intensity × {_two(dynamic.BRIGHTNESS)} and warmth ± "
        f"{_span(dynamic.WARMTH.more)}, {hand}",
        "camera": f"exterior cameras turn by {_span(dynamic.NUDGE.more)}° in azimuth and in "
        f"elevation, {hand}",
        "object": f"the thing to be handled slides by {shift}, {hand}",
        "target": f"where it is to go slides by {shift}, when the thing in the hand is {near}",
        "instruction": f"another goal of the same scene is asked for, {hand}",
    }
    return what[level]


def _embodiment(level: str) -> str:
    return f"`{embodiment._ROBOTS[level]}` instead of `panda`"


def _from_stage(level: str) -> str:
    return f"begins with {counted(int(level) - 1, 'stage')} finished"


def _horizon(level: str) -> str:
    return f"{level} stages instead of 1"


def _lighting(level: str) -> str:
    ring = lighting._LEVELS[level]
    return (
        f"intensity × {_span(ring.dimmer)} or {_span(ring.brighter)}; "
        f"direction {_span(ring.turn_deg)}°; warmth {_span(ring.warmth)}, warm or cold"
    )


def _noise(axis: str, text: str) -> Callable[[str], str]:
    kind = AXES.load(axis)
    return lambda level: text.format(_span(kind.rings[kind.levels.index(level)]))


def _object_appearance(level: str) -> str:
    shades = f"one of 2 held-out shades of the same colour, for {len(object_appearance.SHADES)}"
    made_of = f"one of {len(object_appearance.MATERIALS)} held-out materials in its own colour"
    what = {"color": f"{shades} colours", "material": made_of, "both": "both"}
    return what[level]


def _object_pose(level: str) -> str:
    ring = object_pose._LEVELS[level]
    return (
        f"moved by {_span(_centimetres(ring.shift))} cm, turned by {_span(_degrees(ring.turn))}°; "
        f"a fixture in its row by {_span(_centimetres(ring.fixture_shift))} cm and "
        f"{_span(_degrees(ring.fixture_turn))}°"
    )


def _object_scale(level: str) -> str:
    return f"lengths × {_two(object_scale._LEVELS[level])}"


def _paraphrase(level: str) -> str:
    count = sum(len(language.phrases(task)[level]) for task in TASKS.names())
    what = {
        "lexical": "other words, and synonyms for the things",
        "syntactic": "the plain words in another order",
        "indirect": "a hint instead of an order",
    }
    return f"{what[level]}; {counted(count, 'phrase')}"


def _physics(level: str) -> str:
    return f"× {_two(physics._LEVELS[level])} each for mass, friction, damping"


def _referring(level: str) -> str:
    what = {
        "attribute": "by what it is, without its category",
        "spatial": "by where it is",
        "negation-ordinal": "by what it is not, or as which it counts",
    }
    return what[level]


def _robot_init(level: str) -> str:
    return f"{_span(robot_init._LEVELS[level])} rad, norm over all joints"


def _table_texture(level: str) -> str:
    return ", ".join(table_texture.TABLES[level])


def _unseen_instances(level: str) -> str:
    cells = [(i, j) for i in range(GRID) for j in range(GRID)]
    out = sum(held_out([(i + 0.5) / GRID, (j + 0.5) / GRID]) for i, j in cells)
    return f"lengths from {out} held-out cells of {len(cells)}, of every object and fixture"


_RANGES: Mapping[str, Callable[[str], str]] = {
    "absent-object": lambda level: "the sentence names a thing that is not there",
    "articulation": _articulation,
    "background": _background,
    "camera": _camera,
    "combination": _combination,
    "composition": lambda level: "a seen category that is kept apart from the task",
    "confusable-distractors": _distractors,
    "distractors": _distractors,
    "dynamic": _dynamic,
    "embodiment": _embodiment,
    "empty-instruction": lambda level: "no words",
    "from-stage": _from_stage,
    "horizon": _horizon,
    "knowledge": lambda level: "by what everybody knows about it",
    "lighting": _lighting,
    "noise-blur": _noise("noise-blur", "standard deviation {} % of the frame's height"),
    "noise-gaussian": _noise("noise-gaussian", "standard deviation {} grey levels of 255"),
    "noise-jpeg": _noise("noise-jpeg", "100 less quality: {}"),
    "noise-occlusion": _noise("noise-occlusion", "{} % of the frame"),
    "object-appearance": _object_appearance,
    "object-pose": _object_pose,
    "object-scale": _object_scale,
    "paraphrase": _paraphrase,
    "physics": _physics,
    "referring": _referring,
    "robot-init": _robot_init,
    "swapped-goal": lambda level: "another goal of the same scene",
    "table-texture": _table_texture,
    "unseen-categories": lambda level: "a held-out category for the thing to be moved",
    "unseen-instances": _unseen_instances,
}


def _span(ring: Ring) -> str:
    return span(ring.low, ring.high)


def _two(rings: TwoRings) -> str:
    return f"{_span(rings.less)} or {_span(rings.more)}"


def _percent(ring: Ring) -> str:
    return f"{span(100 * ring.low, 100 * ring.high)} %"


def _centimetres(ring: Ring) -> Ring:
    return Ring(round(100 * ring.low, 6), round(100 * ring.high, 6))


def _degrees(ring: Ring) -> Ring:
    return Ring(round(math.degrees(ring.low), 6), round(math.degrees(ring.high), 6))
