"""What an audit has found: how often the success test was wrong, in all and by kind of state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vlabench.envs.audit.states import AS_ASKED, State, Waste

_STATES_A_KIND, _STATES_A_PREDICATE = 80, 40


def least_of_a_kind(states: int) -> int:
    """How many states there must be of each kind of false state that a task can have.

    Args:
        states: How many its audit is to have.
    """
    return states // _STATES_A_KIND


def least_of_a_predicate(states: int) -> int:
    """How many states must make a predicate of the task true, and how many false.

    Args:
        states: How many its audit is to have.
    """
    return states // _STATES_A_PREDICATE


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
class SceneAudit:
    """What one scene has given.

    Attributes:
        states: Those that could be made, by number.
        waste: How often something was thrown away, and why.
        kinds: The kinds of false states that there can be in the scene.
    """

    states: tuple[State, ...]
    waste: Counter[Waste]
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What an audit of one task has found.

    Attributes:
        task: Its name.
        seed: Of all draws.
        asked_for: How many states it was to have at least.
        all_kinds: The kinds of false states that the task's goals could have.
        scenes: What its scenes have given; one may come twice, with other states.
    """

    task: str
    seed: int
    asked_for: int
    all_kinds: tuple[str, ...]
    scenes: tuple[SceneAudit, ...]

    @property
    def states(self) -> tuple[State, ...]:
        """All that were audited, by scene and number."""
        states = [state for scene in self.scenes for state in scene.states]
        return tuple(sorted(states, key=lambda state: (state.scene, state.number)))

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
        """Kind of state to its count, sorted by name; also those of which there is no state."""
        names = sorted({AS_ASKED, *self.all_kinds})
        return {name: _count(s for s in self.states if s.kind == name) for name in names}

    @property
    def missing(self) -> tuple[str, ...]:
        """The kinds that there cannot be in any of its scenes, by what is in them."""
        there = frozenset().union(*(scene.kinds for scene in self.scenes))
        return tuple(kind for kind in self.all_kinds if kind not in there)

    @property
    def too_few(self) -> tuple[str, ...]:
        """The kinds that there can be and of which there are fewer states than there must be."""
        kinds, missing = self.kinds, self.missing
        return tuple(
            kind
            for kind in self.all_kinds
            if kinds[kind].states < least_of_a_kind(self.asked_for) and kind not in missing
        )

    @property
    def predicates(self) -> Mapping[str, tuple[int, int]]:
        """Predicate to how many states made it true, and how many made it false."""
        found = Counter((p, state.truth) for state in self.states for p in state.predicates)
        names = {kind.partition(": ")[0] for kind in self.all_kinds if ": " in kind}
        return {name: (found[name, True], found[name, False]) for name in sorted(names)}

    @property
    def looked_at(self) -> int:
        """How many states were looked at by rays."""
        return sum(state.looks is not None for state in self.states)

    @property
    def odd(self) -> tuple[State, ...]:
        """The states that do not look as they are labelled."""
        return tuple(s for s in self.states if s.looks is not None and s.looks != s.truth)

    @property
    def errors(self) -> tuple[State, ...]:
        """The states in which the success test was wrong."""
        return tuple(state for state in self.states if state.truth != state.verdict)

    @property
    def waste(self) -> Counter[Waste]:
        """How often something was thrown away, and why."""
        return sum((scene.waste for scene in self.scenes), Counter[Waste]())

    @property
    def discarded(self) -> int:
        """States that were made besides and did not stay as they had been made."""
        return sum(count for waste, count in self.waste.items() if waste.made)


def _count(states: Iterable[State]) -> Count:
    wrong = [state.truth != state.verdict for state in states]
    return Count(len(wrong), sum(wrong))
