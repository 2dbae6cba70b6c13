"""Close a door.

Description:
    A countertop oven with an open door stands at the left of the table. The robot swings the door
    shut by its handle.

Randomizations:
    Lengths, colour, place (12 cm) and yaw (24 degrees) of the oven, and how far its door is open
    (76 to 90 degrees); one distractor on the table; the wood of the table; the first joint
    angles; the sentence.

Success:
    The door is at most 7 degrees open and has been for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Stage, Task

TASK = Task(
    name="close-door",
    description=__doc__,
    roles=(DISTRACTOR,),
    stages=(Stage("closed", (Goal("closed", ("door",)),)),),
    horizon=140,
    fixtures=("oven",),
    choices={"door": ("oven door",)},
    starts={"door": (0.85, 1.0)},
)
