"""Verdicts on runs whose outcomes we chose, and what cannot be compared."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from report_fakes import episode, episodes, make_run
from scipy import stats as scipy_stats

import vlabench
from vlabench import stats
from vlabench.baseline import open_outcomes, promote
from vlabench.comparison import Comparison, exit_code
from vlabench.comparison.pairs import Pairs, verdict_of
from vlabench.errors import InvalidRunError, NotComparableError, UsageError
from vlabench.report.verdict import verdict_text
from vlabench.report.verdict_json import as_data, verdict_json
from vlabench.runinfo import Conditions, Determinism, Stopping
from vlabench.seeding import stream
from vlabench.stats.sequential import SequentialGate
from vlabench.stats.verdict import Rule, Verdict, judge, judge_sequence, judge_strata
from vlabench.store import EPISODES, LOCK, Run
from vlabench.types import EpisodeSpec, Status

TASKS = ("stack", "place")
SINGLES = tuple(
    episode(task, index, ("lighting", "L2") if index % 2 else None)
    for index in range(100)
    for task in TASKS
)
"""200 episodes, each with a scene of its own; every second scene is changed."""

Outcome = Callable[[EpisodeSpec], Status | None]


def failing(*scenes: int, tasks: tuple[str, ...] = TASKS) -> Outcome:
    """Fails in these scenes of these tasks."""
    return lambda spec: "failure" if spec.index in scenes and spec.task in tasks else "success"


def all_well(spec: EpisodeSpec) -> Status:
    return "success"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Run]:
    def made(name: str, outcome: Outcome = all_well, planned=SINGLES, **info: object) -> Run:
        return make_run(tmp_path / name, planned, outcome, **info)

    return made


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that solves everything."""
    return make_run(tmp_path_factory.mktemp("runs") / "base", SINGLES, all_well)


# --- the verdict ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("b", "c", "pairs", "outcome"),
    [
        (12, 3, 100, "REGRESSED"),
        (3, 12, 100, "IMPROVED"),
        (0, 0, 50, "INCONCLUSIVE"),
        (0, 0, 500, "NON-INFERIOR"),
        (20, 20, 500, "NON-INFERIOR"),
        (70, 60, 500, "INCONCLUSIVE"),
        (4, 1, 500, "NON-INFERIOR"),
        (5, 0, 500, "REGRESSED"),
    ],
)
def test_the_verdict_follows_its_rule(b: int, c: int, pairs: int, outcome: str) -> None:
    verdict = judge(b, c, pairs)
    low, high = stats.tango_interval(c, b, pairs, 0.9)
    assert verdict.outcome == outcome
    assert verdict.difference == pytest.approx((c - b) / pairs)
    assert verdict.interval == pytest.approx((low, high))
    assert verdict.p_value == pytest.approx(stats.mcnemar_midp(b, c, "greater"))


@pytest.mark.parametrize(("b", "c"), [(0, 3), (3, 0), (1, 6), (6, 1), (0, 4), (20, 8)])
def test_a_verdict_is_as_cautious_of_better_as_of_worse(b: int, c: int) -> None:
    one, other = judge(b, c, 60), judge(c, b, 60)
    assert one.interval == pytest.approx((-other.interval.high, -other.interval.low))
    assert (one.outcome == "REGRESSED") == (other.outcome == "IMPROVED")
    assert (one.outcome == "IMPROVED") == (other.interval.high < 0)


def test_the_reference_value_of_a_verdict() -> None:
    assert judge(12, 3, 100).p_value == pytest.approx(0.010635, abs=1e-6)


def test_a_regression_within_the_margin_is_a_warning() -> None:
    within = judge_strata([130], [95], [3000], Rule())
    assert (within.outcome, within.tolerable, within.failed) == ("REGRESSED", True, False)
    assert within.non_inferior
    strict = judge_strata([130], [95], [3000], Rule(min_effect=0.0))
    assert (strict.outcome, strict.tolerable, strict.failed) == ("REGRESSED", False, True)
    generous = judge_strata([300], [200], [3000], Rule(margin=0.01, min_effect=0.05))
    assert (generous.tolerable, generous.non_inferior) == (True, False)


