"""The regression gate: what decides and when, what is left undone, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gate_fakes import EPISODES, SINGLES, WORLD, InterruptedProgress, evaluate
from report_fakes import episode, make_run, record

from vlabench.comparison import Comparison, compare
from vlabench.errors import InvalidRunError, NotComparableError, UsageError
from vlabench.evaluation import plan
from vlabench.gate import AHEAD, Check, InOrder, plan_check, rule_of, run_check
from vlabench.leaderboard import leaderboard_row
from vlabench.manifest import Manifest
from vlabench.outcomes import Outcomes
from vlabench.report import summarize
from vlabench.runinfo import RunInfo, Stopping
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Progress, Silent
from vlabench.seeding import stream
from vlabench.stats.sequential import SequentialGate
from vlabench.store import Run
from vlabench.types import EpisodeRecord

MARGIN = 0.2
"""Wide, so that few pairs are enough: 21 that agree."""

SHORTEST = 7
"""Pairs that only the baseline solved, which decide at alpha = 0.05: e(7, 0) = 31.9."""

RULE = Stopping("base", "hash", alpha=0.05, margin=0.05)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "singles.yaml"
    path.write_text(SINGLES)
    return path


@pytest.fixture(scope="module")
def base(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The expert, who solves everything."""
    run = evaluate(suite, tmp_path_factory.mktemp("base") / "expert")
    assert all(record.success for record in run.records)
    assert len(run.records) == EPISODES
    return run


def planned_check(
    suite: Path, base: Run, policy: str, folder: Path, *, sequential: bool = True, **options: Any
) -> Check:
    return plan_check(
        policy if ":" in policy else f"harness_fakes:{policy}",
        str(suite),
        base.path,
        rule=rule_of(0.05, MARGIN),
        sequential=sequential,
        world=WORLD,
        out=folder,
        **options,
    )


def go(
    check: Check, progress: Progress | None = None, runner: str = "serial", **options: Any
) -> tuple[Run, Comparison]:
    return run_check(check, runner, RunnerOptions(**options), progress or Silent())


# --- the referee ------------------------------------------------------------------------------


Ends = Sequence[bool | None]


def referee_of(folder: Path, base: Ends) -> tuple[InOrder, Manifest]:
    """A referee against a baseline with these outcomes, None for a missing one."""
    episodes = [episode("task", index) for index in range(len(base))]
    status = {True: "success", False: "failure", None: None}
    ends = {one.episode_id: status[end] for one, end in zip(episodes, base, strict=True)}
    run = make_run(folder, episodes, lambda spec: ends[spec.episode_id])
    return InOrder(run.manifest, Outcomes.of(run), RULE), run.manifest


def tell(referee: InOrder, manifest: Manifest, new: Ends, order: Sequence[int]) -> None:
    for place in order:
        spec = manifest.episodes[place]
        if new[place] is None:
            referee.missing(spec.episode_id)
        else:
            referee.finished(record(spec, "success" if new[place] else "failure"))


def test_the_order_in_which_episodes_end_decides_nothing(tmp_path: Path) -> None:
    rng = stream("order")
    base = [rng.random() < 0.7 for _ in range(60)]
    new = [rng.random() < 0.25 for _ in range(60)]
    gate = SequentialGate(0.05, 0.05)
    decided = next(n for n in range(60) if gate.feed(base[n], new[n])) + 1
    found = set()
    for turn in range(8):
        referee, manifest = referee_of(tmp_path / str(turn), base)
        order = rng.permutation(60).tolist() if turn else list(range(60))
        tell(referee, manifest, new, order)
        assert referee.over
        found.add(referee.stopping)
    assert found == {
        replace(
            RULE,
            decision="regressed",
            pairs=decided,
            base_only=gate.b,
            new_only=gate.c,
            asked=decided,
        )
    }
    assert decided < 60


def test_what_is_not_yet_over_holds_up_what_comes_after_it(tmp_path: Path) -> None:
    referee, manifest = referee_of(tmp_path / "run", [True] * 30)
    tell(referee, manifest, [False] * 30, range(1, 30))
    assert not referee.over
    assert referee.stopping == RULE
    tell(referee, manifest, [False] * 30, [0])
    assert referee.over
    assert referee.stopping.asked == referee.stopping.pairs == SHORTEST


