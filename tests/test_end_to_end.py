"""The main job on the real world: names in, the same records out by every way of running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vlabench
from vlabench.errors import UsageError
from vlabench.evaluation import plan
from vlabench.types import EpisodeRecord

TASKS = ("place-on", "open-drawer")


def records(run: vlabench.Run) -> dict[str, dict[str, object]]:
    return {record.episode_id: record.stable() for record in run.records}


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> vlabench.Run:
    out = tmp_path_factory.mktemp("serial") / "run"
    return vlabench.evaluate("expert", "smoke", tasks=TASKS, runner="serial", out=out)


def test_the_expert_succeeds(serial: vlabench.Run):
    assert serial.valid
    assert [record.status for record in serial.records] == ["success"] * 2 * len(TASKS)


def test_ray_makes_the_same_records(serial: vlabench.Run, tmp_path: Path):
    ray = vlabench.evaluate("expert", "smoke", tasks=TASKS, workers=2, out=tmp_path / "ray")
    assert records(ray) == records(serial)


def test_the_same_call_runs_nothing_again(serial: vlabench.Run):
    before = (serial.path / "episodes.jsonl").read_bytes()
    again = vlabench.evaluate("expert", "smoke", tasks=TASKS, runner="serial", out=serial.path)
    assert (again.path / "episodes.jsonl").read_bytes() == before


def test_doing_nothing_does_not_succeed(tmp_path: Path):
    run = vlabench.evaluate("noop", "smoke", tasks=TASKS, runner="serial", out=tmp_path / "noop")
    assert not any(record.success or record.success_once for record in run.records)


def test_the_answer_is_there(serial: vlabench.Run):
    table = (serial.path / "tables" / "summary.txt").read_text()
    assert "place-on" in table
    assert "lighting:L2" in table
    assert (serial.path / "tables" / "summary.csv").stat().st_size > 0
    assert (serial.path / "plots" / "generalization.png").read_bytes()[:4] == b"\x89PNG"


def test_a_record_holds_what_was_drawn(serial: vlabench.Run):
    lines = (serial.path / "episodes.jsonl").read_text().splitlines()
    for line in lines:
        record = EpisodeRecord.from_json(json.loads(line))
        episode = serial.manifest.by_id[record.episode_id]
        assert dict(record.factors) == dict(episode.factors)
        assert record.instruction == episode.instruction


def test_a_pair_differs_in_its_light_alone(serial: vlabench.Run):
    by_id = {record.episode_id: record for record in serial.records}
    pairs = [(by_id[r.control_id], r) for r in serial.records if r.control_id]
    assert len(pairs) == len(TASKS)
    for twin, changed in pairs:
        differing = {k for k in twin.factors if twin.factors[k] != changed.factors[k]}
        assert differing == {"lighting"}
        assert twin.init_state_hash == changed.init_state_hash


JOINT_READER = """
import numpy as np

from vlabench.contract.specs import PolicySpec, StateField
from vlabench.types import ActionChunk


class Reader:
    def spec(self):
        return PolicySpec("reader", state=(StateField("joint_positions"),))

    def reset(self, starts):
        pass

    def act(self, observations):
        return [ActionChunk(np.zeros((1, 7))) for _ in observations]

    def end(self, episode_ids):
        pass

    def close(self):
        pass
"""


def test_who_counts_joints_is_refused_where_an_arm_has_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "joint_reader.py").write_text(JOINT_READER)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"the joints of 'panda'.*ur5e-panda"):
        plan("joint_reader:Reader", "embodiment", tasks=["lift"])
    assert plan("joint_reader:Reader", "lighting", tasks=["lift"]).manifest.episodes