@pytest.mark.parametrize(
    "options", [{"alpha": 0.0}, {"alpha": 0.5}, {"margin": 0.0}, {"min_effect": -0.1}]
)
def test_a_rule_out_of_range_is_refused(options: dict[str, float], make) -> None:
    with pytest.raises(ValueError, match=r"alpha|margin|effect"):
        Rule(**options)
    run = make("run")
    with pytest.raises(UsageError, match="Give another value"):
        vlabench.compare(run, run, **options)


def test_a_verdict_needs_pairs() -> None:
    with pytest.raises(ValueError, match="data in each"):
        judge(0, 0, 0)


def test_a_sequential_verdict_is_what_fired() -> None:
    for fired, outcome in (
        ("regressed", "REGRESSED"),
        ("non-inferior", "NON-INFERIOR"),
        (None, "INCONCLUSIVE"),
    ):
        verdict = judge_sequence(fired, [130], [95], [3000], Rule())
        assert (verdict.outcome, verdict.p_value, verdict.tolerable) == (outcome, None, False)
    assert judge_sequence("regressed", [130], [95], [3000], Rule()).failed


# --- a comparison -----------------------------------------------------------------------------


def test_a_comparison_counts_pairs(make) -> None:
    base = make("base", failing(0, 1))
    new = make("new", failing(1, 2, 3, 4, 5, 6, 7, 8))
    found = vlabench.compare(base, new)
    line = found.overall
    assert (line.base_only, line.new_only, line.base_n, line.new_n) == (14, 2, 200, 200)
    assert (line.base_rate, line.new_rate) == pytest.approx((0.98, 0.92))
    assert found.verdict == judge_strata([7, 7], [1, 1], [100, 100], Rule())
    assert found.verdict.difference == pytest.approx(judge(14, 2, 200).difference)
    assert found.verdict.interval == pytest.approx(judge(14, 2, 200).interval)
    assert found.verdict.outcome == "REGRESSED"
    assert found.discordance == pytest.approx(0.08)
    assert found.smallest_effect == pytest.approx(stats.smallest_effect(200, 0.08))
    assert found.paired
    (note,) = found.notes
    assert "over all episodes, the unchanged ones too" in note


def test_axes_are_corrected_and_tasks_are_not_tested(make, base: Run) -> None:
    new = make("new", failing(*range(1, 20, 2), tasks=("stack",)))
    found = vlabench.compare(base, new)
    unchanged, lighting = found.axes
    assert [line.name for line in found.axes] == ["unchanged", "lighting"]
    p = [stats.mcnemar_midp(0, 0, "greater"), stats.mcnemar_midp(10, 0, "greater")]
    assert [unchanged.p_value, lighting.p_value] == pytest.approx(stats.holm(p))
    assert (unchanged.outcome, lighting.outcome) == (None, "REGRESSED")
    assert (lighting.base_only, lighting.new_only, lighting.base_n) == (10, 0, 100)
    assert [(line.name, line.base_only, line.p_value) for line in found.tasks] == [
        ("place", 0, None),
        ("stack", 10, None),
    ]
    assert found.tasks[1].new_rate == pytest.approx(0.9)
    assert any("lighting by 10.0 points" in warning for warning in found.warnings)


def test_flipped_episodes_come_with_their_commands(make, tmp_path: Path) -> None:
    base, new = make("base", failing(4)), make("new", failing(3))
    found = vlabench.compare(base, new)
    told = [(flip.task, flip.index, flip.changes, flip.lost) for flip in found.flips]
    assert told == [
        ("stack", 3, "lighting:L2", True),
        ("place", 3, "lighting:L2", True),
        ("stack", 4, "", False),
        ("place", 4, "", False),
    ]
    flip = found.flips[0]
    assert found.replays(flip) == (
        f"vlabench replay {base.path} {flip.episode_id}",
        f"vlabench replay {new.path} {flip.episode_id}",
    )
    promoted = promote(base, tmp_path / "base.json")
    assert vlabench.compare(promoted, new).replays(flip) == found.replays(flip)[1:]


