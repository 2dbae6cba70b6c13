"""How a long run shows that it lives: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

from vlabench.runner.job import LostAttempt
from vlabench.types import EpisodeRecord

LINES = 20
"""Most plain lines of a run without lost attempts."""


class Progress(Protocol):
    """Told of everything that happens in a run, in the order it happens."""

    def begin(self, planned: int, done: Collection[EpisodeRecord]) -> None:
        """The run starts; the records of `done` are there from before."""
        ...

    def finished(self, record: EpisodeRecord) -> None:
        """An episode has run and is on disk."""
        ...

    def lost(self, attempt: LostAttempt) -> None:
        """An attempt was lost to the infrastructure."""
        ...

    def end(self) -> None:
        """Nothing more will come."""
        ...


class Silent:
    """Shows nothing."""

    def begin(self, planned: int, done: Collection[EpisodeRecord]) -> None:
        """Shows nothing."""

    def finished(self, record: EpisodeRecord) -> None:
        """Shows nothing."""

    def lost(self, attempt: LostAttempt) -> None:
        """Shows nothing."""

    def end(self) -> None:
        """Shows nothing."""


@dataclass
class Tally:
    """Counts, and the line that says them; a diagnostic episode is neither success nor failure."""

    planned: int = 0
    before: int = 0
    done: int = 0
    scored: int = 0
    successes: int = 0
    began: float = field(default_factory=time.monotonic)

    @staticmethod
    def of(planned: int, done: Collection[EpisodeRecord]) -> Tally:
        """The counts at the start of a run of which `done` is there already."""
        tally = Tally(planned, before=len(done))
        for record in done:
            tally.add(record)
        return tally

    def add(self, record: EpisodeRecord) -> None:
        """Counts one more episode."""
        self.done += 1
        if record.compliance is None:
            self.scored += 1
            self.successes += record.success

    def rate(self) -> str:
        """Episodes per minute since this start, and the success so far."""
        minutes = max(time.monotonic() - self.began, 1e-9) / 60
        done = self.done - self.before
        return f"{done / minutes:.1f} episodes/min, success {self.success()}"

    def success(self) -> str:
        """The share of successes so far, in percent."""
        return f"{self.successes / self.scored:.0%}" if self.scored else "-"


@dataclass
class Lines:
    """Plain lines, at most `LINES` of them over a run, written by `write`."""

    write: Callable[[str], None]
    tally: Tally = field(default_factory=Tally)

    def begin(self, planned: int, done: Collection[EpisodeRecord]) -> None:
        """Says how much there is to do."""
        self.tally = Tally.of(planned, done)
        resumed = f", {len(done)} done before" if done else ""
        self.write(f"{planned} episodes{resumed}")

    def finished(self, record: EpisodeRecord) -> None:
        """Says where the run stands, now and then."""
        before = LINES * self.tally.done // self.tally.planned
        self.tally.add(record)
        if LINES * self.tally.done // self.tally.planned > before:
            self.write(f"{self.tally.done}/{self.tally.planned}  {self.tally.rate()}")

    def lost(self, attempt: LostAttempt) -> None:
        """Says what was lost."""
        self.write(describe_loss(attempt))

    def end(self) -> None:
        """Says nothing more."""


@dataclass
class Bar:
    """A bar of tqdm on the terminal, with the success so far."""

    tally: Tally = field(default_factory=Tally)
    _bar: Any = None

    def begin(self, planned: int, done: Collection[EpisodeRecord]) -> None:
        """Draws the bar."""
        from tqdm import tqdm

        self.tally = Tally.of(planned, done)
        self._bar = tqdm(total=planned, initial=len(done), unit="episode", dynamic_ncols=True)

    def finished(self, record: EpisodeRecord) -> None:
        """Moves the bar."""
        self.tally.add(record)
        self._bar.set_postfix_str(f"success {self.tally.success()}", refresh=False)
        self._bar.update()

    def lost(self, attempt: LostAttempt) -> None:
        """Writes a line above the bar."""
        self._bar.write(describe_loss(attempt), file=sys.stderr)

    def end(self) -> None:
        """Leaves the bar as it is."""
        if self._bar is not None:
            self._bar.close()


def describe_loss(attempt: LostAttempt) -> str:
    """For example ``"Lost place-on 3 (attempt 1 of 3): InfrastructureError: ..."``."""
    from vlabench.runner.job import MAX_ATTEMPTS

    episode = attempt.episode
    changes = "".join(f" {change}" for change in episode.changes)
    fate = "missing" if attempt.final else "again"
    return (
        f"Lost {episode.task} {episode.index}{changes} "
        f"(attempt {attempt.attempt + 1} of {MAX_ATTEMPTS}, {fate}): {attempt.error}"
    )
