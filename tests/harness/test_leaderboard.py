"""Rows, ranks and the file, of runs whose outcomes we chose."""

from __future__ import annotations

import csv
import fcntl
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from click.testing import Result
from jsonschema import Draft202012Validator
from report_fakes import Outcome, episodes, make_run
from typer.testing import CliRunner

from vlabench.cli import main
from vlabench.cli.leaderboard import leaderboard_command
from vlabench.errors import InvalidRunError, UsageError
from vlabench.leaderboard import (
    Declared,
    check_leaderboard,
    leaderboard_row,
    read_leaderboard,
    schema_path,
    schema_text,
    standings,
    update_leaderboard,
)
from vlabench.registry import AXES
from vlabench.report import summarize
from vlabench.runinfo import Conditions, Determinism, PolicyInfo, Stopping
from vlabench.store import LOCK, Run
from vlabench.types import EpisodeSpec, Status

RESULTS = Path(__file__).parents[2] / "results"
PLANNED = episodes(["stack", "place"], [("lighting", "L2")], 20)


def good(spec: EpisodeSpec) -> Status:
    return "success" if spec.index != 3 else "failure"


def nearly_as_good(spec: EpisodeSpec) -> Status:
    return "success" if spec.index not in (3, 4) else "failure"


def bad(spec: EpisodeSpec) -> Status:
    return "failure" if spec.changes and spec.index > 4 else "success"


def broken(spec: EpisodeSpec) -> Status | None:
    return None if spec.index > 10 else "success"


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Run]:
    outcomes = {"good": good, "near": nearly_as_good, "bad": bad, "broken": broken}
    return {name: make_run(tmp_path / name, PLANNED, how) for name, how in outcomes.items()}


def invoke(*words: str) -> Result:
    app = typer.Typer()
    app.command()(leaderboard_command)
    return CliRunner().invoke(app, list(words))


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row["run_id"]: row for row in csv.DictReader(file)}


def ranks(runs: Sequence[Run]) -> list[int | None]:
    found = standings(runs, [summarize(run) for run in runs])
    return [None if standing is None else standing.rank for standing in found]


def test_a_row_says_what_the_run_says(runs: dict[str, Run]) -> None:
    row = leaderboard_row(runs["bad"])
    assert row["success_rate"] == pytest.approx(0.25)
    assert row["success_rate_lighting"] == pytest.approx(0.25)
    assert row["success_rate_nominal"] == 1.0
    assert row["gap_lighting"] == pytest.approx(0.75)
    assert row["retention_lighting"] == pytest.approx(0.25)
    assert row["worst_axis"] == "lighting"
    assert (row["n"], row["n_missing"], row["date"]) == (40, 0, "2026-01-02")
    assert (row["latency_ms_p95"], row["inference_s_per_episode"]) == (20.0, 0.5)
    assert row["avg_chain_length"] is None
    assert row["collision_rate"] == 0.5
    assert row["max_force_p95_n"] is not None
    assert row["progress"] == pytest.approx(0.25)


def test_diagnostics_are_in_no_success_and_no_rank(tmp_path: Path) -> None:
    planned = episodes(["stack"], [("lighting", "L1"), ("swapped-goal", "L1")], 20)

    def deaf(spec: EpisodeSpec) -> Status:
        return "failure" if spec.diagnostic else "success"

    whole = make_run(tmp_path / "good", planned, lambda _: "success")
    runs = [make_run(tmp_path / "deaf", planned, deaf), whole]
    first, second = (leaderboard_row(run) for run in runs)
    assert first["success_rate"] == second["success_rate"] == 1.0
    assert [name for name in first if "swapped-goal" in name] == ["compliance_swapped-goal"]
    assert (first["compliance_swapped-goal"], second["compliance_swapped-goal"]) == (0.0, 1.0)
    assert ranks(runs) == [1, 1]


