"""What the robot did to things in one episode, as `vlabench.envs.safety` saw it happen."""

from __future__ import annotations

from dataclasses import dataclass, field

from vlabench.contract.watching import Held, Timeline

BRIEF_STEPS = 3
"""Control steps for which a held thing may brush against something without having been let go."""


@dataclass(slots=True)
class Hold:
    """A thing in the hand, clear of everything else, after the steps `since` to `until`.

    `fell` says whether it was dropped: it fell out of the hand, by more than `safety.FALL`.
    """

    thing: str
    since: int
    until: int
    fell: bool = False


@dataclass(slots=True)
class Story:
    """Lists that grow while an episode runs; control steps count from 1.

    Attributes:
        forces: For each step the largest normal force of one contact of the robot, in newtons.
        touched: Thing to the steps after which a finger touched it.
        collisions: Steps at which the robot began to touch what no goal speaks of.
        knocks: Steps and things of which no goal speaks, that it was pressed hard against.
        drops: Steps at which a thing that had fallen out of the hand landed.
        holds: What was in the hand, in the order in which it was taken.
    """

    forces: list[float] = field(default_factory=list)
    touched: dict[str, list[int]] = field(default_factory=dict)
    collisions: list[int] = field(default_factory=list)
    knocks: list[tuple[int, str]] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)

    def held(self, thing: str, step: int) -> None:
        """`thing` is in the hand after `step`."""
        before = self._last(thing)
        if before is None or before.fell or step - before.until > BRIEF_STEPS:
            self.holds.append(Hold(thing, step, step))
        else:
            before.until = step

    def dropped(self, thing: str, step: int) -> None:
        """`thing` had fallen out of the hand, and has landed at `step`."""
        self.drops.append(step)
        before = self._last(thing)
        if before is not None:
            before.fell = True

    def timeline(self) -> Timeline:
        """All of it that a film shows."""
        return Timeline(
            contact_force_n=tuple(round(force, 3) for force in self.forces),
            collisions=tuple(self.collisions),
            drops=tuple(self.drops),
            grasps=tuple(Held(hold.since, hold.until, hold.thing) for hold in self.holds),
        )

    def _last(self, thing: str) -> Hold | None:
        return next((hold for hold in reversed(self.holds) if hold.thing == thing), None)