def test_diagnostics_are_no_successes(make) -> None:
    planned = episodes(["stack"], [("swapped-goal", "L1")], 40)

    def deaf(spec: EpisodeSpec) -> Status:
        return "failure" if spec.diagnostic else "success"

    found = vlabench.compare(make("base", planned=planned), make("new", deaf, planned))
    assert (found.overall.base_only, found.overall.base_n) == (0, 40)
    assert [line.name for line in found.axes] == ["unchanged"]
    alone = [spec for spec in planned if spec.diagnostic]
    base, new = make("base2", planned=alone), make("new2", planned=alone)
    with pytest.raises(UsageError, match="diagnostics alone"):
        vlabench.compare(base, new)


def test_what_is_missing_is_no_failure(make, base: Run) -> None:
    def lossy(spec: EpisodeSpec) -> Status | None:
        return None if (spec.task, spec.index) == ("stack", 9) else "success"

    found = vlabench.compare(base, make("new", lossy))
    assert (found.overall.base_only, found.overall.base_n, found.new.missing) == (0, 199, 1)
    assert any("1 pairs lack an outcome" in note for note in found.notes)


def test_a_policys_own_errors_are_failures_and_told(make, base: Run) -> None:
    def erring(spec: EpisodeSpec) -> Status:
        return "policy_error" if spec.index == 9 else "success"

    found = vlabench.compare(base, make("new", erring))
    assert found.overall.base_only == 2
    assert any("2 episodes of the new run, and 0 of the base" in w for w in found.warnings)


def test_a_base_that_solves_nothing_cannot_be_undercut(make) -> None:
    failed = failing(*range(100))
    found = vlabench.compare(make("base", failed), make("new", failed))
    assert any("no more than the margin to lose" in warning for warning in found.warnings)


def test_tasks_weigh_the_same_however_often_they_ran(make) -> None:
    planned = SINGLES + tuple(episode("stack", index) for index in range(100, 200))
    found = vlabench.compare(
        make("base", planned=planned), make("new", failing(*range(200), tasks=("place",)), planned)
    )
    assert found.overall.difference == pytest.approx(-0.5)
    assert found.overall.new_rate == pytest.approx(0.5)
    assert any("100 to 200 pairs" in note for note in found.notes)


def test_shared_scenes_count_once(make) -> None:
    """40 scenes under 5 changes each: 8 scenes lost in all their pairs are 8, and not 48."""
    changes = [("lighting", f"L{level}") for level in range(5)]
    planned = episodes(["stack"], changes, 40)
    found = vlabench.compare(
        make("base", planned=planned), make("new", failing(*range(8)), planned)
    )
    assert found.overall.base_only == 48
    assert found.verdict.p_value == pytest.approx(stats.mcnemar_midp(8, 0, "greater"))
    independent = judge(48, 0, 240).interval
    assert found.verdict.interval.low < independent.low
    assert found.verdict.interval.high > independent.high
    assert any("240 pairs share 40 scenes" in note for note in found.notes)


def test_identical_policies_on_shared_scenes_keep_to_alpha() -> None:
    """Scenes decide, policies are alike: counting pairs would alarm three times as often."""
    rng, runs = stream("test", "shared-scenes"), 300
    alarms = naive = 0
    for _ in range(runs):
        lost, won, _ = rng.multinomial(30, [0.1, 0.1, 0.8]).tolist()
        counts = [6 * lost], [6 * won], [180]
        scenes = np.repeat([-1, 1, 0], [lost, won, 30 - lost - won])
        alarms += verdict_of(_pairs(np.repeat(scenes[:, None], 6, axis=1)), Rule()).failed
        naive += judge_strata(*counts, Rule()).outcome == "REGRESSED"
    assert alarms / runs <= 0.07
    assert naive / runs > 0.15


def _pairs(difference: np.ndarray, tasks: int = 1) -> Pairs:
    """Pairs of a difference for each scene and axis; scenes take turns at tasks."""
    scenes, axes = difference.shape
    scene = np.repeat(np.arange(scenes), axes)
    flat = difference.ravel()
    return Pairs(flat <= 0, flat >= 0, scene % tasks, scene)


