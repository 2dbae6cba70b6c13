"""Tidy up: a thing into each of two drawers, two more into the crate.

Description:
    Four small objects and an open crate stand before a closed cabinet with two drawers. Eight
    stages, each of which counts only after those before it.

Randomizations:
    Lengths, colour, place (12 cm) and yaw (40 degrees) of the cabinet; category, shape and colour
    of the objects and of the crate; their places on the table (30 cm x 28 cm) and yaw; the wood of
    the table; the first joint angles; the sentence.

Success:
    In this order: the top drawer was open (11.2 cm of 16 cm), the first object inside it, the
    drawer closed (13 mm or less) with the object inside; the same for the bottom drawer and the
    second object; the third object inside the crate; the fourth inside the crate, and all the
    rest still as it was to be. What is inside is clear of the hand. Each counts when it has held
    for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import Goal, Role, Stage, Task


def _stored(name: str, drawer: str) -> tuple[Goal, Goal]:
    return Goal("closed", (drawer,)), Goal("in", (name, drawer))


_FIRST, _SECOND = _stored("first", "top"), _stored("second", "bottom")
_THIRD, _FOURTH = (Goal("in", (name, "crate")) for name in ("third", "fourth"))

TASK = Task(
    name="tidy-up",
    description=__doc__,
    roles=(
        Role("crate", "receptacle", 0.122, super_category="container"),
        *(Role(name, "small", 0.054) for name in ("first", "second", "third", "fourth")),
    ),
    stages=(
        Stage("open top", (Goal("open", ("top",)),)),
        Stage("first in", _FIRST[1:]),
        Stage("close top", _FIRST),
        Stage("open bottom", (Goal("open", ("bottom",)),)),
        Stage("second in", _SECOND[1:]),
        Stage("close bottom", _SECOND),
        Stage("third in", (_THIRD,)),
        Stage("fourth in", (_FOURTH, _THIRD, *_FIRST, *_SECOND)),
    ),
    horizon=2000,
    fixtures=("cabinet",),
    choices={"top": ("top drawer",), "bottom": ("bottom drawer",)},
    others=({"first": "second", "second": "first"}, {"third": "fourth", "fourth": "third"}),
    area=((-0.17, 0.13), (-0.36, -0.08)),
)
