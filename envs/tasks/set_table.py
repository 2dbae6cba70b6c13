"""Set the table around a plate.

Description:
    A plate stands on the table; two utensils and a cup lie around. The robot puts one utensil to
    the left of the plate, the other to its right and the cup behind it, in any order. Sides are
    the robot's own: behind is further away from it.

Randomizations:
    Category, shape and colour of the four; their places on the table (29 cm x 68 cm; on the three
    sides of the plate there is room) and yaw; the wood of the table; the first joint angles; the
    sentence.

Success:
    The middle of each thing is within 45 degrees of its side of the plate, its edge at most 12 cm
    from the plate's, it touches the table and neither the plate nor the hand; and this has held
    for 10 control steps (0.5 s) for all three together.
"""

from vlabench.envs.tasks.base import WIDE, Goal, Role, Room, Stage, Task

TASK = Task(
    name="set-table",
    description=__doc__,
    roles=(
        Role("plate", "plate-like", 0.11),
        Role("one", "utensil", 0.078),
        Role("two", "utensil", 0.078),
        Role("cup", "manipulated", 0.068, super_category="drinking vessel"),
    ),
    stages=(
        Stage("left", (Goal("beside", ("one", "left", "plate")),)),
        Stage("right", (Goal("beside", ("two", "right", "plate")),)),
        Stage("cup", (Goal("beside", ("cup", "behind", "plate")),)),
    ),
    horizon=800,
    ordered=False,
    others=({"one": "two", "two": "one"},),
    area=WIDE,
    rooms=(
        Room("left room", "left", "plate", 0.05),
        Room("right room", "right", "plate", 0.05),
        Room("cup room", "behind", "plate", 0.05),
    ),
)
