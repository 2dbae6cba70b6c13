"""Push an object onto a mat.

Description:
    A thing that slides and a small felt mat lie apart on the table. The robot moves the thing
    onto the mat; to carry it there counts as much as to push it.

Randomizations:
    Category, shape and colour of the thing and of one distractor; lengths and colour of the mat;
    places of all on the table (27 cm x 50 cm) and yaw; the wood of the table; the first joint
    angles; the sentence.

Success:
    The middle of the thing is over the mat, it stands upright (within 20 degrees), touches the
    table and not the hand, and all this has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import Goal, Role, Stage, Task

TASK = Task(
    name="push-to",
    description=__doc__,
    roles=(Role("object", "pushable", 0.065), Role("distractor", "pushable", 0.065)),
    stages=(Stage("in region", (Goal("in-region", ("object", "region")),)),),
    horizon=240,
    fixtures=("mat",),
    choices={"region": ("mat",)},
    others=({"object": "distractor"},),
)
