"""Swap two things.

Description:
    Two things stand on two plates, coasters or boards. The robot makes them change places; one
    has to wait somewhere else meanwhile.

Randomizations:
    Category, shape and colour of both things and of what they stand on; the places of those on
    the table (26 cm x 60 cm) and yaw of all four; the wood of the table; the first joint angles;
    the sentence.

Success:
    In this order: the first thing is off its place (it rests 1 cm or more beside it, clear of the
    hand); the second stands on the place of the first; and each stands on the other's place. To
    stand on a place is to touch it with the middle over it, touching neither the table nor the
    hand. Each counts when it has held for 10 control steps (0.5 s); to carry the first at once to
    a free corner of the other place counts too.
"""

from vlabench.envs.tasks.base import Goal, Role, Stage, Task

_SECOND_MOVED = Goal("on", ("second", "object place"))

TASK = Task(
    name="swap",
    description=__doc__,
    roles=(
        Role("object place", "support", 0.125),
        Role("second place", "support", 0.125),
        Role("object", "small", 0.058, on="object place"),
        Role("second", "small", 0.058, on="second place"),
    ),
    stages=(
        Stage("aside", (Goal("away-from", ("object", "object place")),)),
        Stage("second moved", (_SECOND_MOVED,)),
        Stage("swapped", (_SECOND_MOVED, Goal("on", ("object", "second place")))),
    ),
    horizon=750,
    area=((-0.14, 0.12), (-0.3, 0.3)),
)
