"""Place an object beside another, on a given side.

Description:
    Two objects stand apart on the table. The robot puts the first to the left or the right of the
    second, in front of it or behind it, as the robot sees it: behind is further away from it.

Randomizations:
    The side; category, shape and colour of both and of one distractor; their places on the table
    (28 cm x 64 cm; beside the second a disc of 8 cm radius is free) and yaw; the wood of the
    table; the first joint angles; the sentence.

Success:
    The middle of the first is within 45 degrees of that direction from the middle of the second,
    their edges are at most 12 cm apart, the first touches the table and neither the second nor
    the hand, the second stands upright, and all this has held for 10 control steps (0.5 s).
"""

from vlabench.envs.tasks.base import DISTRACTOR, Goal, Role, Room, Stage, Task

_SIDES = ("left", "right", "front", "behind")

TASK = Task(
    name="place-beside",
    description=__doc__,
    roles=(Role("object", "manipulated", 0.078), Role("target", "manipulated", 0.078), DISTRACTOR),
    stages=(Stage("beside", (Goal("beside", ("object", "side", "target")),)),),
    horizon=270,
    choices={"side": _SIDES},
    others=tuple({"side": side} for side in _SIDES),
    area=((-0.15, 0.13), (-0.32, 0.32)),
    rooms=(Room("room", "side", "target", 0.08),),
)
