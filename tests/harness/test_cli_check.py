"""``vlabench check``: its exit codes, and what goes where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from gate_fakes import SINGLES, evaluate

from vlabench.cli import main
from vlabench.store import Run

Check = Callable[..., int]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "singles.yaml"
    path.write_text(SINGLES)
    return path


@pytest.fixture(scope="module")
def base(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluate(suite, tmp_path_factory.mktemp("base") / "expert")


@pytest.fixture
def check(suite: Path, base: Run, tmp_path: Path) -> Check:
    """Calls the command; by default a check of a policy of `harness_fakes` against the expert."""

    def call(policy: str, *words: str, name: str = "run") -> int:
        full = policy if ":" in policy else f"harness_fakes:{policy}"
        with pytest.raises(SystemExit) as caught:
            main(
                [
                    *("check", "--policy", full, "--suite", str(suite)),
                    *("--baseline", str(base.path), "--out", str(tmp_path / name)),
                    *("--world", "harness_fakes:FakeWorld", "--runner", "serial"),
                    *("--margin", "0.2", *words),
                ]
            )
        code = caught.value.code
        assert isinstance(code, int)
        return code

    return call


@pytest.mark.parametrize("words", [(), ("--sequential",)])
def test_it_passes_fails_or_does_not_know(
    words: tuple[str, ...], check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("FakeExpert", *words, name="same") == 0
    assert capsys.readouterr().out.startswith("NON-INFERIOR: ")
    assert check("LazyExpert", *words, name="lazy") == 1
    assert capsys.readouterr().out.startswith("REGRESSED: ")
    assert check("StubbornExpert", *words, "--margin", "0.01", name="stubborn") == 3
    assert capsys.readouterr().out.startswith("INCONCLUSIVE: ")


def test_a_stopped_run_says_so_and_keeps_its_rule(
    check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("LazyExpert", "--sequential") == 1
    printed = capsys.readouterr()
    assert "36 episodes, one pair after the other until it is decided" in printed.err
    assert "decided after 7 of 36 episodes" in printed.err
    told = json.loads((tmp_path / "run" / "run.json").read_text())["stopping"]
    assert (told["decision"], told["pairs"], told["asked"]) == ("regressed", 7, 7)
    assert "STOPPED EARLY" in (tmp_path / "run" / "tables" / "summary.txt").read_text()
    assert check("LazyExpert", "--sequential") == 1
    assert capsys.readouterr().out == printed.out


def test_the_verdict_alone_is_on_the_standard_output(
    check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    junit = tmp_path / "junit.xml"
    words = ("--sequential", "--format", "json", "--format", f"junit={junit}")
    assert check("LazyExpert", *words) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["outcome"] == "REGRESSED"
    assert "<failure" in junit.read_text()


def test_what_cannot_be_compared_is_refused_before_it_runs(
    check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("FakeExpert", "--limit", "3") == 4
    error = capsys.readouterr().err
    assert "manifest_hash is" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()
    assert check("FakeExpert", "--sequential", "--min-effect", "0") == 2
    assert check("FakeExpert", "--alpha", "0.9") == 2
    assert check("FakeExpert", "--baseline", str(tmp_path)) == 2


def test_a_run_that_misses_too_much_says_why(
    check: Check, base: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    goals = json.dumps([base.manifest.episodes[5].factors["goal"]])
    words = ["--policy-arg", f"goals={goals}", "--policy-arg", f"mended={tmp_path / 'never'}"]
    assert check("gate_fakes:FewLost", *words) == 5
    error = capsys.readouterr().err.splitlines()[-1]
    assert "1 of 36 episodes are missing, 1 of them because of" in error
    assert "InfrastructureError: the server at 10.0.0.7 is gone" in error
