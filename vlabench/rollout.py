"""One session: an environment and a policy meet over one episode, and a record comes of it.

The rollout owns what belongs to one session: the answers that are being executed, the images of the
last steps, how long a gripper is held. It looks (and so renders) only when the policy is asked, or
will want that image later; turns what the environment shows into what the policy wants and back by
the negotiated pipeline; lets the world run on while the policy thinks, where a latency is
simulated; and tells the policy's own mistakes, which are failures, from a lost machine, which is
not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vlabench.contract.batching import answers_of
from vlabench.contract.environment import Environment
from vlabench.contract.extras import Heard
from vlabench.contract.history import History, looking
from vlabench.contract.latency import Latency
from vlabench.contract.pipeline import Pipeline, rendered
from vlabench.contract.playback import steps_of
from vlabench.contract.policy import Policy
from vlabench.errors import InfrastructureError, PlacementError, PolicyError, in_one_line
from vlabench.hashing import content_hash
from vlabench.seeding import seed_of
from vlabench.trace import Trace
from vlabench.types import (
    ActionChunk,
    EpisodeRecord,
    EpisodeSpec,
    EpisodeStart,
    Floats,
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
    latency: Latency | None = None,
) -> tuple[EpisodeRecord, Trace]:
    """Runs `episode` to its end; `watch` is called after every control step.

    A policy that raises, or answers with NaN or a wrong shape, ends its episode as a failure with
    the status ``policy_error``. Without a `latency` the world waits for the policy.

    Raises:
        InfrastructureError: If the simulator or a policy's server was lost; try again.
        PlacementError: If the policy's host cannot serve this run any more.
    """
    began = time.perf_counter()
    environment.start(episode)
    session = _Session(environment, policy, pipeline, episode, watch, latency)
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
    latency: Latency | None
    actions: list[npt.NDArray[np.float32]] = field(default_factory=list)
    checksums: list[int] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    infer_ms: list[float | None] = field(default_factory=list)
    batch_sizes: list[int] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.episode_id = self.episode.episode_id
        self._playback = self.pipeline.playback()
        self._execute = self.pipeline.executor()
        self._history = History(self.pipeline.policy.cameras)
        self._last_action: Floats | None = None
        self._over = False

    def run(self) -> str | None:
        """Runs to the end; the policy's error, if it made one."""
        error = _error_of(self._drive)
        ending = _error_of(self._end)
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
        while not self._over:
            if self._playback.is_due:
                rows = self._ask()
                self._wait()
                self._playback.take(rows)
            else:
                self._step(self._playback.row())
                if not self._playback.is_due:
                    self._look_for_later()

    def _end(self) -> None:
        """Ends the session; the episode is over, so a loss is left for the next one to meet."""
        with suppress(InfrastructureError, PlacementError):
            _guarded(lambda: self.policy.end([self.episode_id]))

    def _start(self) -> EpisodeStart:
        return EpisodeStart(
            episode_id=self.episode_id,
            seed=seed_of("policy", self.episode.seed, self.episode.task, self.episode.index),
            instruction=self.pipeline.instruction(self.episode.instruction),
            env_spec=self.pipeline.env,
        )

    def _ask(self) -> Floats:
        """Looks, and asks the policy for its next rows ``(T, D)``."""
        spec = self.pipeline.policy
        shown = self.environment.observe(self.pipeline.cameras, privileged=spec.privileged)
        observation = self.pipeline.to_policy(shown, self._history, self._last_action)
        began = time.perf_counter()
        chunk = _guarded(lambda: answers_of(self.policy, spec, [observation])[0])
        self.latencies_ms.append(1000 * (time.perf_counter() - began))
        rows = self.pipeline.check(_guarded(lambda: chunk.actions))
        self.batch_sizes.append(_guarded(lambda: _batch_size(chunk)))
        self.infer_ms.append(_guarded(lambda: _infer_ms(chunk)))
        _guarded(lambda: self.heard.add(shown.step, chunk.extras))
        return rows

    def _wait(self) -> None:
        """The world runs on while the policy thinks of the answer that it was just asked for."""
        if self.latency is None:
            return
        hz, rest = self.pipeline.env.control_hz, self.pipeline.policy.while_waiting == "rest"
        for _ in range(self.latency.steps(hz, self.latencies_ms[-1])):
            if self._over:
                return
            self._step(self._playback.row() if rest else None)
            self._look_for_later()

    def _step(self, row: Floats | None) -> None:
        """Executes a row of the policy's; stands still for one control step if there is none."""
        if row is None:
            action = self.pipeline.hold(self.actions[-1] if self.actions else None)
            self._execute.wait()
        else:
            action = self._execute(row, self._stance())
            self._last_action = row
        over = self.environment.advance(action)
        self.actions.append(action.copy())
        self.checksums.append(self.environment.checksum())
        self._playback.advance()
        self.watch()
        self._over = over or len(self.actions) >= self.episode.horizon

    def _stance(self) -> Mapping[str, Floats]:
        """How the robot stands, where its action is made with that."""
        return self.environment.observe().proprio if self.pipeline.reads else {}

    def _look_for_later(self) -> None:
        """Keeps the images that a history will want, and that nobody looks at for an answer."""
        if self._over or not self._remembers:
            return
        cameras = looking(self.pipeline.policy.cameras, len(self.actions), self._period)
        if cameras:
            shown = self.environment.observe([rendered(camera) for camera in cameras])
            self._history.add(len(self.actions), self.pipeline.frames(shown))

    @property
    def _remembers(self) -> bool:
        return any(camera.history > 1 for camera in self.pipeline.policy.cameras)

    @property
    def _period(self) -> int | None:
        """Control steps from one question to the next; None if they differ."""
        executed = steps_of(self.pipeline.executed, self.pipeline.ratio)
        if self.latency is None:
            return executed
        if self.latency.ms is None:
            return None
        return executed + self.latency.steps(self.pipeline.env.control_hz, 0.0)


