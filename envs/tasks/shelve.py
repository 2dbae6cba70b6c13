"""Put an object on a level of a shelf.

Description:
    A small object lies on the table before a shelf of two steps. The robot puts it on the named
    one.

Randomizations:
    Lengths, colour, place (10 cm) and yaw (24 degrees) of the shelf; which level; category, shape,
    colour, place (29 cm x 28 cm) and yaw of the object and of one distractor; the wood of the
    table; the first joint angles; the sentence.

Success:
    The object touches that level, its middle is over it, its lowest point at most 20 cm above it,
    it touches neither the table nor the hand, and all this has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import Goal, Role, Stage, Task

TASK = Task(
    name="shelve",
    description=__doc__,
    roles=(Role("object", "small", 0.058), Role("distractor", "small", 0.058)),
    stages=(Stage("on", (Goal("on", ("object", "level")),)),),
    horizon=300,
    fixtures=("shelf",),
    choices={"level": ("upper shelf", "lower shelf")},
    others=({"level": "upper shelf"}, {"level": "lower shelf"}, {"object": "distractor"}),
)
