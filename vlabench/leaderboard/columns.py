"""The columns of the leaderboard: what each says, and what may stand in it.

The JSON Schema beside the file is made from this table, and every row is checked against it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from vlabench.registry import AXES, load_attribute
from vlabench.types import Json

Cell: TypeAlias = str | int | float | bool | None
"""None is an empty cell: there is no data, and never 0 instead."""

Kind: TypeAlias = Literal["text", "integer", "number", "boolean", "milliseconds"]


@dataclass(frozen=True, slots=True)
class Column:
    """What may stand in a column.

    Attributes:
        kind: Of its cells; ``"milliseconds"`` are a number or the word ``measured``.
        says: What a cell means.
        low: The least that a number may be.
        high: The most.
        choices: The words that a text may be; any if there are none.
        pattern: What a text must match.
        needed: Whether no cell may be empty.
    """

    kind: Kind
    says: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    needed: bool = False

    def read(self, text: str) -> Cell:
        """The value of a cell's text; the text itself where it is none of this kind."""
        if text == "":
            return None
        if self.kind == "boolean":
            return {"true": True, "false": False}.get(text, text)
        try:
            if self.kind == "integer":
                return int(text)
            if self.kind in ("number", "milliseconds"):
                return float(text) if math.isfinite(float(text)) else text
        except ValueError:
            return text
        return text

    def schema(self) -> dict[str, Json]:
        """The JSON Schema of a cell."""
        kinds = {"text": "string", "milliseconds": "number"}
        bounds = {
            "minimum": self.low,
            "maximum": self.high,
            "pattern": self.pattern,
            "minLength": 1 if self.kind == "text" and self.needed else None,
        }
        one: dict[str, Json] = {"type": kinds.get(self.kind, self.kind)}
        one |= {name: bound for name, bound in bounds.items() if bound is not None}
        if self.choices:
            one = {"enum": list(self.choices)}
        allowed = [one] + [{"const": "measured"}] * (self.kind == "milliseconds")
        if not self.needed:
            allowed.append({"type": "null"})
        described = {"description": self.says}
        return described | (one if len(allowed) == 1 else {"anyOf": allowed})


def _text(says: str, *choices: str, needed: bool = False, pattern: str | None = None) -> Column:
    return Column("text", says, choices=choices, needed=needed, pattern=pattern)


def _share(says: str) -> Column:
    return Column("number", says, low=0, high=1)


def _amount(says: str) -> Column:
    return Column("number", says, low=0)


def _flag(says: str) -> Column:
    return Column("boolean", says, needed=True)


IDENTITY: Mapping[str, Column] = {
    "rank": Column(
        "integer", "1 + the number of rows of the same ranking that are significantly better", low=1
    ),
    "letters": _text("rows of one ranking that share a letter do not differ significantly"),
    "policy": _text("name of the policy", needed=True),
    "checkpoint": _text("name or path of its weights, as it was asked for"),
    "revision": _text("the state of it that it declares"),
    "params": Column(
        "integer",
        "number of its parameters, as it declares, its host counted, or its submitter says",
        low=0,
    ),
    "weight_type": _text(
        "'shared' weights that many tasks are asked of, or 'finetuned' ones, as its card or its "
        "submitter says",
        "shared",
        "finetuned",
    ),
    "trained_on": _text(
        "what of this benchmark it was trained on, as its submitter says: nothing ('zero-shot'), "
        "unchanged scenes ('nominal') or changed ones ('axis')",
        "zero-shot",
        "nominal",
        "axis",
    ),
    "privileged": _flag("whether it reads the simulator's state"),
    "suite": _text("name of the suite", needed=True),
    "suite_version": Column("integer", "its version", low=1, needed=True),
    "complete": _flag(
        "whether these are all the suite's own episodes, run to the last; if not, there is no "
        "overall"
    ),
    "certified": _flag("whether each of the episodes is known to be solvable in this world"),
    "latency_setting_ms": Column(
        "milliseconds",
        "simulated milliseconds of every answer; 'measured' for what each took, which no other "
        "machine repeats; empty where the world waited",
        low=0,
    ),
    "allow_mismatch": _text(
        "in what policy and environment did not agree and were let run; no rank then"
    ),
    "manifest_hash": _text("of the episodes", needed=True),
    "env_fingerprint": _text("of the world", needed=True),
    "contract_fingerprint": _text("of the policy's own pipeline; no part of the ranking"),
}

SCORES: Mapping[str, Column] = {
    "success_rate": _share(
        "mean over tasks of the changed episodes, or of all where nothing changes; empty where "
        "all that is changed is diagnostic, and for a run that is not complete"
    ),
    "ci_low": _share("lower end of its 95 % interval"),
    "ci_high": _share("upper end"),
    "n": Column("integer", "episodes that it is the mean of", low=1),
    "success_rate_nominal": _share("mean over tasks of the unchanged episodes"),
}

AXIS_SCORES: Mapping[str, Column] = {
    "success_rate": _share("mean over tasks under this axis"),
    "gap": Column(
        "number", "success rate of the unchanged twins less that under this axis", low=-1, high=1
    ),
    "retention": _amount("ratio of the two; empty where the twins' rate is under 20 %"),
}
"""Each becomes a column ``<score>_<axis>`` for each axis that is no diagnostic."""

