"""Close a drawer.

Description:
    A cabinet with two drawers stands at the left of the table, and one of them is open. The robot
    pushes it shut.

Randomizations:
    Lengths, colour, place (12 cm) and yaw (40 degrees) of the cabinet; which drawer, and how far
    it is open (13.6 to 16 cm); one distractor on the table; the wood of the table; the first
    joint angles; the sentence.

Success:
    The drawer is at most 13 mm open and has been for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Stage, Task

TASK = Task(
    name="close-drawer",
    description=__doc__,
    roles=(DISTRACTOR,),
    stages=(Stage("closed", (Goal("closed", ("drawer",)),)),),
    horizon=170,
    fixtures=("cabinet",),
    choices={"drawer": ("top drawer", "bottom drawer")},
    starts={"drawer": (0.85, 1.0)},
)
