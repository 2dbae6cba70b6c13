"""Sort five things by what they are: fruit into the bowl, toys into the crate.

Description:
    Two pieces of fruit and three toys lie on the table among a bowl and an open crate. The robot
    puts each where its kind belongs, in any order.

Randomizations:
    Category, shape and colour of all; their places on the table (29 cm x 68 cm) and yaw; the wood
    of the table; the first joint angles; the sentence.

Success:
    Each is inside its receptacle: it reaches at least 12 mm below the rim, lies on the receptacle
    or on something that is inside itself, and touches neither the table nor the hand; and this
    has held for 10 control steps (0.5 s) for all together.
"""

from vlabench.envs.tasks.base import WIDE, Goal, Role, Stage, Task

_FRUIT = ("first fruit", "second fruit")
_TOYS = ("first toy", "second toy", "third toy")


def _sorted(names: tuple[str, ...], into: str) -> tuple[Stage, ...]:
    return tuple(Stage(f"{name} in", (Goal("in", (name, into)),)) for name in names)


TASK = Task(
    name="sort-by-kind",
    description=__doc__,
    roles=(
        Role("bowl", "receptacle", 0.095, super_category="dish"),
        Role("crate", "receptacle", 0.122, super_category="container"),
        *(Role(name, "small", 0.04, super_category="fruit") for name in _FRUIT),
        *(Role(name, "small", 0.04, super_category="toy") for name in _TOYS),
    ),
    stages=(*_sorted(_FRUIT, "bowl"), *_sorted(_TOYS, "crate")),
    horizon=1450,
    ordered=False,
    others=({"bowl": "crate", "crate": "bowl"},),
    area=WIDE,
    # some sentences say "what can be eaten"
    exhaustive=frozenset({"fruit", "toy", "vegetable", "baked good"}),
)
