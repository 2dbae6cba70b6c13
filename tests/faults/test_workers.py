"""Workers and inference actors are killed and hang; the run comes to the same results."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_runs import THOROUGH, told

import vlabench
from vlabench.errors import HungError
from vlabench.runner.cluster import cluster
from vlabench.runner.job import RunnerOptions
from vlabench.runner.watchdog import Watchdog, unwatched, watching
from vlabench.store import Run

WORLD = "harness_fakes:FakeWorld"
TIMEOUT_S = 2.0
"""Of a busy machine's time, so healthy steps may be told too: each test looks for its own loss."""

Evaluate = Callable[..., Run]


@pytest.fixture(scope="module")
def _one_ray() -> Iterator[None]:
    """All runs of this module share it."""
    with cluster(RunnerOptions(workers=2)):
        yield


@pytest.fixture
def evaluate(suite_file: Path, tmp_path: Path) -> Evaluate:
    def do(
        folder: str, policy: str, way: str = "", times: int = 0, each: int = 3, **options: Any
    ) -> Run:
        marks = tmp_path / f"{folder}-marks"
        marks.mkdir()
        return vlabench.evaluate(
            f"fault_fakes:{policy}",
            str(suite_file),
            policy_args={"way": way, "folder": str(marks), "times": times, "each": each},
            world=WORLD,
            limit=8,
            out=tmp_path / folder,
            step_timeout_s=TIMEOUT_S,
            **options,
        )

    return do


DEATHS = {
    "FaultyPolicy": ("kill -9 of a worker in the middle of an episode", 8 if THOROUGH else 2, 1),
    "BatchedFaultyPolicy": ("kill -9 of the inference actor in the middle of a batch", 2, 3),
}


@pytest.mark.usefixtures("_one_ray")
@pytest.mark.parametrize("policy", DEATHS)
def test_a_killed_process_costs_attempts_and_no_records(
    policy: str, evaluate: Evaluate, tell: Callable[..., None]
) -> None:
    expected = told(evaluate("whole", policy, runner="serial"))
    what, times, each = DEATHS[policy]
    run = evaluate("run", policy, "killed", times, each, workers=2)
    tell(what, times, expected, told(run))
    assert run.valid
    assert len(run.attempts) >= times


@pytest.mark.usefixtures("_one_ray")
@pytest.mark.parametrize("policy", DEATHS)
@pytest.mark.parametrize("way", ["told to end", "interrupted"])
def test_what_somebody_else_ends_is_no_error_of_the_policy(
    policy: str, way: str, evaluate: Evaluate, tell: Callable[..., None]
) -> None:
    """SIGTERM raises SystemExit in a process of Ray's, and SIGINT KeyboardInterrupt."""
    expected = told(evaluate("whole", policy, runner="serial"))
    run = evaluate("run", policy, way, 1, workers=2)
    signal = {"told to end": "SIGTERM", "interrupted": "SIGINT"}[way]
    where = "the inference actor" if policy.startswith("Batched") else "a worker"
    tell(f"{signal} to {where} in the middle of an episode", 1, expected, told(run))
    assert [record.error for record in run.records if record.error] == []


@pytest.mark.usefixtures("_one_ray")
def test_a_worker_that_is_told_to_end_while_it_makes_its_policy_is_replaced(
    evaluate: Evaluate,
) -> None:
    expected = told(evaluate("whole", "FaultyPolicy", runner="serial"))
    run = evaluate("run", "EndedWhileMadePolicy", "told to end", 1, workers=2)
    assert told(run) == expected


@pytest.mark.usefixtures("_one_ray")
@pytest.mark.parametrize("way", ["sleeps", "loops", "compiled code", "holds the interpreter"])
def test_a_worker_that_hangs_is_given_up(
    way: str, evaluate: Evaluate, tell: Callable[..., None]
) -> None:
    expected = told(evaluate("whole", "FaultyPolicy", runner="serial"))
    run = evaluate("run", "FaultyPolicy", way, 1, workers=2)
    tell(f"a policy in a worker that never answers ({way})", 1, expected, told(run))
    errors = [attempt.error for attempt in run.attempts]
    if way in ("sleeps", "loops"):
        words = "HungError: No step was made for 2 s after step 2; it hung in go_wrong "
        assert any(error.startswith(words) for error in errors)
    else:
        words = (
            "HungError: No step was made for 2 s; the worker was ended, and where it hung is in "
        )
        (told_of,) = [error for error in errors if error.startswith(words)]
        assert "deadlock" in Path(told_of.removeprefix(words).rstrip(".")).read_text()


