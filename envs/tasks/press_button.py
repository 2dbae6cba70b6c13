"""Press a button.

Description:
    A panel with a red, a green and a blue button stands at the left of the table. The robot pushes
    the named one down against its spring and keeps it there.

Randomizations:
    Lengths, colour, place (10 cm x 4 cm) and yaw (40 degrees) of the panel; which button; one
    distractor on the table; the wood of the table; the first joint angles; the sentence.

Success:
    The button is pressed in by at least 9.8 mm (of 14 mm) and has been for 10 control steps
    (0.5 s) without a break.
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Stage, Task

TASK = Task(
    name="press-button",
    description=__doc__,
    roles=(DISTRACTOR,),
    stages=(Stage("pressed", (Goal("pressed", ("button",)),)),),
    horizon=100,
    fixtures=("panel",),
    choices={"button": ("red button", "green button", "blue button")},
    others=({"button": "red button"}, {"button": "green button"}, {"button": "blue button"}),
)
