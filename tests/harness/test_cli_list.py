"""``vlabench list`` over the whole registry."""

from __future__ import annotations

import pytest

from vlabench.cli import main
from vlabench.cli.list import KINDS
from vlabench.registry import AXES, OBJECTS, POLICIES, TASKS
from vlabench.suite import suite_names

NAMES = {
    "policies": POLICIES.names(),
    "suites": suite_names(),
    "tasks": TASKS.names(),
    "axes": AXES.names(),
    "objects": OBJECTS.names(),
}


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["list", *words])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_every_name_has_a_line_of_documentation(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(capsys, kind).splitlines()
    for name in NAMES[kind]:
        (line,) = [line for line in lines if line.startswith(f"{name}  ")]
        assert len(line.removeprefix(name).strip()) > 10
    assert not [line for line in lines if "no documentation" in line or "cannot be loaded" in line]
    assert set(NAMES) == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in sorted(NAMES) for name in NAMES[kind]]
)
def test_every_name_has_a_page(kind: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(capsys, kind, name)
    assert name in page.splitlines()[0]
    assert len(page.splitlines()) > 2


def test_a_task_page_has_the_phrases(capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(capsys, "tasks", "place-on")
    assert "put the {object} on the {target}" in page
    assert "Success:" in page
    assert "Horizon: " in page


def test_an_object_page_has_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(capsys, "objects", "mug")
    assert [line.split()[0] for line in page.splitlines()][:7] == [
        "name",
        "family",
        "split",
        "super-category",
        "material",
        "use",
        "synonyms",
    ]


def test_a_suite_page_has_the_cells(capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(capsys, "suites", "smoke")
    assert "Axis: lighting at L2" in page
    assert "Tasks: place-on" in page


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["axis"], "did you mean 'axes'?"),
        (["tasks", "place-onn"], "did you mean 'place-on'?"),
        (["suites", "lightning"], "did you mean 'lighting'?"),
        (["objects", "mugg"], "did you mean 'mug'?"),
    ],
)
def test_an_unknown_name_gets_the_nearest(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["list", *words])
    assert ended.value.code == 2
    assert hint in capsys.readouterr().err