@pytest.mark.usefixtures("_one_ray")
@pytest.mark.parametrize("way", ["sleeps", "holds the interpreter"])
def test_an_inference_actor_that_hangs_is_started_again(
    way: str, evaluate: Evaluate, tell: Callable[..., None]
) -> None:
    expected = told(evaluate("whole", "BatchedFaultyPolicy", runner="serial"))
    run = evaluate("run", "BatchedFaultyPolicy", way, 1, workers=2)
    tell(f"a policy in an inference actor that never answers ({way})", 1, expected, told(run))
    assert run.attempts
    if way == "sleeps":
        assert any("not answered for 2 s" in attempt.error for attempt in run.attempts)


@pytest.mark.usefixtures("_one_ray")
def test_a_policy_that_hangs_when_it_is_closed_after_a_loss_costs_one_attempt(
    evaluate: Evaluate,
) -> None:
    expected = told(evaluate("whole", "FaultyPolicy", runner="serial"))
    run = evaluate("run", "LostAndStuckPolicy", "sleeps", 1, workers=2)
    assert told(run) == expected
    assert any("The server is gone." in attempt.error for attempt in run.attempts)


@pytest.mark.usefixtures("_one_ray")
def test_time_in_the_queue_of_an_inference_actor_does_not_count(evaluate: Evaluate) -> None:
    """Six first answers of half a second each wait longer than one may take."""
    run = evaluate("run", "LonelyFaultyPolicy", workers=6, inference_actors=1, recycle=0)
    assert run.attempts == []


def test_in_one_process_what_waits_in_python_is_given_up(evaluate: Evaluate) -> None:
    expected = told(evaluate("whole", "FaultyPolicy", runner="serial"))
    run = evaluate("run", "FaultyPolicy", "sleeps", 2, runner="serial")
    assert told(run) == expected
    assert [attempt.attempt for attempt in run.attempts] == [0, 1]


def test_an_episode_that_hangs_three_times_is_missing_and_the_run_goes_on(
    evaluate: Evaluate,
) -> None:
    run = evaluate("run", "FaultyPolicy", "loops", 3, runner="serial")
    assert len(run.missing) == 1
    assert len(run.records) == len(run.needed) - 1


def test_an_episode_that_never_says_that_it_is_over_is_cut(
    suite_file: Path, tmp_path: Path
) -> None:
    run = vlabench.evaluate(
        "harness_fakes:FakePolicy",
        str(suite_file),
        world="fault_fakes:EndlessWorld",
        limit=2,
        out=tmp_path / "run",
        runner="serial",
    )
    assert {record.steps for record in run.records} == {record.horizon for record in run.records}


def test_nothing_is_left_of_a_watch() -> None:
    """Neither a timer nor a handler of its signal."""
    before = signal.getsignal(signal.SIGALRM)
    with watching(5, deadly=True) as dog:
        dog.beat()
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_alarm_of_somebody_elses_is_theirs() -> None:
    """One that a policy sets rings in its own way, and one that was set before is set again."""
    rung: list[str] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append("theirs"))
    signal.setitimer(signal.ITIMER_REAL, 50.0)
    try:
        with watching(30, deadly=False):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            while not rung:
                time.sleep(0.001)
            assert 20 < signal.getitimer(signal.ITIMER_REAL)[0] <= 32
        assert 40 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def test_what_somebody_else_watches_does_not_count() -> None:
    with watching(0.1, deadly=False) as dog:
        with unwatched():
            time.sleep(0.3)
        dog.beat()
    with pytest.raises(HungError), watching(0.1, deadly=False):
        time.sleep(5)


@pytest.mark.parametrize("moment", ["start", "stop"])
def test_an_alarm_at_either_end_of_a_watch_is_told_as_any_other(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGALRM)
    real, done = getattr(Watchdog, moment), []

    def late(dog: Watchdog) -> None:
        real(dog) if moment == "start" else None
        if not done:
            done.append(True)
            dog._due_at = 0.0
            signal.raise_signal(signal.SIGALRM)
        real(dog)

    monkeypatch.setattr(Watchdog, moment, late)
    with pytest.raises(HungError), watching(5, deadly=False):
        pass
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
