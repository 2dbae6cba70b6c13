"""What a policy may be told: phrases by task and kind, and the words for the things in them.

A phrase is drawn before anybody knows which objects stand in the scene, and realised with the
names of those that do; so twins that differ in an object are still told the same phrase.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.language.grammar import (
    KINDS,
    LIST,
    Phrase,
    Referent,
    load_bank,
    realise,
    roles_of,
    tasks,
)
from vlabench.errors import UnknownNameError

__all__ = [
    "KINDS",
    "LISTED",
    "WORDS",
    "Phrase",
    "Referent",
    "draw_phrase",
    "named",
    "phrases",
    "realise",
    "tasks",
]

WORDS: Mapping[str, Referent] = {
    "left": Referent(
        "to the robot's left of", ("on the robot's left of", "on the robot's left-hand side of")
    ),
    "right": Referent(
        "to the robot's right of", ("on the robot's right of", "on the robot's right-hand side of")
    ),
    "front": Referent(
        "on the robot's side of", ("on the robot's near side of", "between the robot and")
    ),
    "behind": Referent(
        "on the robot's far side of", ("at the robot's far side of", "to the robot's far side of")
    ),
}
"""Words for what a task may choose that is no thing. Directions are the robot's own, and say so,
because a camera may look at the robot from across the table."""

LISTED = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
"""Roles that ``{list}`` names: the first of them, as many as the factor ``chain`` says."""

_SYNONYM_DRAWS = 1_000_000
"""A draw that picks a synonym is a multiple of one over this: six decimals, on every machine."""


def phrases(task: str) -> Mapping[str, tuple[str, ...]]:
    """Kind to templates, for every kind of `KINDS`; read once.

    Raises:
        UnknownNameError: If there is no bank of phrases for `task`.
        UsageError: If the bank breaks a rule; the text names the file and the line.
    """
    if task not in tasks():
        raise UnknownNameError("task", task, tasks(), "the phrase banks")
    return load_bank(task)


def named(task: str) -> tuple[str, ...]:
    """What every sentence of `task` names: roles and choices, and the first of a list.

    Raises:
        UnknownNameError: If there is no bank of phrases for `task`.
    """
    roles = roles_of(phrases(task)["seen"][0])
    return tuple(LISTED[0] if role == LIST else role for role in roles)


def draw_phrase(task: str, kind: str, rng: np.random.Generator) -> Phrase:
    """A phrase of `kind`, each template equally likely; always takes two numbers from `rng`.

    Raises:
        UnknownNameError: If there is no such task or kind.
    """
    bank = phrases(task)
    if kind not in bank:
        raise UnknownNameError("kind of phrase", kind, KINDS)
    template = bank[kind][int(rng.integers(len(bank[kind])))]
    return Phrase(kind, template, int(rng.integers(_SYNONYM_DRAWS)) / _SYNONYM_DRAWS)
