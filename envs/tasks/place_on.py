"""Place an object on a flat thing.

Description:
    A mug, can, carton, fruit or the like stands on the table beside a plate, a coaster or a
    cutting board. The robot puts it on that.

Randomizations:
    Category, shape and colour of both and of one distractor; their places on the table
    (27 cm x 50 cm) and yaw; the wood of the table; the first joint angles; the sentence.

Success:
    The object touches the target, stands over its surface (centre inside the rim), touches
    neither the table nor the hand, and all this has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Role, Stage, Task

TASK = Task(
    name="place-on",
    description=__doc__,
    roles=(Role("object", "manipulated", 0.078), Role("target", "support", 0.125), DISTRACTOR),
    stages=(Stage("on", (Goal("on", ("object", "target")),)),),
    horizon=230,
    others=({"object": "distractor"},),
)