def test_episodes_without_an_outcome_on_either_side_are_no_pairs(tmp_path: Path) -> None:
    base: list[bool | None] = [True] * 130
    base[0] = base[2] = None
    new: list[bool | None] = [True] * 130
    new[1] = None
    referee, manifest = referee_of(tmp_path / "run", base)
    tell(referee, manifest, new, range(130))
    stopping = referee.stopping
    assert stopping.decision == "non-inferior"
    assert stopping.asked is not None
    assert stopping.pairs is not None
    assert stopping.pairs < stopping.asked


def test_a_run_does_not_end_while_too_much_of_it_is_lost(tmp_path: Path) -> None:
    """One in a hundred may be: so one lost episode needs a hundred."""
    new: list[bool | None] = [None, *[False] * 129]
    referee, manifest = referee_of(tmp_path / "run", [True] * 130)
    tell(referee, manifest, new, range(99))
    assert referee.decision == "regressed"
    assert not referee.over
    tell(referee, manifest, new, [99])
    assert referee.over
    assert (referee.stopping.asked, referee.stopping.base_only) == (100, SHORTEST)


def test_undecided_at_the_last_pair_is_undecided(tmp_path: Path) -> None:
    referee, manifest = referee_of(tmp_path / "run", [True] * 20)
    tell(referee, manifest, [True] * 20, range(20))
    assert not referee.over
    assert referee.stopping == replace(RULE, pairs=20, base_only=0, new_only=0)


# --- a run ------------------------------------------------------------------------------------


def test_a_regression_ends_the_run(suite: Path, base: Run, tmp_path: Path) -> None:
    run, comparison = go(planned_check(suite, base, "LazyExpert", tmp_path / "run"))
    stopping = run.info.stopping
    assert stopping is not None
    assert (stopping.decision, stopping.baseline) == ("regressed", base.info.run_id)
    assert (stopping.pairs, stopping.base_only, stopping.new_only) == (SHORTEST, SHORTEST, 0)
    assert (stopping.alpha, stopping.margin) == (0.05, MARGIN)
    assert comparison.verdict.outcome == "REGRESSED"
    assert comparison.verdict.failed
    assert len(run.records) == run.info.completed == SHORTEST
    assert (run.info.planned, run.info.missing) == (EPISODES, 0)
    assert run.valid
    assert run.info.finished_at is not None
    assert RunInfo.from_json(json.loads((run.path / "run.json").read_text())) == run.info


def test_the_same_policy_passes_with_few_pairs(suite: Path, base: Run, tmp_path: Path) -> None:
    run, comparison = go(planned_check(suite, base, "FakeExpert", tmp_path / "run"))
    assert comparison.verdict.outcome == "NON-INFERIOR"
    assert run.info.stopping is not None
    assert run.info.stopping.decision == "non-inferior"
    assert len(run.records) == run.info.asked == 21 < EPISODES


def test_a_run_that_ended_early_has_no_overall_rate(suite: Path, base: Run, tmp_path: Path) -> None:
    run, _ = go(planned_check(suite, base, "FakeExpert", tmp_path / "run"))
    summary = summarize(run)
    assert summary.overall is None
    assert summary.planned == run.info.asked
    assert summary.missing == 0
    with pytest.raises(InvalidRunError, match="biased"):
        leaderboard_row(run)


def test_a_stopped_run_is_not_taken_up_again(suite: Path, base: Run, tmp_path: Path) -> None:
    first, before = go(planned_check(suite, base, "LazyExpert", tmp_path / "run"))
    files = {path: path.read_bytes() for path in first.path.glob("*.json*")}
    progress = InterruptedProgress(after=1)
    again, after = go(planned_check(suite, base, "LazyExpert", tmp_path / "run"), progress)
    assert {path: path.read_bytes() for path in again.path.glob("*.json*")} == files
    assert after == before


def test_an_interrupted_check_comes_to_the_same_end(suite: Path, base: Run, tmp_path: Path) -> None:
    whole, _ = go(planned_check(suite, base, "FakeExpert", tmp_path / "whole"))
    for after in (1, 15):
        check = planned_check(suite, base, "FakeExpert", tmp_path / f"run-{after}")
        with pytest.raises(KeyboardInterrupt):
            go(check, InterruptedProgress(after))
        half = Run.open(tmp_path / f"run-{after}")
        assert half.info.stopping is not None
        assert half.info.stopping.decision is None
        assert len(half.records) == after
        run, _ = go(check)
        assert run.info.stopping == whole.info.stopping
        assert [r.stable() for r in run.records] == [r.stable() for r in whole.records]


