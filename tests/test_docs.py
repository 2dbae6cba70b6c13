"""What the pages show as code runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vlabench
from vlabench.contract.planner import Hierarchical
from vlabench.registry import load_own
from vlabench.testing import check_policy

PAGE = Path(__file__).parents[1] / "docs" / "policies.md"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page's adapter and its planner, as a user would write them to a file."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (adapter,) = [code for code in blocks if "class Mine:" in code]
    (planner,) = [code for code in blocks if "class MyPlanner:" in code]
    for code in (adapter, planner):
        assert len([line for line in code.splitlines() if line.strip()]) < 40
    (tmp_path / "mine_of_the_page.py").write_text(adapter + planner)
    monkeypatch.chdir(tmp_path)
    return "mine_of_the_page"


def test_the_adapter_of_the_page_conforms_and_runs(module: str, tmp_path: Path) -> None:
    policy = load_own(f"{module}:Mine")(scale=0.02)
    pipeline = check_policy(policy)
    assert pipeline.policy.name == "mine"
    assert not pipeline.mismatches
    run = vlabench.evaluate(
        f"{module}:Mine",
        "smoke",
        policy_args={"scale": 0.02},
        limit=1,
        runner="serial",
        out=tmp_path / "run",
    )
    assert run.valid
    assert {record.status for record in run.records} <= {"success", "failure"}
    assert all(record.policy_calls * 8 >= record.steps for record in run.records)


def test_the_planner_of_the_page_conforms_and_runs(module: str, tmp_path: Path) -> None:
    planner = load_own(f"{module}:MyPlanner")(seconds=1.0)
    check_policy(Hierarchical(planner, load_own(f"{module}:Mine")()))
    run = vlabench.evaluate(
        f"{module}:MyPlanner/{module}:Mine",
        "smoke",
        policy_args={"planner.seconds": 1.0},
        limit=1,
        runner="serial",
        out=tmp_path / "run",
    )
    assert run.valid
    assert run.info.policy.label == "by-the-clock/mine"
    for record in run.records:
        assert record.status in {"success", "failure"}
        assert record.planner_calls == 1 + (record.steps - 1) // 10
        first = record.planner[0].said
        assert first["subtask"] == record.instruction.split(",")[0].strip()
        assert first["paths"][0]["camera"] == "exterior/0"
