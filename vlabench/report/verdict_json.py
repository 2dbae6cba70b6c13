"""A comparison as JSON: every figure at full precision, and every flipped episode."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from vlabench.report.verdict import headline
from vlabench.types import Json

if TYPE_CHECKING:
    from vlabench.comparison import Comparison, Flip, Line
    from vlabench.errors import VlabenchError
    from vlabench.stats import Effect

VERSION = "1.0"
"""Of this form; the first number changes where a reader must."""


def verdict_json(comparison: Comparison) -> str:
    """The text of a JSON object, with sorted keys."""
    return json.dumps(as_data(comparison), indent=2, sort_keys=True, allow_nan=False) + "\n"


def error_json(error: VlabenchError) -> str:
    """The same where there is no comparison, because of `error`."""
    told = {"version": VERSION, "outcome": None, "error": type(error).__name__, "text": str(error)}
    return json.dumps(told, indent=2, sort_keys=True) + "\n"


def as_data(comparison: Comparison) -> dict[str, Json]:
    """The same as plain values."""
    verdict = comparison.verdict
    return {
        "version": VERSION,
        "headline": headline(comparison),
        "outcome": verdict.outcome,
        "failed": verdict.failed,
        "tolerable": verdict.tolerable,
        "non_inferior": verdict.non_inferior,
        "paired": comparison.paired,
        "sequential": comparison.sequential,
        "difference": verdict.difference,
        "interval": list(verdict.interval),
        "confidence": verdict.rule.confidence,
        "p_value": verdict.p_value,
        "alpha": verdict.rule.alpha,
        "margin": verdict.rule.margin,
        "min_effect": verdict.rule.tolerated,
        "discordance": comparison.discordance,
        "flip_rate": comparison.flip_rate,
        "smallest_effect": comparison.smallest_effect,
        "evidence": _evidence(comparison),
        "progress": _effect(comparison.progress),
        "suite": comparison.suite,
        "manifest_hash": comparison.manifest_hash,
        "env_fingerprint": comparison.env_fingerprint,
        "differences": {name: list(values) for name, values in comparison.differences.items()},
        "base": asdict(comparison.base),
        "new": asdict(comparison.new),
        "overall": _line(comparison.overall),
        "axes": [_line(line) for line in comparison.axes],
        "tasks": [_line(line) for line in comparison.tasks],
        "flips": [_flip(comparison, flip) for flip in comparison.flips],
        "warnings": list(comparison.warnings),
        "notes": list(comparison.notes),
    }


def _effect(effect: Effect | None) -> Json:
    if effect is None:
        return None
    return {
        "difference": effect.value,
        "interval": list(effect.interval),
        "p_value_two_sided": effect.p_value,
    }


def _evidence(comparison: Comparison) -> Json:
    if comparison.evidence is None:
        return None
    regressed, non_inferior = map(_finite, comparison.evidence)
    decides = 1 / comparison.verdict.rule.alpha
    return {"e_regressed": regressed, "e_noninferior": non_inferior, "decides_at": decides}


def _finite(value: float) -> float:
    """JSON has no infinity."""
    return min(value, sys.float_info.max)


def _line(line: Line) -> dict[str, Json]:
    return {**asdict(line), "interval": list(line.interval)}


def _flip(comparison: Comparison, flip: Flip) -> dict[str, Json]:
    return {
        "episode_id": flip.episode_id,
        "task": flip.task,
        "changes": flip.changes,
        "index": flip.index,
        "lost": flip.lost,
        "replay": list(comparison.replays(flip)),
    }
