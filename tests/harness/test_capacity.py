"""How many workers there is room for, and what each draws on."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest

from vlabench.contract.specs import CameraSpec, PolicySpec
from vlabench.errors import UsageError
from vlabench.rollout import RunContext
from vlabench.runner import egl, placement
from vlabench.runner.capacity import (
    BLIND_WORKER_BYTES,
    GIB,
    LOOKING_WORKER_BYTES,
    RAY_BYTES,
    Capacity,
    capacity,
    resident_bytes,
)
from vlabench.runner.egl import Device, choose_device, device_of_turn
from vlabench.runner.job import Job, RunnerOptions
from vlabench.runner.placement import (
    bound_by_memory,
    bytes_of_worker,
    check_options,
    describe_workers,
    render_environment,
)

CORES = len(os.sched_getaffinity(0))
CAMERAS = (CameraSpec("exterior/0", 4, 6),)


def machine(root: Path, cgroup: str, files: dict[str, str], available_gib: int = 64) -> Path:
    (root / "proc/self").mkdir(parents=True)
    text = f"MemTotal:  999 kB\nMemAvailable:  {available_gib * 2**20} kB\n"
    (root / "proc/meminfo").write_text(text)
    (root / "proc/self/cgroup").write_text(cgroup)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_a_machine_without_limits_has_what_it_has(tmp_path: Path) -> None:
    there = capacity(machine(tmp_path, "0::/\n", {}))
    assert there == Capacity(CORES, 64 * GIB - RAY_BYTES)


@pytest.mark.parametrize("group", ["", "a/b/"])
def test_version_2_of_control_groups_bounds_both(tmp_path: Path, group: str) -> None:
    files = {
        f"{group}cpu.max": "max 100000\n" if group else "150000 100000\n",
        f"{group}memory.max": f"{8 * GIB}\n",
        f"{group}memory.current": f"{3 * GIB}\n",
        f"{group}memory.stat": f"anon 5\ninactive_file {GIB}\n",
        "a/cpu.max": "100000 100000\n",
        "a/memory.max": "max\n",
        "a/memory.current": "1\n",
    }
    there = capacity(machine(tmp_path, f"0::/{group}\n", files))
    assert there == Capacity(1, 6 * GIB - RAY_BYTES)


@pytest.mark.parametrize("group", ["docker/7/", ""])
def test_version_1_does_too_where_the_path_is_the_hosts(tmp_path: Path, group: str) -> None:
    files = {
        f"cpu,cpuacct/{group}cpu.cfs_quota_us": "100000\n",
        f"cpu,cpuacct/{group}cpu.cfs_period_us": "100000\n",
        f"memory/{group}memory.limit_in_bytes": f"{4 * GIB}\n",
        f"memory/{group}memory.usage_in_bytes": f"{2 * GIB}\n",
        f"memory/{group}memory.stat": f"total_inactive_file {GIB}\n",
    }
    lines = "4:memory:/docker/7\n3:cpu,cpuacct:/docker/7\n1:name=systemd:/\n0::/\n"
    root = machine(tmp_path, lines, files)
    assert capacity(root) == Capacity(1, 3 * GIB - RAY_BYTES)


def test_no_quota_is_no_bound(tmp_path: Path) -> None:
    files = {
        "cpu/cpu.cfs_quota_us": "-1\n",
        "cpu/cpu.cfs_period_us": "100000\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/memory.usage_in_bytes": "0\n",
    }
    there = capacity(machine(tmp_path, "2:memory:/\n1:cpu:/\n", files))
    assert there == Capacity(CORES, 64 * GIB - RAY_BYTES)


def test_there_is_always_one_worker() -> None:
    assert Capacity(16, 4 * GIB).workers(GIB) == 4
    assert Capacity(2, 4 * GIB).workers(GIB) == 2
    assert Capacity(2, 0).workers(GIB) == 1
    assert not Capacity(1, 0).bound_by_memory(GIB)
    assert resident_bytes() > 10 * 2**20


def job(**declared: Any) -> Job:
    spec = PolicySpec("p", **declared)
    return Job("w", "p", {}, RunContext("run", "small", 1, ""), declared=spec)


def test_a_worker_takes_more_that_renders_or_holds_a_model() -> None:
    options = RunnerOptions()
    assert bytes_of_worker(job(), options) == BLIND_WORKER_BYTES
    assert bytes_of_worker(job(cameras=CAMERAS), options) == LOOKING_WORKER_BYTES
    model = job(params=10**9)
    assert bytes_of_worker(model, options) == BLIND_WORKER_BYTES + 4 * 10**9
    assert bytes_of_worker(model, RunnerOptions(inference_actors=1)) == BLIND_WORKER_BYTES


def test_it_is_told_what_bounds_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    one, options = job(cameras=CAMERAS), RunnerOptions()
    monkeypatch.setattr(placement, "capacity", lambda: Capacity(16, 4 * LOOKING_WORKER_BYTES))
    (line,) = bound_by_memory(one, "ray", options)
    assert line.startswith("4 workers on 16 cores: memory bounds them, ")
    assert describe_workers(one, "ray", options) == [line]
    assert bound_by_memory(one, "serial", options) == []
    assert bound_by_memory(one, "ray", RunnerOptions(workers=16)) == []
    assert describe_workers(one, "ray", RunnerOptions(workers=16)) == [
        "16 workers, as --workers says"
    ]
    monkeypatch.setattr(placement, "capacity", lambda: Capacity(2, 64 * GIB))
    assert bound_by_memory(one, "ray", options) == []
    assert describe_workers(one, "ray", options) == ["2 workers on 2 cores"]


def test_recycling_has_a_sense() -> None:
    with pytest.raises(UsageError, match="--recycle is -1"):
        check_options(job(), "ray", RunnerOptions(recycle=-1))
    with pytest.raises(UsageError, match="--recycle is for workers"):
        check_options(job(), "serial", RunnerOptions(recycle=0))
    for seconds in (0.0, 0.01, 1e10, math.inf, math.nan):
        with pytest.raises(UsageError, match=r"--step-timeout is .*; give seconds, 0.1 to 2592000"):
            check_options(job(), "ray", RunnerOptions(step_timeout_s=seconds))


CARDS = [Device(0, cuda=1), Device(1, cuda=0), Device(2), Device(3, software=True)]


def test_workers_take_cards_in_turn() -> None:
    assert [device_of_turn(CARDS, turn) for turn in range(4)] == [0, 1, 0, 1]
    plain = [Device(0), Device(1, software=True), Device(2)]
    assert [device_of_turn(plain, turn) for turn in range(3)] == [0, 2, 0]


def test_a_card_that_a_policy_computes_on_is_the_last_choice() -> None:
    assert {device_of_turn(CARDS, turn, taken={0}) for turn in range(4)} == {0}
    assert {device_of_turn(CARDS, turn, taken={1}) for turn in range(4)} == {1}
    assert [device_of_turn(CARDS, turn, taken={0, 1}) for turn in range(3)] == [0, 1, 0]


@pytest.mark.parametrize(
    "devices", [[], [Device(0, software=True)], [Device(0), Device(1, software=True)], CARDS[1:]]
)
def test_with_one_card_or_none_the_machine_chooses(devices: list[Device]) -> None:
    assert device_of_turn(devices, 1) is None


def test_who_has_chosen_a_renderer_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egl, "egl_devices", lambda: CARDS)
    assert choose_device(1, (), {}) == 1
    assert choose_device(1, (), {"MUJOCO_GL": "egl"}) == 1
    assert choose_device(1, (), {"MUJOCO_GL": "osmesa"}) is None
    assert choose_device(1, (), {"MUJOCO_EGL_DEVICE_ID": "0"}) is None
    assert render_environment("spread") == {}


def test_the_devices_of_this_machine_are_numbered_as_mujoco_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever there is; on a machine without a card it is the software renderer, or nothing."""
    found = egl.egl_devices()
    numbers = [device.number for device in found]
    assert numbers == sorted(set(numbers))
    assert all(device.cuda is None for device in found if device.software)
    monkeypatch.setattr(egl, "find_library", lambda name: None)
    assert egl.egl_devices() == []


def test_a_process_draws_on_what_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egl.os, "environ", environment := {"MUJOCO_GL": "egl"})
    egl.draw_on(None)
    assert environment == {"MUJOCO_GL": "egl"}
    egl.draw_on(3)
    assert environment == {"MUJOCO_GL": "egl", "MUJOCO_EGL_DEVICE_ID": "3"}
