"""Where a policy lives, and where workers render."""

from __future__ import annotations

from typing import Any

import pytest

from vlabench.contract.specs import CameraSpec, PolicySpec
from vlabench.errors import UsageError
from vlabench.rollout import RunContext
from vlabench.runner import placement
from vlabench.runner.job import Job, RunnerOptions
from vlabench.runner.placement import actors_of, render_environment

CAMERAS = (CameraSpec("exterior/0", 4, 6),)


def job(requires: tuple[str, ...] = (), **declared: Any) -> Job:
    context = RunContext("run", "small", 1, "")
    return Job("w", "p", {}, context, declared=PolicySpec("p", **declared), requires=requires)


@pytest.mark.parametrize(
    ("one", "actors"),
    [
        (job(), 0),
        (job(cameras=CAMERAS), 0),
        (job(max_batch=8), 0),
        (job(max_batch=8, cameras=CAMERAS), 1),
        (job(max_batch=8, fixed_batch=True), 1),
        (job(("numpy==2.0.2",)), 1),
        (Job("w", "p", {}, RunContext("run", "small", 1, "")), 0),
    ],
)
def test_a_policy_that_looks_and_answers_several_has_an_actor(one: Job, actors: int) -> None:
    assert actors_of(one, RunnerOptions()) == actors
    assert actors_of(one, RunnerOptions(inference_actors=3)) == 3


def test_a_device_is_set_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert render_environment("02") == {"MUJOCO_GL": "egl", "MUJOCO_EGL_DEVICE_ID": "2"}
    monkeypatch.setattr(placement, "find_library", lambda name: f"lib{name}.so")
    assert render_environment("cpu") == {"MUJOCO_GL": "osmesa"}
    monkeypatch.setattr(placement, "find_library", lambda name: None)
    variables = render_environment("cpu")
    assert variables["MUJOCO_GL"] == "egl"
    assert variables["LIBGL_ALWAYS_SOFTWARE"] == "1"
    assert variables["__EGL_VENDOR_LIBRARY_FILENAMES"].endswith("50_mesa.json")


@pytest.mark.parametrize("device", ["", "gpu", "-1", "1.5", "CPU", "²"])
def test_no_other_device_is_known(device: str) -> None:
    with pytest.raises(UsageError, match="give 'cpu', or the number of an EGL device"):
        render_environment(device)