def test_a_decision_that_was_not_written_down_is_found_again(
    suite: Path, base: Run, tmp_path: Path
) -> None:
    run, _ = go(planned_check(suite, base, "LazyExpert", tmp_path / "run"))
    path = run.path / "run.json"
    data = json.loads(path.read_text())
    data["stopping"] |= {"decision": None, "pairs": None, "asked": None}
    path.write_text(json.dumps(data))
    check = planned_check(suite, base, "LazyExpert", tmp_path / "run")
    again, _ = go(check, InterruptedProgress(after=1))
    assert again.info.stopping == run.info.stopping
    assert len(again.records) == SHORTEST


def test_workers_decide_alike_and_run_ahead_by_few(suite: Path, base: Run, tmp_path: Path) -> None:
    """While the first is not over, no more than so many others begin."""
    folder, first = tmp_path / "run", base.manifest.episodes[0]
    wait = {"goal": first.factors["goal"], "file": str(folder / "episodes.jsonl")}
    args = wait | {"lines": 2 * AHEAD}
    check = planned_check(suite, base, "gate_fakes:Hesitant", folder, policy_args=args)
    ended: list[str] = []

    class Watch(Silent):
        def finished(self, record: EpisodeRecord) -> None:
            ended.append(record.episode_id)

    run, _ = go(check, Watch(), "ray", workers=2)
    alone, _ = go(planned_check(suite, base, "FakeExpert", tmp_path / "alone"))
    assert run.info.stopping == alone.info.stopping
    assert [r.actions_hash for r in run.records] == [r.actions_hash for r in alone.records]
    assert ended.index(first.episode_id) == 2 * AHEAD
    assert run.info.asked <= len(ended) <= run.info.asked + 2 * AHEAD


def test_a_check_of_all_pairs_is_an_evaluation_and_a_comparison(
    suite: Path, base: Run, tmp_path: Path
) -> None:
    check = planned_check(suite, base, "HalfExpert", tmp_path / "run", sequential=False)
    run, comparison = go(check)
    assert len(run.records) == EPISODES
    assert run.info.stopping is None
    assert comparison == compare(base.path, run, margin=MARGIN)
    assert comparison.verdict.outcome == "REGRESSED"
    evaluated = plan("harness_fakes:HalfExpert", str(suite), world=WORLD)
    assert run.info.run_id == evaluated.info.run_id


def test_what_a_sequential_check_left_undecided_stays_so(suite: Path, tmp_path: Path) -> None:
    """After its last pair it gets no second chance by another test at the same level."""
    few = {"episodes": 3}
    base = evaluate(suite, tmp_path / "base", **few)
    run, comparison = go(planned_check(suite, base, "FakeExpert", tmp_path / "run", **few))
    assert run.info.stopping is not None
    assert (run.info.stopping.decision, run.info.stopping.pairs) == (None, 18)
    assert not run.info.stopped_early
    assert comparison.verdict.outcome == "INCONCLUSIVE"


# --- lost episodes ----------------------------------------------------------------------------


def test_too_many_lost_make_it_invalid_and_the_same_check_mends_it(
    suite: Path, base: Run, tmp_path: Path
) -> None:
    goals = [base.manifest.episodes[n].factors["goal"] for n in (3, 20)]
    args = {"goals": goals, "mended": str(tmp_path / "mended")}
    check = planned_check(suite, base, "gate_fakes:FewLost", tmp_path / "run", policy_args=args)
    with pytest.raises(InvalidRunError, match=r"2 of 36 .*2 of them because of .*10\.0\.0\.7"):
        go(check)
    (tmp_path / "mended").touch()
    run, comparison = go(check)
    assert run.valid
    assert comparison.verdict.outcome == "NON-INFERIOR"


# --- what is refused before anything runs -----------------------------------------------------


def test_another_manifest_is_not_comparable(suite: Path, base: Run, tmp_path: Path) -> None:
    with pytest.raises(NotComparableError, match=r"manifest_hash is \w+ in BASE and \w+ now"):
        planned_check(suite, base, "FakeExpert", tmp_path / "run", limit=10)
    assert not (tmp_path / "run").exists()


