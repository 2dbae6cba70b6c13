"""Where the policy of a run lives: in every worker, or in inference actors of its own.

It lives in actors if it needs packages that this environment lacks; if it looks and answers several
sessions at once, so that one copy of the model serves all workers in batches; or if it speaks to a
server that everybody shares, which is then asked by one process and not by every worker at once.
``--inference-actors`` decides otherwise. Results do not depend on it, but for a policy whose
answers depend on who else is in a batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from ctypes.util import find_library

from vlabench.contract.specs import PolicySpec
from vlabench.errors import UsageError
from vlabench.runner.batches import most_together
from vlabench.runner.capacity import (
    BLIND_WORKER_BYTES,
    BYTES_OF_A_PARAMETER,
    GIB,
    LOOKING_WORKER_BYTES,
    Capacity,
    capacity,
)
from vlabench.runner.job import Job, RunnerOptions
from vlabench.runner.watchdog import LONGEST_S, SHORTEST_S

WORKER_ENVIRONMENT = {
    "LP_NUM_THREADS": "0",
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "200000",
}
"""One thread each for the software renderer and for linear algebra: workers share the machine,
and results must not depend on how many threads there were. The last is glibc's: what is larger, as
every scene's model is, goes back to the system when it is freed. Otherwise glibc raises its
threshold to 32 MB, and what is left between long-lived things adds up: ``benchmarks/soak.py``."""

MESA = "/usr/share/glvnd/egl_vendor.d/50_mesa.json"
"""Where the software renderer's EGL says that it is there."""


def actors_of(job: Job, options: RunnerOptions) -> int:
    """In how many inference actors the policy of `job` lives; 0 if it lives in the workers."""
    if options.inference_actors is not None:
        return options.inference_actors
    spec = job.declared
    batched = spec is not None and (spec.fixed_batch or (spec.max_batch > 1 and looks(spec)))
    return int(bool(job.requires or job.shared or batched))


def looks(spec: PolicySpec) -> bool:
    """Whether it looks through a camera, or its planner does."""
    return bool(spec.cameras or (spec.planner is not None and spec.planner.cameras))


def bytes_of_worker(job: Job, options: RunnerOptions) -> int:
    """Memory that one worker of `job` takes, with the parameters of a policy that lives in it."""
    spec = job.declared
    each = LOOKING_WORKER_BYTES if spec is None or looks(spec) else BLIND_WORKER_BYTES
    if spec is None or spec.params is None or actors_of(job, options):
        return each
    return each + BYTES_OF_A_PARAMETER * spec.params


def describe_workers(job: Job, runner: str, options: RunnerOptions) -> list[str]:
    """Lines that say how many workers there would be, and why not more; for ``--dry-run``."""
    if runner == "serial":
        return []
    if options.workers is not None:
        return [f"{options.workers} workers, as --workers says"]
    if options.ray_address is not None:
        return ["as many workers as the cluster has processors and memory for"]
    return [_room(capacity(), bytes_of_worker(job, options))]


def bound_by_memory(job: Job, runner: str, options: RunnerOptions) -> list[str]:
    """The same where memory leaves processors idle; else nothing."""
    told = runner == "serial" or options.workers is not None or options.ray_address is not None
    if told or not capacity().bound_by_memory(bytes_of_worker(job, options)):
        return []
    return describe_workers(job, runner, options)


def _room(there: Capacity, each: int) -> str:
    workers, cores = there.workers(each), there.processors
    text = f"{workers} worker{'s' * (workers > 1)} on {cores} core{'s' * (cores > 1)}"
    if not there.bound_by_memory(each):
        return text
    return (
        f"{text}: memory bounds them, {there.memory / GIB:.1f} GiB at {each / GIB:.2f} GiB each "
        "(--workers N takes more)"
    )


