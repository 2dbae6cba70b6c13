"""The table of faults counts what a run is short of, and is written in parts."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from fault_runs import Row, Told

EXPECTED: Told = {name: (1, {"success": True}, name, [1, 2]) for name in "abc"}


@pytest.fixture(scope="module")
def program() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "faults.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_faults", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_lost_doubled_or_changed_is_counted() -> None:
    row = Row("a fault")
    row.add(1, EXPECTED, dict(EXPECTED))
    assert row == Row("a fault", 1, 3)
    row.add(2, EXPECTED, {"b": (3, {"success": True}, "b", [1, 2]), "c": (1, {}, "c", [1, 2])})
    assert row == Row("a fault", 3, 6, lost=1, twice=2, changed=1)
    row.add(1, EXPECTED, EXPECTED | {"a": (1, {"success": True}, "a", [1, 3]), "d": EXPECTED["a"]})
    assert row == Row("a fault", 4, 9, lost=1, twice=2, changed=3)


def test_rows_are_joined_to_those_that_are_there(program: ModuleType) -> None:
    rows = {
        name: program.line(vars(Row(name, 1, 3, lost)), mark)
        for name, lost, mark in (("b fault", 2, "01"), ("A fault", 0, "02"))
    }
    page = f"words\n{program.BEGIN}\n{program.END}\nmore\n"
    first = program.joined(page, {"b fault": rows["b fault"]}, keep=True)
    both = program.joined(first, {"A fault": rows["A fault"]}, keep=True)
    assert both.splitlines()[4:6] == [
        "| A fault | 1 | 3 | 0 | 0 | 0 | 02 |",
        "| b fault | 1 | 3 | 2 | 0 | 0 | 01 |",
    ]
    newer = program.line(vars(Row("b fault", 9, 9)), "03")
    again = program.joined(both, {"b fault": newer}, keep=True)
    assert again.splitlines()[4:6] == [rows["A fault"], newer]
    assert program.joined(again, rows, keep=False) == both
