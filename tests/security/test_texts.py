"""Texts of others are texts: in a page, on a terminal, in a log of GitHub's, in a spreadsheet."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from page_runs import hostile_run
from report_fakes import episodes, make_run
from typer.testing import CliRunner

import vlabench
from vlabench import report
from vlabench.cli import _app, main
from vlabench.export import export_episodes
from vlabench.leaderboard import Declared, update_leaderboard
from vlabench.leaderboard.file import read_leaderboard
from vlabench.pages import write_board, write_report
from vlabench.report.verdict_github import verdict_annotations
from vlabench.report.verdict_junit import verdict_junit
from vlabench.report.verdict_markdown import verdict_markdown
from vlabench.runinfo import PolicyInfo
from vlabench.runner.job import LostAttempt
from vlabench.runner.progress import describe_loss

ESCAPES = "\x1b]0;title\x07\x1b[2J\x1b[31m\x9b1m\r\x08"
EVIL = f"<script>alert(1)</script>\"' onload=x javascript:alert(1) {ESCAPES}\n::error::a`]](x)"
PLANNED = episodes(["stack"], [("lighting", "L1")], 8)
BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


class Page(HTMLParser):
    """Keeps what a browser would run or follow."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.scripts: list[str | None] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.add(tag)
        self.handlers += [name for name in told if name.startswith("on") or name == "style"]
        self.links += [told[name] or "" for name in ("href", "src", "action") if name in told]
        if tag == "script":
            self.scripts.append(told.get("src"))


def pages(folder: Path) -> list[Page]:
    found = []
    for path in sorted(folder.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        assert "Content-Security-Policy" in text
        page = Page()
        page.feed(text)
        found.append(page)
    return found


def test_pages_run_nothing_of_a_runs(tmp_path: Path) -> None:
    runs = [hostile_run(tmp_path / "a"), hostile_run(tmp_path / "b", "other")]
    write_report(runs[:1], tmp_path / "one")
    write_report(runs, tmp_path / "several")
    board = tmp_path / "board.csv"
    update_leaderboard(
        runs, board, Declared(submitter="javascript:alert(1)", provenance="self-reported")
    )
    write_board(read_leaderboard(board), tmp_path / "page")
    found = [page for name in ("one", "several", "page") for page in pages(tmp_path / name)]
    assert len(found) >= 5
    for page in found:
        assert page.handlers == []
        assert all(source and re.fullmatch(r"[\w./-]+\.js", source) for source in page.scripts)
        assert all(re.match(r"[a-z0-9_./-]*(#|$)", link) for link in page.links), page.links
        assert not page.tags & {"iframe", "object", "embed", "base"}
    for path in tmp_path.rglob("data/**/*.js"):
        assert not re.search(rb"[<>\x80-\xff]", path.read_bytes())


@pytest.fixture
def evil(tmp_path: Path) -> vlabench.Run:
    policy = PolicyInfo(EVIL, {}, {"name": EVIL}, privileged=False)
    return make_run(
        tmp_path / "evil",
        PLANNED,
        lambda spec: "failure",
        suite=EVIL,
        run_id=EVIL,
        policy=policy,
        command=EVIL,
    )


def test_no_text_steers_a_terminal(
    evil: vlabench.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_run(tmp_path / "base", PLANNED, lambda spec: "success", suite=EVIL)
    board = str(tmp_path / "board.csv")
    for words in (
        ["compare", str(base.path), str(evil.path)],
        ["baseline", "promote", str(evil.path), "--out", str(tmp_path / "base.json")],
        ["leaderboard", str(evil.path), "--out", board],
        ["report", str(evil.path), "--quiet"],
        ["compare", str(base.path), EVIL],
    ):
        with pytest.raises(SystemExit):
            main(words)
    told = capsys.readouterr()
    assert "alert(1)" in told.out + told.err
    for char in "\x1b\x07\x9b\r\x08":
        assert char not in told.out + told.err
    lost = LostAttempt(PLANNED[0], 0, EVIL)
    assert "\x1b" not in describe_loss(lost)
    assert "\n" not in describe_loss(lost)


def test_a_comparison_is_only_text(evil: vlabench.Run, tmp_path: Path) -> None:
    base = make_run(tmp_path / "base", PLANNED, lambda spec: "success", suite=EVIL)
    comparison = vlabench.compare(base, evil)
    for line in verdict_annotations(comparison, 1):
        assert re.match(r"::(error|warning|notice) title=[^:,\n]*::[^\n]*$", line)
        assert "\x1b" not in line
    markdown = verdict_markdown(comparison)
    assert "<script" not in markdown.replace("```", "")
    assert "\x1b" not in markdown
    root = ET.fromstring(verdict_junit(comparison, 1))  # noqa: S314  (our own)
    assert root.findall(".//script") == []


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_no_cell_is_a_formula(beginning: str, tmp_path: Path) -> None:
    text = f"{beginning}cmd|' /C calc'!A0"
    policy = PolicyInfo(text, {}, {"name": text}, privileged=False)
    planned = episodes([text, "chain"], [("lighting", "L1")], 4)
    run = make_run(tmp_path / "run", planned, lambda spec: "success", policy=policy, suite=text)
    report.write(run)
    export_episodes(run, tmp_path / "episodes.csv", "csv")
    update_leaderboard([run], tmp_path / "board.csv", Declared(submitter=text))
    tables = [run.path / "tables" / name for name in ("summary.csv", "stages.csv")]
    for path in (tmp_path / "episodes.csv", tmp_path / "board.csv", *tables):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                assert None not in (*row, *row.values())  # no more cells, nor fewer
                texts = [cell for cell in row.values() if "calc" in cell]
                assert texts
                assert not [cell for cell in texts if cell.startswith(BEGINNINGS)]


def test_the_list_of_what_there_is_steers_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from vlabench.cli import list as listing

    shown = listing.Kind(lambda: iter([EVIL]), lambda name: iter([EVIL]))
    monkeypatch.setitem(listing.KINDS, "tasks", shown)
    done = CliRunner().invoke(_app(["list"]), ["list", "tasks"])
    assert "alert(1)" in done.output
    assert "\x1b" not in done.output
