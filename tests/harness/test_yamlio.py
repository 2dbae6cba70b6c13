"""Errors in a YAML file name the file, the line, the key and the nearest valid key."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness_fakes import SUITE

from vlabench.errors import UsageError
from vlabench.suite import load_suite
from vlabench.yamlio import load_yaml

BROKEN = {
    "unknown key": (("tasks: [", "taks: ["), 7, "unknown key 'taks'; did you mean 'tasks'?"),
    "unknown nested key": (
        ("    levels: [L2]", "    level: [L2]"),
        12,
        "unknown key 'level'; did you mean 'levels'?",
    ),
    "wrong type": (("version: 3", "version: three"), 3, "version is 'three', but input should"),
    "out of range": (("episodes: 2", "episodes: 0"), 6, "episodes is 0, but input should"),
    "missing key": (("seed: 7\n", ""), 1, "the key 'seed' is missing"),
    "truth for a number": (("seed: 7", "seed: true"), 5, "seed is True, but input should"),
    "fraction": (("episodes: 2", "episodes: 2.0"), 6, "episodes is 2.0, but input should"),
    "no date": (
        ("description: Three tasks, two axes.", "description: 2024-99-99"),
        4,
        "'2024-99-99' cannot be read as timestamp: month must be",
    ),
    "no number": (("seed: 7", "seed: !!int seven"), 5, "'seven' cannot be read as int"),
    "inside itself": (("name: small", "name: &a [*a]"), 2, "this alias stands inside itself"),
    "repeated key": (("seed: 7", "version: 7"), 5, "'version' stands on line 3 already"),
    "no yaml": (("[place-on", "[[place-on"), 8, "this is no YAML"),
    "stranger in a cell": (("    tasks: [place-on, stack]", "    tasks: [lift]"), 1, "'lift'"),
    "axis twice": (("axis: object-pose", "axis: lighting"), 1, "'lighting' is given twice"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_suite_says_where_and_what(case: str, tmp_path: Path) -> None:
    (old, new), line, text = BROKEN[case]
    assert old in SUITE
    path = tmp_path / "broken.yaml"
    path.write_text(SUITE.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_suite(str(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert text in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cannot read .*nowhere\.yaml"):
        load_suite(str(tmp_path / "nowhere.yaml"))


def test_what_is_nested_too_deeply_is_told(tmp_path: Path) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text("[" * 5000 + "]" * 5000)
    with pytest.raises(UsageError, match=r"deep\.yaml:1: this is nested too deeply"):
        load_yaml(path)


def test_no_code_is_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text("name: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(UsageError, match=r"evil\.yaml:1"):
        load_yaml(path)


def test_plain_values_are_read(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text("a: [1, 2.5, yes]\n")
    assert load_yaml(path) == {"a": [1, 2.5, True]}
