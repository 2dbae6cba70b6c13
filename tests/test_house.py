"""The house itself: what is packaged, what importing it does, and that its registries are whole."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from vlabench.registry import AXES, FIXTURES, OBJECTS, POLICIES, TASKS, WORLDS, Registry

ROOT = Path(__file__).parent.parent
SOURCES = {"vlabench": "vlabench", "envs": "vlabench.envs", "policies": "vlabench.policies"}
REGISTRIES = {
    registry.kind: registry for registry in (AXES, FIXTURES, OBJECTS, POLICIES, TASKS, WORLDS)
}


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_every_package_of_the_tree_is_packaged():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {"vlabench.suites"}
    for folder, package in SOURCES.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            below = init.parent.relative_to(ROOT / folder).parts
            if not (
                folder == "vlabench" and below[:1] in {(n,) for n in ("envs", "policies", "suites")}
            ):
                found.add(".".join((package, *below)))
    assert set(settings["packages"]) == found


def test_data_files_are_there():
    assert any(f.name == "smoke.yaml" for f in files("vlabench.suites").iterdir())
    assert any(f.name == "place-on.yaml" for f in files("vlabench.envs.language").iterdir())
    assert (files("vlabench.policies") / "cards" / "openvla.yaml").is_file()


def test_importing_loads_nothing_heavy_and_changes_nothing(tmp_path):
    code = """
import os, sys
before = dict(os.environ)
import vlabench, vlabench.suite, vlabench.store, vlabench.report, vlabench.leaderboard, vlabench.cli
heavy = {"mujoco", "robosuite", "gymnasium", "torch", "ray", "matplotlib", "pandas"}
print(sorted(heavy & set(sys.modules)), dict(os.environ) == before)
"""
    done = run_python(code, tmp_path)
    assert done.stdout.strip() == "[] True", done.stderr


def test_the_world_is_not_a_package_of_its_own():
    done = run_python("import envs", ROOT)
    assert done.returncode == 1
    assert "vlabench.envs" in done.stderr


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_registered_name_loads(kind: str):
    registry: Registry = REGISTRIES[kind]
    assert registry.names()
    for name in registry.names():
        assert registry.load(name) is not None


def test_the_readme_shows_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in readme
        assert f"\n{target}:" in makefile


@pytest.mark.parametrize("registry", [AXES, FIXTURES, TASKS], ids=lambda registry: registry.kind)
def test_the_page_about_the_world_names_everything_in_it(registry: Registry):
    page = (ROOT / "docs" / "world.md").read_text()
    assert [name for name in registry.names() if f"`{name}`" not in page] == []
