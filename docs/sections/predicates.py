"""The predicates: what each means, with the tolerances that the code has."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sections.markdown import table
from sections.sources import Sources
from vlabench.envs.predicates import PREDICATES, geometry, moved, parts, placed
from vlabench.envs.tasks.base import task
from vlabench.registry import TASKS


def section(sources: Sources) -> str:
    """A row for each predicate, and what its words mean."""
    return "\n\n".join(
        [
            "## Predicates",
            "Physics on one instant, in `envs/predicates/`; how long a goal must hold is said "
            "under [Tasks](#tasks). *a* is a thing, *b* a thing or a part of a fixture.",
            table(
                ["predicate", "is true when", "tasks"],
                [[f"`{name}`", _DEFINITIONS[name], len(_tasks(name))] for name in PREDICATES],
                right="llr",
            ),
            f"To *stand* is to be within {_degrees(geometry.UPRIGHT)}° of upright, clear of the "
            "robot, on the table, on a part of a fixture or on something that stands. The *middle* "
            "of a thing is half way between its underside and its top. *Edges* are taken along the "
            "line of the two middles, seen from above. Contact at a distance does not count. "
            "Nothing asks where the hand is when a drawer, a door or a knob has been moved, and a "
            "button is pressed only while something presses it. The lengths and angles that the "
            "texts of the tasks give for drawers, doors and knobs are these shares of their "
            "travel.",
        ]
    )


def _tasks(predicate: str) -> list[str]:
    return [
        name
        for name in TASKS.names()
        if any(g.predicate == predicate for stage in task(name).stages for g in stage.goals)
    ]


def _degrees(cosine: float) -> str:
    return f"{math.degrees(math.acos(cosine)):.0f}"


_HEIGHT = f"{1000 * placed.HEIGHT_TOLERANCE:g} mm"

_DEFINITIONS: Mapping[str, str] = {
    "on": "the middle of *a* is over the surface of *b*; its lowest point is neither more than "
    f"{_HEIGHT} below that surface nor more than {_HEIGHT} above the top of *b* (for a part: its "
    "middle is in the space above the part); *b* stands; *a* touches *b*, and neither the robot "
    "nor the table",
    "in": "the middle of *a* is between the walls of *b* and its lowest point at least "
    f"{_HEIGHT} below the rim (for a part: its middle is in the space of the part); *b* stands; "
    "*a* touches *b*, or something that is in *b* itself, and neither the robot nor the table",
    "lifted": f"the lowest point of *a* is at least {100 * moved.LIFTED:g} cm above the table; it "
    "touches the robot and nothing else",
    "beside": f"*a* is within {_degrees(moved._CONE)}° of the named side of *b*, seen by the "
    f"robot; their edges are at most {100 * moved.BESIDE:g} cm apart; *a* touches the table, and "
    "neither *b* nor the robot; *b* stands",
    "upright": f"*a* is within {_degrees(moved.STANDING)}° of upright and touches the table, not "
    "the robot",
    "in-region": f"the middle of *a* is over the marked place and *a* within "
    f"{_degrees(geometry.UPRIGHT)}° of upright; it touches the table, not the robot",
    "away-from": f"the edges of *a* and *b* are at least {100 * moved.AWAY:g} cm apart; *a* rests "
    "on the table or on something that stands, clear of the robot",
    "open": f"the joint of a drawer or a door is at {100 * parts.OPEN:g} % of its travel or more",
    "closed": f"the joint of a drawer or a door is at {100 * parts.CLOSED:g} % of its travel or "
    "less",
    "turned": f"the joint of a knob is at {100 * parts.TURNED:g} % of its travel or more",
    "pressed": f"the joint of a button is at {100 * parts.PRESSED:g} % of its travel or more",
}
"""Predicate to what it means; the values are those of the code."""
