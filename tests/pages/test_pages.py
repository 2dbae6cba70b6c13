"""What pages are made of: data that is only data, older runs, and what a user can get wrong."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from page_runs import FAR, HACK, IMAGE, QUOTES, films, hostile_run, plain_run
from report_fakes import episodes, make_run
from typer.testing import CliRunner

from vlabench.cli import _app
from vlabench.cli.report import wanted
from vlabench.comparison import compare
from vlabench.errors import UsageError
from vlabench.jsonfiles import write_lines
from vlabench.leaderboard import read_leaderboard, update_leaderboard
from vlabench.pages import default_folder, write_board, write_report
from vlabench.pages.site import data_script
from vlabench.store import Run

NEWER = (
    "certified",
    "compliance",
    "n_collisions",
    "max_contact_force_n",
    "n_drops",
    "n_joint_limit_steps",
    "n_workspace_steps",
    "allow_mismatch",
    "latency_setting_ms",
    "infer_s",
    "said",
    "said_left_out",
    "events",
    "failure",
)
"""Fields that records of schema 1.0 did not have."""


def handed_over(folder: Path, name: str) -> object:
    """What a file of data hands to the scripts."""
    text = (folder / "data" / f"{name}.js").read_text(encoding="ascii")
    found = re.fullmatch(r"vlabench\.put\((\".*?\"), JSON\.parse\((\".*\")\)\);\n", text)
    assert found, text[:200]
    assert json.loads(found[1]) == name
    return json.loads(json.loads(found[2]))


def rows(folder: Path, run: int = 0) -> list[dict[str, object]]:
    told = handed_over(folder, f"{run}/index")
    assert isinstance(told, dict)
    return [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]]


def command(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(_app([str(w) for w in words]), [str(w) for w in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return getattr(done.exception, "exit_code", -1), str(done.exception)
    return done.exit_code, done.output


@pytest.mark.parametrize("text", [HACK, IMAGE, QUOTES, FAR, "\ud800 alone", "</ScRiPt\n>"])
def test_data_is_nothing_but_data(text: str):
    script = data_script("0/index", {"__proto__": text, text: [1.5, None, float("nan")]})
    assert script.isascii()
    assert "<" not in script
    assert "\n" not in script[:-1]
    inside = re.fullmatch(r'vlabench\.put\("0/index", JSON\.parse\((".*")\)\);\n', script)
    assert inside
    assert json.loads(json.loads(inside[1])) == {"__proto__": text, text: [1.5, None, None]}


def test_pages_hold_no_markup_of_others_and_forbid_every_connection(tmp_path: Path):
    base, new = hostile_run(tmp_path / "a'<b>&"), hostile_run(tmp_path / "new", "other")
    write_report([base, new], tmp_path / "site", figures=True)
    pages = sorted((tmp_path / "site").glob("*.html"))
    assert [page.name for page in pages] == [
        "episode.html",
        "flips-1.html",
        "index.html",
        "run-0.html",
        "run-1.html",
    ]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
        assert len(policy) == 1
        assert policy[0].startswith("default-src &#39;none&#39;;")
        assert "http" not in policy[0]
        assert "unsafe" not in policy[0]
        tags = re.findall(r"<([a-zA-Z][^\s>/]*)((?:\"[^\"]*\"|[^>\"])*)>", text)
        assert not [name for name, _ in tags if name in ("img", "iframe", "object", "b")]
        for name, attributes in tags:
            own = re.sub(r'"[^"]*"', '""', attributes)
            assert not re.search(r"\s(on\w+|style)=", own), (page.name, name, own)
            assert name != "script" or 'src="assets/' in attributes
            assert not re.search(r'(?:src|href)="(?:[a-z]+:)?//', attributes)
    # a lone surrogate, a path, a name: none of them stops the figures
    assert (tmp_path / "site" / "figures" / "forest.pdf").stat().st_size > 1000


def test_episodes_are_told_as_their_records_say(tmp_path: Path):
    run = plain_run(tmp_path / "run")
    names = films(run, 3)
    page = write_report([run], tmp_path / "site")
    assert page == tmp_path / "site" / "index.html"
    told = rows(tmp_path / "site")
    assert [row["id"] for row in told] == [r.episode_id for r in run.records]
    for row, record in zip(told, run.records, strict=True):
        assert row["status"] == record.status
        assert row["time_s"] == record.time_to_success_s
        assert row["film"] == (record.episode_id in names)
        assert row["complied"] == record.compliance
    first = handed_over(tmp_path / "site", "0/0")
    assert isinstance(first, dict)
    details = first[names[0]]
    assert details["replay"] == f"vlabench replay {run.path} {names[0]}"
    assert details["timeline"]["collisions"] == [5, 20]
    assert (tmp_path / "site" / "media" / "0" / f"{names[0]}.mp4").read_bytes() == (
        run.path / "videos" / f"{names[0]}.mp4"
    ).read_bytes()


def test_how_an_older_episode_failed_comes_from_its_film(tmp_path: Path):
    def failed(_: object) -> str:
        return "failure"

    run = make_run(tmp_path / "run", episodes(["lift"], [], 3), failed)
    films(run, 1)
    write_report([run], tmp_path / "site")
    assert [row["failure"] for row in rows(tmp_path / "site")] == ["wrong place", "", ""]


def test_a_damaged_film_account_costs_the_timeline_alone(tmp_path: Path):
    run = plain_run(tmp_path / "run")
    name = films(run, 1)[0]
    (run.path / "videos" / f"{name}.json").write_text("[1, 2")
    write_report([run], tmp_path / "site")
    first = handed_over(tmp_path / "site", "0/0")
    assert isinstance(first, dict)
    assert first[name]["timeline"] is None


def test_runs_of_older_versions_have_pages_too(tmp_path: Path):
    run = make_run(
        tmp_path / "old",
        episodes(["lift", "chain"], [("camera", "L1")], 4),
        lambda spec: "success" if spec.index % 2 else "failure",
    )
    lines = [json.loads(line) for line in (run.path / "episodes.jsonl").read_text().splitlines()]
    for line in lines:
        line["schema_version"] = "1.0"
        for name in NEWER:
            line.pop(name, None)
    write_lines(run.path / "episodes.jsonl", [json.dumps(line) for line in lines])
    info = json.loads((run.path / "run.json").read_text())
    for name in ("conditions", "stopping", "determinism", "certified", "sessions", "os", "cpu"):
        info.pop(name, None)
    (run.path / "run.json").write_text(json.dumps({**info, "schema_version": "1.0"}))
    page = write_report([Run.open(run.path)], tmp_path / "site")
    assert "uncertified" in page.read_text()
    assert {row["force_n"] for row in rows(tmp_path / "site")} == {None}


def test_a_missing_episode_is_no_failure(tmp_path: Path):
    run = make_run(
        tmp_path / "run",
        episodes(["lift"], [("camera", "L1")], 4),
        lambda spec: None if spec.index == 2 else "success",
    )
    page = write_report([run], tmp_path / "site")
    told = rows(tmp_path / "site")
    assert [row["status"] for row in told].count("missing") == 2
    assert len(told) == 8
    assert "not valid" in page.read_text()


def test_a_run_without_any_episode_has_a_page(tmp_path: Path):
    run = make_run(tmp_path / "run", episodes(["lift"], [("camera", "L1")], 2), lambda _: None)
    page = write_report([run], tmp_path / "site", figures=True)
    assert {row["status"] for row in rows(tmp_path / "site")} == {"missing"}
    # no heading without anything below it
    assert "<figure" not in page.read_text()
    assert 'id="figures"' not in page.read_text()
    assert 'href="#figures"' not in page.read_text()


def test_a_very_long_command_is_folded(tmp_path: Path):
    run = plain_run(tmp_path / "run", command=f"vlabench eval {'x' * 3000}")
    text = write_report([run], tmp_path / "site").read_text()
    folded = re.search(r"<dt>command</dt><dd><details><summary>(.*?)</details>", text)
    assert folded
    summary, whole = folded[1].split("</summary>")
    assert len(summary) < 300
    assert whole == run.info.command
    assert 'id="figures"' in text


def test_runs_that_cannot_be_compared_stand_side_by_side_with_the_reason(tmp_path: Path):
    one = plain_run(tmp_path / "one")
    other = plain_run(tmp_path / "other", count=7)
    page = write_report([one, other], tmp_path / "site")
    assert "not comparable" in page.read_text()
    assert not list((tmp_path / "site").glob("flips-*.html"))


def test_an_older_report_is_replaced_and_nothing_else_is(tmp_path: Path):
    run = plain_run(tmp_path / "run")
    write_report([run, plain_run(tmp_path / "new", skill=60)], tmp_path / "site")
    write_report([run], tmp_path / "site")
    assert sorted(p.name for p in (tmp_path / "site").glob("*.html")) == [
        "episode.html",
        "index.html",
    ]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="holds other things"):
        write_report([run], tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_what_others_put_beside_a_report_stays(tmp_path: Path):
    run, site = plain_run(tmp_path / "run"), tmp_path / "site"
    write_report([run], site)
    own = {path for path in site.rglob("*") if path.is_file()}
    for name in ("mine.html", "data/raw.csv", "figures/fig1.svg"):
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text("years of work")
    write_report([run], site)
    found = {path for path in site.rglob("*") if path.is_file()}
    assert {str(path.relative_to(site)) for path in found - own} == {
        "mine.html",
        "data/raw.csv",
        "figures/fig1.svg",
    }


def test_a_folder_is_ours_only_if_it_says_so(tmp_path: Path):
    run, board = plain_run(tmp_path / "run"), tmp_path / "board"
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / ".vlabench-pages.jsonl").write_text('{"made_by": "somebody"}\n"thesis.tex"\n')
    (stranger / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="holds other things"):
        write_report([run], stranger)
    write_board(update_leaderboard([run], tmp_path / "board.csv"), board)
    with pytest.raises(UsageError, match="holds a leaderboard and no report"):
        write_report([run], board)
    (tmp_path / "link").symlink_to(stranger)
    with pytest.raises(UsageError, match="no folder of its own"):
        write_report([run], tmp_path / "link")
    write_report([run], tmp_path / "site")
    (tmp_path / "outside.txt").write_text("years of work")
    with (tmp_path / "site" / ".vlabench-pages.jsonl").open("a") as mark:
        mark.write('"../outside.txt"\n"/etc/hostname"\n')
    write_report([run], tmp_path / "site")
    assert (tmp_path / "outside.txt").exists()


def test_a_film_of_other_actions_is_no_film_of_this_episode(tmp_path: Path):
    run = plain_run(tmp_path / "run")
    right = films(run, 2)[0]
    wrong = films(run, 2, actions_hash="deadbeef")
    films(run, 1)
    broken = run.path / "videos" / f"{run.records[2].episode_id}.json"
    broken.with_suffix(".mp4").write_bytes(b"film")
    broken.write_text("not json")
    write_report([run], tmp_path / "site")
    shown = {str(row["id"]): row["film"] for row in rows(tmp_path / "site")}
    assert shown[right]
    assert not shown[wrong[1]]
    assert not shown[run.records[2].episode_id]
    assert sorted(p.stem for p in (tmp_path / "site" / "media").rglob("*.mp4")) == [right]


def test_what_a_user_can_get_wrong_is_one_sentence(tmp_path: Path):
    run = plain_run(tmp_path / "run")
    with pytest.raises(UsageError, match="given twice"):
        write_report([run, run], tmp_path / "site")
    with pytest.raises(UsageError, match="No run"):
        write_report([], tmp_path / "site")
    for words, what in (
        (("report", tmp_path / "nowhere"), "not a run's folder"),
        (("report", run.path, "--video", "some"), "--video is 'some'"),
        (("leaderboard", "--html", tmp_path / "b", "--out", tmp_path / "no.csv"), "is not there"),
    ):
        code, told = command(*words)
        assert code == 2
        assert what in told


def test_the_command_writes_into_the_run_and_the_run_stays_readable(tmp_path: Path):
    run = plain_run(tmp_path / "run")
    code, told = command("report", run.path, "--figures")
    assert code == 0, told
    assert default_folder([run]) == run.path / "report"
    assert (run.path / "report" / "figures" / "success.pdf").exists()
    assert len(Run.open(run.path).results) == len(run.results)


def test_films_are_wanted_of_failures_their_twins_and_flips(tmp_path: Path):
    base, new = plain_run(tmp_path / "base", skill=95), plain_run(tmp_path / "new", skill=60)
    assert wanted([base, new], "none", None) == [[], []]
    found = wanted([base, new], "failures", None)
    for run, names in zip((base, new), found, strict=True):
        records = {record.episode_id: record for record in run.records}
        failed = {
            name
            for name, r in records.items()
            if not (r.success if r.compliance is None else r.compliance)
        }
        twins = {records[name].control_id for name in failed} - {None}
        flips = {flip.episode_id for flip in compare(base, new).flips}
        assert set(names) == failed | twins | flips
        assert len(names) == len(set(names))
    assert flips
    few = wanted([base, new], "failures", 1)
    assert all(1 <= len(names) <= 3 for names in few)
    assert all(set(names) <= set(more) for names, more in zip(few, found, strict=True))


def test_nothing_is_filmed_for_a_report_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    filmed: list[Path] = []
    monkeypatch.setattr(
        "vlabench.cli.report.film_names", lambda run, *rest, **more: filmed.append(run.path)
    )
    base, new = plain_run(tmp_path / "base"), plain_run(tmp_path / "new")
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "thesis.txt").write_text("mine")
    code, told = command("report", base.path, base.path, "--video", "all", "--out", tmp_path / "o")
    assert (code, "given twice" in told) == (2, True)
    code, told = command("report", base.path, new.path, "--video", "all", "--out", occupied)
    assert (code, "holds other things" in told) == (2, True)
    lines = (new.path / "episodes.jsonl").read_text()
    (new.path / "episodes.jsonl").write_text(f"[]\n{lines}")
    code, told = command("report", base.path, new.path, "--video", "all", "--out", tmp_path / "o")
    assert code == 2, told
    assert filmed == []
    assert not (tmp_path / "o").exists()
    (new.path / "episodes.jsonl").write_text(lines)
    assert command("report", base.path, new.path, "--video", "all", "--out", tmp_path / "o")[0] == 0
    assert filmed == [base.path, new.path]


def test_the_leaderboard_links_the_reports_of_its_runs(tmp_path: Path):
    runs = [
        plain_run(tmp_path / "good", skill=95),
        plain_run(tmp_path / "poor", skill=40),
        hostile_run(tmp_path / "bad"),
    ]
    board = update_leaderboard(runs, tmp_path / "board.csv")
    page = write_board(board, tmp_path / "site", runs[:1])
    text = page.read_text()
    assert re.findall(r'href="(runs/[^"]*)"', text) == ["runs/good/index.html"]
    assert (tmp_path / "site" / "runs" / "good" / "index.html").is_file()
    assert HACK not in text
    assert IMAGE not in text
    # again without the run: its report stays and stays linked
    write_board(read_leaderboard(tmp_path / "board.csv"), tmp_path / "site")
    assert 'href="runs/good/index.html"' in page.read_text()


def test_the_leaderboard_shows_what_the_file_says(tmp_path: Path):
    runs = [plain_run(tmp_path / "good", skill=95), plain_run(tmp_path / "poor", skill=40)]
    code, told = command(
        "leaderboard",
        *(r.path for r in runs),
        "--out",
        tmp_path / "b.csv",
        "--html",
        tmp_path / "s",
    )
    assert code == 0, told
    text = (tmp_path / "s" / "index.html").read_text()
    with (tmp_path / "b.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            rate, low, high = (float(row[n]) for n in ("success_rate", "ci_low", "ci_high"))
            assert f'data-sort="{row["success_rate"]}">{100 * rate:.1f}</td>' in text
            assert f"{100 * low:.1f} to {100 * high:.1f}" in text
            assert f'data-sort="{row["letters"]}">{row["letters"]}</td>' in text
