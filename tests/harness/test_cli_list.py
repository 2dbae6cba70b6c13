"""``vlabench list`` over the whole registry."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from vlabench.cli.list import KINDS, list_command
from vlabench.errors import UnknownNameError
from vlabench.registry import AXES, FIXTURES, OBJECTS, POLICIES, TASKS, load_attribute
from vlabench.suite import suite_names

NAMES = {
    "policies": POLICIES.names(),
    "suites": suite_names(),
    "tasks": TASKS.names(),
    "axes": AXES.names(),
    "objects": OBJECTS.names(),
    "fixtures": FIXTURES.names(),
    "embodiments": list(load_attribute("vlabench.envs.embodiments:EMBODIMENTS")),
    "controls": list(load_attribute("vlabench.envs.control:CONTROLLERS")),
}


def invoke(*words: str) -> Result:
    app = typer.Typer()
    app.command()(list_command)
    return CliRunner().invoke(app, list(words))


def shown(*words: str) -> str:
    result = invoke(*words)
    assert result.exit_code == 0, result.exception
    return result.stdout


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_every_name_has_a_line_of_documentation(kind: str) -> None:
    lines = shown(kind).splitlines()
    for name in NAMES[kind]:
        (line,) = [line for line in lines if line.startswith(f"{name}  ")]
        assert len(line.removeprefix(name).strip()) > 10
    assert not [line for line in lines if "no documentation" in line or "cannot be loaded" in line]
    assert set(NAMES) == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in sorted(NAMES) for name in NAMES[kind]]
)
def test_every_name_has_a_page(kind: str, name: str) -> None:
    page = shown(kind, name)
    assert name in page.splitlines()[0]
    assert len(page.splitlines()) > 2


def test_a_task_page_has_the_phrases() -> None:
    page = shown("tasks", "place-on")
    assert "put the {object} on the {target}" in page
    assert "Success:" in page
    assert "Horizon: " in page


def test_an_object_page_has_the_facts() -> None:
    page = shown("objects", "mug")
    facts = {line.split()[0]: line for line in page.splitlines() if line[:1].strip()}
    assert list(facts) == [
        "name",
        "family",
        "split",
        "super-category",
        "form",
        "material",
        "use",
        "synonyms",
        "knowledge",
        "fits",
        "density",
        "roles",
        "colors",
        "lengths",
    ]
    mug = OBJECTS.load("mug")
    assert facts["form"].split() == ["form", mug.form]
    assert facts["density"].split() == ["density", f"{mug.density:g}", "kg/m³"]
    assert all(phrase in " ".join(page.split()) for phrase in (*mug.knowledge, *mug.fits))


def test_objects_are_listed_with_their_form() -> None:
    head, *lines = shown("objects").splitlines()
    at = head.index("form ")
    assert {line.split()[0]: line[at:].split()[0] for line in lines}["mug"] == (
        OBJECTS.load("mug").form
    )


def test_a_task_page_says_who_takes_part_and_what_must_become_true() -> None:
    page = shown("tasks", "set-table")
    assert "Stages, in any order:" in page
    assert "beside(one, left, plate)" in page
    assert "drinking vessel only" in page
    page = shown("tasks", "store-in-drawer")
    assert "Stages, in this order:" in page
    assert "Fixtures: cabinet" in page
    page = shown("tasks", "errands")
    assert "the first 1, 2, 3, 5 or 8 of them count" in page
    assert "control steps for each stage that counts" in page


def test_axes_say_their_kind() -> None:
    lines = {line.split()[0]: line for line in shown("axes").splitlines() if line[:1].strip()}
    assert "behaviour: " in lines["robot-init"]
    assert "diagnostic: " in lines["swapped-goal"]
    assert "Kind: dynamic" in shown("axes", "dynamic")
    assert "Levels: L1, L2, L3" in shown("axes", "camera")


def test_a_fixture_page_has_its_parts() -> None:
    page = shown("fixtures", "cabinet")
    assert "top drawer" in page
    top = next(part for part in FIXTURES.load("cabinet").parts if part.name == "top drawer")
    assert f"opens by {top.travel:g} m" in page
    assert "turns by 1.57 rad" in shown("fixtures", "stove")


def test_a_suite_page_has_the_cells() -> None:
    page = shown("suites", "smoke")
    assert "Axis: lighting at L2" in page
    assert "Tasks: place-on" in page


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["axis"], "did you mean 'axes'?"),
        (["tasks", "place-onn"], "did you mean 'place-on'?"),
        (["suites", "lightning"], "did you mean 'lighting'?"),
        (["objects", "mugg"], "did you mean 'mug'?"),
        (["fixtures", "cabinett"], "did you mean 'cabinet'?"),
        (["embodiments", "pandas"], "did you mean 'panda'?"),
        (["controls", "osc"], "did you mean 'osc_pose'?"),
    ],
)
def test_an_unknown_name_gets_the_nearest(words: list[str], hint: str) -> None:
    error = invoke(*words).exception
    assert isinstance(error, UnknownNameError)
    assert hint in str(error)


def test_the_command_line_knows_it() -> None:
    call = "from vlabench.cli import main; main(['list', 'task'])"
    done = subprocess.run((sys.executable, "-c", call), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "vlabench: Unknown kind of thing 'task'; did you mean 'tasks'?\n"
