"""The audit of the success test: error rates over states whose truth is known.

A state's truth follows from how it was made: a thing was put in its place and left to rest, or
moved two tolerances away, lifted off, held in the hand, put somewhere else, or undone too soon. It
never follows from what the predicates compute. No module here imports them but `looking`, which
shows people what they say of one state; they enter through `vlabench.envs.progress.Progress` alone,
which gives the verdict once a state is made, as in an episode. Where a thing is put does follow
from lengths that the predicates read too: surfaces and heights of shapes, the sites of fixtures'
parts. So `sight` gives a second opinion on every state about `on` and `in`, from none of those.

`vlabench audit` runs it and publishes the rates; see `docs/world.md` for what is left out on both
sides of a limit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from vlabench.envs.audit.false_parts import SHORT
from vlabench.envs.audit.false_poses import FAR_BESIDE, HELD_LOW
from vlabench.envs.audit.makers import (
    BESIDE_TO,
    LIFTED_FROM,
    OFF,
    SECTOR,
    SHARES,
)
from vlabench.envs.audit.mutations import FALSE
from vlabench.envs.audit.places import TOLERANCE, WALL
from vlabench.envs.audit.result import (
    AuditResult,
    Count,
    SceneAudit,
    least_of_a_kind,
    least_of_a_predicate,
)
from vlabench.envs.audit.scenes import Scenes
from vlabench.envs.audit.states import ON_THE_WAY, STATES_OF_A_SCENE, State, Waste
from vlabench.errors import UsageError
from vlabench.types import Json

SEED = 30_000
"""Of the published audit: none of its scenes is in a suite."""

MARGINS: Json = {
    "edge of a place, metres": {"inside": TOLERANCE, "outside": 2 * TOLERANCE, "walls": WALL},
    "beside, metres between edges": {
        "true to": round(BESIDE_TO, 6),
        "false from": round(FAR_BESIDE[0], 6),
    },
    "beside, radians off the side": {
        "true to": round(SECTOR - OFF, 6),
        "false from": round(SECTOR + OFF, 6),
    },
    "lifted, metres": {"true from": LIFTED_FROM, "false to": HELD_LOW[1]},
    "parts, shares of their travel": {
        name: {"true": list(SHARES[name]), "false": list(SHORT[name])} for name in SHARES
    },
}
"""Between what is made true and what is made false nothing is claimed."""

STATES = 1600
"""Of a task, half of them of each truth: of 736 or more without an error, the 95 % interval of the
error rate ends under 0.5 %."""

Asked: TypeAlias = tuple[str, int, int, tuple[str, ...], int]
Mapped: TypeAlias = Callable[[Callable[[Asked], SceneAudit], Sequence[Asked]], Iterable[SceneAudit]]

_SCENES_TO_JUDGE = 10
"""After so many scenes it is clear whether they give states."""

_SCENES_AT_ONCE, _TURNS = 8, 3
"""Scenes are gone through so many times to find states of a kind of which there are few."""


def audit(
    task_name: str, states: int = STATES, seed: int = SEED, mapped: Mapped | None = None
) -> AuditResult:
    """Audits one task over `states` states or a few more.

    Where few states of a kind were found, more are made of that kind alone, in the same scenes.

    Args:
        task_name: Which.
        states: How many it is to have at least.
        seed: Of all draws.
        mapped: Audits scenes and gives what they have given in the same order; in this process by
            default.

    Raises:
        UnknownNameError: If there is no such task.
        UsageError: If its scenes give too few states.
    """
    each: Mapped = mapped or map
    kinds, found = Scenes(task_name, seed).kinds, list[SceneAudit]()
    scenes = made = 0
    while made < states:
        _check_yield(task_name, made, scenes)
        more = math.ceil((states - made) / STATES_OF_A_SCENE)
        asked = [(task_name, scene, seed, (), 0) for scene in range(scenes, scenes + more)]
        found += each(audit_scene, asked)
        scenes, made = scenes + more, sum(len(scene.states) for scene in found)
    for turn, first in itertools.product(range(_TURNS), range(0, scenes, _SCENES_AT_ONCE)):
        lacking = AuditResult(task_name, seed, states, kinds, tuple(found)).too_few
        if not lacking:
            break
        again = range(first, min(first + _SCENES_AT_ONCE, scenes))
        found += each(audit_scene, [(task_name, scene, seed, lacking, turn) for scene in again])
    return AuditResult(task_name, seed, states, kinds, tuple(found))


def audit_scene(asked: Asked) -> SceneAudit:
    """What one scene of a task's audit gives, whatever other scenes are audited.

    Args:
        asked: The task, the number of the scene, the seed, and the kinds of which one state more is
            to be made and how often that has been asked before; no kinds for the states that
            every scene gives.
    """
    task_name, scene, seed, kinds, turn = asked
    scenes = Scenes(task_name, seed)
    return scenes.audit_more(scene, kinds, turn) if kinds else scenes.audit(scene)


def _check_yield(task_name: str, states: int, scenes: int) -> None:
    """Makes sure that scenes give states.

    Raises:
        UsageError: If they give less than a fifth of what they should.
    """
    if scenes >= _SCENES_TO_JUDGE and states < scenes * STATES_OF_A_SCENE / 5:
        raise UsageError(
            f"{scenes} scenes of the task {task_name!r} gave only {states} states to audit; leave "
            "more room in its scenes, or give its predicates ways to be made true."
        )


__all__ = [
    "FALSE",
    "MARGINS",
    "ON_THE_WAY",
    "SEED",
    "STATES",
    "AuditResult",
    "Count",
    "SceneAudit",
    "State",
    "Waste",
    "audit",
    "audit_scene",
    "least_of_a_kind",
    "least_of_a_predicate",
]
