"""Build a tower of three.

Description:
    Three flat-topped things (blocks, sponges, boxes) stand apart on the table. The robot puts the
    first on the second and then the third on the first.

Randomizations:
    Category, shape and colour of the three and of one distractor; their places on the table
    (27 cm x 60 cm) and yaw; the wood of the table; the first joint angles; the sentence.

Success:
    In this order: the first stood on the second; the third stands on the first and the first on
    the second. To stand on something is to touch it with the middle over its top, touching
    neither the table nor the hand. Each counts when it has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Role, Stage, Task

_LOWER = Goal("on", ("object", "target"))

TASK = Task(
    name="build-tower",
    description=__doc__,
    roles=(
        Role("object", "stackable", 0.058),
        Role("target", "stackable", 0.058),
        Role("top", "stackable", 0.058),
        DISTRACTOR,
    ),
    stages=(
        Stage("lower", (_LOWER,)),
        Stage("upper", (Goal("on", ("top", "object")), _LOWER)),
    ),
    horizon=500,
    others=({"object": "top", "top": "object"}, {"target": "top", "top": "target"}),
    area=((-0.14, 0.13), (-0.3, 0.3)),
)