def test_what_many_scenes_lose_a_few_may_win_back() -> None:
    """New wins a tenth of the scenes whole and loses one of five axes in half: no difference."""
    rng, runs = stream("test", "whole-scenes"), 300
    alarms, mirrored, sign_test = 0, 0, 0
    for _ in range(runs):
        whole, one = rng.random((2, 100)) < [[0.1], [0.5 / 0.9]]
        difference = np.zeros((100, 5), dtype=int)
        difference[one, 0] = -1
        difference[whole] = 1
        alarms += verdict_of(_pairs(difference, tasks=10), Rule()).outcome == "REGRESSED"
        mirrored += verdict_of(_pairs(-difference, tasks=10), Rule()).outcome == "REGRESSED"
        lost = int(np.count_nonzero(one & ~whole)), int(np.count_nonzero(whole))
        sign_test += stats.mcnemar_midp(*lost, "greater") <= 0.05
    assert max(alarms, mirrored) / runs <= 0.11
    assert sign_test / runs > 0.9


def test_a_drop_in_whole_scenes_outweighs_many_small_gains() -> None:
    difference = np.zeros((100, 5), dtype=int)
    difference[:20] = -1
    difference[20:50, 0] = 1
    found = verdict_of(_pairs(difference, tasks=10), Rule())
    assert found.difference == pytest.approx(-0.14)
    assert found.failed
    assert found.interval.high < 0


def test_tasks_of_unlike_size_are_tested_as_they_are_weighted() -> None:
    """Large tasks lose what small ones win: the counts differ and the mean over tasks does not."""
    rng, runs, pairs = stream("test", "unlike-tasks"), 1000, [70, 70, 7, 7]
    alarms = pooled = 0
    for _ in range(runs):
        b = [int(rng.binomial(n, 0.15)) for n in pairs[:2]] + [0, 0]
        c = [0, 0] + [int(rng.binomial(n, 0.15)) for n in pairs[2:]]
        alarms += judge_strata(b, c, pairs, Rule()).outcome == "REGRESSED"
        pooled += judge(sum(b), sum(c), sum(pairs)).outcome == "REGRESSED"
    assert alarms / runs <= 0.12
    assert pooled / runs > 0.9
    assert judge_strata([0, 9], [20, 0], [200, 20], Rule()).outcome == "REGRESSED"


def test_test_and_interval_never_contradict_each_other() -> None:
    rng = stream("test", "contradictions")
    for _ in range(2000):
        pairs = rng.integers(1, 30, size=int(rng.integers(1, 4)))
        b = rng.integers(0, pairs + 1)
        c = rng.integers(0, pairs - b + 1)
        effect = float(rng.choice([1.0, 1.7, 4.0]))
        found = judge_strata(b.tolist(), c.tolist(), pairs.tolist(), Rule(), design_effect=effect)
        assert found.interval.low <= found.difference <= found.interval.high or (
            found.interval.high == 0 and found.difference < 0
        )
        if found.interval.high < 0:
            assert found.outcome == "REGRESSED"
        if found.interval.low > 0:
            assert found.outcome == "IMPROVED"


def test_a_sequence_is_not_called_worse_where_the_mean_over_tasks_is_better() -> None:
    counts = [20, 0], [0, 4], [200, 10]
    assert judge_sequence("regressed", *counts, Rule()).outcome == "INCONCLUSIVE"
    mirrored = [0, 4], [20, 0], [200, 10]
    assert judge_sequence("non-inferior", *mirrored, Rule()).outcome == "INCONCLUSIVE"


def test_a_mix_of_tasks_is_no_difference_of_unpaired_rates(make) -> None:
    """Each run solves one task and not the other, and has nine times as many of another one."""
    many, few = range(90), range(10)
    planned = {
        name: tuple(episode(t, i) for t, rows in zip(TASKS, sizes, strict=True) for i in rows)
        for name, sizes in {"base": (many, few), "new": (few, many)}.items()
    }
    runs = [
        make(name, failing(*many, tasks=TASKS[1:]), planned=plan) for name, plan in planned.items()
    ]
    found = vlabench.compare(*runs, allow_unpaired=True)
    assert found.overall.difference == pytest.approx(0)
    assert found.verdict.outcome == "INCONCLUSIVE"


