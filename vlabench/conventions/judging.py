"""Which suspects explain the expert better than the declaration does, and how sure that is.

Episodes are what repeats: each gives a suspect and the declaration one agreement, from the same
questions, and were the two as good, the difference might as well have had the other sign. So all
signs are tried, those of an episode together for all suspects, and a gain counts by how rarely the
largest gain of any suspect would then be as sure: who tries seventy explanations finds one that
fits (the step of Westfall and Young 1993 that takes the maximum, by sign flips as in Winkler et
al. 2014, doi:10.1016/j.neuroimage.2014.01.060).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlabench.conventions.agreement import Scores, compared, mean_of, scores
from vlabench.conventions.asking import Asking
from vlabench.conventions.reading import ALL, Part, Reading, Suspect
from vlabench.seeding import stream
from vlabench.types import Floats

LEVEL = 0.05
"""How often a right declaration may be accused, over all suspects."""

GAIN = 0.1
"""The least gain in agreement that is worth a word."""

MEANINGFUL = 0.3
"""The agreement below which there is nothing that can be said to be understood."""

EXHAUSTIVE = 12
FLIPS = 9999
"""Of up to so many episodes all flips of signs are tried, of more so many at random."""

SAME = 0.02
"""Agreements nearer than this are one: the simpler suspect is named."""

FEWEST = 6
"""Episodes below which no fault can be sure: all signs of five have the chance 1/32, and of that
there are two, since a suspect that is always worse is as sure as one that is always better."""

STEADY = 0.02
"""Added to every standard error: gains that are small and equal in all episodes are no wonder."""

BROKEN = 0.25
"""Rows that agree by less than this share of the rows before them have nothing to do with them."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How far one reading agrees with the expert, in each episode.

    Attributes:
        here: With what the expert did there.
        elsewhere: With what it did at the same step of another episode.
    """

    here: tuple[Scores, ...]
    elsewhere: tuple[Scores, ...]

    @property
    def agreement(self) -> float:
        """Over all parts and episodes."""
        return _mean(found for episode in self.here if (found := mean_of(episode, ALL)) is not None)

    @property
    def parts(self) -> dict[Part, float]:
        """Over all episodes that show something of a part."""
        return {
            part: _mean(episode[part] for episode in self.here if part in episode)
            for part in ALL
            if any(part in episode for episode in self.here)
        }


@dataclass(frozen=True, slots=True)
class Tried:
    """A suspect, its agreement, and what it gains in the parts that it touches.

    Attributes:
        suspect: What is suspected.
        trial: How far the policy agrees if it is so.
        gains: Against what it was compared with, in each episode that shows something of it; None
            for the others.
        explained: False where the gain has another reason that is as good.
        p_value: How rarely any suspect would gain so surely if none were better.
    """

    suspect: Suspect
    trial: Trial
    gains: tuple[float | None, ...]
    explained: bool = True
    p_value: float = 1.0

    @property
    def gain(self) -> float:
        """The mean."""
        return _mean(gain for gain in self.gains if gain is not None)

    @property
    def guilty(self) -> bool:
        """Whether it explains the expert better, beyond doubt, and so that it is worth a word."""
        return self._tells and self.p_value <= LEVEL and self.gain >= GAIN

    @property
    def dubious(self) -> bool:
        """Whether it explains so much better that nobody would call the declaration right."""
        gains = [gain for gain in self.gains if gain is not None]
        steady = len(gains) > 1 and min(gains) > 0 and self.gain >= MEANINGFUL
        unsure = self.p_value > LEVEL and self.trial.agreement >= MEANINGFUL
        return self._tells and steady and unsure

    @property
    def _tells(self) -> bool:
        parts = self.suspect.touches
        levels = (mean_of(one, parts) for one in self.trial.here)
        return self.explained and _mean(a for a in levels if a is not None) >= MEANINGFUL


def attempt(reading: Reading, asking: Asking, name: str = "all is as declared") -> Trial:
    """How far the policy agrees with the expert if it is understood as in `reading`.

    Raises:
        PolicyError: If it answers something that is no answer, or cannot be meant.
        ContractError: If it cannot be understood so.
        InfrastructureError: If its server is lost.
    """
    found = compared(reading, asking, name)
    action = reading.spec.action
    here = tuple(scores(action, told, meant) for told, meant, _ in found)
    elsewhere = tuple(scores(action, told, strange) for told, _, strange in found)
    return Trial(here, elsewhere)


def against(suspect: Suspect, trial: Trial, base: Trial, *, explained: bool = True) -> Tried:
    """`suspect` compared with `base`; how sure that is, `judged` says."""
    gains = differences(trial.here, base.here, suspect.touches)
    return Tried(suspect, trial, gains, explained)


def judged(tried: Sequence[Tried]) -> tuple[Tried, ...]:
    """The same, each with its p-value among all of them."""
    values = p_values([one.gains for one in tried])
    return tuple(replace(one, p_value=value) for one, value in zip(tried, values, strict=True))


def follows_the_scene(trial: Trial) -> bool:
    """Whether it agrees with the expert of this episode more than with that of another one."""
    return p_values([differences(trial.here, trial.elsewhere, ALL)])[0] <= LEVEL


def ranked(tried: Sequence[Tried]) -> tuple[Tried, ...]:
    """The guilty ones: the one to name, then those that no episode tells from it.

    Of suspects that agree alike the one that was listed first, and is simplest, is named.
    """
    guilty = [one for one in tried if one.guilty]
    if not guilty:
        return ()
    most = max(one.trial.agreement for one in guilty)
    named = next(one for one in guilty if one.trial.agreement >= most - SAME)
    others = [one for one in guilty if one is not named and _is_level(one, named)]
    return (named, *sorted(others, key=lambda one: -one.trial.agreement))


def _is_level(one: Tried, named: Tried) -> bool:
    """Whether nothing tells `one` from what is named: it agrees as well, or nearly and unsurely."""
    behind = named.trial.agreement - one.trial.agreement
    if behind > GAIN:
        return False
    apart = p_values([differences(named.trial.here, one.trial.here, ALL)])[0]
    return behind <= SAME or apart > LEVEL


def differences(
    one: Sequence[Scores], other: Sequence[Scores], parts: Sequence[Part]
) -> tuple[float | None, ...]:
    """`one` less `other` in each episode; None where it shows nothing of `parts` for both."""
    found: list[float | None] = []
    for mine, theirs in zip(one, other, strict=True):
        both = [part for part in parts if part in mine and part in theirs]
        found.append(_mean(mine[part] - theirs[part] for part in both) if both else None)
    return tuple(found)


def p_values(gains: Sequence[Sequence[float | None]]) -> list[float]:
    """For each row, how rarely the surest of all rows is as sure if signs are chance.

    A row of fewer than `FEWEST` episodes cannot be sure; its value is 1, and it counts for none of
    the others, since few signs are often all alike.

    Args:
        gains: A row for each suspect, a number for each episode.
    """
    full = [row for row in gains if sum(gain is not None for gain in row) >= FEWEST]
    values = iter(_p_values(full) if full else ())
    return [next(values) if row in full else 1.0 for row in gains]


def _p_values(gains: Sequence[Sequence[float | None]]) -> list[float]:
    table = np.array([[np.nan if gain is None else gain for gain in row] for row in gains])
    known = ~np.isnan(table)
    counts = np.maximum(known.sum(axis=1), 1)
    filled = np.where(known, table, 0.0)
    squares = (filled**2).sum(axis=1) / counts

    def sureness(signs: Floats) -> Floats:
        """Student's t of each row, less steady ones held back; ``(flips, rows)``."""
        means = signs @ filled.T / counts
        spread = np.maximum(squares - means**2, 0.0) / np.maximum(counts - 1, 1)
        found: Floats = means / (np.sqrt(spread) + STEADY)
        return found

    episodes = table.shape[1]
    largest = sureness(_signs(episodes)).max(axis=1)
    seen = sureness(np.ones((1, episodes)))[0]
    return [float((largest >= one - 1e-9).mean()) for one in seen]


def _signs(episodes: int) -> Floats:
    """All flips of so many signs, or, of more than `EXHAUSTIVE`, many of them: ``(flips, n)``."""
    if episodes <= EXHAUSTIVE:
        return np.array(list(itertools.product((1.0, -1.0), repeat=episodes)))
    drawn = stream("conventions", episodes).choice((1.0, -1.0), size=(FLIPS, episodes))
    return np.concatenate([np.ones((1, episodes)), drawn])


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
