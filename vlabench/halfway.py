"""Draws what begins in the middle of an episode: the expert goes there, and is watched.

Some changes begin where a policy had got to. A `StagedWorld` draws them: it lets the expert run the
episode without the change, keeps the state at each number of stages reached, once the robot has let
go, and gives the world that state to begin in. The expert is deterministic, so the draw is too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cache

from vlabench.contract.environment import (
    DrawnEpisode,
    Environment,
    StateNeededError,
    World,
    draw_episode,
)
from vlabench.contract.negotiate import negotiate
from vlabench.contract.specs import EnvSpec
from vlabench.errors import VlabenchError
from vlabench.layout import Key
from vlabench.rollout import RunContext, run_episode
from vlabench.runner.job import make_policy
from vlabench.types import Change, EpisodeSpec, Json


class NotThereError(VlabenchError):
    """The expert did not come to the state in which an episode should begin.

    Args:
        key: Of the draw.
        reason: Why not.
    """

    def __init__(self, key: Key, reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(reason)


class StagedWorld:
    """`world`, which an expert helps to draw.

    Args:
        world: Draws all that can be drawn from numbers alone.
        expert: A registered policy or ``module:attribute``.
    """

    def __init__(self, world: World, expert: str) -> None:
        self.version = world.version
        self._world, self._expert = world, expert
        self._states = cache(self._walk)

    def draw(
        self,
        task: str,
        changes: Sequence[Change],
        *,
        seed: int,
        index: int,
        begin: Mapping[str, Json] | None = None,
    ) -> DrawnEpisode:
        """As the world's own, but for changes that begin in the middle.

        Raises:
            UsageError: What the world's own raises.
            NotThereError: If the expert did not come to where the episode should begin.
        """
        try:
            return self._world.draw(task, changes, seed=seed, index=index, begin=begin)
        except StateNeededError as needed:
            there = tuple(change for change in changes if change != needed.change)
            states = self._states(task, seed, index, there)
            if needed.reached not in states:
                raise NotThereError(
                    (task, seed, index, tuple(changes)),
                    f"at no moment had the expert reached {needed.reached} of the stages and "
                    "let go",
                ) from None
            begin = states[needed.reached]
            return self._world.draw(task, changes, seed=seed, index=index, begin=begin)

    def spec(self) -> EnvSpec:
        """The world's own."""
        return self._world.spec()

    def specs(self) -> Sequence[EnvSpec]:
        """The world's own."""
        return self._world.specs()

    def make(self, *, inspect: bool = False, controller: str = "") -> Environment:
        """The world's own."""
        return self._world.make(inspect=inspect, controller=controller)

    def _walk(
        self, task: str, seed: int, index: int, changes: tuple[Change, ...]
    ) -> dict[int, Mapping[str, Json]]:
        """How many stages have been reached, to the first state in which the robot has let go."""
        episode = draw_episode(self._world, task, changes, seed=seed, index=index)
        with closing(self._world.make()) as environment:
            return self._watched(environment, episode)

    def _watched(
        self, environment: Environment, episode: EpisodeSpec
    ) -> dict[int, Mapping[str, Json]]:
        states: dict[int, Mapping[str, Json]] = {}

        def look() -> None:
            reached = environment.outcome().chain_length
            state = None if reached in states else environment.snapshot()
            if state is not None:
                states[reached] = state

        with closing(make_policy(self._expert, {})) as policy:
            pipeline = negotiate(policy.spec(), environment.spec())
            context = RunContext("certification", "certification", 0, "")
            run_episode(environment, policy, pipeline, episode, context, watch=look)
        return states
