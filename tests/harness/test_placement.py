"""Where a policy lives, and where workers render."""

from __future__ import annotations

import importlib
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import pytest

from vlabench.contract.specs import CameraSpec, PolicySpec
from vlabench.errors import UsageError
from vlabench.rollout import RunContext
from vlabench.runner import placement
from vlabench.runner.job import Job, RunnerOptions, is_shared
from vlabench.runner.placement import actors_of, describe_place, render_environment

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
        (replace(job(), shared=True), 1),
        (Job("w", "p", {}, RunContext("run", "small", 1, "")), 0),
    ],
)
def test_a_policy_that_looks_and_answers_several_has_an_actor(one: Job, actors: int) -> None:
    assert actors_of(one, RunnerOptions()) == actors
    assert actors_of(one, RunnerOptions(inference_actors=3)) == 3


@pytest.mark.parametrize(
    "name", ["openvla", "openvla-rest", "oft-rest", "openpi", "groot-zmq", "vla-eval"]
)
def test_a_model_behind_a_server_is_asked_by_one_process(name: str) -> None:
    assert is_shared(name)
    assert is_shared(f"blind:{name}")


@pytest.mark.parametrize("name", ["random", "expert", "remote", "deaf:callable"])
def test_any_other_is_asked_where_its_declaration_puts_it(name: str) -> None:
    assert not is_shared(name)


def test_a_dry_run_tells_of_batches_where_there_are_some() -> None:
    def told(one: Job) -> str:
        return " ".join(describe_place(one, "ray", RunnerOptions()))

    assert "batches of up to 8" in told(job(max_batch=8, cameras=CAMERAS))
    assert "one session at a time" in told(job(max_batch=8, cameras=CAMERAS, stateful=True))
    assert "one session at a time" in told(replace(job(), shared=True))


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
    with pytest.raises(UsageError, match="give 'cpu', 'spread', or the number"):
        render_environment(device)


def test_the_torch_that_is_here_stays_unless_a_policy_names_its_own() -> None:
    environment_of = importlib.import_module("vlabench.runner.hosts").environment_of
    here = f"torch=={version('torch').partition('+')[0]}"
    packages = environment_of(job(("--no-deps", "torchvision==0.1")))["pip"]["packages"]
    assert packages == ["torchvision==0.1", here]
    packages = environment_of(job(("torch>=2.4,<3", "timm")))["pip"]["packages"]
    assert packages == ["torch>=2.4,<3", "timm"]
