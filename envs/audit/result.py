"""What an audit has found: how often the success test was wrong, in all and by kind of state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vlabench.envs.audit.states import State


@dataclass(frozen=True, slots=True)
class Count:
    """States of one kind, and in how many of them the success test was wrong."""

    states: int
    errors: int

    @property
    def rate(self) -> float:
        """Share of errors; 0 of no states."""
        return self.errors / self.states if self.states else 0.0


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What an audit of one task has found.

    Attributes:
        task: Its name.
        seed: Of all draws.
        states: All that were audited, by scene and number.
    """

    task: str
    seed: int
    states: tuple[State, ...]

    @property
    def positives(self) -> Count:
        """States made to be success; errors are false negatives."""
        return _count(state for state in self.states if state.truth)

    @property
    def negatives(self) -> Count:
        """States made not to be; errors are false positives."""
        return _count(state for state in self.states if not state.truth)

    @property
    def false_negative_rate(self) -> float:
        """Share of the successes that were not counted as such."""
        return self.positives.rate

    @property
    def false_positive_rate(self) -> float:
        """Share of what was no success and was counted as one."""
        return self.negatives.rate

    @property
    def kinds(self) -> Mapping[str, Count]:
        """Kind of state to its count, sorted by name."""
        names = sorted({state.kind for state in self.states})
        return {name: _count(s for s in self.states if s.kind == name) for name in names}

    @property
    def errors(self) -> tuple[State, ...]:
        """The states in which the success test was wrong."""
        return tuple(state for state in self.states if state.truth != state.verdict)

    @property
    def discarded(self) -> int:
        """States that were made besides and did not stay as they had been made."""
        return sum(state.discarded for state in self.states)


def _count(states: Iterable[State]) -> Count:
    wrong = [state.truth != state.verdict for state in states]
    return Count(len(wrong), sum(wrong))
