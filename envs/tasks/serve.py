"""Put an object on a serving tray.

Description:
    An object lies on the table beside a tray with a low rim. The robot puts it on the tray.

Randomizations:
    Lengths, colour, place (10 cm x 2 cm) and yaw (20 degrees) of the tray; category, shape,
    colour, place (29 cm x 33 cm) and yaw of the object and of one distractor; the wood of the
    table; the first joint angles; the sentence.

Success:
    The object touches the tray, its middle is over it, its lowest point at most 10 cm above it, it
    touches neither the table nor the hand, and all this has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Role, Stage, Task

TASK = Task(
    name="serve",
    description=__doc__,
    roles=(Role("object", "manipulated", 0.078), DISTRACTOR),
    stages=(Stage("on", (Goal("on", ("object", "tray")),)),),
    horizon=240,
    fixtures=("tray",),
    choices={"tray": ("tray",)},
    others=({"object": "distractor"},),
)
