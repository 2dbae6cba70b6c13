"""The script that tells one run of many suites apart, and says what the baselines reach."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import vlabench
from vlabench.report import summarize
from vlabench.report.summary import Rate, Row, Summary
from vlabench.store import Run


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "baselines.py"
    spec = importlib.util.spec_from_file_location("baselines", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def union(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("union") / "union.yaml"
    path.write_text("name: union\nversion: 1\ndescription: One suite.\nincludes: [smoke]\n")
    return path


@pytest.fixture(scope="module")
def run(union: Path) -> Run:
    return vlabench.evaluate("noop", str(union), runner="serial", out=union.parent / "run")


@pytest.fixture(scope="module")
def summary(script: ModuleType, run: Run, union: Path) -> Summary:
    whole, part = script.split(run, str(union))
    assert whole.overall == part.overall
    assert isinstance(part, Summary)
    return part


def reaching(summary: Summary, policy: str, rate: float) -> Summary:
    """The summary of a policy that reaches this rate, in the overall row."""
    assert isinstance(summary.overall, Row)
    overall = replace(summary.overall, rate=Rate(rate, 0.0, 1.0, 5))
    return replace(summary, header=replace(summary.header, policy=policy), overall=overall)


def test_a_run_is_told_apart_by_suite(summary: Summary, run: Run) -> None:
    whole = summarize(run)
    assert (summary.header.suite, whole.header.suite) == ("smoke", "union")
    assert summary.header.manifest_hash != whole.header.manifest_hash
    assert (summary.planned, summary.missing, summary.valid) == (10, 0, True)
    assert summary.cells == whole.cells


def test_what_did_not_run_is_missing(script: ModuleType, run: Run, union: Path) -> None:
    shorter = Run(run.path, run.info)
    shorter.__dict__["results"] = run.results[:-3]
    _, summary = script.split(shorter, str(union))
    assert (summary.missing, summary.valid, summary.overall) == (3, False, None)
    assert list(script.missed([summary])) == ["! noop on smoke: 3 of 10 missing"]


def test_bounds(script: ModuleType, summary: Summary) -> None:
    def said(policy: str, rate: float) -> list[str]:
        return list(script.missed([reaching(summary, policy, rate)]))

    assert said("noop", 0.0) == said("random", 0.02) == said("expert", 0.97) == []
    assert said("noop", 0.03) == ["! noop on smoke, overall: 3.0, over 2%"]
    assert said("expert", 0.96) == ["! expert on smoke: 96.0, less than 97%"]
    assert said("prior", 0.9) == []


def test_rates_that_need_no_looking_are_named(script: ModuleType, summary: Summary) -> None:
    both = [reaching(summary, "prior", 0.4), reaching(summary, "replay", 0.2)]
    assert list(script.telling(both)) == ["prior has 40.0 on smoke, overall"]
    assert list(script.telling([reaching(summary, "noop", 0.4)])) == []


def test_tables(script: ModuleType, summary: Summary) -> None:
    marked = reaching(summary, "prior", 0.4)
    marked = replace(marked, header=replace(marked.header, privileged=True))
    head, overall, unchanged, episodes, *_ = script.table([summary, marked])
    assert head.split() == ["success,", "percent", "noop", "prior*"]
    assert overall.split() == ["smoke", "0.0", "40.0"]
    assert unchanged.split() == ["unchanged", "0.0", "0.0"]
    assert episodes.split() == ["episodes", "10", "10"]
    frame = script.frame([summary, marked])
    assert set(frame["policy"]) == {"noop", "prior"}
    assert frame[frame["policy"] == "prior"]["privileged"].all()
    assert "task" not in frame
    assert len(frame) == 2 * len(frame[frame["policy"] == "noop"])


def test_a_sample_is_the_first_episodes(script: ModuleType) -> None:
    assert script.SAMPLES["noop"].keys() == {"generalization"}
    few, whole = (script._plan("ci", sample).manifest.by_id for sample in (2, None))
    assert len(few) < len(whole)
    assert few.keys() <= whole.keys()
