"""Run errands: as many things into the basket as the sentence names.

Description:
    Eight small objects lie on the table beside a basket. The sentence names the first of them, or
    the first two, three, five or all eight; the robot puts these inside, in any order. What is
    not named does not matter.

Randomizations:
    Lengths, colour, place (10 cm) and yaw (20 degrees) of the basket; category, shape and colour
    of the objects; their places on the table (29 cm x 40 cm) and yaw; the wood of the table; the
    first joint angles; the sentence. How many are named is 1, but for the axis ``horizon``.

Success:
    All that are named are inside: between the walls and at least 12 mm below the rim at their
    lowest, on the floor of the basket or on something that is inside itself, touching neither the
    table nor the hand; and this has held for 10 control steps (0.5 s) for all together.
"""

from vlabench.envs.tasks.base import Goal, Role, Stage, Task

_NAMES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")

TASK = Task(
    name="errands",
    description=__doc__,
    roles=tuple(Role(name, "small", 0.054) for name in _NAMES),
    stages=tuple(Stage(f"{name} in", (Goal("in", (name, "basket")),)) for name in _NAMES),
    horizon=340,
    fixtures=("basket",),
    ordered=False,
    others=tuple({"first": name, name: "first"} for name in _NAMES[1:]),
    chain=(1, 2, 3, 5, 8),
    area=((-0.17, 0.12), (-0.36, 0.04)),
)
