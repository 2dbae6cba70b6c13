"""One session: an environment and a policy meet over one episode, and a record comes of it.

The rollout owns the chunk buffer. It looks (and so renders) only when the buffer is empty, turns
what the environment shows into what the policy wants and back by the negotiated pipeline, and
tells the policy's own mistakes, which are failures, from a lost machine, which is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vlabench.contract.environment import Environment
from vlabench.contract.negotiate import Pipeline
from vlabench.contract.policy import Policy
from vlabench.errors import InfrastructureError, PolicyError, in_one_line
from vlabench.hashing import content_hash
from vlabench.seeding import seed_of
from vlabench.trace import Trace
from vlabench.types import (
    EpisodeRecord,
    EpisodeSpec,
    EpisodeStart,
    Observation,
    Outcome,
    Status,
)

Answer = TypeVar("Answer")

LONGEST_ERROR = 500
"""Characters of a policy's error that a record keeps."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What every record of a run repeats; `certified` is None where nobody asked."""

    run_id: str
    suite: str
    suite_version: int
    suite_hash: str
    certified: bool | None = None


def run_episode(
    environment: Environment,
    policy: Policy,
    pipeline: Pipeline,
    episode: EpisodeSpec,
    context: RunContext,
    attempt: int = 0,
    *,
    watch: Callable[[], None] = lambda: None,
) -> tuple[EpisodeRecord, Trace]:
    """Runs `episode` to its end; `watch` is called after every control step.

    A policy that raises, or answers with NaN or a wrong shape, ends its episode as a failure with
    the status ``policy_error``.

    Raises:
        InfrastructureError: If the simulator or a policy's server was lost; try again.
    """
    began = time.perf_counter()
    environment.start(episode)
    session = _Session(environment, policy, pipeline, episode, watch)
    error = session.run()
    trace = session.trace()
    record = _record(session, context, error, trace, attempt, time.perf_counter() - began)
    return record, trace


@dataclass
class _Session:
    """One episode on its way."""

    environment: Environment
    policy: Policy
    pipeline: Pipeline
    episode: EpisodeSpec
    watch: Callable[[], None]
    actions: list[npt.NDArray[np.float32]] = field(default_factory=list)
    checksums: list[int] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.episode_id = self.episode.episode_id

    def run(self) -> str | None:
        """Runs to the end; the policy's error, if it made one."""
        error = _error_of(self._drive)
        ending = _error_of(lambda: _guarded(lambda: self.policy.end([self.episode_id])))
        return error or ending

    def trace(self) -> Trace:
        """What has been executed."""
        dimension = self.pipeline.env.action.dimension
        return Trace(
            actions=np.array(self.actions, dtype=np.float32).reshape(-1, dimension),
            checksums=np.array(self.checksums, dtype=np.uint32),
        )

    def _drive(self) -> None:
        _guarded(lambda: self.policy.reset([self._start()]))
        while not self._execute(self._ask()):
            pass

    def _start(self) -> EpisodeStart:
        return EpisodeStart(
            episode_id=self.episode_id,
            seed=seed_of("policy", self.episode.seed, self.episode.task, self.episode.index),
            instruction=self.episode.instruction,
            env_spec=self.pipeline.env,
        )

    def _ask(self) -> npt.NDArray[np.float32]:
        """Looks, and asks the policy for its next actions ``(T, 7)``."""
        privileged = self.pipeline.policy.privileged
        shown = self.environment.observe(self.pipeline.cameras, privileged=privileged)
        observation = self.pipeline.to_policy(shown)
        began = time.perf_counter()
        answer = _guarded(lambda: _answer(self.policy, observation))
        self.latencies_ms.append(1000 * (time.perf_counter() - began))
        actions = _guarded(lambda: self.pipeline.to_env(answer))
        return actions[: self.pipeline.executed]

    def _execute(self, actions: npt.NDArray[np.float32]) -> bool:
        """Executes `actions` one after another; True when the episode is over."""
        for action in actions:
            over = self.environment.advance(action)
            self.actions.append(action.copy())
            self.checksums.append(self.environment.checksum())
            self.watch()
            if over or len(self.actions) >= self.episode.horizon:
                return True
        return False


def _answer(policy: Policy, observation: Observation) -> npt.NDArray[np.floating[Any]]:
    chunks = policy.act([observation])
    if len(chunks) != 1:
        raise PolicyError(f"The policy answered one observation with {len(chunks)} chunks.")
    return chunks[0].actions


def _guarded(ask: Callable[[], Answer]) -> Answer:
    """What `ask` returns; whatever the policy raises in it is the policy's error."""
    try:
        return ask()
    except (PolicyError, InfrastructureError):
        raise
    except (Exception, SystemExit) as error:  # a policy is foreign code and may raise anything
        raise PolicyError(in_one_line(error)) from error


def _error_of(step: Callable[[], None]) -> str | None:
    """One line that says what the policy did wrong in `step`; None if it did nothing wrong."""
    try:
        step()
    except PolicyError as error:
        return " ".join(str(error).split())[:LONGEST_ERROR]
    return None


def _record(
    session: _Session,
    context: RunContext,
    error: str | None,
    trace: Trace,
    attempt: int,
    wall_s: float,
) -> EpisodeRecord:
    episode, outcome, env = session.episode, session.environment.outcome(), session.pipeline.env
    success = outcome.success and error is None
    achieved = [stage.success for stage in outcome.stages]
    latencies = session.latencies_ms
    return EpisodeRecord(
        run_id=context.run_id,
        episode_id=session.episode_id,
        control_id=episode.control_id,
        suite=context.suite,
        suite_version=context.suite_version,
        suite_hash=context.suite_hash,
        task=episode.task,
        changes=episode.changes,
        index=episode.index,
        seed=episode.seed,
        embodiment=episode.embodiment,
        factors=episode.factors,
        instruction=episode.instruction,
        instruction_hash=content_hash(episode.instruction),
        env_fingerprint=env.fingerprint,
        contract_fingerprint=session.pipeline.fingerprint,
        status=_status(success, error),
        success_once=outcome.success_once,
        success=success,
        progress=sum(achieved) / len(achieved) if achieved else float(success),
        stages=outcome.stages,
        chain_length=outcome.chain_length,
        steps=outcome.steps,
        horizon=episode.horizon,
        time_to_success_s=outcome.steps / env.control_hz if success else None,
        path_length_m=outcome.path_length_m,
        certified=context.certified,
        compliance=_compliance(episode, outcome, error),
        events=outcome.events,
        **asdict(outcome.safety),
        policy_calls=len(latencies),
        batch_size_mean=1.0 if latencies else None,
        latency_ms_p50=_percentile(latencies, 50),
        latency_ms_p95=_percentile(latencies, 95),
        inference_s=sum(latencies) / 1000,
        wall_s=wall_s,
        init_state_hash=outcome.init_state_hash,
        final_state_hash=outcome.final_state_hash,
        actions_hash=trace.actions_hash,
        error=error,
        attempt=attempt,
    )


def _compliance(episode: EpisodeSpec, outcome: Outcome, error: str | None) -> bool | None:
    """Whether a diagnostic episode did what it was told; a policy that failed did not."""
    if not episode.diagnostic:
        return None
    return error is None and outcome.compliance is True


def _status(success: bool, error: str | None) -> Status:
    if error is not None:
        return "policy_error"
    return "success" if success else "failure"


def _percentile(values: list[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None
