"""Workers: what passes between them and the driver, and how a fresh one takes another's place."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

import vlabench
from vlabench.errors import InfrastructureError, UsageError
from vlabench.evaluation import execute, plan
from vlabench.runner import crew
from vlabench.runner.cluster import cluster, no_vlabench
from vlabench.runner.job import MAX_ATTEMPTS, MAX_PREEMPTIONS, LostAttempt, RunnerOptions
from vlabench.runner.progress import Silent, describe_loss
from vlabench.store import Run
from vlabench.types import EpisodeSpec

WORLD = "harness_fakes:FakeWorld"
EPISODES = 28
OWN = RunnerOptions(workers=2)

Evaluate = Callable[..., Run]


@pytest.fixture(scope="module", autouse=True)
def _one_cluster(_workers_find_the_fakes: None) -> Iterator[None]:
    with cluster(OWN):
        yield


@pytest.fixture
def evaluate(suite_file: Path, tmp_path: Path) -> Evaluate:
    def do(policy: str, folder: str = "run", args: Any = None, **options: Any) -> Run:
        planned = plan(
            policy, str(suite_file), policy_args=args, world=WORLD, out=tmp_path / folder
        )
        return execute(planned, "ray", RunnerOptions(**options), Silent())

    return do


def results(run: Run) -> dict[str, dict[str, Any]]:
    return {record.episode_id: record.stable() for record in run.records}


def serial(policy: str, suite_file: Path, folder: Path) -> Run:
    return vlabench.evaluate(policy, str(suite_file), world=WORLD, out=folder, runner="serial")


@pytest.mark.parametrize("talks", [False, True])
def test_an_episode_is_one_call_and_nothing_passes_while_it_runs(
    talks: bool, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Counter[str]()
    remote = ray.actor.ActorMethod._remote

    def counting(self: Any, *args: Any, **options: Any) -> Any:
        asked[self._method_name] += 1
        return remote(self, *args, **options)

    monkeypatch.setattr(ray.actor.ActorMethod, "_remote", counting)
    run = evaluate("pool_fakes:Wiretap", args={"talks": talks}, workers=1)
    assert asked == {"where": 1, "prepare": 1, "attempt": EPISODES, "close": 1}
    heard = {said.extras["calls"] for record in run.records for said in record.said}
    assert (heard != {0}) == talks


def test_what_comes_back_is_small(evaluate: Evaluate) -> None:
    """Ray carries up to 100 KB in the answer itself, past the object store."""
    run = evaluate("harness_fakes:FakePolicy", workers=1)
    sizes = [len(pickle.dumps((r, run.trace(r.episode_id)))) for r in run.records]
    assert max(sizes) < 100_000


def processes(folder: Path) -> dict[str, list[str]]:
    """The episodes of each process that ran some."""
    found = {path.name: path.read_text().split() for path in folder.iterdir()}
    return {name: episodes for name, episodes in found.items() if episodes}


def test_a_worker_is_replaced_between_episodes_where_two_do_not_fit(
    evaluate: Evaluate, suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew.Crew, "_has_room_beside", lambda self, answer: False)
    (tmp_path / "seen").mkdir()
    args = {"folder": str(tmp_path / "seen")}
    run = evaluate("pool_fakes:Numbered", args=args, workers=1, recycle=10)
    assert (run.missing, run.attempts) == ([], [])
    ran = processes(tmp_path / "seen")
    assert sorted(map(len, ran.values())) == [8, 10, 10]
    assert len({name for names in ran.values() for name in names}) == EPISODES
    plain = serial("harness_fakes:FakePolicy", suite_file, tmp_path / "plain")
    assert {r.episode_id: r.actions_hash for r in run.records} == {
        r.episode_id: r.actions_hash for r in plain.records
    }


def test_a_fresh_worker_is_ready_before_the_other_ends(evaluate: Evaluate, tmp_path: Path) -> None:
    """The first waits in its third episode until there are the driver, itself, and another."""
    (tmp_path / "seen").mkdir()
    args = {"folder": str(tmp_path / "seen"), "company": 3}
    run = evaluate("pool_fakes:Numbered", args=args, workers=1, recycle=2)
    assert (len(run.records), run.attempts) == (EPISODES, [])
    ran = processes(tmp_path / "seen")
    assert len(ran) > 1
    assert sum(map(len, ran.values())) == EPISODES


def test_a_worker_that_grows_is_replaced(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "GROWN_BYTES", 50 * 2**20)
    monkeypatch.setattr(crew.Crew, "_has_room_beside", lambda self, answer: False)
    (tmp_path / "seen").mkdir()
    args = {"folder": str(tmp_path / "seen"), "grows": 6 * 2**20}
    run = evaluate("pool_fakes:Numbered", args=args, workers=1, recycle=0)
    assert (len(run.records), run.attempts) == (EPISODES, [])
    most = max(map(len, processes(tmp_path / "seen").values()))
    assert most <= 12


def test_a_policy_that_kills_its_process_at_once_ends_the_run(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "FAILED_STARTS", 2)
    with pytest.raises(InfrastructureError, match="2 workers in a row died before they could run"):
        evaluate("pool_fakes:Deadly", args={"folder": str(tmp_path)}, workers=1)
    assert Run.open(tmp_path / "run").records == []


def test_a_node_without_vlabench_is_named() -> None:
    broken = ray.exceptions.ActorDiedError.from_task_error(
        ray.exceptions.RayTaskError("Worker", "No module named 'vlabench'", ImportError())
    )
    told = no_vlabench(broken)
    assert isinstance(told, UsageError)
    assert "install the same version on every node" in str(told)
    assert no_vlabench(ray.exceptions.ActorDiedError()) is None


def test_losses_with_the_node_count_apart() -> None:
    episode = EpisodeSpec("task", (), 3, 0, {}, "go", "1", 9, "panda")
    crash = LostAttempt(episode, MAX_ATTEMPTS - 1, "gone")
    assert crash.final
    spot = LostAttempt(episode, 7, "gone", forgiven=7, with_its_node=True)
    assert not spot.final
    assert "(with its node, which does not count, again): gone" in describe_loss(spot)
    assert not LostAttempt(episode, 8, "gone", forgiven=7).final
    assert LostAttempt(episode, 7 + MAX_ATTEMPTS - 1, "gone", forgiven=7).final
    assert LostAttempt(episode, MAX_PREEMPTIONS - 1, "gone", MAX_PREEMPTIONS, True).final