def _batch_size(chunk: ActionChunk) -> int:
    if chunk.batch_size < 1:
        raise PolicyError(f"The policy says that it answered {chunk.batch_size} sessions at once.")
    return chunk.batch_size


def _infer_ms(chunk: ActionChunk) -> float | None:
    ms = chunk.infer_ms
    if ms is not None and not (math.isfinite(ms) and ms >= 0):
        raise PolicyError(f"The policy says that it thought for {ms} ms.")
    return None if ms is None else float(ms)


def _guarded(ask: Callable[[], Answer]) -> Answer:
    """What `ask` returns; whatever the policy raises in it is the policy's error.

    A loss is not, and neither is what its host says of itself.
    """
    try:
        return ask()
    except (PolicyError, InfrastructureError, PlacementError):
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
        failure=outcome.failure if error is None else None,
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
        batch_size_mean=_mean(session.batch_sizes),
        latency_ms_p50=_percentile(latencies, 50),
        latency_ms_p95=_percentile(latencies, 95),
        inference_s=sum(latencies) / 1000,
        infer_s=_seconds(session.infer_ms),
        wall_s=wall_s,
        init_state_hash=outcome.init_state_hash,
        final_state_hash=outcome.final_state_hash,
        actions_hash=trace.actions_hash,
        allow_mismatch=session.pipeline.mismatches,
        latency_setting_ms=None if session.latency is None else session.latency.setting,
        said=tuple(session.heard.said),
        said_left_out=session.heard.left_out,
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


def _seconds(values: list[float | None]) -> float | None:
    """The sum of milliseconds; None unless all are known, or if there are none."""
    known = [ms for ms in values if ms is not None]
    return sum(known) / 1000 if known and len(known) == len(values) else None


def _mean(values: list[int]) -> float | None:
    return sum(values) / len(values) if values else None