def test_a_suite_of_diagnostics_has_compliance_and_no_rank(tmp_path: Path) -> None:
    planned = episodes(["stack", "place"], [("swapped-goal", "L1"), ("swapped-goal", "L2")], 20)

    def listens_at_first(spec: EpisodeSpec) -> Status:
        return "failure" if spec.diagnostic and spec.changes[0].level == "L2" else "success"

    some = make_run(tmp_path / "some", planned, listens_at_first)
    whole = make_run(tmp_path / "whole", planned, lambda _: "success")
    assert ranks([some, whole]) == [None, None]
    path = tmp_path / "board.csv"
    update_leaderboard([some, whole], path)
    row = rows(path)["some"]
    assert row["compliance_swapped-goal"] == "0.500000"
    assert row["compliance_absent-object"] == ""
    assert row["success_rate_nominal"] == "1.000000"
    empty = ("rank", "success_rate", "ci_low", "ci_high", "n", "progress", "worst_axis")
    assert all(row[name] == "" for name in empty)
    assert "success_rate_swapped-goal" not in row
    shown = invoke(str(some.path), "--out", str(path)).stdout
    assert "swapped-goal 50.0" in shown
    assert "compliance" in shown.splitlines()[0]


def test_compliance_that_was_not_measured_is_empty(tmp_path: Path) -> None:
    planned = episodes(["stack"], [("lighting", "L1")], 20)
    path = tmp_path / "board.csv"
    update_leaderboard([make_run(tmp_path / "run", planned, good)], path)
    diagnostic = {"absent-object", "empty-instruction", "swapped-goal"}
    complied = {name: cell for name, cell in rows(path)["run"].items() if "compliance" in name}
    assert complied == {f"compliance_{axis}": "" for axis in diagnostic}
    shown = invoke(str(tmp_path / "run"), "--out", str(path)).stdout
    assert "compliance" not in shown.splitlines()[0]


def test_a_run_that_is_not_valid_is_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    with pytest.raises(InvalidRunError, match="broken is not valid: 36 of 80 episodes"):
        update_leaderboard([runs["good"], runs["broken"]], path)
    assert not path.exists()


def test_a_run_that_still_runs_is_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    run = runs["good"]
    with (run.path / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InvalidRunError, match="good is still running"):
            update_leaderboard([run], tmp_path / "board.csv")
    update_leaderboard([run], tmp_path / "board.csv")


def test_a_part_of_a_suite_has_no_overall_and_no_rank(tmp_path: Path) -> None:
    part = make_run(tmp_path / "part", PLANNED, good, complete=False)
    row = leaderboard_row(part)
    assert row["complete"] is False
    assert all(row.get(name) is None for name in ("success_rate", "ci_low", "ci_high", "n"))
    assert row["worst_axis"] is None
    assert row["success_rate_lighting"] is not None
    assert ranks([part]) == [None]


def test_what_does_not_differ_shares_a_rank(runs: dict[str, Run]) -> None:
    order = ["bad", "good", "broken", "near"]
    assert ranks([runs[name] for name in order]) == [3, 1, None, 1]


def test_other_worlds_and_manifests_are_other_rankings(tmp_path: Path) -> None:
    here = make_run(tmp_path / "here", PLANNED, good)
    there = make_run(tmp_path / "there", PLANNED, bad, env_fingerprint="another")
    fewer = make_run(tmp_path / "fewer", PLANNED[:-4], bad)
    assert ranks([here, there, fewer]) == [1, 1, 1]


SLOW, MEASURED = Conditions(80.0), Conditions("measured")
MISMATCHED = Conditions(mismatches=("it works at 5 Hz and not at 10", "it has no wrist camera"))


def test_a_latency_makes_another_ranking(runs: dict[str, Run], tmp_path: Path) -> None:
    slow = make_run(tmp_path / "slow", PLANNED, bad, conditions=SLOW)
    slower = make_run(tmp_path / "slower", PLANNED, good, conditions=SLOW)
    assert ranks([runs["good"], slow, slower, runs["bad"]]) == [1, 2, 1, 2]
    path = tmp_path / "board.csv"
    update_leaderboard([runs["good"]], path)
    assert update_leaderboard([slow, slower], path).unranked == ()
    found = rows(path)
    assert {name: row["rank"] for name, row in found.items()} == {
        "good": "1",
        "slow": "2",
        "slower": "1",
    }
    assert found["slow"]["latency_setting_ms"] == "80.000000"
    assert (found["good"]["latency_setting_ms"], found["good"]["allow_mismatch"]) == ("", "")