def test_a_flip_rate_enters_what_a_run_could_see(make, base: Run) -> None:
    tried = Determinism(100, 100, tuple("abcdefghij"), 90, 90)
    found = vlabench.compare(base, make("new", determinism=tried))
    assert found.flip_rate == pytest.approx(0.1)
    assert found.smallest_effect == pytest.approx(stats.smallest_effect(200, 0.0, flip_rate=0.1))


def test_progress_is_compared_where_it_says_more(make, base: Run) -> None:
    """Of a chain the fakes reach as many stages as their scene's number modulo 3."""
    assert vlabench.compare(base, make("single", failing(3))).progress is None
    planned = [episode("chain", index) for index in range(60)]
    whole = make("whole", planned=planned)
    found = vlabench.compare(
        whole, make("new", failing(*range(30), tasks=("chain",)), planned)
    ).progress
    assert found is not None
    drops = [(index % 3) / 3 - 1 if index < 30 else 0.0 for index in range(60)]
    assert found.value == pytest.approx(sum(drops) / 60)
    assert found.interval == pytest.approx(stats.bca_interval(drops, confidence=0.9))
    assert found.p_value == pytest.approx(stats.paired_permutation(drops))


def test_a_promoted_baseline_compares_to_the_last_digit(make, tmp_path: Path) -> None:
    planned = SINGLES + tuple(episode("chain", index) for index in range(20))
    base = make("base", failing(1, 2), planned)
    new = make("new", failing(2, 3, 4, tasks=(*TASKS, "chain")), planned)
    assert vlabench.compare(base, new).progress is not None
    promoted = promote(base, tmp_path / "baselines" / "base.json")
    assert figures(vlabench.compare(promoted, new)) == figures(vlabench.compare(base, new))
    turned = promote(new, tmp_path / "new.json")
    assert figures(vlabench.compare(base, turned)) == figures(vlabench.compare(base, new))


def figures(comparison: Comparison) -> str:
    """All that does not say where the runs lie."""
    data = as_data(comparison)
    for side in ("base", "new"):
        data[side] = {k: v for k, v in data[side].items() if k not in ("source", "replayable")}
    for flip in data["flips"]:
        del flip["replay"]
    return json.dumps(data)


# --- what cannot be compared ------------------------------------------------------------------

OTHER = [
    ({"suite_version": 2}, "suite_version is 1 in BASE and 2 in NEW"),
    ({"env_fingerprint": "mars"}, "env_fingerprint is world in BASE and mars in NEW"),
    ({"conditions": Conditions(80.0)}, "latency_setting_ms is none in BASE and 80 in NEW"),
]


@pytest.mark.parametrize(("info", "told"), OTHER, ids=["version", "world", "latency"])
def test_what_differs_is_named(info: dict[str, object], told: str, make, base: Run) -> None:
    with pytest.raises(NotComparableError, match=told) as caught:
        vlabench.compare(base, make("new", **info))
    assert caught.value.exit_code == 4


def test_other_episodes_are_not_comparable(make, base: Run) -> None:
    with pytest.raises(NotComparableError, match=r"manifest_hash is \w{16} in BASE and \w{16} in"):
        vlabench.compare(base, make("new", planned=SINGLES[:-1]))


def test_a_measured_latency_is_nobodys_equal(make) -> None:
    base, new = (make(name, conditions=Conditions("measured")) for name in ("base", "new"))
    with pytest.raises(NotComparableError, match="latency_setting_ms is measured on its machine"):
        vlabench.compare(base, new)


def test_unpaired_rates_are_compared_when_that_is_allowed(make, base: Run) -> None:
    new = make("new", failing(*range(12)), planned=SINGLES[:160])
    found = vlabench.compare(base, new, allow_unpaired=True)
    line, verdict = found.overall, found.verdict
    assert not found.paired
    assert set(found.differences) == {"manifest_hash"}
    assert (line.base_n, line.new_n, line.base_only) == (200, 160, None)
    assert line.difference == pytest.approx(136 / 160 - 1)
    assert line.interval == pytest.approx(stats.newcombe_interval(136, 160, 200, 200, 0.9))
    exact = scipy_stats.boschloo_exact([[136, 200], [24, 0]], alternative="less").pvalue
    assert verdict.p_value == pytest.approx(exact, rel=1e-3)
    assert verdict.outcome == "REGRESSED"
    assert found.flips == ()
    assert found.smallest_effect is None


