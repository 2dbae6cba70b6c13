"""Lift an object.

Description:
    An object lies on the table, another beside it. The robot takes the first and holds it up.

Randomizations:
    Category, shape and colour of both; their places on the table (27 cm x 50 cm) and yaw; the
    wood of the table; the first joint angles; the sentence.

Success:
    The lowest point of the object is at least 8 cm above the table, it touches the robot and
    nothing else (to lift is to hold up), and this has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Role, Stage, Task

TASK = Task(
    name="lift",
    description=__doc__,
    roles=(Role("object", "manipulated", 0.078), DISTRACTOR),
    stages=(Stage("lifted", (Goal("lifted", ("object",)),)),),
    horizon=110,
    others=({"object": "distractor"},),
)