@pytest.mark.parametrize("conditions", [MEASURED, MISMATCHED])
def test_conditions_of_ones_own_have_no_rank(
    conditions: Conditions, runs: dict[str, Run], tmp_path: Path
) -> None:
    own = make_run(tmp_path / "own", PLANNED, good, conditions=conditions)
    assert ranks([own, runs["bad"]]) == [None, 1]
    path = tmp_path / "board.csv"
    update_leaderboard([runs["bad"]], path)
    assert update_leaderboard([own], path).unranked == ()
    row = rows(path)["own"]
    assert (row["rank"], row["success_rate"]) == ("", "0.950000")
    assert row["latency_setting_ms"] == str(conditions.latency_ms or "")
    assert row["allow_mismatch"] == "; ".join(conditions.mismatches)


def test_the_command_marks_what_is_not_usual(tmp_path: Path) -> None:
    out = tmp_path / "board.csv"
    given = {"slow": SLOW, "measured": MEASURED, "mismatched": MISMATCHED, "usual": Conditions()}
    made = [
        make_run(tmp_path / name, PLANNED, good, conditions=conditions)
        for name, conditions in given.items()
    ]
    shown = invoke(*(str(run.path) for run in made), "--out", str(out)).stdout
    assert "slow (latency 80 ms)  " in shown
    assert "measured (measured latency)  " in shown
    assert "mismatched (mismatch allowed)  " in shown
    assert "usual  " in shown


