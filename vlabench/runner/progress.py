"""How a long run shows that it lives: plain lines; `vlabench.runner.live` has a terminal's view."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from vlabench.naming import one_line
from vlabench.runner.job import LostAttempt
from vlabench.stats import wilson_interval
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
    """Counts, and the words that say them; a diagnostic episode is neither success nor failure."""

    planned: int = 0
    before: int = 0
    done: int = 0
    scored: int = 0
    successes: int = 0
    lost: int = 0
    missing: int = 0
    modes: Counter[str] = field(default_factory=Counter)
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
        if record.status == "policy_error":
            self.modes[record.status] += 1
        elif record.failure is not None:
            self.modes[record.failure] += 1

    def lose(self, attempt: LostAttempt) -> None:
        """Counts an attempt that was lost to the infrastructure."""
        self.lost += 1
        self.missing += attempt.final

    @property
    def elapsed_s(self) -> float:
        """Seconds since this start."""
        return max(time.monotonic() - self.began, 1e-9)

    @property
    def per_minute(self) -> float:
        """Episodes a minute since this start."""
        return 60 * (self.done - self.before) / self.elapsed_s

    def remaining(self) -> str:
        """How long the rest takes at this rate; empty as long as there is none."""
        left = self.planned - self.done - self.missing
        return duration(60 * left / self.per_minute) if self.per_minute and left > 0 else ""

    def rate(self) -> str:
        """Episodes per minute since this start, what is left, and the success so far."""
        left = self.remaining()
        remaining = f"{left} left, " if left else ""
        trouble = f", {self.trouble()}" if self.lost else ""
        return f"{self.per_minute:.1f} episodes/min, {remaining}success {self.success()}{trouble}"

    def success(self) -> str:
        """The share of successes so far in percent, and its 95 % Wilson interval."""
        if not self.scored:
            return "-"
        interval = wilson_interval(self.successes, self.scored)
        low, high = (f"{100 * bound:.0f}" for bound in (interval.low, interval.high))
        return f"{self.successes / self.scored:.0%} ({low} to {high})"

    def trouble(self) -> str:
        """What was lost to the infrastructure."""
        attempts = "attempt" if self.lost == 1 else "attempts"
        return f"{self.lost} {attempts} lost to the infrastructure, {self.missing} missing"

    def failures(self, most: int = 4) -> str:
        """The commonest modes of failure, each with how often it was seen."""
        found = self.modes.most_common(most)
        return " · ".join(f"{mode.replace('_', ' ')} {count}" for mode, count in found)


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
        self.tally.lose(attempt)
        self.write(describe_loss(attempt))

    def end(self) -> None:
        """Says nothing more."""


def duration(seconds: float) -> str:
    """For example ``"45 s"``, ``"12 min"`` or ``"3 h 20 min"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def describe_loss(attempt: LostAttempt) -> str:
    """For example ``"Lost place-on 3 (attempt 1 of 3): InfrastructureError: ..."``."""
    from vlabench.runner.job import MAX_ATTEMPTS

    episode = attempt.episode
    changes = "".join(f" {change}" for change in episode.changes)
    fate = "missing" if attempt.final else "again"
    which = f"attempt {attempt.counted} of {MAX_ATTEMPTS}"
    if attempt.with_its_node:
        which = "with its node, which does not count"
    return one_line(
        f"Lost {episode.task} {episode.index}{changes} ({which}, {fate}): {attempt.error}"
    )
