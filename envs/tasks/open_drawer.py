"""Open a drawer.

Description:
    A cabinet with two drawers stands at the left of the table. The robot pulls the named one open
    by its handle.

Randomizations:
    Lengths, colour, place (12 cm) and yaw (40 degrees) of the cabinet; which drawer; one
    distractor on the table; the wood of the table; the first joint angles; the sentence.

Success:
    The drawer is at least 11.2 cm open (of 16 cm) and has been for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Stage, Task

TASK = Task(
    name="open-drawer",
    description=__doc__,
    roles=(DISTRACTOR,),
    stages=(Stage("open", (Goal("open", ("drawer",)),)),),
    horizon=170,
    fixtures=("cabinet",),
    choices={"drawer": ("top drawer", "bottom drawer")},
    others=({"drawer": "top drawer"}, {"drawer": "bottom drawer"}),
)