def test_a_file_from_before_the_conditions_is_read(runs: dict[str, Run], tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    update_leaderboard([runs["good"]], path)
    with path.open(newline="") as file:
        old = [
            {k: v for k, v in row.items() if k not in ("latency_setting_ms", "allow_mismatch")}
            for row in csv.DictReader(file)
        ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(old[0]))
        writer.writeheader()
        writer.writerows(old)
    assert update_leaderboard([runs["bad"]], path).unranked == ("good",)
    assert rows(path)["good"]["latency_setting_ms"] == ""


def test_the_models_own_time_goes_before_the_workers(tmp_path: Path) -> None:
    told = make_run(tmp_path / "told", PLANNED, good, infer_s=0.125)
    assert leaderboard_row(told)["inference_s_per_episode"] == 0.125


def test_a_scene_counts_once_however_many_axes_use_it(tmp_path: Path) -> None:
    axes = [(f"axis-{k}", "L1") for k in range(8)]
    planned = episodes(["stack"], axes, 12)
    one = make_run(tmp_path / "one", planned, lambda spec: "success")
    other = make_run(
        tmp_path / "other", planned, lambda spec: "failure" if spec.index < 4 else "success"
    )
    assert ranks([one, other]) == [1, 1]


def test_whole_scenes_lost_outweigh_single_episodes_won(tmp_path: Path) -> None:
    """More scenes are won than lost, but by one of eight episodes each: the mean decides."""
    planned = episodes(["stack"], [(f"axis-{k}", "L1") for k in range(8)], 60)
    one = make_run(
        tmp_path / "one",
        planned,
        lambda spec: (
            "failure"
            if spec.index >= 40 and spec.changes and spec.changes[0].axis == "axis-0"
            else "success"
        ),
    )
    other = make_run(
        tmp_path / "other", planned, lambda spec: "failure" if spec.index < 15 else "success"
    )
    assert ranks([one, other]) == [1, 2]


def test_the_file_keeps_others_and_replaces_the_same_run(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    path = tmp_path / "results" / "leaderboard.csv"
    update_leaderboard([runs["good"], runs["bad"]], path)
    first = rows(path)
    assert {name: row["rank"] for name, row in first.items()} == {"good": "1", "bad": "2"}
    other = make_run(tmp_path / "other", PLANNED, good, env_fingerprint="another")
    board = update_leaderboard([other], path)
    assert {name: row["rank"] for name, row in rows(path).items()} == {
        "good": "1",
        "bad": "2",
        "other": "1",
    }
    assert board.unranked == ()
    board = update_leaderboard([runs["near"]], path)
    assert board.unranked == ("good", "bad")
    after = rows(path)
    assert after["bad"] == first["bad"] | {"rank": "", "letters": ""}
    update_leaderboard([runs["near"], runs["good"], runs["bad"]], path)
    assert {name: row["rank"] for name, row in rows(path).items()} == {
        "near": "1",
        "good": "1",
        "bad": "3",
        "other": "1",
    }


def test_the_file_does_not_depend_on_the_order(runs: dict[str, Run], tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    valid = [run for run in runs.values() if run.valid]
    update_leaderboard(valid, one)
    update_leaderboard(valid[::-1], other)
    assert one.read_bytes() == other.read_bytes()
    assert not list(tmp_path.glob("*.tmp"))


def test_columns_are_fixed_and_foreign_ones_stay(runs: dict[str, Run], tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    columns = update_leaderboard([runs["good"]], path).columns
    for axis in AXES.names():
        own = {f"success_rate_{axis}", f"gap_{axis}", f"retention_{axis}"}
        if AXES.load(axis).kind == "diagnostic":
            assert own.isdisjoint(columns)
        else:
            assert own <= set(columns)
    assert columns[:4] == ("rank", "letters", "policy", "checkpoint")
    assert columns[-1] == "run_id"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},notes", *(f"{line},mine" for line in lines)]))
    board = update_leaderboard([runs["bad"]], path)
    assert board.columns == (*columns, "notes")
    assert rows(path)["good"]["notes"] == "mine"
    update_leaderboard([runs["good"]], path)
    assert rows(path)["good"]["notes"] == "mine"


def test_a_cell_without_data_is_empty(runs: dict[str, Run], tmp_path: Path) -> None:
    part = make_run(tmp_path / "part", PLANNED, good, complete=False)
    update_leaderboard([part], tmp_path / "board.csv")
    row = rows(tmp_path / "board.csv")["part"]
    assert (row["rank"], row["success_rate"], row["gap_object-pose"]) == ("", "", "")


@pytest.mark.parametrize("text", ["name,score\nx,1\n", "run_id,suite\nx,y,z\n", "\x00"])
def test_a_foreign_file_is_left_alone(runs: dict[str, Run], tmp_path: Path, text: str) -> None:
    path = tmp_path / "board.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape(str(path))):
        update_leaderboard([runs["good"]], path)
    assert path.read_text() == text


def test_a_run_given_twice_and_a_folder_that_cannot_be_made(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="'good' is given twice"):
        update_leaderboard([runs["good"], runs["good"]], tmp_path / "board.csv")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Cannot write"):
        update_leaderboard([runs["good"]], tmp_path / "file" / "board.csv")
    assert read_leaderboard(tmp_path / "nothing.csv").rows == ()


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    policy = PolicyInfo(name="expert", args={}, spec={}, privileged=True)
    run = make_run(tmp_path / "run", PLANNED, good, policy=policy)
    out = tmp_path / "board.csv"
    result = invoke(str(run.path), "--out", str(out))
    assert result.exit_code == 0
    assert "1     a  expert (privileged)  made-up v1  95.0" in result.stdout
    assert list(rows(out)) == ["run"]


def test_the_command_refuses_what_is_not_valid_with_exit_code_5(
    runs: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "board.csv"
    with pytest.raises(SystemExit) as left:
        main(["leaderboard", str(runs["broken"].path), "--out", str(out)])
    assert left.value.code == 5
    assert "broken is not valid: 36 of 80 episodes are missing" in capsys.readouterr().err
    assert not out.exists()


def test_the_command_says_what_is_no_run(tmp_path: Path) -> None:
    error = invoke(str(tmp_path)).exception
    assert isinstance(error, UsageError)
    assert "is not a run's folder" in str(error)


def test_rows_that_share_a_letter_do_not_differ(tmp_path: Path) -> None:
    """Between good and bad there is one that differs significantly from neither."""
    planned = episodes(["stack"], [("lighting", "L2")], 20)

    def first(count: int) -> Outcome:
        return lambda spec: "success" if spec.index < count else "failure"

    made = [make_run(tmp_path / f"first-{count}", planned, first(count)) for count in (12, 16, 20)]
    found = standings(made, [summarize(run) for run in made])
    assert [(s.rank, s.letters) for s in found if s is not None] == [(2, "b"), (1, "ab"), (1, "a")]
    update_leaderboard(made, tmp_path / "board.csv")
    told = rows(tmp_path / "board.csv")
    assert {name: row["letters"] for name, row in told.items()} == {
        "first-12": "b",
        "first-16": "ab",
        "first-20": "a",
    }


def test_what_the_submitter_says_is_written_and_kept(tmp_path: Path) -> None:
    policy = PolicyInfo(
        name="openvla", args={"checkpoint": "weights"}, spec={"revision": "r1"}, privileged=False
    )
    run = make_run(tmp_path / "run", PLANNED, good, policy=policy)
    path = tmp_path / "board.csv"
    words = ("--params", "7000000000", "--weight-type", "finetuned", "--trained-on", "nominal")
    words += ("--gpu-memory-gb", "15.5", "--submitter", "me", "--provenance", "reproduced")
    assert invoke(str(run.path), "--out", str(path), *words).exit_code == 0
    told = {
        "checkpoint": "weights",
        "revision": "r1",
        "params": "7000000000",
        "weight_type": "finetuned",
        "trained_on": "nominal",
        "gpu_memory_gb": "15.500000",
        "submitter": "me",
        "provenance": "reproduced",
    }
    assert rows(path)["run"].items() >= told.items()
    update_leaderboard([run], path)
    assert rows(path)["run"].items() >= told.items()
    update_leaderboard([run], path, Declared(submitter="you", checkpoint="others"))
    changed = told | {"submitter": "you", "checkpoint": "others"}
    assert rows(path)["run"].items() >= changed.items()
    assert check_leaderboard(path) == []


def test_what_nobody_says_is_empty(runs: dict[str, Run], tmp_path: Path) -> None:
    update_leaderboard([runs["good"]], tmp_path / "board.csv")
    row = rows(tmp_path / "board.csv")["good"]
    unknown = ("checkpoint", "revision", "params", "weight_type", "trained_on", "gpu_memory_gb")
    assert {row[name] for name in (*unknown, "submitter", "flip_rate")} == {""}
    assert row["provenance"] == "self-reported"


def test_one_policys_facts_are_not_said_of_several(runs: dict[str, Run], tmp_path: Path) -> None:
    both = [runs["good"], runs["bad"]]
    with pytest.raises(UsageError, match="'params' is said of the policies bad, good at once"):
        update_leaderboard(both, tmp_path / "board.csv", Declared(params=1))
    update_leaderboard(both, tmp_path / "board.csv", Declared(submitter="me"))


def test_a_run_that_a_rule_ended_is_not_entered(
    runs: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = Stopping("base", "hash", 0.05, 0.05, "non-inferior", 20, 0, 0, asked=40)
    run = make_run(tmp_path / "stopped", PLANNED, good, stopping=rule)
    path = tmp_path / "board.csv"
    with pytest.raises(InvalidRunError, match="stopped ended as soon as a comparison was decided"):
        update_leaderboard([run, runs["good"]], path)
    assert not path.exists()
    leaderboard_command([run.path, runs["good"].path], out=path)
    assert set(rows(path)) == {"good"}
    told = capsys.readouterr()
    assert "Left out: " in told.err
    assert "biased" in told.err


def test_the_share_of_flips_is_a_column(tmp_path: Path) -> None:
    twice = Determinism(asked=8, repeated=8, flips=("one", "two"), same_actions=6, same_states=6)
    run = make_run(tmp_path / "run", PLANNED, good, determinism=twice)
    assert leaderboard_row(run)["flip_rate"] == 0.25


# --- checking ---------------------------------------------------------------------------------


def test_the_committed_schema_is_current() -> None:
    """To write it anew: enter any run into results/leaderboard.csv."""
    assert (RESULTS / "leaderboard.schema.json").read_text(encoding="utf-8") == schema_text()


def test_every_committed_row_is_as_it_must_be() -> None:
    path = RESULTS / "leaderboard.csv"
    assert read_leaderboard(path).rows
    assert check_leaderboard(path) == []


def test_the_schema_is_a_schema_and_stands_beside_the_file(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    path = tmp_path / "board.csv"
    update_leaderboard([runs["good"]], path)
    written = json.loads(schema_path(path).read_text())
    assert schema_path(path).name == "board.schema.json"
    Draft202012Validator.check_schema(written)
    assert set(written["required"]) <= set(written["properties"])


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A leaderboard with a row of every sort."""
    tmp_path = tmp_path_factory.mktemp("everything")
    planned = episodes(["stack", "chain"], [("lighting", "L2"), ("swapped-goal", "L1")], 8)
    made = [
        make_run(tmp_path / "whole", planned, good),
        make_run(tmp_path / "other", planned, bad),
        make_run(tmp_path / "part", planned, good, complete=False),
        make_run(tmp_path / "slow", planned, good, conditions=SLOW),
        make_run(tmp_path / "measured", planned, good, conditions=MEASURED),
        make_run(tmp_path / "mismatched", planned, good, conditions=MISMATCHED),
    ]
    path = tmp_path / "board.csv"
    update_leaderboard(made, path)
    return path


def test_what_is_written_passes(everything: Path) -> None:
    path = everything
    assert check_leaderboard(path) == []
    result = invoke("--check", str(path))
    assert result.exit_code == 0
    assert "all 6 rows are as they must be" in result.stdout
    assert invoke("--check", "--out", str(path)).exit_code == 0


@pytest.mark.parametrize(
    ("run_id", "cells", "fault"),
    [
        ("whole", {"success_rate": "1.2"}, "success_rate"),
        ("whole", {"success_rate": "95 %"}, "success_rate"),
        ("whole", {"success_rate": "nan"}, "success_rate"),
        ("whole", {"ci_low": "0.99"}, "is not between its ends"),
        ("whole", {"ci_low": ""}, "ci_low"),
        ("whole", {"n": "0"}, "'n'"),
        ("whole", {"n": "12.5"}, "'n'"),
        ("whole", {"gap_lighting": "1.5"}, "gap_lighting"),
        ("whole", {"gap_lighting": ""}, "a retention under 'lighting' and no gap"),
        ("whole", {"worst_axis": "camera"}, "worst axis"),
        ("whole", {"compliance_swapped-goal": "-0.1"}, "compliance_swapped-goal"),
        ("whole", {"provenance": "trust me"}, "provenance"),
        ("whole", {"provenance": ""}, "provenance"),
        ("whole", {"privileged": "no"}, "privileged"),
        ("whole", {"privileged": ""}, "privileged"),
        ("whole", {"weight_type": "both"}, "weight_type"),
        ("whole", {"params": "7B"}, "params"),
        ("whole", {"date": "yesterday"}, "date"),
        ("whole", {"rank": "0"}, "rank"),
        ("whole", {"rank": ""}, "without a rank there are no letters"),
        ("whole", {"letters": ""}, "letters"),
        ("whole", {"n_missing": ""}, "n_missing"),
        ("whole", {"manifest_hash": ""}, "manifest_hash"),
        ("whole", {"run_id": "other"}, "the run 'other' has 2 rows"),
        ("whole", {"complete": "false"}, "a part of a suite has no overall"),
        ("part", {"success_rate": "0.5", "ci_low": "0.4", "ci_high": "0.6", "n": "9"}, "a part of"),
        ("part", {"rank": "1", "letters": "a"}, "a part of a suite has no overall"),
        ("measured", {"rank": "1", "letters": "a"}, "cannot be repeated"),
        ("mismatched", {"rank": "1", "letters": "a"}, "mismatch was allowed"),
        ("slow", {"latency_setting_ms": "fast"}, "latency_setting_ms"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(
    run_id: str, cells: dict[str, str], fault: str, everything: Path, tmp_path: Path
) -> None:
    path, board = tmp_path / "board.csv", read_leaderboard(everything)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, board.columns)
        writer.writeheader()
        writer.writerows(row | (cells if row["run_id"] == run_id else {}) for row in board.rows)
    faults = check_leaderboard(path)
    assert any(fault in told for told in faults), faults
    assert any(f"({cells.get('run_id', run_id)})" in told for told in faults) or "2 rows" in fault
    result = invoke("--check", str(path))
    assert isinstance(result.exception, UsageError)
    assert f"{len(faults)} faults in {path}" in str(result.exception)
    assert fault in result.stdout


def test_a_file_that_is_not_there_is_not_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no .*board\.csv"):
        check_leaderboard(tmp_path / "board.csv")


def test_the_command_needs_runs(tmp_path: Path) -> None:
    error = invoke("--out", str(tmp_path / "board.csv")).exception
    assert isinstance(error, UsageError)
    assert "No run is given" in str(error)
