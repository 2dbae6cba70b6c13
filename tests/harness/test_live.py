"""What a run shows on a terminal, drawn by rich into a recording of one."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from report_fakes import DIAGNOSTIC, episode, record
from rich.console import Console

from vlabench.cli.progress import counted, shown_progress
from vlabench.runner.job import LostAttempt
from vlabench.runner.live import LiveView
from vlabench.runner.progress import Lines, Tally, duration
from vlabench.types import EpisodeRecord


def told(count: int, status: str = "success", failure: str | None = None) -> list[EpisodeRecord]:
    return [
        replace(record(episode("stack", index), status), failure=failure) for index in range(count)
    ]


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def text_of(view: LiveView) -> str:
    with view.console.capture() as captured:
        view.console.print(view.drawn())
    return captured.get()


def lost(attempt: int) -> LostAttempt:
    return LostAttempt(episode("stack", 7), attempt, "InfrastructureError: the server [red]is gone")


def test_the_view_says_all_that_is_known() -> None:
    view = LiveView(terminal(), "mine on ci")
    view.begin(10, told(2))
    for one in [*told(1, "failure", "missed_grasp"), *told(2, "failure", "dropped")]:
        view.finished(one)
    view.finished(told(1, "policy_error")[0])
    view.lost(lost(0))
    view.lost(lost(2))
    shown = text_of(view)
    view.end()
    for part in (
        "mine on ci",
        "6 of 10  60%",
        "episodes/min",
        "left",
        "33% (10 to 70), 95 % interval, of 6",
        "dropped 2 · missed grasp 1 · policy error 1",
        "2 attempts lost to the infrastructure, 1 missing",
    ):
        assert part in shown
    written = view.console.file.getvalue()
    assert "the server [red]is" in written  # no markup of other people's text


def test_a_view_before_anything_has_run() -> None:
    view = LiveView(terminal())
    view.begin(5, ())
    shown = text_of(view)
    view.end()
    view.end()
    assert "0 of 5  0%" in shown
    assert "left" not in shown
    assert "lost" not in shown


@pytest.mark.parametrize("width", [30, 60, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    view = LiveView(terminal(width), "a policy with a very long name " * 5)
    view.begin(1000, told(3))
    view.finished(told(1, "failure", "missed_grasp")[0])
    assert all(len(line) <= width for line in text_of(view).splitlines())
    view.end()


def test_a_view_can_begin_again() -> None:
    """A run that is verified begins twice."""
    view = LiveView(terminal(), "mine")
    view.begin(3, told(3))
    view.end()
    view.begin(2, ())
    assert "0 of 2" in text_of(view)
    view.end()


def test_what_is_left_is_told_from_the_rate_of_this_start() -> None:
    tally = Tally.of(100, told(40))
    tally.began -= 60
    for one in told(20):
        tally.add(one)
    assert tally.per_minute == pytest.approx(20, rel=0.01)
    assert tally.remaining() == "2 min"
    assert "2 min left, success 100% (94 to 100)" in tally.rate()
    assert Tally.of(3, told(3)).remaining() == ""


def test_durations() -> None:
    assert [duration(s) for s in (4.4, 89, 91, 3600, 12_000)] == [
        "4 s",
        "89 s",
        "2 min",
        "60 min",
        "3 h 20 min",
    ]


def test_lines_tell_of_lost_attempts() -> None:
    written: list[str] = []
    lines = Lines(written.append)
    lines.begin(2, ())
    lines.lost(lost(0))
    lines.finished(told(1)[0])
    assert written[-1].endswith("1 attempt lost to the infrastructure, 0 missing")
    diagnostic = record(episode("stack", 1, (DIAGNOSTIC, "L1")), "success")
    lines.finished(diagnostic)
    assert "success 100% (21 to 100)" in written[-1]


def test_without_a_terminal_there_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(shown_progress(False, "mine"), Lines)
    with counted("films", 25, quiet=False) as count:
        for _ in range(25):
            count()
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) <= 10
    assert shown[-1] == "25/25 films"
