"""Stand something up that lies on its side.

Description:
    A bottle, can or the like lies on its side. The robot stands it on its foot.

Randomizations:
    Category, shape and colour of the thing and of one distractor; their places on the table
    (17 cm x 46 cm) and yaw; the wood of the table; the first joint angles; the sentence.

Success:
    The axis of the thing is within 15 degrees of upright, its foot down; it touches the table and
    not the hand; and all this has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Role, Stage, Task

TASK = Task(
    name="stand-upright",
    description=__doc__,
    roles=(Role("object", "standing", 0.095, lying=True), DISTRACTOR),
    stages=(Stage("upright", (Goal("upright", ("object",)),)),),
    horizon=340,
    area=((-0.12, 0.05), (-0.23, 0.23)),
)
