"""Replays an episode: the executed actions are simulated again, and must lead to the same states.

Physics is deterministic, so whoever has the actions can see for himself that the record is true.
Where a replay leaves the path, the first checksum that differs says at which control step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vlabench.contract.environment import Environment, World
from vlabench.errors import UsageError
from vlabench.runner.job import make_world
from vlabench.store import Run
from vlabench.trace import Trace
from vlabench.types import EpisodeRecord, EpisodeSpec


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of an episode when its actions were executed again.

    Attributes:
        record: What the run says of it.
        steps: Control steps executed.
        left_at: The first control step, from 1, after which the state is another; 0 if it began
            otherwise; None if all are the same.
        faults: What else is not as the run says, a sentence each.
    """

    record: EpisodeRecord
    steps: int
    left_at: int | None
    faults: tuple[str, ...]

    @property
    def verified(self) -> bool:
        """Whether everything came out as the run says."""
        return self.left_at is None and not self.faults


def replay(run: Run, episode_id: str) -> Replay:
    """Simulates an episode of `run` again from the actions that were executed.

    Raises:
        UsageError: If it has not run, or this vlabench has another world than the run was in.
    """
    record = next((r for r in run.records if r.episode_id == episode_id), None)
    episode = run.manifest.by_id.get(episode_id)
    trace = run.trace(episode_id)
    if record is None or episode is None:
        raise UsageError(f"{run.path} has no record of the episode {episode_id!r}.")
    world = make_world(run.info.world)
    environment = world.make(controller=_controller(world, run))
    try:
        return _replayed(environment, episode, record, trace)
    finally:
        environment.close()


def _replayed(
    environment: Environment, episode: EpisodeSpec, record: EpisodeRecord, trace: Trace
) -> Replay:
    environment.start(episode)
    began = environment.outcome().init_state_hash == record.init_state_hash
    left_at = None if began else 0
    steps = 0
    for action, checksum in zip(trace.actions, trace.checksums, strict=True):
        over = environment.advance(np.ascontiguousarray(action))
        steps += 1
        if left_at is None and environment.checksum() != int(checksum):
            left_at = steps
        if over:
            break
    return Replay(record, steps, left_at, tuple(_faults(environment, record, trace, steps)))


def _faults(
    environment: Environment, record: EpisodeRecord, trace: Trace, steps: int
) -> Iterator[str]:
    outcome = environment.outcome()
    if trace.actions_hash != record.actions_hash:
        yield "the trace holds other actions than the record speaks of"
    if steps != len(trace.actions):
        yield f"the episode is over after {steps} of {len(trace.actions)} actions"
    if outcome.final_state_hash != record.final_state_hash:
        yield "it ends in another state"
    if record.status != "policy_error" and outcome.success != record.success:
        yield f"it ends {_word(outcome.success)}, and the record says {_word(record.success)}"


def _controller(world: World, run: Run) -> str:
    """The controller of the environment that the run was in."""
    for spec in world.specs():
        if spec.fingerprint == run.info.env_fingerprint:
            return spec.controller
    here = ", ".join(spec.fingerprint for spec in world.specs())
    raise UsageError(
        f"{run.path} was run in the world {run.info.env_fingerprint}, and this vlabench has "
        f"{here}; replay it with the version that ran it, {run.info.vlabench_version}."
    )


def _word(success: bool) -> str:
    return "in success" if success else "without success"
