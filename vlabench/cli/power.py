"""``vlabench power``: how many episodes a question needs, before they are run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from vlabench.errors import UsageError

DISCORDANCE = 0.2
PAIRS = (100, 500)
"""The quick tier, and the usual size of a comparison."""


def power_command(
    margin: Annotated[
        float, typer.Option(help="The drop in success rate that matters, 0 to 1.")
    ] = 0.05,
    discordance: Annotated[
        float | None,
        typer.Option(
            help="Share of episodes that one policy solves and the other does not; 0.2 unless the"
            " margin is larger."
        ),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Largest share of false alarms, one-sided.")] = 0.05,
    power: Annotated[float, typer.Option(help="How often the drop is to be seen.")] = 0.8,
    rate: Annotated[
        float, typer.Option(help="Success rate of the base, for unpaired episodes.")
    ] = 0.8,
    pairs: Annotated[
        list[int] | None, typer.Option(help="What can be seen with so many pairs.", metavar="N")
    ] = None,
) -> None:
    """Say how many episodes a question needs."""
    share = max(DISCORDANCE, margin) if discordance is None else discordance
    try:
        lines = [
            *_question(margin, share, alpha, power),
            *_needed(margin, share, alpha, power, rate),
            "",
            *_seen(pairs or PAIRS, share, alpha, power),
        ]
    except ValueError as error:
        raise UsageError(str(error)) from error
    typer.echo("\n".join(lines))


def _question(margin: float, discordance: float, alpha: float, power: float) -> Iterator[str]:
    yield (
        f"A drop of {_points(margin)}, alpha {alpha:g} one-sided, power {_percent(power)},"
        f" {_percent(discordance)} of the pairs differing:"
    )


def _needed(
    margin: float, discordance: float, alpha: float, power: float, rate: float
) -> Iterator[str]:
    from vlabench import stats

    to_see = stats.required_pairs(margin, discordance, alpha, power)
    to_clear = stats.required_pairs_noninferiority(margin, discordance, alpha, power)
    apart = stats.required_unpaired(margin, rate, alpha, power)
    yield f"{to_see:>8,} pairs       show the drop, if there is one"
    yield f"{to_clear:>8,} pairs       show that the drop is smaller, if there is none"
    yield (
        f"{apart:>8,} an arm      show the drop without pairs,"
        f" from {_percent(rate)} to {_percent(rate - margin)}"
    )


def _seen(pairs: Sequence[int], discordance: float, alpha: float, power: float) -> Iterator[str]:
    from vlabench import stats

    for count in pairs:
        smallest = stats.smallest_effect(count, discordance, alpha, power)
        told = "no drop at all" if smallest is None else f"a drop of {_points(smallest)} or more"
        yield f"{count:>8,} pairs       show {told}"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
