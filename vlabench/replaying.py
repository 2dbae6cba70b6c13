"""Replays an episode: the executed actions are simulated again, and must lead to the same states.

Physics is deterministic, so whoever has the actions can see for himself that the record is true.
Where a replay leaves the path, the first checksum that differs says at which control step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from vlabench.contract.environment import Environment
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


@dataclass(frozen=True, slots=True)
class Recorded:
    """All that it takes to replay one episode, wherever that is done.

    Attributes:
        run: The run's folder, for errors.
        world: The registered world that it ran in, or ``module:attribute``.
        env_fingerprint: Of that world.
        version: The vlabench that ran it.
        episode: What was to be done.
        record: What the run says of it.
        trace: What was executed.
    """

    run: str
    world: str
    env_fingerprint: str
    version: str
    episode: EpisodeSpec
    record: EpisodeRecord
    trace: Trace

    @staticmethod
    def of(run: Run, episode_id: str) -> Recorded:
        """What `run` has of an episode.

        Raises:
            UsageError: If it has not run.
        """
        record = next((r for r in run.records if r.episode_id == episode_id), None)
        episode = run.manifest.by_id.get(episode_id)
        trace = run.trace(episode_id)
        if record is None or episode is None:
            raise UsageError(f"{run.path} has no record of the episode {episode_id!r}.")
        info = run.info
        return Recorded(
            str(run.path),
            info.world,
            info.env_fingerprint,
            info.vlabench_version,
            episode,
            record,
            trace,
        )

    def environment(self) -> Environment:
        """A new environment of the world that it ran in; close it.

        Raises:
            UsageError: If this vlabench has another world.
        """
        world = make_world(self.world)
        for spec in world.specs():
            if spec.fingerprint == self.env_fingerprint:
                return world.make(controller=spec.controller)
        here = ", ".join(spec.fingerprint for spec in world.specs())
        raise UsageError(
            f"{self.run} was run in the world {self.env_fingerprint}, and this vlabench has "
            f"{here}; replay it with the version that ran it, {self.version}."
        )


Watch: TypeAlias = Callable[[int | None], None]
"""Called when a replay has begun and after every step; told where it left the path, if it has."""


def replay(run: Run, episode_id: str) -> Replay:
    """Simulates an episode of `run` again from the actions that were executed.

    Raises:
        UsageError: If it has not run, or this vlabench has another world than the run was in.
    """
    recorded = Recorded.of(run, episode_id)
    environment = recorded.environment()
    try:
        return replay_in(environment, recorded)
    finally:
        environment.close()


def replay_in(
    environment: Environment, recorded: Recorded, watch: Watch = lambda left_at: None
) -> Replay:
    """Simulates an episode again in `environment`, which is then at its end; `watch` looks on."""
    record, trace = recorded.record, recorded.trace
    environment.start(recorded.episode)
    began = environment.outcome().init_state_hash == record.init_state_hash
    left_at = None if began else 0
    watch(left_at)
    steps = 0
    for action, checksum in zip(trace.actions, trace.checksums, strict=True):
        over = environment.advance(np.ascontiguousarray(action))
        steps += 1
        if left_at is None and environment.checksum() != int(checksum):
            left_at = steps
        watch(left_at)
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


def _word(success: bool) -> str:
    return "in success" if success else "without success"
