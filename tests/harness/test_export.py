"""A run in the formats of others says what its records say, and nothing is lost on the way."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
import yaml
from click.testing import Result as Shown
from report_fakes import episodes, make_run, rewrite
from typer.testing import CliRunner

from vlabench.cli.export import export_command
from vlabench.errors import InvalidRunError, UsageError
from vlabench.export import Benchmark, columns, export_episodes, export_to_hub, hub_entry
from vlabench.leaderboard import leaderboard_row
from vlabench.runinfo import Conditions, PolicyInfo, Stopping
from vlabench.store import Run
from vlabench.types import EpisodeRecord, EpisodeSpec, Event, Json, Said, Status

PLANNED = episodes(["stack", "chain"], [("lighting", "L2"), ("swapped-goal", "L1")], 4)
MISSING = PLANNED[5]
BENCHMARK = Benchmark("someone/vlabench")


def outcome(spec: EpisodeSpec) -> Status | None:
    if spec == MISSING:
        return None
    return "success" if spec.index % 2 else "policy_error"


def rich(record: EpisodeRecord) -> EpisodeRecord:
    """With something in every field that may hold much."""
    return replace(
        record,
        factors={"room": {"wall": 'a "grey", one'}, "pose": [0.1, 1e-07, 3]},
        events=(Event(3, "a push"),),
        said=(Said(0, {"plan": ["öffnen", None]}),),
        allow_mismatch=("it has no wrist camera",),
        latency_setting_ms="measured" if record.index else 80.0,
        error="ValueError: a\nb" if record.status == "policy_error" else None,
        infer_s=1 / 3,
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return rewrite(make_run(tmp_path / "run", PLANNED, outcome), rich)


def invoke(*words: str) -> Shown:
    app = typer.Typer()
    app.command()(export_command)
    return CliRunner().invoke(app, list(words))


def read_back(row: Mapping[str, Json]) -> EpisodeRecord:
    """The record of a row of the Parquet file."""
    own = {name: row[name] for name in columns() if name not in ("policy", "privileged")}
    nested = {name for name, kind in columns().items() if kind == "json"}
    return EpisodeRecord.from_json(
        {n: json.loads(v) if n in nested and v is not None else v for n, v in own.items()}
    )


def csv_values(row: Mapping[str, str]) -> dict[str, Json]:
    read = {
        "integer": int,
        "number": float,
        "boolean": lambda text: {"true": True, "false": False}[text],
    }
    kinds = columns()
    return {n: read.get(kinds[n], str)(v) if v else None for n, v in row.items()}


def test_parquet_keeps_every_record(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "episodes.parquet"
    export_episodes(run, path, "parquet")
    table = pq.read_table(path)
    rows = table.to_pylist()
    assert [row["episode_id"] for row in rows] == [e.episode_id for e in PLANNED]
    assert [read_back(row) for row in rows if row["status"] != "missing"] == run.records
    assert {(row["policy"], row["privileged"]) for row in rows} == {("run", False)}
    assert json.loads(table.schema.metadata[b"vlabench.run"]) == run.info.to_json()
    assert not list(path.parent.glob("*.tmp"))


def test_csv_says_what_parquet_says(run: Run, tmp_path: Path) -> None:
    export_episodes(run, tmp_path / "e.csv", "csv")
    export_episodes(run, tmp_path / "e.parquet", "parquet")
    with (tmp_path / "e.csv").open(newline="", encoding="utf-8") as file:
        rows = [csv_values(row) for row in csv.DictReader(file)]
    assert rows == pq.read_table(tmp_path / "e.parquet").to_pylist()


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_equal_runs_give_equal_bytes(form: str, run: Run, tmp_path: Path) -> None:
    for name in ("one", "other"):
        assert invoke(str(run.path), "--format", form, "--out", str(tmp_path / name)).exit_code == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_an_episode_without_a_record_is_missing(run: Run, tmp_path: Path) -> None:
    export_episodes(run, tmp_path / "e.parquet", "parquet")
    (row,) = [
        row
        for row in pq.read_table(tmp_path / "e.parquet").to_pylist()
        if row["status"] == "missing"
    ]
    assert row["episode_id"] == MISSING.episode_id
    assert row["changes"] == '[{"axis":"swapped-goal","level":"L1"}]'
    assert (row["task"], row["index"]) == (MISSING.task, MISSING.index)
    for name in ("success", "success_once", "progress", "steps", "compliance", "wall_s"):
        assert row[name] is None


def test_a_run_without_records_is_a_table_all_the_same(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", PLANNED, lambda spec: None)
    export_episodes(run, tmp_path / "e.parquet", "parquet")
    assert pq.read_table(tmp_path / "e.parquet")["status"].to_pylist() == ["missing"] * len(PLANNED)


def test_the_command_writes_into_the_runs_folder(run: Run) -> None:
    shown = invoke(str(run.path), "--format", "csv").stdout
    path = run.path / "tables" / "episodes.csv"
    assert f"24 episodes, 1 of them missing, written to {path}" in " ".join(shown.split())
    assert path.exists()
    assert Run.open(run.path).records == run.records


def test_what_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"Cannot write .*e\.csv"):
        export_episodes(run, tmp_path / "file" / "e.csv", "csv")


# --- Hugging Face -----------------------------------------------------------------------------


@pytest.fixture
def whole(tmp_path: Path) -> Run:
    return make_run(
        tmp_path / "whole", PLANNED, lambda spec: "success" if spec.index else "failure"
    )


def test_hugging_face_gets_the_overall_rate_in_percent(whole: Run, tmp_path: Path) -> None:
    path = tmp_path / "result.yaml"
    export_to_hub(whole, path, replace(BENCHMARK, source="https://example.org/run"))
    (entry,) = yaml.safe_load(path.read_text(encoding="utf-8"))
    rate = leaderboard_row(whole)["success_rate"]
    assert isinstance(rate, float)
    assert entry["value"] == pytest.approx(100 * rate) == 75.0
    assert entry["dataset"] == {"id": "someone/vlabench", "task_id": "made-up"}
    assert entry["date"] == "2026-01-02"
    assert entry["source"] == {"url": "https://example.org/run", "name": "vlabench run whole"}
    assert "8 episodes" in entry["notes"]
    assert whole.info.manifest_hash in entry["notes"]


def test_the_entry_has_the_fields_of_the_format_and_no_others(whole: Run) -> None:
    """The fields of hub-docs' eval_results.yaml; the first two are required."""
    plain = hub_entry(whole, BENCHMARK)
    assert list(plain) == ["dataset", "value", "date", "notes"]
    assert isinstance(plain["date"], str)
    assert set(plain["dataset"]) == {"id", "task_id"}
    assert hub_entry(whole, replace(BENCHMARK, task="other"))["dataset"]["task_id"] == "other"