def test_another_world_is_not_comparable(suite: Path, tmp_path: Path) -> None:
    few: dict[str, Any] = {"episodes": 1}
    other = evaluate(suite, tmp_path / "other", world="gate_fakes:OtherWorld", **few)
    with pytest.raises(
        NotComparableError, match=r"env_fingerprint is another in BASE and fake-env"
    ):
        planned_check(suite, other, "FakeExpert", tmp_path / "run", **few)


def test_a_run_is_not_compared_with_itself(suite: Path, base: Run) -> None:
    with pytest.raises(UsageError, match=r"the folder of this very run.*baseline promote"):
        planned_check(suite, base, "FakeExpert", base.path, sequential=False)


def test_a_run_that_ended_early_is_no_baseline(suite: Path, base: Run, tmp_path: Path) -> None:
    short, _ = go(planned_check(suite, base, "LazyExpert", tmp_path / "short"))
    with pytest.raises(NotComparableError, match="its success rate is biased"):
        planned_check(suite, short, "FakeExpert", tmp_path / "run")


def test_a_baseline_that_misses_too_much_is_refused(suite: Path, tmp_path: Path) -> None:
    few: dict[str, Any] = {"episodes": 2}
    goal = (
        plan("harness_fakes:FakeExpert", str(suite), world=WORLD, **few)
        .manifest.episodes[5]
        .factors["goal"]
    )
    lost = {"goals": [goal], "mended": str(tmp_path / "never")}
    base = evaluate(suite, tmp_path / "base", "gate_fakes:FewLost", policy_args=lost, **few)
    with pytest.raises(InvalidRunError, match="1 of 12 episodes are missing"):
        planned_check(suite, base, "FakeExpert", tmp_path / "run", **few)


def test_shared_scenes_are_no_independent_pairs(suite_file: Path, tmp_path: Path) -> None:
    base = evaluate(suite_file, tmp_path / "base")
    with pytest.raises(UsageError, match=r"uses 12 scenes for 28 episodes.*--sequential"):
        planned_check(suite_file, base, "FakeExpert", tmp_path / "run")
    check = planned_check(suite_file, base, "FakeExpert", tmp_path / "run", sequential=False)
    assert go(check)[1].overall.base_n == 28


def test_diagnostics_alone_compare_nothing(tmp_path: Path) -> None:
    path = tmp_path / "control.yaml"
    text = SINGLES.replace("lighting", "empty-instruction").replace("[L1, L2]", "[L1]")
    path.write_text(text.replace("episodes: 6", "episodes: 2"))
    base = evaluate(path, tmp_path / "base")
    assert sum(record.compliance is None for record in base.records) == 6
    check = planned_check(path, base, "FakeExpert", tmp_path / "run")
    run, comparison = go(check)
    assert comparison.overall.base_n == 6
    assert len(run.records) == 12


@pytest.mark.parametrize(
    ("numbers", "options", "text"),
    [
        ((0.0, 0.05), {}, "alpha is 0.0"),
        ((0.05, 1.5), {}, "margin is 1.5"),
        ((0.05, 0.05, 0.0), {"sequential": True}, "--min-effect is for a check of all episodes"),
    ],
)
def test_a_rule_that_makes_no_sense_is_told(
    numbers: tuple[float, ...], options: dict[str, bool], text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        rule_of(*numbers, **options)


# --- who is who -------------------------------------------------------------------------------


def test_a_rule_to_stop_by_makes_another_run(
    suite: Path, base: Run, tmp_path: Path, evaluate_into: Callable[[Path], object]
) -> None:
    def folder(**rule: float) -> str:
        numbers = {"alpha": 0.05, "margin": MARGIN} | rule
        check = plan_check(
            "harness_fakes:FakeExpert",
            str(suite),
            base.path,
            rule=rule_of(**numbers),
            sequential=True,
            world=WORLD,
        )
        assert "vlabench check --policy" in check.planned.info.command
        assert f"--baseline {base.path} --sequential" in check.planned.info.command
        return check.planned.folder.name

    plain = plan("harness_fakes:FakeExpert", str(suite), world=WORLD).folder.name
    assert folder() == folder()
    assert len({plain, folder(), folder(alpha=0.01), folder(margin=0.1)}) == 4
    go(planned_check(suite, base, "FakeExpert", tmp_path / "run"))
    with pytest.raises(UsageError, match=r"holds another run: the rule to stop by is none now"):
        evaluate_into(tmp_path / "run")


@pytest.fixture
def evaluate_into(suite: Path) -> Callable[[Path], object]:
    return lambda folder: evaluate(suite, folder)
