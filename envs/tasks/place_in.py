"""Place an object in a hollow thing.

Description:
    An object lies on the table beside a bowl or an open crate. The robot puts it inside.

Randomizations:
    Category, shape and colour of both and of one distractor; their places on the table
    (27 cm x 50 cm) and yaw; the wood of the table; the first joint angles; the sentence.

Success:
    The object touches the receptacle, reaches at least 12 mm below its rim (its middle is no more
    than half its own height less 12 mm above the rim, and between the walls), it touches neither
    the table nor the hand, and all this has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Role, Stage, Task

TASK = Task(
    name="place-in",
    description=__doc__,
    roles=(Role("object", "manipulated", 0.078), Role("target", "receptacle", 0.122), DISTRACTOR),
    stages=(Stage("in", (Goal("in", ("object", "target")),)),),
    horizon=230,
    others=({"object": "distractor"},),
)
