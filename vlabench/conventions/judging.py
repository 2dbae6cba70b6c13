"""Which suspects explain the expert better than the declaration does, and how sure that is.

Episodes are what repeats: each gives a suspect and the declaration one agreement, from the same
questions. The mean difference is tested by a paired t-test, one-sided, at a level that is shared
out among all suspects (Bonferroni), since who tries seventy explanations finds one that fits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from vlabench.conventions.agreement import Scores, compared, mean_of, scores
from vlabench.conventions.asking import Asking
from vlabench.conventions.reading import ALL, Part, Reading, Suspect

LEVEL = 0.05
"""How often a right declaration may be accused, over all suspects."""

GAIN = 0.1
"""The least gain in agreement that is worth a word."""

MEANINGFUL = 0.3
"""The agreement below which there is nothing that can be said to be understood."""

SAME = 0.02
"""Agreements nearer than this are one: the simpler suspect is named."""

FEWEST = 3
"""Episodes below which no difference is tested."""

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
class Test:
    """The mean of paired differences, and how sure it is that it is above 0.

    Attributes:
        mean: Of the differences.
        low: Its lower bound, which holds for all suspects at once with 1 - `LEVEL`.
        p_value: That the mean is 0 or less, times the number of suspects, at most 1.
        episodes: How many there were.
    """

    mean: float
    low: float
    p_value: float
    episodes: int

    @property
    def above(self) -> bool:
        """Whether it is sure."""
        return self.episodes >= FEWEST and self.low > 0


@dataclass(frozen=True, slots=True)
class Tried:
    """A suspect, its agreement, and what it gains in the parts that it touches.

    Attributes:
        suspect: What is suspected.
        trial: How far the policy agrees if it is so.
        gain: Against the reading that it was compared with.
        guilty: Whether it explains the expert better, beyond doubt and worth a word.
    """

    suspect: Suspect
    trial: Trial
    gain: Test
    guilty: bool


def attempt(reading: Reading, asking: Asking, name: str = "as declared") -> Trial:
    """How far the policy agrees with the expert if it is understood as in `reading`.

    Raises:
        PolicyError: If it answers something that is no answer, or cannot be meant.
        ContractError: If it cannot be understood so.
        InfrastructureError: If its server is lost.
    """
    env = asking.env
    answers = asking.answers(reading, name)
    found = compared(reading, env, answers, asking.paths)
    action = reading.spec.action
    here = tuple(scores(action, told, meant) for told, meant, _ in found)
    elsewhere = tuple(scores(action, told, strange) for told, _, strange in found)
    return Trial(here, elsewhere)


def judge(
    suspect: Suspect, trial: Trial, base: Trial, suspects: int, *, explained: bool = True
) -> Tried:
    """Whether `suspect` agrees better than `base`, one of so many suspects.

    `explained` is False where the gain has another reason that is as good.
    """
    gain = tested(differences(trial.here, base.here, suspect.touches), suspects)
    level = _mean(
        found for episode in trial.here if (found := mean_of(episode, suspect.touches)) is not None
    )
    guilty = (
        explained
        and gain.above
        and gain.mean >= GAIN
        and level >= MEANINGFUL
        and trial.agreement > base.agreement
    )
    return Tried(suspect, trial, gain, guilty)


def follows_the_scene(trial: Trial) -> bool:
    """Whether it agrees with the expert of this episode more than with that of another one."""
    return tested(differences(trial.here, trial.elsewhere, ALL), 1).above


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
    apart = tested(differences(named.trial.here, one.trial.here, ALL), 1)
    return behind <= SAME or (behind <= GAIN and not apart.above)


def differences(
    one: Sequence[Scores], other: Sequence[Scores], parts: Sequence[Part]
) -> list[float]:
    """`one` less `other` in each episode that shows something of `parts` for both."""
    found = []
    for mine, theirs in zip(one, other, strict=True):
        both = [part for part in parts if part in mine and part in theirs]
        if both:
            found.append(_mean(mine[part] - theirs[part] for part in both))
    return found


def tested(values: Sequence[float], suspects: int) -> Test:
    """The one-sided t-test that the mean of `values` is above 0, for one of so many suspects."""
    count = len(values)
    if count < 2:
        return Test(_mean(values), -math.inf, 1.0, count)
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    reach = float(special.stdtrit(count - 1, 1 - LEVEL / suspects))
    if error < 1e-12:
        return Test(mean, mean, 0.0 if mean > 0 else 1.0, count)
    p_value = float(special.stdtr(count - 1, -mean / error))
    return Test(mean, mean - reach * error, min(1.0, p_value * suspects), count)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
