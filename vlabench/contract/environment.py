"""The protocols that the harness knows the world by; it knows no simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import CameraSpec, EnvSpec
from vlabench.errors import UsageError
from vlabench.types import Change, EpisodeSpec, Json, Observation, Outcome

FAULT = "fault: "
"""What an event begins with that says which rule of the world a start breaks."""


class StateNeededError(UsageError):
    """A draw that begins in the middle of an episode, where a policy has to go first.

    Args:
        change: The change that begins there.
        reached: How many stages are done at its beginning.
    """

    def __init__(self, change: Change, reached: int) -> None:
        self.change, self.reached = change, reached
        super().__init__(
            f"Episodes under {change} are made from the expert's runs when a suite is certified, "
            "and cannot be drawn; keep to the published episodes (leave out '--seed' and larger "
            "'--episodes'), or certify the suite."
        )

    def __reduce__(self) -> tuple[type[StateNeededError], tuple[Change, int]]:
        return StateNeededError, (self.change, self.reached)


@dataclass(frozen=True, slots=True)
class DrawnEpisode:
    """What the world says of one draw: see the fields of `EpisodeSpec` of the same names."""

    factors: Mapping[str, Json]
    instruction: str
    horizon: int
    embodiment: str
    diagnostic: bool = False

    def as_episode(
        self,
        world: World,
        task: str,
        changes: Sequence[Change],
        *,
        seed: int,
        index: int,
        control_id: str | None = None,
    ) -> EpisodeSpec:
        """The episode that this draw of `world` belongs to."""
        return EpisodeSpec(
            task=task,
            changes=tuple(changes),
            index=index,
            seed=seed,
            factors=self.factors,
            instruction=self.instruction,
            world_version=world.version,
            horizon=self.horizon,
            embodiment=self.embodiment,
            control_id=control_id,
            diagnostic=self.diagnostic,
        )


class World(Protocol):
    """Draws episodes and makes environments that run them."""

    version: str

    def draw(
        self,
        task: str,
        changes: Sequence[Change],
        *,
        seed: int,
        index: int,
        begin: Mapping[str, Json] | None = None,
    ) -> DrawnEpisode:
        """Every factor of one episode; equal arguments give equal values on every machine.

        `begin` is an environment's `snapshot`, for a change that begins an episode in the middle.

        Raises:
            StateNeededError: If a change begins in the middle, and `begin` is not given.
            UsageError: If an axis, a level or a task does not exist, or they do not go together.
        """
        ...

    def spec(self) -> EnvSpec:
        """What every environment of this world offers under its default controller."""
        ...

    def specs(self) -> Sequence[EnvSpec]:
        """What it offers under each of its controllers, that of `spec` first."""
        ...

    def make(self, *, inspect: bool = False, controller: str = "") -> Environment:
        """An environment that can run any episode of this world, one after another.

        Its actions are those of `controller`, an `EnvSpec.controller` of `specs`; of the default
        one if that is empty. With `inspect` it ends an episode at once, without success, whose
        start breaks a rule of the world; it says so in `Outcome.events`, each beginning with
        ``"fault: "``.
        """
        ...


def draw_episode(
    world: World,
    task: str,
    changes: Sequence[Change] = (),
    *,
    seed: int,
    index: int,
    control_id: str | None = None,
) -> EpisodeSpec:
    """The episode that `world` draws for these arguments; raises what `World.draw` does."""
    drawn = world.draw(task, changes, seed=seed, index=index)
    return drawn.as_episode(world, task, changes, seed=seed, index=index, control_id=control_id)


class Environment(Protocol):
    """One simulated scene at a time."""

    def spec(self) -> EnvSpec:
        """What it offers; the same for all its episodes."""
        ...

    def start(self, episode: EpisodeSpec) -> None:
        """Builds and settles the scene of `episode`."""
        ...

    def observe(
        self, cameras: Sequence[CameraSpec] = (), *, privileged: bool = False
    ) -> Observation:
        """What can be seen now; renders only `cameras`."""
        ...

    def advance(self, action: npt.NDArray[np.float32]) -> bool:
        """Executes one control step of its own float32 action; True when the episode is over."""
        ...

    def outcome(self) -> Outcome:
        """What has come of the episode so far."""
        ...

    def snapshot(self) -> Mapping[str, Json] | None:
        """The state of the scene, the robot left out, so that `World.draw` can begin there.

        None while the robot touches what can be moved: then it would fall or spring back.
        """
        ...

    def checksum(self) -> int:
        """32 bits of the state's hash, for the trace."""
        ...

    def close(self) -> None:
        """Frees what it holds."""
        ...