def test_unpaired_runs_that_share_nothing_but_a_suite(make, base: Run) -> None:
    planned = episodes(["stack", "shelve"], [("camera", "L1")], 30)
    found = vlabench.compare(base, make("new", planned=planned), allow_unpaired=True)
    assert [line.name for line in found.axes] == ["unchanged"]
    assert [line.name for line in found.tasks] == ["stack"]
    assert (found.overall.base_n, found.overall.new_n) == (100, 60)
    told = " ".join(found.notes)
    assert "only the base has them: place" in told
    assert "only the new run has them: shelve" in told


def test_unpaired_runs_without_a_task_in_common_are_refused(make, base: Run) -> None:
    new = make("new", planned=episodes(["shelve"], [("camera", "L1")], 30))
    with pytest.raises(NotComparableError, match="have no task in common"):
        vlabench.compare(base, new, allow_unpaired=True)


@pytest.mark.parametrize("failed", range(1, 12))
def test_an_unpaired_interval_is_that_of_its_verdict(make, base: Run, failed: int) -> None:
    new = make("new", failing(*range(failed), tasks=("stack",)), planned=SINGLES[:160])
    found = vlabench.compare(base, new, allow_unpaired=True)
    assert found.overall.interval == found.verdict.interval
    assert (found.verdict.outcome == "REGRESSED") == (found.overall.interval.high < 0)


def test_a_run_with_too_much_missing_is_not_valid(make, base: Run) -> None:
    def lossy(spec: EpisodeSpec) -> Status | None:
        return None if spec.index in (4, 5) else "success"

    with pytest.raises(InvalidRunError, match="new is not valid: 4 of 200 episodes") as caught:
        vlabench.compare(base, make("new", lossy))
    assert caught.value.exit_code == 5


def test_losses_of_one_arm_only_are_not_valid(make) -> None:
    planned = [episode("stack", index) for index in range(600)]

    def lossy(spec: EpisodeSpec) -> Status | None:
        return None if spec.index < 6 else "success"

    base, new = make("base", planned=planned), make("new", lossy, planned)
    with pytest.raises(InvalidRunError, match=r"lost 0 episodes of .*base alone and 6 of"):
        vlabench.compare(base, new)
    alike = make("alike", lossy, planned)
    assert vlabench.compare(alike, new).overall.base_n == 594


def test_the_order_of_the_records_says_nothing(make, base: Run) -> None:
    new = make("new", failing(1, 2, 50))
    before = figures(vlabench.compare(base, new))
    path = new.path / EPISODES
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))
    assert figures(vlabench.compare(base, new.path)) == before


def test_a_run_without_records_has_nothing_but_missing_episodes(make, base: Run) -> None:
    new = make("new", lambda spec: None)
    with pytest.raises(InvalidRunError, match="200 of 200 episodes are missing"):
        vlabench.compare(base, new)


def test_a_run_on_its_way_is_not_valid(make, base: Run) -> None:
    new = make("new")
    with (new.path / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InvalidRunError, match="new is still running"):
            vlabench.compare(base, new.path)


def test_no_run_is_told(tmp_path: Path, make) -> None:
    with pytest.raises(UsageError, match="neither a run's folder nor a baseline"):
        vlabench.compare(tmp_path / "nothing", make("run"))
    with pytest.raises(UsageError, match="neither a run nor a path but of type NoneType"):
        vlabench.compare(make("other-run"), None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="is not a run's folder"):
        vlabench.compare(make("other"), tmp_path / "empty")


# --- runs that end when they are decided ------------------------------------------------------


def stopped(make, base: Run, outcome: Outcome, asked: int | None, name: str = "new") -> Run:
    rule = Stopping(base.info.run_id, open_outcomes(base).hash, 0.05, 0.05, asked=asked)
    return make(name, outcome, stopping=rule)


