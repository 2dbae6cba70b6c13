"""Several nodes, two of them lost: no episode is lost with them, and none is counted twice."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import ray
from fault_runs import told
from ray.cluster_utils import Cluster

import vlabench
from vlabench.errors import InfrastructureError
from vlabench.evaluation import execute, plan
from vlabench.runner import pool
from vlabench.runner.cluster import cluster
from vlabench.runner.hosts import hosts
from vlabench.runner.job import LostAttempt, RunnerOptions
from vlabench.runner.progress import Progress, Silent
from vlabench.store import Run

pytestmark = pytest.mark.slow
WORLD = "harness_fakes:FakeWorld"
EPISODES = 28
STORE = 80 * 2**20
QUICK = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
"""A node whose raylet was killed is given up after seconds, and not after a quarter of a minute."""


@pytest.fixture(scope="module")
def nodes(_workers_find_the_fakes: None) -> Iterator[Cluster]:
    """One node with a processor; tests add others."""
    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        there = Cluster(initialize_head=True, head_node_args={**head, "_system_config": QUICK})
        yield there
        there.shutdown()


@contextmanager
def another(nodes: Cluster, **resources: Any) -> Iterator[Any]:
    node = nodes.add_node(num_cpus=1, object_store_memory=STORE, **resources)
    try:
        yield node
    finally:
        if node in nodes.worker_nodes:
            nodes.remove_node(node)


Evaluate = Callable[..., Run]


@pytest.fixture
def evaluate(suite_file: Path, tmp_path: Path, nodes: Cluster) -> Evaluate:
    def do(policy: str, args: Any = None, progress: Progress | None = None, **options: Any) -> Run:
        planned = plan(policy, str(suite_file), policy_args=args, world=WORLD, out=tmp_path / "run")
        spread = RunnerOptions(ray_address=nodes.address, **options)
        return execute(planned, "ray", spread, progress or Silent())

    return do


def results(run: Run) -> dict[str, dict[str, Any]]:
    return {record.episode_id: record.stable() for record in run.records}


def serial(policy: str, suite_file: Path, folder: Path) -> Run:
    return vlabench.evaluate(policy, str(suite_file), world=WORLD, out=folder, runner="serial")


def outcomes(run: Run) -> dict[str, str]:
    return {record.episode_id: record.actions_hash for record in run.records}


@dataclass
class Wakes(Silent):
    """Lets the policies go on, which wait in the middle of their episodes, once one was lost."""

    folder: Path
    losses: list[LostAttempt] = field(default_factory=list)
    then: Callable[[], None] = lambda: None

    def lost(self, attempt: LostAttempt) -> None:
        self.losses.append(attempt)
        self.then()


def waiting_nodes(folder: Path) -> set[str]:
    """The nodes on which a policy waits in the middle of an episode."""
    return {path.name.partition("-")[0] for path in folder.iterdir() if "-" in path.name}


def once(condition: Callable[[], bool], action: Callable[[], object]) -> threading.Thread:
    """Does `action` as soon as `condition` holds."""

    def wait() -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until and not condition():
            time.sleep(0.02)
        action()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_a_run_over_two_nodes_is_the_same_as_in_one_process(
    nodes: Cluster, evaluate: Evaluate, suite_file: Path, tmp_path: Path
) -> None:
    """It goes on when a policy waits on either node, so both take part."""
    seen = tmp_path / "seen"
    seen.mkdir()
    with another(nodes):
        once(lambda: len(waiting_nodes(seen)) == 2, (seen / "go").touch)
        run = evaluate("pool_fakes:Waiting", {"folder": str(seen)})
    plain = vlabench.evaluate(
        "harness_fakes:FakePolicy",
        str(suite_file),
        world=WORLD,
        out=tmp_path / "s",
        runner="serial",
    )
    assert len(waiting_nodes(seen)) == 2
    assert (run.missing, run.attempts) == ([], [])
    assert outcomes(run) == outcomes(plain)


def killed(nodes: Cluster, node: Any) -> None:
    """As when the machine is gone, but for its workers, which end when they notice."""
    os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)


def removed(nodes: Cluster, node: Any) -> None:
    """As when a node is taken away with notice."""
    nodes.remove_node(node)


@pytest.mark.parametrize("lose", [removed, killed])
def test_a_node_that_is_lost_costs_no_episode_and_another_takes_its_place(
    lose: Callable[[Cluster, Any], None],
    nodes: Cluster,
    evaluate: Evaluate,
    suite_file: Path,
    tmp_path: Path,
    tell: Callable[..., None],
) -> None:
    """One node goes while a policy waits there; a third joins, and the run waits for its worker."""
    seen = tmp_path / "seen"
    seen.mkdir()
    joined = []

    def join() -> None:
        joined.append(nodes.add_node(num_cpus=1, object_store_memory=STORE, wait=False))
        once(lambda: len(waiting_nodes(seen)) == 3, (seen / "go").touch)

    progress = Wakes(seen, then=join)
    try:
        with another(nodes) as second:
            once(lambda: len(waiting_nodes(seen)) == 2, lambda: lose(nodes, second))
            run = evaluate("pool_fakes:Waiting", {"folder": str(seen)}, progress)
    finally:
        for node in joined:
            nodes.remove_node(node)
    assert len(waiting_nodes(seen)) == 3
    (loss,) = progress.losses
    assert (loss.attempt, loss.counted, loss.with_its_node, loss.final) == (0, 0, True, False)
    assert [attempt.episode_id for attempt in run.attempts] == [loss.episode.episode_id]
    assert (run.missing, len(run.records)) == ([], EPISODES)
    attempts = {record.episode_id: record.attempt for record in run.records}
    assert attempts.pop(loss.episode.episode_id) == 1
    assert set(attempts.values()) == {0}
    plain = vlabench.evaluate(
        "harness_fakes:FakePolicy",
        str(suite_file),
        world=WORLD,
        out=tmp_path / "s",
        runner="serial",
    )
    how = "kill -9 of the raylet of a second node" if lose is killed else "a node is taken away"
    tell(f"{how}, in the middle of an episode", 1, told(plain), told(run))


def test_a_run_goes_on_with_the_workers_that_live(
    nodes: Cluster, evaluate: Evaluate, suite_file: Path, tmp_path: Path
) -> None:
    """Three are wanted, one node has a processor, and no other ever joins."""
    run = evaluate("harness_fakes:FakePolicy", workers=3)
    assert results(run) == results(
        serial("harness_fakes:FakePolicy", suite_file, tmp_path / "serial")
    )


def test_a_cluster_without_a_free_processor_is_not_waited_for_forever(
    nodes: Cluster, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "STARVED_SECONDS", 3)

    class Hog:
        def there(self) -> bool:
            return True

    with cluster(RunnerOptions(ray_address=nodes.address)):
        hog = ray.remote(Hog).options(num_cpus=1).remote()
        assert ray.get(hog.there.remote())
        with pytest.raises(InfrastructureError, match="for 3 s the cluster has had no processor"):
            evaluate("harness_fakes:FakePolicy")
        ray.kill(hog)


def test_inference_actors_are_spread_and_change_nothing(
    nodes: Cluster, evaluate: Evaluate, suite_file: Path, tmp_path: Path
) -> None:
    policy = "inference_fakes:BatchedPolicy"
    with another(nodes, num_gpus=1) as second:
        options = RunnerOptions(ray_address=nodes.address)
        planned = plan(policy, str(suite_file), world=WORLD, out=tmp_path / "planned")
        with cluster(options), hosts(planned.job, RunnerOptions(gpus=0), 2) as found:
            assert len({place.node for place in found.places}) == 2
            near = [found.nearness(place.node) for place in found.places]
            episodes = planned.manifest.episodes
            assert all(
                sum(is_near(one) for is_near in near if is_near is not None) == 1
                for one in episodes
            )
            with hosts(planned.job, RunnerOptions(), 1) as on_a_card:
                (place,) = on_a_card.places
                assert place.node == second.node_id
                assert on_a_card.cards_on(second.node_id) == {0}
        run = evaluate(policy, inference_actors=2, gpus=0)
    assert results(run) == results(serial(policy, suite_file, tmp_path / "serial"))
