"""How a run shows that it lives, and what it counts as success."""

from __future__ import annotations

from report_fakes import DIAGNOSTIC, episode, record

from vlabench.runner.progress import Lines, Tally
from vlabench.types import EpisodeRecord


def told(count: int, status: str = "success", *, diagnostic: bool = False) -> list[EpisodeRecord]:
    change = (DIAGNOSTIC, "L1") if diagnostic else None
    return [record(episode("stack", index, change), status) for index in range(count)]


def test_a_diagnostic_is_no_success_and_no_failure() -> None:
    tally = Tally.of(10, [*told(1), *told(1, "failure"), *told(4, diagnostic=True)])
    assert (tally.done, tally.before, tally.successes) == (6, 6, 1)
    assert tally.success() == "50% (9 to 91)"
    tally.add(told(1, diagnostic=True)[0])
    assert (tally.done, tally.success()) == (7, "50% (9 to 91)")


def test_without_a_scored_episode_there_is_no_rate() -> None:
    assert Tally.of(10, told(3, diagnostic=True)).success() == "-"


def test_lines_say_where_the_run_stands() -> None:
    written: list[str] = []
    lines = Lines(written.append)
    lines.begin(4, told(1))
    for each in [*told(2, "failure"), *told(1, diagnostic=True)]:
        lines.finished(each)
    lines.end()
    assert written[0] == "4 episodes, 1 done before"
    assert written[-1].startswith("4/4")
    assert written[-1].endswith("success 33% (6 to 79)")
