"""A comparison as plain text, and the sentences that every other form of it shares.

What policies and suites are called was written by others, so it stands on one line, without
control characters, and nothing of it can be taken for a command to whoever reads the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vlabench.report.form import NO_DATA, TableRow, aligned, percent, plain, signed, wrapped

if TYPE_CHECKING:
    from vlabench.comparison import Comparison, Flip, Line, Side
    from vlabench.stats import Effect

MOST_FLIPS = 10
"""Episodes that text and Markdown list of each kind; JSON has all."""

WIDTH = 98

COLUMNS = ("base", "new", "change", "interval", "lost", "won", "pairs", "p", "")
COLUMNS_UNPAIRED = ("base", "new", "change", "interval", "n base", "n new", "p", "")
LEGEND = (
    "Success in percent, the mean over tasks of the same weight; change is new less base, in "
    "points. Lost are pairs that only the base solved, won those that only the new run did. p is "
    "one-sided, of 'the new run is worse', by McNemar's mid-p test; over axes it is Holm's. Single "
    "tasks are for information: nothing is tested about them."
)
LEGEND_UNPAIRED = (
    "Success in percent, the mean over the tasks that both runs have, of the same weight; change "
    "is new less base, in points. p is one-sided, of 'the new run is worse', by Boschloo's test; "
    "over axes it is Holm's. Single tasks are for information: nothing is tested about them."
)


def verdict_text(comparison: Comparison) -> str:
    """Aligned plain text, at most 100 columns wide where names are of moderate length."""
    head, table = table_of(comparison)
    blocks = [
        wrapped(headline(comparison), WIDTH),
        [f"{label:<4}  {rate:>15}  {what}" for label, (rate, what) in sides(comparison)],
        [line for fact in facts(comparison) for line in wrapped(fact, WIDTH)],
        aligned([head, *table]),
        *flips_text(comparison),
        *(wrapped(f"Warning: {warning}", WIDTH) for warning in comparison.warnings),
        *(wrapped(f"Note: {note}", WIDTH) for note in comparison.notes),
        wrapped(LEGEND if comparison.paired else LEGEND_UNPAIRED, WIDTH),
    ]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return "".join(f"{harmless(line)}\n" for line in text.split("\n"))


def headline(comparison: Comparison) -> str:
    """The verdict in one sentence."""
    verdict, points = comparison.verdict, f"{abs(100 * comparison.verdict.difference):.1f} points"
    within = f"the margin of {100 * verdict.rule.margin:g} points"
    if verdict.outcome == "REGRESSED":
        told = f"{points} worse than the base"
        if comparison.sequential:
            told = f"worse than the base, by {points} when it was stopped"
        if verdict.tolerable:
            told += f", but for certain by less than {100 * verdict.rule.tolerated:g} points"
    elif verdict.outcome == "IMPROVED":
        told = f"{points} better than the base"
    elif verdict.outcome == "NON-INFERIOR":
        told = f"not worse than the base by more than {within}"
    else:
        told = f"too few pairs to say whether it is worse than the base by more than {within}"
    unpaired = "" if comparison.paired else ", UNPAIRED"
    return plain(f"{verdict.outcome}{unpaired}: {comparison.new.label} is {told}.").replace(
        "is too few pairs", "has too few pairs" if comparison.paired else "has too few episodes"
    )


def sides(comparison: Comparison) -> list[TableRow]:
    """The two runs: what they are called, and their success rates."""
    overall = comparison.overall
    return [
        ("base", _side(comparison.base, overall.base_rate, overall.base_n)),
        ("new", _side(comparison.new, overall.new_rate, overall.new_n)),
    ]


def facts(comparison: Comparison) -> Iterator[str]:
    """What always stands beside a verdict, a sentence each."""
    verdict, overall = comparison.verdict, comparison.overall
    low, high = (signed(end) for end in overall.interval)
    coverage = f"{100 * verdict.rule.confidence:g} % interval {low} to {high}"
    if comparison.sequential:
        coverage += ", which does not allow for the stopping"
    tested = "" if verdict.p_value is None else f", p {_equals(verdict.p_value)}"
    yield f"Change: {signed(overall.difference)} points ({coverage}{tested})."
    if comparison.discordance is not None:
        yield (
            f"Of {overall.base_n} pairs, {overall.base_only} were solved by the base only (b) and "
            f"{overall.new_only} by the new run only (c): {percent(comparison.discordance)} % "
            f"differ.{_flipping(comparison)}"
        )
    if comparison.sequential:
        yield (
            "Judged pair by pair in the manifest's order, to end as soon as it is decided, at "
            f"alpha {verdict.rule.alpha:g} and a margin of {100 * verdict.rule.margin:g} points."
        )
        if comparison.evidence is not None:
            regressed, non_inferior = comparison.evidence
            yield (
                f"E-values: {regressed:.3g} for a regression, {non_inferior:.3g} for "
                f"non-inferiority; {1 / verdict.rule.alpha:g} decides."
            )
    elif comparison.paired:
        yield _sight(comparison)
    if comparison.progress is not None:
        yield _progress(comparison.progress, verdict.rule.confidence)
    for name, (base, new) in comparison.differences.items():
        yield plain(f"Not paired: {name} is {base} in the base and {new} in the new run.")
    yield (
        f"Missing: {comparison.base.missing} of {comparison.base.episodes} in the base, "
        f"{comparison.new.missing} of {comparison.new.episodes} in the new run."
    )
    yield plain(
        f"{comparison.suite}, manifest {comparison.manifest_hash}, world "
        f"{comparison.env_fingerprint}."
    )


def table_of(comparison: Comparison) -> tuple[TableRow, list[TableRow]]:
    """The head, and the rates by axis and by task; a label alone is the title of what follows."""
    lines: list[TableRow] = []
    for title, part in (("by axis", comparison.axes), ("by task", comparison.tasks)):
        lines += [(title, ())] if part else []
        lines += [(f"  {plain(line.name or '')}", _cells(line)) for line in part]
    everything = ("all episodes", _cells(comparison.overall))
    head = ("", COLUMNS if comparison.paired else COLUMNS_UNPAIRED)
    return head, [everything, *lines]


def flips(comparison: Comparison) -> Iterator[tuple[str, Sequence[Flip], int]]:
    """A title for each kind of flipped episodes, those to list, and how many are left out."""
    for lost, who in ((True, "the base"), (False, "the new run")):
        found = [flip for flip in comparison.flips if flip.lost == lost]
        if found:
            kind = "Lost" if lost else "Won"
            title = f"{kind}: {len(found)} solved by {who} only"
            yield title, found[:MOST_FLIPS], max(0, len(found) - MOST_FLIPS)


def flips_text(comparison: Comparison) -> Iterator[list[str]]:
    """The flipped episodes, each with the commands that show it."""
    for title, shown, more in flips(comparison):
        yield [title, *flip_lines(comparison, shown), *([left_out(more)] if more else [])]


def flip_lines(comparison: Comparison, shown: Sequence[Flip]) -> Iterator[str]:
    """A command for each run that can be replayed, and which episode it shows as a remark."""
    for flip in shown:
        commands = comparison.replays(flip) or (flip.episode_id,)
        for command in commands:
            yield f"  {plain(command)}  # {describe(flip)}"


def left_out(more: int) -> str:
    """What stands where the rest of a list would."""
    return f"  and {more} more, which --format json lists"


def describe(flip: Flip) -> str:
    """Which episode it is, in words."""
    return plain(f"{flip.task}, {flip.changes or 'unchanged'}, scene {flip.index}")


def probability(p: float | None) -> str:
    """A p-value, short."""
    if p is None:
        return NO_DATA
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _progress(effect: Effect, confidence: float) -> str:
    low, high = (signed(end) for end in effect.interval)
    return (
        f"Progress, the share of stages reached: {signed(effect.value)} points "
        f"({100 * confidence:g} % interval {low} to {high}, p {_equals(effect.p_value)} two-sided)."
    )


def _equals(p: float) -> str:
    return probability(p) if p < 0.0001 else f"= {probability(p)}"


def harmless(line: str) -> str:
    """`line` such that a runner of GitHub Actions takes it for nothing but text."""
    line = line.replace("##[", "## [")
    return re.sub(r"^(\s*)::", r"\1: :", line)


def _side(side: Side, rate: float, count: int) -> tuple[str, str]:
    return f"{percent(rate)} % of {count}", plain(f"{side.label}  ({side.source})")


def _cells(line: Line) -> tuple[str, ...]:
    low, high = (signed(end) for end in line.interval)
    rates = (percent(line.base_rate), percent(line.new_rate), signed(line.difference))
    last = (probability(line.p_value), (line.outcome or "").lower())
    if line.base_only is None:
        return (*rates, f"{low} to {high}", str(line.base_n), str(line.new_n), *last)
    counts = (str(line.base_only), str(line.new_only), str(line.base_n))
    return (*rates, f"{low} to {high}", *counts, *last)


def _flipping(comparison: Comparison) -> str:
    if comparison.flip_rate is None:
        return ""
    return (
        f" Run twice, {percent(comparison.flip_rate)} % of the episodes of one policy come out "
        "otherwise."
    )


def _sight(comparison: Comparison) -> str:
    smallest = comparison.smallest_effect
    if smallest is None:
        return "So few pairs show no drop, however large, with a probability of 80 %."
    return (
        f"With a probability of 80 % so many pairs show a drop of {percent(smallest)} points or "
        "more."
    )
