"""A run in the formats of others: Parquet and CSV of its episodes, and Hugging Face's results.

A table has a line for each episode of the manifest, in its order; one without a record has the
status ``missing`` and nothing else that only a record says. The columns are the fields of
`vlabench.types.EpisodeRecord`, and before them the policy. What is no number, truth value or text
is JSON, so nothing is lost. In CSV, a text that a spreadsheet would take for a formula has an
apostrophe before it.

Hugging Face reads ``.eval_results/*.yaml`` of a model's repository; the format is that of
https://github.com/huggingface/hub-docs/blob/main/eval_results.yaml.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias, get_args, get_origin, get_type_hints

import yaml

from vlabench.errors import InvalidRunError, UsageError
from vlabench.hashing import canonical_json
from vlabench.index import PlannedEpisode
from vlabench.naming import no_formula
from vlabench.report import Summary, summarize
from vlabench.store import Run, refuse_run_file
from vlabench.types import EpisodeRecord, Json

Cell: TypeAlias = str | int | float | bool | None

_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_ADDRESS = re.compile(r"https?://[!-~]+")

ROWS_AT_ONCE = 10_000
"""How many lines of a table are in memory in two forms at once."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Where on the Hugging Face Hub the result belongs, and where it comes from.

    Attributes:
        dataset: Name of the dataset that holds the leaderboard, ``owner/name``.
        task: Which of its tasks; None for the name of the suite.
        source: Address of what shows the result, for example the run's folder; None for none.
    """

    dataset: str
    task: str | None = None
    source: str | None = None


def export_episodes(run: Run, path: Path, form: Literal["parquet", "csv"]) -> None:
    """Writes a table of all episodes to `path`, all of it or nothing.

    Raises:
        UsageError: If the records cannot be read, the file belongs to a run, or cannot be
            written.
    """
    write = {"parquet": _write_parquet, "csv": _write_csv}[form]
    _write(path, lambda scratch: write(run, scratch))


def export_to_hub(run: Run, path: Path, benchmark: Benchmark) -> None:
    """Writes the overall success rate, in percent, as Hugging Face reads it.

    Raises:
        InvalidRunError: If the run has no overall success rate.
        UsageError: If the dataset's name or the source's address is none, the file belongs to a
            run, or cannot be written.
    """
    entry = hub_entry(run, benchmark)
    text = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True, width=98)
    _write(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))


def hub_entry(run: Run, benchmark: Benchmark) -> dict[str, Json]:
    """The one entry of a file of Hugging Face's results.

    Raises:
        InvalidRunError: If the run has no overall success rate.
        UsageError: If the dataset's name or the source's address is none.
    """
    if _DATASET.fullmatch(benchmark.dataset) is None:
        raise UsageError(
            f"--dataset is {benchmark.dataset!r}; give the Hub's name of the dataset that holds "
            "the leaderboard, for example owner/name."
        )
    if benchmark.source is not None and _ADDRESS.fullmatch(benchmark.source) is None:
        raise UsageError(
            f"--source is {benchmark.source!r}; give an address that begins with https:// or "
            "http:// and has no blanks."
        )
    summary = summarize(run)
    if summary.overall is None or summary.overall.rate is None:
        raise InvalidRunError(
            f"{run.path} has no overall success rate ({_why(summary)}), so there is nothing to "
            "publish; finish it, or run the whole suite."
        )
    rate, info = summary.overall.rate, run.info
    entry: dict[str, Json] = {
        "dataset": {"id": benchmark.dataset, "task_id": benchmark.task or info.suite},
        "value": round(100 * rate.value, 4),
        "date": (info.finished_at or info.created_at)[:10],
    }
    if benchmark.source is not None:
        entry["source"] = {"url": benchmark.source, "name": f"vlabench run {info.run_id}"}
    return entry | {"notes": "; ".join(_notes(summary, info.vlabench_version))}


def _why(summary: Summary) -> str:
    header = summary.header
    if not summary.valid:
        return f"{summary.missing} of {summary.planned} episodes are missing"
    if header.stopped_early:
        return "it ended as soon as a comparison was decided"
    if not header.complete:
        return "these are not all of the suite's own episodes"
    if summary.overall is not None:
        return "a task has no changed episode with a result"
    return "all that the suite changes is diagnostic"


def _notes(summary: Summary, version: str) -> Iterator[str]:
    """What must be known of the number."""
    if summary.overall is None or summary.overall.rate is None:
        return
    header, rate = summary.header, summary.overall.rate
    yield (
        f"success rate in percent, mean over tasks, 95 % interval {100 * rate.low:.1f} to "
        f"{100 * rate.high:.1f}, {rate.n} episodes"
    )
    yield f"vlabench {version}, suite {header.suite} v{header.suite_version}"
    yield f"manifest {header.manifest_hash}, world {header.env_fingerprint}"
    if summary.missing:
        yield f"{summary.missing} episodes missing"
    if header.privileged:
        yield "the policy reads the simulator's state"
    if not header.certified:
        yield "nobody has shown that each of these episodes can be solved"
    if not header.conditions.reproducible:
        yield "simulated latency as measured, which cannot be repeated"
    elif header.conditions.latency_ms is not None:
        yield f"simulated latency {header.conditions.latency_ms:g} ms"
    if header.conditions.mismatches:
        yield f"mismatch allowed: {', '.join(header.conditions.mismatches)}"


# --- the table --------------------------------------------------------------------------------


def columns() -> dict[str, str]:
    """The columns in order, each with its kind: text, boolean, integer, number or JSON as text."""
    hints = get_type_hints(EpisodeRecord)
    own = {field.name: _kind(hints[field.name]) for field in fields(EpisodeRecord)}
    return {"policy": "text", "privileged": "boolean", **own}


_KINDS: dict[object, str] = {str: "text", bool: "boolean", int: "integer", float: "number"}


def _kind(hint: object) -> str:
    if get_origin(hint) is Literal:
        return "text"
    options = [option for option in get_args(hint) or (hint,) if option is not type(None)]
    return _KINDS.get(options[0], "json") if len(options) == 1 else "json"


def _rows(run: Run) -> Iterator[dict[str, Cell]]:
    kinds = columns()
    found = {record.episode_id: record for record in run.records}
    policy: dict[str, Json] = {
        "policy": run.info.policy.label,
        "privileged": run.info.policy.privileged,
    }
    for episode in run.needed:
        record = found.get(episode.episode_id)
        told = _missing(run, episode) if record is None else record.to_json()
        told |= policy
        yield {name: _cell(kind, told.get(name)) for name, kind in kinds.items()}


def _missing(run: Run, episode: PlannedEpisode) -> dict[str, Json]:
    """What is known of an episode without a record."""
    info = run.info
    return {
        "run_id": info.run_id,
        "suite": info.suite,
        "suite_version": info.suite_version,
        "suite_hash": info.manifest_hash,
        "env_fingerprint": info.env_fingerprint,
        "contract_fingerprint": info.contract_fingerprint,
        "status": "missing",
        "episode_id": episode.episode_id,
        "control_id": episode.control_id,
        "task": episode.task,
        "changes": [asdict(change) for change in episode.changes],
        "index": episode.index,
        "seed": episode.seed,
        "horizon": episode.horizon,
    }


def _cell(kind: str, value: Json) -> Cell:
    if value is None or kind != "json":
        found: Cell = value
        return found
    return canonical_json(value)


def _write_csv(run: Run, path: Path) -> None:
    kinds = columns()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(kinds), lineterminator="\n")
        writer.writeheader()
        for row in _rows(run):
            writer.writerow({name: _csv_text(kinds[name], cell) for name, cell in row.items()})


def _csv_text(kind: str, cell: Cell) -> Cell:
    if isinstance(cell, bool):
        return str(cell).lower()
    return no_formula(cell) if kind == "text" and isinstance(cell, str) else cell


def _write_parquet(run: Run, path: Path) -> None:
    """The table, with what ``run.json`` says in its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "text": pa.string(),
        "json": pa.string(),
        "boolean": pa.bool_(),
        "integer": pa.int64(),
        "number": pa.float64(),
    }
    schema = pa.schema(
        [(name, types[kind]) for name, kind in columns().items()],
        metadata={"vlabench.run": canonical_json(run.info.to_json())},
    )
    rows = _rows(run)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while portion := list(islice(rows, ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(portion, schema=schema))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Writes to `path`, all of it or nothing."""
    refuse_run_file(path)
    scratch = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.unlink(missing_ok=True)  # it may be a link that somebody has put there
        write(scratch)
        scratch.replace(path)
    except OSError as error:
        raise UsageError(
            f"Cannot write {path} ({error.strerror or error}); give another --out."
        ) from error
