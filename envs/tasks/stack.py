"""Stack one box on another.

Description:
    Two flat-topped things (blocks, sponges, boxes) stand apart on the table. The robot puts the
    first on top of the second.

Randomizations:
    Category, shape and colour of both and of one distractor; their places on the table
    (27 cm x 50 cm) and yaw; the wood of the table; the first joint angles; the sentence.

Success:
    The first touches the second, its centre is over the top of the second, it touches neither
    the table nor the hand, and all this has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Role, Stage, Task

TASK = Task(
    name="stack",
    description=__doc__,
    roles=(Role("object", "stackable", 0.058), Role("target", "stackable", 0.058), DISTRACTOR),
    stages=(Stage("on", (Goal("on", ("object", "target")),)),),
    horizon=220,
    others=({"object": "target", "target": "object"},),
)
