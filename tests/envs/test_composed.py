from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench import diskcache
from vlabench.envs import composed, robots, thinning
from vlabench.envs.composed import Composed, keep, kept, sources
from vlabench.envs.embodiments import EMBODIMENTS, embodiment
from vlabench.envs.robots import base_spec

EPISODE = """
import json, sys
import numpy as np
from vlabench.contract.environment import draw_episode
from vlabench.envs.world import TabletopWorld
world = TabletopWorld()
environment = world.make()
environment.start(draw_episode(world, "place-on", (), seed=0, index=0))
environment.observe()
environment.advance(np.zeros(7, dtype=np.float32))
slow = ("robosuite", "fast_simplification", "pandas", "matplotlib", "torch", "ray")
print(json.dumps([name for name in slow if name in sys.modules]))
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that the tests of this module share: what one has thinned is there for the next."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def place(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with no robots in it."""
    monkeypatch.setenv(diskcache.VARIABLE, str(shared))
    for path in shared.iterdir():
        if not path.name.startswith("mesh-"):
            path.unlink()
    return shared


@pytest.fixture
def composing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the robots that were composed of robosuite's models."""
    asked, compose = [], robots.compose_robot

    def counted(kind: Any) -> Composed:
        asked.append(kind.name)
        return compose(kind)

    monkeypatch.setattr(robots, "compose_robot", counted)
    return asked


def model_of(name: str) -> bytes:
    """All bytes of the compiled robot at its table."""
    model = base_spec(name).spec.compile()
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return buffer.tobytes()


def entry(place: Path, name: str) -> Path:
    return next(path for path in place.iterdir() if path.name.startswith(f"{name}-"))


@pytest.mark.parametrize("name", EMBODIMENTS)
def test_a_robot_from_disk_is_the_one_that_was_composed(
    name: str, place: Path, composing: list[str]
) -> None:
    first = model_of(name)
    assert composing == [name]
    assert model_of(name) == first
    assert composing == [name]


@pytest.mark.parametrize("harm", ["truncated", "another's", "not ours", "off"])
def test_a_damaged_entry_is_composed_anew(
    harm: str, place: Path, composing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = model_of("panda")
    file = entry(place, "panda")
    match harm:
        case "truncated":
            os.truncate(file, file.stat().st_size // 2)
        case "another's":
            file.chmod(0o666)
        case "not ours":
            diskcache.write(file.name, b"\x93\x01\x02\x03")
        case "off":
            monkeypatch.setenv(diskcache.VARIABLE, "")
    assert model_of("panda") == first
    assert composing == ["panda", "panda"]


def test_robots_share_what_was_thinned(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base_spec("ur5e-robotiq85")
    base_spec("panda")
    asked = []
    monkeypatch.setattr(thinning, "_decimated", lambda *mesh: asked.append(mesh) or mesh)
    first = base_spec("panda-robotiq85")
    assert asked == []
    assert len(kept(embodiment("panda-robotiq85")).thinned) > 20
    assert first.spec.compile().nmeshface < 50_000


def test_what_has_changed_in_robosuite_is_composed_anew(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, kind = tmp_path / "link0.stl", embodiment("panda")
    file.write_bytes(b"solid one")
    monkeypatch.setattr(composed, "robosuite_folder", lambda: tmp_path)
    keep(kind, Composed("<mujoco/>", {}, {}, [], sources([file])))
    assert kept(kind) is not None
    os.utime(file, (1, 1))  # as in another installation of the same
    assert kept(kind) is not None
    file.write_bytes(b"solid two")
    assert kept(kind) is None
    file.unlink()
    assert kept(kind) is None


def test_an_entry_is_of_one_robot_code_and_version(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = embodiment("panda")
    keep(kind, Composed("<mujoco/>", {}, {}, [], {}))
    assert kept(kind) is not None
    assert kept(embodiment("panda-robotiq85")) is None
    for name, other in (
        ("KEPT_FACES", 0.5),
        ("_versions", lambda: {"mujoco": "4.0.0"}),
        ("_code", lambda: "other"),
    ):
        with monkeypatch.context() as changed:
            changed.setattr(composed, name, other)
            assert kept(kind) is None


def test_sources_are_what_the_scene_is_made_of(place: Path) -> None:
    base_spec("ur5e-robotiq85")
    named = kept(embodiment("ur5e-robotiq85")).sources
    for part in ("robots/ur5e/robot.xml", "grippers/robotiq_gripper_85.xml", "table_arena.xml"):
        assert any(name.endswith(part) for name in named), part
    assert "models/tasks/manipulation_task.py" in named
    assert sum(name.endswith((".stl", ".obj")) for name in named) > 20


def test_with_a_warm_cache_an_episode_runs_without_robosuite(
    place: Path, elsewhere: Callable[[str], Any]
) -> None:
    base_spec("panda")
    assert elsewhere(EPISODE) == []
