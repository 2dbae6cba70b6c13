"""Files that somebody else wrote give the right result or one sentence, and harm nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from report_fakes import Outcome, episodes, make_run

import vlabench
from vlabench import report
from vlabench.baseline import default_path, promote, read_baseline
from vlabench.cli import main
from vlabench.cli.verdicts import Form, show
from vlabench.errors import NotComparableError, UsageError
from vlabench.export import Benchmark, export_episodes, export_to_hub
from vlabench.hashing import canonical_json, content_hash
from vlabench.leaderboard import Declared, check_leaderboard, read_leaderboard, update_leaderboard
from vlabench.naming import file_name, no_formula, one_line
from vlabench.outcomes import Outcomes
from vlabench.runinfo import PolicyInfo, Stopping
from vlabench.stats.sequential import SequentialGate
from vlabench.store import Run, refuse_run_file
from vlabench.types import EpisodeSpec, Json, Status

PLANNED = episodes(["stack", "place"], [("lighting", "L2")], 20)


def good(spec: EpisodeSpec) -> Status:
    return "failure" if spec.index == 3 else "success"


def bad(spec: EpisodeSpec) -> Status:
    return "failure" if spec.changes and spec.index > 4 else "success"


Make = Callable[..., Run]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(name: str, outcome: Outcome = good, **info: object) -> Run:
        return make_run(tmp_path / name, PLANNED, outcome, **info)

    return made


def edited(run: Run, line: int, **fields: Json) -> Run:
    """The run with other fields in one line of its records."""
    path = run.path / "episodes.jsonl"
    lines = path.read_text().splitlines()
    lines[line] = canonical_json(json.loads(lines[line]) | fields)
    path.write_text("".join(f"{text}\n" for text in lines))
    return Run.open(run.path)


# --- what is written where --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["episodes.jsonl", "run.json", "repeated.jsonl", "traces/a.csv"])
def test_no_output_takes_the_place_of_a_runs_file(name: str, make: Make, tmp_path: Path) -> None:
    run, new = make("base"), make("new")
    path = run.path / name
    before = path.read_bytes() if path.exists() else None
    comparison = vlabench.compare(run, new)
    writers: list[Callable[[], object]] = [
        lambda: export_episodes(run, path, "csv"),
        lambda: export_to_hub(run, path, Benchmark("owner/name")),
        lambda: show(comparison, [Form("json", path)], 0),
        lambda: promote(run, path),
    ]
    for write in writers:
        with pytest.raises(UsageError, match="belongs to the run in"):
            write()
    assert (path.read_bytes() if path.exists() else None) == before
    refuse_run_file(run.path / "tables" / "episodes.csv")
    refuse_run_file(tmp_path / "elsewhere" / "episodes.jsonl")


def test_a_suites_name_leaves_no_folder(make: Make) -> None:
    run = make("run", suite="../../pwn")
    assert default_path(run.info).name == "run-pwn.json"
    assert default_path(run.info).parent.name == "baselines"
    with pytest.raises(SystemExit) as ended:
        main(["export", str(run.path), "--format", "hf", "--dataset", "owner/name"])
    assert ended.value.code == 0
    assert [p.name for p in (run.path / "tables" / "eval_results").iterdir()] == ["pwn.yaml"]
    assert (file_name("..", "suite"), len(file_name("x" * 999, "suite"))) == ("suite", 100)


def test_a_trace_is_one_of_the_runs_own(make: Make) -> None:
    run, other = make("run"), make("other")
    name = PLANNED[0].episode_id
    for one in (run, other):
        (one.path / "traces").mkdir()
    (other.path / "traces" / f"{name}.npz").write_bytes(b"")
    with pytest.raises(UsageError, match="has no trace of the episode"):
        run.trace(f"../../other/traces/{name}")


# --- records ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"progress": 0.0}, "is a success without progress"),
        ({"stages": [{"name": "done", "success": False, "step": None}]}, "is a success without"),
        ({"time_to_success_s": 1e300}, "control steps a second"),
        ({"time_to_success_s": 5.0}, "has a time to success of 10 control steps a second"),
        ({"time_to_success_s": 0.0}, "that its horizon does not allow"),
        ({"steps": 0}, "that its horizon does not allow"),
        ({"steps": 101, "time_to_success_s": 5.05}, "that its horizon does not allow"),
        ({"seed": 1}, "what the manifest does not say"),
        ({"changes": [{"axis": "lighting", "level": "L1"}]}, "what the manifest does not say"),
    ],
)
def test_a_line_that_cannot_be_is_refused(fields: dict[str, Json], said: str, make: Make) -> None:
    with pytest.raises(UsageError, match=said):
        report.summarize(edited(make("run"), 4, **fields))


def test_a_clock_that_nothing_contradicts_must_be_credible(make: Make) -> None:
    run = make("run", lambda spec: "success" if spec == PLANNED[4] else "failure")
    with pytest.raises(UsageError, match="control steps a second; the file is damaged"):
        report.summarize(edited(run, 4, time_to_success_s=1e300))


@pytest.mark.parametrize(
    "fields",
    [
        {"completed": "x"},
        {"versions": []},
        {"suite_version": "one"},
        {"sessions": [1]},
        {"policy": []},
    ],
)
def test_a_run_of_another_form_is_one_sentence(fields: dict[str, Json], make: Make) -> None:
    path = make("run").path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    with pytest.raises(UsageError, match=r"run\.json"):
        _ = Run.open(path.parent).results


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 10**30},
        {"index": "1"},
        {"episode": [5]},
        {"progress": None},
        {"status": "missing"},
        {"status": "solved"},
        {"changes": [1]},
    ],
)
def test_a_baseline_of_another_form_is_one_sentence(
    fields: dict[str, Json], make: Make, tmp_path: Path
) -> None:
    path = promote(make("run"), tmp_path / "base.json")
    data = json.loads(path.read_text())
    data["episodes"][2] |= fields
    data["hash"] = content_hash([data["run"], data["episodes"]])
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="is not what this version of vlabench writes"):
        read_baseline(path)


@pytest.mark.parametrize("name", ["run.json", "episodes.jsonl"])
def test_endless_nesting_is_one_sentence(name: str, make: Make) -> None:
    path = make("run").path / name
    path.write_text("[" * 200_000 + "\n")
    with pytest.raises(UsageError, match=name):
        _ = Run.open(path.parent).results


# --- comparisons ------------------------------------------------------------------------------


def test_a_beginning_is_compared_only_if_a_rule_ended_it_there(make: Make, tmp_path: Path) -> None:
    base = make("base")
    gate = SequentialGate(0.05, 0.2)
    while gate.feed(True, True) is None:
        pass
    count = gate.pairs
    decided = (gate.decision, count, 0, 0, count)
    rule = Stopping("base", Outcomes.of(base).hash, 0.05, 0.2, *decided)
    whole = promote(make("new"), tmp_path / "new.json")
    data = json.loads(whole.read_text())
    data["episodes"] = data["episodes"][:count]
    for stopping, fits in ((None, False), (replace(rule, asked=count - 1), False), (rule, True)):
        info = replace(make(f"new-{fits}-{stopping is None}").info, stopping=stopping)
        data["run"] = json.loads(canonical_json(info.to_json()))
        data["hash"] = content_hash([data["run"], data["episodes"]])
        whole.write_text(json.dumps(data))
        if fits:
            assert vlabench.compare(base, whole).overall.new_n == count
        else:
            with pytest.raises(NotComparableError, match="not the same episodes"):
                vlabench.compare(base, whole)


# --- texts ------------------------------------------------------------------------------------


def test_no_name_begins_a_line_of_the_log(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "::error::a\n::error::b\x1b[2J\r::error::c"
    policy = PolicyInfo(name=evil, args={}, spec={}, privileged=False)
    run = make("run", policy=policy)
    with pytest.raises(SystemExit):
        main(["baseline", "promote", str(run.path), "--out", str(tmp_path / "base.json")])
    with pytest.raises(SystemExit):
        main(["compare", str(run.path), f"{tmp_path}/{evil}"])
    told = capsys.readouterr()
    assert "::error::b" in told.out
    assert "::error::b" in told.err
    lines = (told.out + told.err).replace("\r", "\n").split("\n")
    assert not [line for line in lines if line.lstrip().startswith("::")]
    assert "\x1b" not in told.out + told.err
    assert one_line("a\nb\u2028c\x00") == "a b c "


def test_no_text_becomes_a_formula(make: Make, tmp_path: Path) -> None:
    evil = "=HYPERLINK(A1)"
    run = make("run", policy=PolicyInfo(name=evil, args={}, spec={}, privileged=False))
    export_episodes(run, tmp_path / "episodes.csv", "csv")
    with (tmp_path / "episodes.csv").open(newline="") as file:
        assert {row["policy"] for row in csv.DictReader(file)} == {f"'{evil}"}
    board = tmp_path / "board.csv"
    for _ in range(2):
        update_leaderboard([run], board, Declared(submitter="@me"))
    (row,) = read_leaderboard(board).rows
    assert (row["policy"], row["submitter"]) == (f"'{evil}", "'@me")
    worse = update_leaderboard([make("worse", bad), run], board).rows[1]
    assert (worse["policy"], float(worse["gap_lighting"]) > 0) == ("worse", True)
    assert [no_formula(text) for text in ("+1", "-a", "a=b", "")] == ["'+1", "'-a", "a=b", ""]


def test_a_negative_number_stays_one(make: Make, tmp_path: Path) -> None:
    run = make("run", lambda spec: "success" if spec.changes else "failure")
    update_leaderboard([run], tmp_path / "board.csv")
    assert read_leaderboard(tmp_path / "board.csv").rows[0]["gap_lighting"] == "-1.000000"


@pytest.mark.parametrize("dataset", ["owner/na me", "owner/../x", "=a/b", "a/b/c", "a", "a/b\n"])
def test_a_dataset_is_an_owner_and_a_name(dataset: str, make: Make, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--dataset is"):
        export_to_hub(make("run"), tmp_path / "a.yaml", Benchmark(dataset))


@pytest.mark.parametrize(
    "source", ["javascript:alert(1)", "file:///etc", "https://a b", "https://"]
)
def test_a_source_is_an_address(source: str, make: Make, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--source is"):
        export_to_hub(make("run"), tmp_path / "a.yaml", Benchmark("a/b", source=source))


# --- the leaderboard --------------------------------------------------------------------------


@pytest.fixture
def board(make: Make, tmp_path: Path) -> Path:
    update_leaderboard([make("good"), make("bad", bad)], tmp_path / "board.csv")
    return tmp_path / "board.csv"


def rewritten(board: Path, ranks: tuple[str, str], without: str = "") -> Path:
    found = read_leaderboard(board)
    names = [name for name in found.columns if name != without]
    with board.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        for row, rank in zip(found.rows, ranks, strict=True):
            writer.writerow({**row, "rank": rank})
    return board


def test_ranks_must_be_those_of_a_ranking(board: Path) -> None:
    assert check_leaderboard(board) == []
    for ranks in (("9", "7"), ("2", "2"), ("1", "3")):
        (fault,) = check_leaderboard(rewritten(board, ranks))
        assert "a ranking of 2 on 'made-up' cannot have the ranks" in fault
    for ranks in (("1", "1"), ("2", "1")):
        assert check_leaderboard(rewritten(board, ranks)) == []


def test_a_column_must_be_there_once(board: Path) -> None:
    text = board.read_text()
    assert any(
        "no column 'ci_low'" in f
        for f in check_leaderboard(rewritten(board, ("1", "2"), without="ci_low"))
    )
    board.write_text(f"\ufeff{text}")
    with pytest.raises(UsageError, match="it begins with a BOM"):
        check_leaderboard(board)
    board.write_text(text.replace("letters", "policy", 1))
    with pytest.raises(UsageError, match="has the column 'policy' twice"):
        check_leaderboard(board)


def test_a_run_without_a_rank_takes_none_away(board: Path, make: Make) -> None:
    before = read_leaderboard(board)
    after = update_leaderboard([make("part", complete=False)], board)
    assert after.unranked == ()
    assert [row for row in after.rows if row["run_id"] != "part"] == list(before.rows)
    assert update_leaderboard([make("third")], board).unranked == ("good", "bad")