def test_what_must_be_known_of_the_number_is_in_the_notes(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run",
        PLANNED,
        lambda spec: "success",
        policy=PolicyInfo(name="expert", args={}, spec={}, privileged=True),
        conditions=Conditions(80.0, ("it has two hands",)),
        certified=False,
    )
    notes = hub_entry(run, BENCHMARK)["notes"]
    assert "the policy reads the simulator's state" in notes
    assert "nobody has shown that each of these episodes can be solved" in notes
    assert "simulated latency 80 ms" in notes
    assert "mismatch allowed: it has two hands" in notes


RULE = Stopping("base", "hash", 0.05, 0.05, "non-inferior", 4, 0, 0, asked=12)


@pytest.mark.parametrize(
    ("info", "why"),
    [
        ({"complete": False}, "not all of the suite's own episodes"),
        ({"stopping": RULE}, "it ended as soon as a comparison was decided"),
    ],
)
def test_what_has_no_overall_rate_is_not_published(
    info: dict[str, object], why: str, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", PLANNED, lambda spec: "success", **info)
    with pytest.raises(InvalidRunError, match=why):
        export_to_hub(run, tmp_path / "result.yaml", BENCHMARK)
    assert not (tmp_path / "result.yaml").exists()


def test_a_run_that_is_not_valid_is_not_published(run: Run) -> None:
    with pytest.raises(InvalidRunError, match="1 of 24 episodes are missing"):
        hub_entry(run, BENCHMARK)


def test_diagnostics_alone_are_not_published(tmp_path: Path) -> None:
    planned = episodes(["stack"], [("swapped-goal", "L1")], 4)
    run = make_run(tmp_path / "run", planned, lambda spec: "success")
    with pytest.raises(InvalidRunError, match="all that the suite changes is diagnostic"):
        hub_entry(run, BENCHMARK)


@pytest.mark.parametrize("dataset", ["", "vlabench", "/vlabench", "a/b/c", "a/"])
def test_a_dataset_has_an_owner_and_a_name(dataset: str, whole: Run) -> None:
    with pytest.raises(UsageError, match="--dataset is"):
        hub_entry(whole, Benchmark(dataset))


def test_the_command_asks_for_the_dataset(whole: Run) -> None:
    error = invoke(str(whole.path), "--format", "hf").exception
    assert isinstance(error, UsageError)
    assert "needs --dataset OWNER/NAME" in str(error)
    error = invoke(str(whole.path), "--format", "csv", "--dataset", "a/b").exception
    assert isinstance(error, UsageError)
    assert "belong to --format hf" in str(error)
    result = invoke(str(whole.path), "--format", "hf", "--dataset", "a/b")
    assert result.exit_code == 0
    assert (whole.path / "tables" / "eval_results" / "made-up.yaml").exists()
