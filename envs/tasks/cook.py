"""Cook: put the cookware on the burner, then turn the stove on.

Description:
    A pot or a pan stands on the table beside a stove. Two stages, in this order.

Randomizations:
    As in turn-knob, and category, shape, colour, place (29 cm x 24 cm) and yaw of the cookware.

Success:
    In this order: the cookware stood on the burner, touching neither the table nor the hand; the
    named knob is turned by at least 72 degrees (of 90) with the cookware still there. Each counts
    when it has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Role, Stage, Task

_ON = Goal("on", ("object", "burner"))

TASK = Task(
    name="cook",
    description=__doc__,
    roles=(Role("object", "cookware", 0.12), DISTRACTOR),
    stages=(
        Stage("on", (_ON,)),
        Stage("turned", (Goal("turned", ("knob",)), _ON)),
    ),
    horizon=460,
    fixtures=("stove",),
    choices={"knob": ("left knob", "right knob")},
    others=({"knob": "left knob"}, {"knob": "right knob"}),
)
