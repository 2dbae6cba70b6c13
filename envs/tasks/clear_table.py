"""Clear the table: five objects into the basket.

Description:
    Five small objects lie on the table beside a basket. The robot puts all of them inside, in any
    order.

Randomizations:
    Lengths, colour, place (10 cm) and yaw (20 degrees) of the basket; category, shape and colour
    of the objects; their places on the table (29 cm x 38 cm) and yaw; the wood of the table; the
    first joint angles; the sentence.

Success:
    All five are inside: between the walls and at least 12 mm below the rim at their lowest, on the
    floor of the basket or on something that is inside itself, touching neither the table nor the
    hand; and this has held for 10 control steps (0.5 s) for all together.
"""

from vlabench.envs.tasks.base import EVERYTHING, Goal, Role, Stage, Task

_NAMES = ("first", "second", "third", "fourth", "fifth")

TASK = Task(
    name="clear-table",
    description=__doc__,
    roles=tuple(Role(name, "small", 0.058) for name in _NAMES),
    stages=tuple(Stage(f"{name} in", (Goal("in", (name, "basket")),)) for name in _NAMES),
    horizon=1610,
    fixtures=("basket",),
    ordered=False,
    area=((-0.17, 0.12), (-0.34, 0.04)),
    exhaustive=frozenset({EVERYTHING}),
)
