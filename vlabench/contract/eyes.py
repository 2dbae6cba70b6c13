"""What one session looks at: for its policy, for its planner, and for the histories of both."""

from __future__ import annotations

from dataclasses import replace

from vlabench.contract.environment import Environment
from vlabench.contract.history import History, looking
from vlabench.contract.latency import Latency
from vlabench.contract.pipeline import Pipeline, rendered
from vlabench.contract.playback import steps_of
from vlabench.contract.specs import CameraSpec
from vlabench.plans import Plan
from vlabench.types import Floats, Observation


class Eyes:
    """Looks, and so renders, only where somebody will see it.

    Args:
        environment: What is looked at.
        pipeline: What the policy and its planner see of it.
        latency: How long each answer takes in simulated time; None for no time at all.
    """

    def __init__(
        self, environment: Environment, pipeline: Pipeline, latency: Latency | None
    ) -> None:
        self._environment, self._pipeline, self._planner = environment, pipeline, pipeline.planner
        planner = pipeline.policy.planner
        self._planner_cameras: tuple[CameraSpec, ...] = () if planner is None else planner.cameras
        self._history = History(pipeline.policy.cameras)
        self._planner_history = History(self._planner_cameras)
        self._period = _period(pipeline, latency)
        cameras = (*pipeline.policy.cameras, *self._planner_cameras)
        self._remembers = any(camera.history > 1 for camera in cameras)

    def look(
        self, last_action: Floats | None, plan: Plan | None, *, due: bool, asks_planner: bool
    ) -> Observation:
        """What the policy is shown, and its planner in it if that is asked too.

        Args:
            last_action: The row before, in the policy's numbers; None before the first.
            plan: What the planner said last.
            due: Whether actions are to be answered.
            asks_planner: Whether the planner is asked.
        """
        shown, to_planner = self._observed(asks_planner)
        seen = self._pipeline.to_policy(shown, self._history, last_action)
        if self._planner is None:
            return seen
        seen = replace(seen, due=due, plan=plan)
        if to_planner is None:
            self._keep_for_planner(seen.step)
            return seen
        planner = self._planner.to_policy(to_planner, self._planner_history)
        return replace(seen, planner=replace(planner, plan=plan))

    def look_for_later(self, step: int) -> None:
        """Keeps the images that a history will want, and that nobody looks at for an answer."""
        if not self._remembers:
            return
        ours = looking(self._pipeline.policy.cameras, step, self._period)
        if ours:
            shown = self._environment.observe([rendered(camera) for camera in ours])
            self._history.add(step, self._pipeline.frames(shown))
        self._keep_for_planner(step)

    def _keep_for_planner(self, step: int) -> None:
        theirs = looking(self._planner_cameras, step, None)
        if theirs and self._planner is not None:
            shown = self._environment.observe([rendered(camera) for camera in theirs])
            self._planner_history.add(step, self._planner.frames(shown))

    def _observed(self, asks_planner: bool) -> tuple[Observation, Observation | None]:
        """What the environment shows to the policy, and to its planner; rendered once if it can."""
        observe, ours = self._environment.observe, self._pipeline.cameras
        privileged = self._pipeline.policy.privileged
        if self._planner is None or not asks_planner:
            return observe(ours, privileged=privileged), None
        theirs = self._planner.cameras
        both = tuple(dict.fromkeys((*ours, *theirs)))
        if len({camera.role for camera in both}) == len(both):
            shown = observe(both, privileged=privileged)
            return shown, shown
        return observe(ours, privileged=privileged), observe(theirs, privileged=privileged)


def _period(pipeline: Pipeline, latency: Latency | None) -> int | None:
    """Control steps from one question to the next; None if they differ."""
    planner = pipeline.policy.planner
    if planner is not None and planner.every is not None:
        return None
    executed = steps_of(pipeline.executed, pipeline.ratio)
    if latency is None:
        return executed
    if latency.ms is None:
        return None
    return executed + latency.steps(pipeline.env.control_hz, 0.0)
