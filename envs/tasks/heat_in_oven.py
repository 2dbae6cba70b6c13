"""Heat something: open the oven, put the object in, close the oven.

Description:
    A small object lies on the table before a closed countertop oven, whose door takes the front
    of the roof along. Three stages, each of which needs the one before.

Randomizations:
    As in open-door, and category, shape, colour, place (29 cm x 11 cm) and yaw of the object.

Success:
    In this order: the door was open (at least 63 of 90 degrees); the object was inside and clear
    of the hand; the door is closed (7 degrees or less) with the object inside and clear of the
    hand. Each counts when it has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import Goal, Role, Stage, Task

_INSIDE = Goal("in", ("object", "oven"))

TASK = Task(
    name="heat-in-oven",
    description=__doc__,
    roles=(Role("object", "small", 0.058), Role("distractor", "small", 0.058)),
    stages=(
        Stage("open", (Goal("open", ("door",)),)),
        Stage("in", (_INSIDE,)),
        Stage("closed", (Goal("closed", ("door",)), _INSIDE)),
    ),
    horizon=820,
    fixtures=("oven",),
    choices={"door": ("oven door",)},
    others=({"object": "distractor"},),
)