def test_a_stopped_run_is_judged_by_its_rule(make, base: Run) -> None:
    gate = SequentialGate(0.05, 0.05)
    while gate.feed(True, False) is None:
        pass
    found = vlabench.compare(base, stopped(make, base, failing(*range(100)), gate.pairs))
    assert found.sequential
    assert (found.verdict.outcome, found.overall.base_n) == ("REGRESSED", gate.pairs)
    assert found.verdict.failed
    rates = found.overall.new_rate - found.overall.base_rate
    assert found.verdict.difference == pytest.approx(rates)
    assert all(line.p_value is None and line.outcome is None for line in found.axes)


def test_a_sequence_that_did_not_decide_gets_no_second_chance(make, base: Run) -> None:
    """Fixed in advance, these pairs would show a regression; looked at one by one they do not."""
    worse = failing(95, 97, 98)
    assert vlabench.compare(base, make("fixed", worse)).verdict.outcome == "REGRESSED"
    rule = Stopping(base.info.run_id, open_outcomes(base).hash, 0.01, 0.02)
    found = vlabench.compare(base, make("sequence", worse, stopping=rule))
    assert (found.sequential, found.verdict.outcome) == (True, "INCONCLUSIVE")
    assert found.verdict.rule == Rule(0.01, 0.02)


def test_a_stopped_run_is_no_match_for_another_base(make, base: Run) -> None:
    other = make("other", failing(7))
    new = stopped(make, base, all_well, 60)
    with pytest.raises(NotComparableError, match="biased"):
        vlabench.compare(other, new)
    with pytest.raises(NotComparableError, match="biased"):
        vlabench.compare(new, base)
    whole = stopped(make, base, all_well, None, name="whole")
    assert not vlabench.compare(other, whole).sequential


@pytest.mark.parametrize("option", ["alpha", "margin", "min_effect"])
def test_a_stopped_run_takes_no_other_rule(make, base: Run, option: str) -> None:
    new = stopped(make, base, all_well, None)
    with pytest.raises(UsageError, match=f"leave out --{option.replace('_', '-')}"):
        vlabench.compare(base, new, **{option: 0.2})
    same = vlabench.compare(base, new, alpha=0.05, margin=0.05)
    assert same.verdict.rule == Rule(0.05, 0.05)


def test_a_stopped_run_must_come_to_what_it_says(make, base: Run) -> None:
    outcomes = open_outcomes(base)
    says = Stopping(
        base.info.run_id, outcomes.hash, 0.05, 0.05, "regressed", pairs=40, base_only=9, new_only=0
    )
    with pytest.raises(UsageError, match=r"decided \(regressed\) after 40 pairs, and its records"):
        vlabench.compare(base, make("new", all_well, stopping=replace(says, asked=40)))


def test_what_the_bets_have_won_is_told(make, base: Run) -> None:
    found = vlabench.compare(base, stopped(make, base, failing(*range(100)), None))
    assert found.evidence is not None
    assert found.evidence[0] >= 20 > found.evidence[1]
    assert "E-values: " in verdict_text(found)
    told = json.loads(verdict_json(found))["evidence"]
    assert (told["e_regressed"], told["decides_at"]) == (found.evidence[0], pytest.approx(20))
    fixed = vlabench.compare(base, make("fixed", failing(*range(100))))
    assert fixed.evidence is None


# --- exit codes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "fail", "require", "code"),
    [
        (10, False, False, 0),
        (10, True, False, 1),
        (10, False, True, 1),
        (0, True, True, 0),
        (1, True, True, 0),
    ],
)
def test_exit_codes(lost: int, fail: bool, require: bool, code: int, make, base: Run) -> None:
    found = vlabench.compare(base, make("new", failing(*range(lost))))
    assert exit_code(found, fail_on_regression=fail, require_noninferiority=require) == code


def test_what_is_not_decided_fails_where_a_decision_is_required(make) -> None:
    few = SINGLES[:40]
    found = vlabench.compare(make("base", planned=few), make("new", planned=few))
    assert found.verdict.outcome == "INCONCLUSIVE"
    assert exit_code(found, fail_on_regression=True, require_noninferiority=False) == 0
    assert exit_code(found, fail_on_regression=True, require_noninferiority=True) == 3


def test_a_verdict_is_plain_data() -> None:
    verdict = judge(1, 2, 30)
    assert Verdict(**{**asdict(verdict), "rule": verdict.rule}) == replace(
        verdict, interval=verdict.interval
    )
