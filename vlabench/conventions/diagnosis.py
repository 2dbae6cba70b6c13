"""What came of an examination."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from vlabench.contract.specs import PolicySpec
from vlabench.conventions.judging import MEANINGFUL, Trial, Tried, follows_the_scene, ranked
from vlabench.conventions.reading import Reading

Outcome: TypeAlias = Literal["fine", "fault", "cannot say"]


@dataclass(frozen=True, slots=True)
class Round:
    """One look at all suspects.

    Attributes:
        base: The reading that they were compared with: the declaration, less what was named.
        before: Its agreement.
        tried: All that could be tried.
        left_out: Names of those that could not, with the reason.
        unheard: Families of suspects that leave every answer as it is.
    """

    base: Reading
    before: Trial
    tried: tuple[Tried, ...]
    left_out: Mapping[str, str]
    unheard: tuple[str, ...]

    @property
    def guilty(self) -> tuple[Tried, ...]:
        """What is named, and then what no episode tells from it; empty if nothing is."""
        return ranked(self.tried)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What came of it.

    Attributes:
        policy: What the policy is called.
        spec: What it declares.
        rounds: The first compares all suspects with the declaration, the next one with the
            declaration after the first named fault was mended, and so on.
        rows: Agreement of the first, a middle and the last row of an answer, each by its number;
            empty where answers have one row.
        episodes: Task and index of each.
        seed: Of the episodes.
        calls: How often the policy was asked.
    """

    policy: str
    spec: PolicySpec
    rounds: tuple[Round, ...]
    rows: Mapping[int, float]
    episodes: tuple[tuple[str, int], ...]
    seed: int
    calls: int

    @property
    def declared(self) -> Trial:
        """The agreement as declared."""
        return self.rounds[0].before

    @property
    def faults(self) -> tuple[Tried, ...]:
        """The faults that were named, the one that explains most first."""
        return tuple(one.guilty[0] for one in self.rounds if one.guilty)

    @property
    def dubious(self) -> Tried | None:
        """What would explain most, where so few episodes leave it open."""
        found = [one for one in self.rounds[-1].tried if one.dubious]
        return max(found, key=lambda one: one.trial.agreement, default=None)

    @property
    def outcome(self) -> Outcome:
        """What can be said."""
        if self.faults:
            return "fault"
        if self.dubious is not None:
            return "cannot say"
        agrees = self.declared.agreement >= MEANINGFUL and follows_the_scene(self.declared)
        return "fine" if agrees else "cannot say"
