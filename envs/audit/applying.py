"""Whether there can be a kind of false states at all, by what is in a scene.

What is not there cannot be put in a place, what cannot lie cannot be knocked over. Each is a
function of a bench and a goal in names of its scene; none looks at where things are.
"""

from __future__ import annotations

from vlabench.envs.audit.bench import Bench
from vlabench.envs.tasks.base import Goal


def always(bench: Bench, goal: Goal) -> bool:
    """For kinds that every goal has."""
    del bench, goal
    return True


def can_be_held(bench: Bench, goal: Goal) -> bool:
    """There are grasps of the thing."""
    return bool(bench.scene.objects[goal.arguments[0]].shape.grasps)


def can_lie(bench: Bench, goal: Goal) -> bool:
    """The thing is one that can lie on its side."""
    return bench.scene.objects[goal.arguments[0]].shape.lying > 0.0


def other_can_lie(bench: Bench, goal: Goal) -> bool:
    """What the thing is put beside is one that can lie on its side."""
    return bench.scene.objects[goal.arguments[-1]].shape.lying > 0.0


def can_carry(bench: Bench, goal: Goal) -> bool:
    """Things can be put on what the thing is put beside."""
    return bench.scene.objects[goal.arguments[-1]].shape.surface_radius > 0.0


def on_an_object(bench: Bench, goal: Goal) -> bool:
    """The place is an object that can be moved, no part of a fixture."""
    return goal.arguments[-1] in bench.scene.objects


def has_a_roof(bench: Bench, goal: Goal) -> bool:
    """The place can be closed: it is a drawer, or behind a door."""
    part = bench.scene.parts.get(goal.arguments[-1])
    if part is None:
        return False
    return part.part.kind == "drawer" or any(
        other.part.kind == "door" and other.fixture == part.fixture
        for other in bench.scene.parts.values()
    )


def not_alone(bench: Bench, goal: Goal) -> bool:
    """There is another object."""
    return any(name not in goal.arguments for name in bench.scene.objects)


def has_others(bench: Bench, goal: Goal) -> bool:
    """There is another object, of which no goal speaks."""
    del goal
    return bool(bench.scene.objects.keys() - bench.spoken_of)


def has_other_places(bench: Bench, goal: Goal) -> bool:
    """There is another place that things can be put on or in."""
    parts = any(
        part.floor_site is not None and name not in goal.arguments
        for name, part in bench.scene.parts.items()
    )
    return parts or any(
        thing.shape.surface_radius > 0.0 and name not in goal.arguments
        for name, thing in bench.scene.objects.items()
    )
