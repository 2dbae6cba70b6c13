"""Turn a knob.

Description:
    A stove with two knobs stands at the left of the table, its knobs towards the robot. The robot
    turns the named one from off to full.

Randomizations:
    Lengths, colour, place (7 cm x 3 cm) and yaw (30 degrees) of the stove; which knob; one
    distractor on the table; the wood of the table; the first joint angles; the sentence.

Success:
    The knob is turned by at least 72 degrees (of 90) and has been for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Stage, Task

TASK = Task(
    name="turn-knob",
    description=__doc__,
    roles=(DISTRACTOR,),
    stages=(Stage("turned", (Goal("turned", ("knob",)),)),),
    horizon=190,
    fixtures=("stove",),
    choices={"knob": ("left knob", "right knob")},
    others=({"knob": "left knob"}, {"knob": "right knob"}),
)
