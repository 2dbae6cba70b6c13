"""Every packaged suite is published, whole, and stays what it was."""

from __future__ import annotations

import csv
import json
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from vlabench.certification import Labour, check
from vlabench.contract.environment import draw_episode
from vlabench.envs.axes import from_stage
from vlabench.envs.objects.catalog import category, held_out
from vlabench.envs.tasks.base import task as task_called
from vlabench.envs.world import TabletopWorld
from vlabench.halfway import StagedWorld
from vlabench.layout import Key, arrange
from vlabench.manifest import build_manifest
from vlabench.published import (
    CERTIFICATES,
    LOCK,
    Certified,
    Published,
    key_of,
    open_published,
    read_lock,
    read_pool,
)
from vlabench.registry import TASKS
from vlabench.suite import load_suite, suite_names
from vlabench.types import Change, EpisodeSpec

ROOT = Path(__file__).parents[1]
LARGEST_BYTES = 15e6


@pytest.fixture(scope="module")
def drawn() -> dict[Key, EpisodeSpec]:
    """What has been drawn, so that episodes that suites share are drawn once."""
    return {}


@cache
def pool() -> Mapping[str, Certified]:
    """All published episodes, which most suites share."""
    return read_pool(ROOT / "suites", TASKS.names())


@cache
def published(name: str) -> Published:
    """The suite of that name, read and checked once."""
    found = open_published(load_suite(name), pool())
    assert found is not None, f"certify it: vlabench certify {name}"
    return found


@pytest.mark.parametrize("name", suite_names())
def test_a_suite_is_published_and_the_world_still_draws_it(
    name: str, drawn: dict[Key, EpisodeSpec]
) -> None:
    """Reading checks every episode against its name, and the manifest against the lock."""
    found = published(name)
    rejected = frozenset(rejection.key for rejection in found.publication.rejected)
    drawn |= {key_of(e): e for e in found.manifest.episodes if from_stage.FACTOR in e.factors}
    again = build_manifest(load_suite(name), TabletopWorld(), rejected, drawn)
    assert again.hash == found.publication.manifest_hash
    twins = {e.control_id for e in found.manifest.episodes if e.control_id is not None}
    assert set(found.manifest.by_id) | twins <= set(found.certificates)


@pytest.mark.parametrize(("task", "stage"), [("store-in-drawer", "2"), ("set-table", "2")])
def test_the_expert_still_comes_to_where_published_episodes_begin(task: str, stage: str) -> None:
    changes = (Change("from-stage", stage),)
    episodes = published("stages").manifest.episodes
    first = next(e for e in episodes if (e.task, e.changes) == (task, changes))
    world, twin = StagedWorld(TabletopWorld(), "expert"), first.control_id
    names = {"seed": first.seed, "index": first.index}
    assert draw_episode(world, task, changes, **names, control_id=twin) == first


def test_what_was_published_once_is_never_published_otherwise() -> None:
    """Looks through the history of the lock, as far as this checkout has it."""
    now = read_lock(ROOT / "suites")
    assert now
    for commit in git("log", "--full-history", "--format=%H", "--", f"suites/{LOCK}").split():
        if not git("ls-tree", commit, f"suites/{LOCK}"):
            continue
        before: dict[str, dict[str, str]] = json.loads(git("show", f"{commit}:suites/{LOCK}"))
        manifests = {label: now.get(label, {}).get("manifest") for label in before}
        changed = {label for label in before if manifests[label] != before[label]["manifest"]}
        assert not changed, f"published episodes never change; raise the version of {changed}"


def git(*words: str) -> str:
    """What git says of this checkout; nothing where there is none."""
    if not (ROOT / ".git").exists():
        return ""
    done = ("git", "-C", str(ROOT), *words)
    return subprocess.run(done, capture_output=True, text=True, check=True).stdout


def test_the_certificates_are_small() -> None:
    files = (ROOT / "suites" / CERTIFICATES).rglob("*")
    assert sum(path.stat().st_size for path in files) < LARGEST_BYTES


def test_training_shows_nothing_that_is_evaluated() -> None:
    """Neither a scene, nor a held-out category, nor a pair that is kept apart."""
    train = published("train").manifest.episodes
    seeds = {episode.seed for episode in train}
    evaluated = [name for name in suite_names() if name != "train"]
    scenes: set[str] = set()
    for name in evaluated:
        for scene in arrange(load_suite(name)):
            assert scene.seed not in seeds, f"{name} has the seed of train"
        scenes |= {places(episode) for episode in published(name).manifest.episodes}
    assert not scenes & {places(episode) for episode in train}
    apart = {(e.task, name) for e in changed_by("composition") for name in spoken_of(e)}
    apart -= {(e.task, name) for e in twins_of("composition") for name in spoken_of(e)}
    assert apart
    for episode in train:
        assert not episode.changes
        assert not {(episode.task, name) for name in spoken_of(episode)} & apart
        for factor, value in episode.factors.items():
            if factor.endswith(".category"):
                assert category(value).split == "seen"
            if factor.endswith(".shape"):
                assert not held_out(value)


def changed_by(suite: str) -> list[EpisodeSpec]:
    return [episode for episode in published(suite).manifest.episodes if episode.changes]


def twins_of(suite: str) -> list[EpisodeSpec]:
    return [episode for episode in published(suite).manifest.episodes if not episode.changes]


def spoken_of(episode: EpisodeSpec) -> set[str]:
    """The categories that a goal of the episode speaks of."""
    roles = {role.name for role in task_called(episode.task).goal_roles}
    return {episode.factors[f"{role}.category"] for role in roles}


def places(episode: EpisodeSpec) -> str:
    """Where everything stands, and how the arm does."""
    ends = ("pose", "robot")
    return json.dumps([v for k, v in sorted(episode.factors.items()) if k.endswith(ends)])


def test_a_sample_comes_out_as_certified() -> None:
    """The expert still solves what is published, to the bit."""
    found = check("generalization", 8, Labour(runner="serial"))
    assert (found.checked, found.differences) == (8, ())


def test_nothing_is_had_for_nothing() -> None:
    """What `benchmarks/baselines.py` measured keeps its bounds, in every mean over tasks."""
    with (ROOT / "results" / "baselines.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["success_rate"]]
    versions = {name: str(load_suite(name).version) for name in suite_names()}
    assert {row["suite"]: row["suite_version"] for row in rows} == {
        name: version for name, version in versions.items() if name != "train"
    }
    rates: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        rates[row["policy"]].append(float(row["success_rate"]))
    assert max(rates["noop"]) == 0
    assert max(rates["random"]) <= 0.02
    assert min(rates["expert"]) >= 0.97


def test_success_is_seldom_told_wrong() -> None:
    """What `vlabench audit` measured, of every task in this world."""
    audit = json.loads((ROOT / "results" / "audit.json").read_text(encoding="utf-8"))
    assert audit["world_version"] == TabletopWorld().version
    assert sorted(audit["tasks"]) == sorted(TASKS.names())
    for of_task in audit["tasks"].values():
        assert of_task["states"] >= 1000
        assert of_task["false_positives"] < 0.005 * of_task["negatives"]
        assert of_task["false_negatives"] < 0.005 * of_task["positives"]
