"""What stands in words and numbers on the page of a run."""

from __future__ import annotations

from collections.abc import Iterator

from vlabench.figures.changes import cells
from vlabench.report import Row, Summary
from vlabench.report.form import percent
from vlabench.report.tables import rows
from vlabench.store import Run


def badges(summary: Summary) -> Iterator[tuple[str, str]]:
    """A word each, and whether it is a warning."""
    header = summary.header
    if header.privileged:
        yield "privileged", ""
    yield ("certified", "good") if header.certified else ("uncertified", "bad")
    if not summary.valid:
        yield "not valid", "bad"
    if not header.complete:
        yield "partial", "bad"
    elif not header.published_draws:
        yield "not a published suite", ""
    if header.stopped_early:
        yield "stopped early", "bad"
    if not header.conditions.reproducible:
        yield "not reproducible", "bad"
    elif header.conditions.latency_ms is not None:
        yield f"latency {header.conditions.latency_ms:g} ms", ""
    if header.conditions.mismatches:
        yield "mismatch allowed", "bad"


def tiles(summary: Summary) -> Iterator[tuple[str, str, str]]:
    """What it is, the figure, and what stands below it."""
    overall, nominal = summary.overall, summary.nominal
    if overall and overall.rate:
        yield _rate_tile("success", overall)
    if nominal and nominal.rate and summary.axes:
        yield _rate_tile("unchanged", nominal)
    worst = summary.worst_axis
    if worst and worst.rate and len(summary.axes) > 1:
        yield "lowest under", f"{percent(worst.rate.value)} %", f"{worst.axis}"
    timed = overall or nominal
    if timed and timed.time_s is not None:
        yield "time to success", f"{timed.time_s:.1f} s", "mean, failures at their horizon"
    rough = summary.roughness
    if rough is not None:
        low, high = rough.collision_interval
        told = f"{percent(low)} to {percent(high)} of episodes"
        yield "collisions in", f"{percent(rough.collision_rate)} %", told
        yield "contact force", f"{rough.max_force_p95_n:.0f} N", "95th percentile, at 20 Hz"
    done = summary.planned - summary.missing
    told = f"missing: {summary.missing} · policy errors: {summary.policy_errors}"
    yield "episodes", f"{done:,}", told


def _rate_tile(name: str, row: Row) -> tuple[str, str, str]:
    rate = row.rate
    if rate is None:
        return name, "–", ""
    interval = f"{percent(rate.low)} to {percent(rate.high)}, n = {rate.n}"
    return name, f"{percent(rate.value)} %", interval


def blocks(summary: Summary) -> list[tuple[str, list[tuple[str, ...]]]]:
    """The table, in blocks: the means over tasks first, then task by task."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for row in rows(summary):
        if row.kind != "compliance":
            found.setdefault(row.task or "Mean over tasks", []).append(cells(row))
    return list(found.items())


def provenance(run: Run) -> Iterator[tuple[str, str]]:
    """What ran, where and when: a name and a value each."""
    info = run.info
    yield "run", info.run_id
    yield "command", info.command
    yield "policy", info.policy.label
    if info.policy.revision:
        yield "revision", info.policy.revision
    yield "suite", f"{info.suite} v{info.suite_version}"
    yield "manifest", info.manifest_hash
    yield "world", info.env_fingerprint
    yield "contract", info.contract_fingerprint
    yield "begun", info.created_at
    yield "ended", info.finished_at or "not yet"
    yield "vlabench", info.vlabench_version
    if info.git is not None:
        yield "commit", f"{info.git.commit}{' (changed)' if info.git.dirty else ''}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in info.versions.items())
    yield "machine", ", ".join(part for part in (info.os, info.cpu) if part)
    yield "records", f"SHA-256 {info.episodes_sha256}" if info.episodes_sha256 else "unfinished"
