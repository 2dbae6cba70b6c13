"""Open a door.

Description:
    A countertop oven with a closed door stands at the left of the table. The robot takes the
    upright handle and swings the door open.

Randomizations:
    Lengths, colour, place (12 cm) and yaw (24 degrees) of the oven; one distractor on the table;
    the wood of the table; the first joint angles; the sentence.

Success:
    The door is at least 63 degrees open (of 90) and has been for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Stage, Task

TASK = Task(
    name="open-door",
    description=__doc__,
    roles=(DISTRACTOR,),
    stages=(Stage("open", (Goal("open", ("door",)),)),),
    horizon=210,
    fixtures=("oven",),
    choices={"door": ("oven door",)},
)