COMPLIANCE: Mapping[str, Column] = {
    "compliance": _share("mean over tasks of the share of episodes under this axis that complied"),
}
"""A column ``compliance_<axis>`` for each diagnostic axis."""

REST: Mapping[str, Column] = {
    "worst_axis": _text("axis with the lowest success rate"),
    "avg_chain_length": _amount("stages finished in a row, mean over the tasks that have several"),
    "progress": _share(
        "mean over tasks of the share of stages finished, of the episodes of success_rate"
    ),
    "latency_ms_p95": _amount("median over episodes of the 95th percentile of an answer's latency"),
    "inference_s_per_episode": _amount(
        "mean seconds that the model took for an episode, as whoever ran it says; where nobody "
        "does, those that the worker waited for it, queue and network included"
    ),
    "gpu_memory_gb": _amount(
        "most GPU memory that the model's process had allocated, in 10^9 bytes, as its host "
        "measured or its submitter says; empty without a GPU or where nobody knows"
    ),
    "collision_rate": _share("share of episodes in which the robot collided with something"),
    "max_force_p95_n": _amount(
        "95th percentile over episodes of the largest contact force, in newtons, sampled at 20 Hz"
    ),
    "flip_rate": _share("share of the episodes that were run twice and succeeded once"),
    "n_missing": Column("integer", "episodes without a result", low=0, needed=True),
    "provenance": _text(
        "who vouches for it: its submitter, somebody else who repeated the run, or the "
        "maintainers, who did",
        "self-reported",
        "reproduced",
        "verified",
        needed=True,
    ),
    "submitter": _text("who entered it"),
    "date": _text(
        "day on which the run ended, or began if it has not",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        needed=True,
    ),
    "run_id": _text("name of the run; one row each", needed=True),
}

MET = ("suite", "suite_version", "manifest_hash", "env_fingerprint")
"""Which episodes a row is of; every leaderboard has these columns."""

RANKING = (*MET, "latency_setting_ms", "allow_mismatch")
"""What the rows of one ranking share; the last two are empty in files that are older than they."""

OVERALL = ("success_rate", "ci_low", "ci_high", "n", "rank", "letters", "worst_axis")
"""What only a complete and valid run has."""


def columns(present: Sequence[str] = ()) -> dict[str, Column | None]:
    """Every column in its place; of one that nobody knows but the file, None, at the end.

    Args:
        present: Columns that are there already. Those of an axis that this version does not know
            are known by their names.
    """
    diagnostic = set(load_attribute("vlabench.envs.axes:DIAGNOSTIC"))
    by_axis = _by_axis(AXIS_SCORES, set(AXES.names()) - diagnostic, present)
    complied = _by_axis(COMPLIANCE, diagnostic, present)
    known = {**IDENTITY, **SCORES, **dict(by_axis), **dict(complied), **REST}
    return {**known, **{name: None for name in present if name not in known}}


def _by_axis(
    scores: Mapping[str, Column], axes: set[str], present: Sequence[str]
) -> Iterator[tuple[str, Column]]:
    """A column for each of the scores and each axis, known or in a present column's name."""
    named = {
        name.removeprefix(f"{score}_")
        for name in present
        for score in scores
        if name.startswith(f"{score}_") and name not in SCORES
    }
    for axis in sorted(axes | named):
        for score, column in scores.items():
            yield f"{score}_{axis}", column


def schema() -> dict[str, Json]:
    """The JSON Schema of a row whose empty cells are null: that of a committed leaderboard."""
    known = {name: column for name, column in columns().items() if column is not None}
    patterns = {
        f"^{score}_[a-z0-9-]+$": column.schema()
        for score, column in {**AXIS_SCORES, **COMPLIANCE}.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A row of the vlabench leaderboard",
        "description": "One run; a number is null where there is no data, and never 0 instead.",
        "type": "object",
        "properties": {name: column.schema() for name, column in known.items()},
        "patternProperties": patterns,
        "additionalProperties": {"type": ["string", "null"]},
        "required": [name for name, column in known.items() if column.needed],
        "allOf": [
            _if({"complete": {"const": False}}, OVERALL, "a part of a suite has no overall"),
            _if(
                {"success_rate": {"type": "null"}},
                OVERALL,
                "without a success rate there is none of it",
            ),
            {
                "if": _all({"success_rate": {"type": "number"}}),
                "then": _all({name: {"type": "number"} for name in ("ci_low", "ci_high", "n")}),
            },
            _if(
                {"latency_setting_ms": {"const": "measured"}},
                ("rank", "letters"),
                "a measured latency cannot be repeated, so there is no rank",
            ),
            _if(
                {"allow_mismatch": {"type": "string"}},
                ("rank", "letters"),
                "a mismatch was allowed, so there is no rank",
            ),
            _if({"rank": {"type": "null"}}, ("letters",), "without a rank there are no letters"),
            {
                "if": _all({"rank": {"type": "integer"}}),
                "then": _all({"letters": {"type": "string"}}),
            },
        ],
    }


def _all(properties: Mapping[str, Json]) -> dict[str, Json]:
    return {"properties": dict(properties), "required": list(properties)}


def _if(properties: Mapping[str, Json], empty: Sequence[str], why: str) -> dict[str, Json]:
    """Where the properties hold, the cells `empty` are."""
    null = {"type": "null", "description": why}
    return {"if": _all(properties), "then": {"properties": dict.fromkeys(empty, null)}}
