"""A run on a terminal: a bar, and below it what is known so far; drawn anew four times a second."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vlabench.runner.job import LostAttempt
from vlabench.runner.progress import Tally, describe_loss, duration
from vlabench.types import EpisodeRecord

_PER_SECOND = 4
_WIDEST = 60


@dataclass
class LiveView:
    """What a run shows on a terminal; see `vlabench.runner.progress.Progress`.

    Args:
        console: The terminal.
        title: What is running: the policy and the suite.
    """

    console: Console
    title: str = ""
    tally: Tally = field(default_factory=Tally)
    _live: Live | None = None

    def begin(self, planned: int, done: Collection[EpisodeRecord]) -> None:
        """Begins to draw."""
        self.end()
        self.tally = Tally.of(planned, done)
        self._live = Live(
            get_renderable=self.drawn, console=self.console, refresh_per_second=_PER_SECOND
        )
        self._live.start()

    def finished(self, record: EpisodeRecord) -> None:
        """Counts it; the next drawing shows it."""
        self.tally.add(record)

    def lost(self, attempt: LostAttempt) -> None:
        """Counts it, and says what was lost above the view."""
        self.tally.lose(attempt)
        self.console.print(Text(describe_loss(attempt), "yellow"))

    def end(self) -> None:
        """Draws a last time, and leaves the view where it is."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def drawn(self) -> RenderableType:
        """What stands on the terminal now."""
        tally, rows = self.tally, Table.grid(padding=(0, 2))
        rows.add_row(Text("rate", "dim"), Text(self._rate()))
        rows.add_row(Text("success", "dim"), Text(self._success()))
        if tally.modes:
            rows.add_row(Text("failed by", "dim"), Text(tally.failures()))
        if tally.lost:
            rows.add_row(Text("lost", "dim"), Text(tally.trouble(), "yellow"))
        bar = Table.grid(padding=(0, 1))
        share = tally.done / tally.planned if tally.planned else 1.0
        bar.add_row(
            ProgressBar(max(1, tally.planned), tally.done, width=self._bar_width()),
            Text(f"{tally.done} of {tally.planned}  {share:.0%}"),
        )
        title = [Text(self.title, "bold", no_wrap=True, overflow="ellipsis")] if self.title else []
        return Group(*title, bar, rows)

    def _bar_width(self) -> int:
        return max(10, min(_WIDEST, self.console.width - 24))

    def _rate(self) -> str:
        tally = self.tally
        told = f"{tally.per_minute:.1f} episodes/min · {duration(tally.elapsed_s)} so far"
        left = tally.remaining()
        return f"{told} · {left} left" if left else told

    def _success(self) -> str:
        tally = self.tally
        if not tally.scored:
            return tally.success()
        return f"{tally.success()}, 95 % interval, of {tally.scored}"
