"""The models and shapes of world 2 are, to the bit, what they were.

``models.json`` holds a hash of every array of a compiled model for one nominal episode of each
task, one of each level of each axis, and each robot; and a hash of some shapes of each category.
Left out are only the names of files: where robosuite is installed, and how its thinned meshes are
called. Where a change moves one of them, see the head of ``tests/test_frozen.py``; the file is
written anew with ``python tests/envs/test_models.py``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.contract.environment import StateNeededError, draw_episode
from vlabench.envs.embodiments import EMBODIMENTS
from vlabench.envs.objects.catalog import category
from vlabench.envs.scene import compose
from vlabench.envs.tasks.base import task
from vlabench.envs.world import TabletopWorld
from vlabench.registry import AXES, OBJECTS, TASKS
from vlabench.types import Change, Json

FILE = Path(__file__).parent / "models.json"

FILES = {"paths", "npaths", "nbuffer"} | {
    f"{kind}_pathadr" for kind in ("mesh", "hfield", "skin", "tex")
}


def model_hash(model: mujoco.MjModel) -> str:
    """Of everything in a model but the names of files and how long they are."""
    digest = hashlib.sha256()
    for name, value in parts(model):
        if name not in FILES:
            digest.update(name.encode() + np.asarray(value).tobytes())
    return digest.hexdigest()[:16]


def parts(owner: Any) -> Iterator[tuple[str, Any]]:
    """Every number and array of a structure of MuJoCo, and of the structures in it."""
    for name in sorted(dir(owner)):
        value = None if name.startswith("_") else getattr(owner, name)
        if isinstance(value, np.ndarray | int | float | bytes):
            yield name, value
        elif type(value).__module__.startswith("mujoco"):
            yield from ((f"{name}.{part}", number) for part, number in parts(value))


def shape_hash(name: str) -> str:
    """Of some shapes of a category, at several scales."""
    digest, rng = hashlib.sha256(), np.random.default_rng(0)
    for scale in (1.0, 1.0, 0.9, 1.15):
        shape = category(name).shape(np.round(rng.random(4), 6).tolist(), scale)
        for visual in shape.visuals:
            digest.update(visual.mesh.vertices.tobytes() + visual.mesh.faces.tobytes())
        digest.update(repr((shape.pieces, shape.height, shape.radius, shape.mass)).encode())
    return digest.hexdigest()[:16]


def scenes() -> dict[str, dict[str, Json]]:
    """Factors of all scenes that are held, by a name."""
    world, found = TabletopWorld(), {}
    for name in TASKS.names():
        found[name] = draw_episode(world, name, (), seed=0, index=0).factors
    for k, (axis, level) in enumerate(levels()):
        apt = [name for name in TASKS.names() if axis.applies(task(name))]
        apt = [name for name in apt if level in axis.levels_of(task(name))]
        change = Change(axis.name, level)
        try:
            episode = draw_episode(world, apt[k * 7 % len(apt)], (change,), seed=1, index=k)
        except StateNeededError:
            continue
        found[f"{episode.task} {change}"] = episode.factors
    for name in EMBODIMENTS:
        found[name] = world.draw("place-on", (), seed=3, index=0, embodiment=name).factors
    return found


def levels() -> list[tuple[Any, str]]:
    axes = [AXES.load(name)() for name in AXES.names()]
    return [(axis, level) for axis in axes for level in axis.levels]


@pytest.fixture(scope="module")
def frozen() -> dict[str, dict[str, str]]:
    values: dict[str, dict[str, str]] = json.loads(FILE.read_text())
    return values


def test_models_are_what_they_were(frozen: dict[str, dict[str, str]]) -> None:
    now = {name: model_hash(compose(factors).model) for name, factors in scenes().items()}
    assert now == frozen["models"]
    assert len(set(now.values())) > 0.7 * len(now)


def test_shapes_are_what_they_were(frozen: dict[str, dict[str, str]]) -> None:
    assert {name: shape_hash(name) for name in OBJECTS.names()} == frozen["shapes"]


if __name__ == "__main__":
    values = {
        "models": {name: model_hash(compose(each).model) for name, each in scenes().items()},
        "shapes": {name: shape_hash(name) for name in OBJECTS.names()},
    }
    FILE.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