def check_options(job: Job, runner: str, options: RunnerOptions) -> None:
    """Refuses what cannot be before anything starts.

    Raises:
        UsageError: If a value has no meaning, or this runner cannot do what is asked.
    """
    if options.workers is not None and options.workers < 1:
        raise UsageError(f"The number of workers is {options.workers}; give 1 or more.")
    if options.recycle is not None and options.recycle < 0:
        raise UsageError(f"--recycle is {options.recycle}; give 0 (never) or more.")
    if options.inference_actors is not None and options.inference_actors < 0:
        raise UsageError(
            f"The number of inference actors is {options.inference_actors}; give 0 or more."
        )
    if options.gpus is not None and not _can_be_given(options.gpus):
        raise UsageError(
            f"An inference actor cannot have {options.gpus} GPUs; give a fraction of one, or a "
            "whole number."
        )
    if not SHORTEST_S <= options.step_timeout_s <= LONGEST_S:
        raise UsageError(
            f"--step-timeout is {options.step_timeout_s:g}; give seconds, {SHORTEST_S:g} to "
            f"{LONGEST_S:.0f} (30 days)."
        )
    if not 0 <= options.batch_wait_ms < math.inf:
        raise UsageError(f"--batch-wait-ms is {options.batch_wait_ms}; give 0 or more.")
    if options.render_device is not None:
        render_environment(options.render_device)
    if job.requires and options.inference_actors == 0:
        raise UsageError(
            f"The policy {job.policy!r} needs packages of its own ({', '.join(job.requires)}), "
            "which only an inference actor can have; leave out --inference-actors 0."
        )
    if runner == "serial":
        _check_serial(job, options)


def describe_place(job: Job, runner: str, options: RunnerOptions) -> list[str]:
    """Lines that say where the policy would live, for ``--dry-run``."""
    actors = actors_of(job, options)
    if runner == "serial":
        return ["the policy lives in this process"]
    if not actors:
        return ["the policy lives in every worker"]
    size = 1 if job.declared is None else most_together(job.declared)
    gpus = "what GPUs there are" if options.gpus is None else f"{options.gpus:g} GPU each"
    batches = f"batches of up to {size}, which wait for {options.batch_wait_ms:g} ms at most"
    lines = [
        f"the policy lives in {actors} inference actor{'s' * (actors > 1)} with {gpus}: "
        f"{batches if size > 1 else 'one session at a time'}"
    ]
    if job.requires:
        lines.append(f"in an environment of its own with {', '.join(job.requires)}")
    return lines


def worker_environment(options: RunnerOptions) -> dict[str, str]:
    """The environment variables of a process that simulates and renders."""
    device = options.render_device
    return {**WORKER_ENVIRONMENT, **({} if device is None else render_environment(device))}


def render_environment(device: str) -> Mapping[str, str]:
    """The environment variables with which a process renders on `device`.

    For ``"spread"`` there are none: each worker chooses its card (`vlabench.runner.egl`). On
    ``"cpu"`` it renders by OSMesa if that is installed, else by Mesa's EGL, which sees no
    graphics card then. A number is that of MuJoCo's EGL device.

    Raises:
        UsageError: If it is none of these.
    """
    if device == "spread":
        return {}
    if device == "cpu":
        if find_library("OSMesa"):
            return {"MUJOCO_GL": "osmesa"}
        software = {"LIBGL_ALWAYS_SOFTWARE": "1", "__EGL_VENDOR_LIBRARY_FILENAMES": MESA}
        return {"MUJOCO_GL": "egl", **software}
    if not (device.isascii() and device.isdecimal()):
        raise UsageError(
            f"--render-device is {device!r}; give 'cpu', 'spread', or the number of an EGL device."
        )
    return {"MUJOCO_GL": "egl", "MUJOCO_EGL_DEVICE_ID": str(int(device))}


def _can_be_given(gpus: float) -> bool:
    return 0 <= gpus <= 1 or (math.isfinite(gpus) and gpus > 1 and gpus == int(gpus))


def _check_serial(job: Job, options: RunnerOptions) -> None:
    """The serial runner stays in the process that it finds itself in."""
    asked = {
        "--inference-actors": options.inference_actors,
        "--gpus": options.gpus,
        "--render-device": options.render_device,
    }
    given = [option for option, value in asked.items() if value]
    if options.recycle is not None:
        given.append("--recycle")
    for option in given:
        raise UsageError(
            f"{option} is for workers and actors, and --runner serial has none; leave it out, "
            "or use --runner ray."
        )
    if job.requires:
        raise UsageError(
            f"The policy {job.policy!r} needs packages of its own ({', '.join(job.requires)}), "
            "which only an inference actor can have; use --runner ray."
        )
