"""Put an object away: open the drawer, put the object in, close the drawer.

Description:
    A small object lies on the table before a closed cabinet. Three stages, each of which needs
    the one before.

Randomizations:
    As in open-drawer (always the top drawer), and category, shape, colour, place and yaw of the
    object.

Success:
    In this order: the drawer was open (11.2 cm of 16 cm); the object was inside it and clear of
    the hand; the drawer is closed (13 mm or less) with the object inside and clear of the hand.
    Each counts when it has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import Goal, Role, Stage, Task

_INSIDE = Goal("in", ("object", "drawer"))

TASK = Task(
    name="store-in-drawer",
    description=__doc__,
    roles=(Role("object", "small", 0.058), Role("distractor", "small", 0.058)),
    stages=(
        Stage("open", (Goal("open", ("drawer",)),)),
        Stage("in", (_INSIDE,)),
        Stage("closed", (Goal("closed", ("drawer",)), _INSIDE)),
    ),
    horizon=690,
    fixtures=("cabinet",),
    choices={"drawer": ("top drawer",)},
    others=({"object": "distractor"},),
)
