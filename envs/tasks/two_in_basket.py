"""Put two objects into a basket.

Description:
    Two small objects lie on the table beside a basket. The robot puts both inside, in any order.

Randomizations:
    Lengths, colour, place (10 cm) and yaw (20 degrees) of the basket; category, shape and colour
    of both objects and of one distractor; their places on the table and yaw; the wood of the
    table; the first joint angles; the sentence.

Success:
    Both are inside: between the walls and at least 12 mm below the rim at their lowest, on the
    floor of the basket or on something that is inside itself, touching neither the table nor the
    hand; and this has held for 10 control steps (0.5 s) for both together.
"""

from vlabench.envs.tasks.base import Goal, Role, Stage, Task

TASK = Task(
    name="two-in-basket",
    description=__doc__,
    roles=(
        Role("object", "small", 0.058),
        Role("second", "small", 0.058),
        Role("distractor", "small", 0.058),
    ),
    stages=(
        Stage("first in", (Goal("in", ("object", "basket")),)),
        Stage("second in", (Goal("in", ("second", "basket")),)),
    ),
    horizon=600,
    fixtures=("basket",),
    ordered=False,
    others=({"object": "distractor"}, {"second": "distractor"}),
)
