"""How far a policy's actions agree with the expert's: numbers in [-1, 1], 0 by chance.

Each part of an action has its own. For what moves the arm it is the cosine between all that the
policy said and all that the expert did in an episode, ``sum(a * b) / (|a| |b|)``: it asks for the
direction, so that a policy that is slower than the expert is not at fault. Only where the two
differ in size by more than a factor of `SIZE` it shrinks in proportion, since no two people who
mean the same unit differ so much. For the gripper it is Youden's J: how much more it was told to
close where the expert closed than where the expert opened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from vlabench.contract.actions import Clip
from vlabench.contract.controls import OF_JOINTS
from vlabench.contract.execution import StickyGripper
from vlabench.contract.executor import Executor
from vlabench.contract.pipeline import Pipeline
from vlabench.contract.specs import ActionSpec, EnvSpec
from vlabench.conventions.asking import Answers, Asking, Said
from vlabench.conventions.path import Path
from vlabench.conventions.reading import Part, Reading
from vlabench.types import Floats

Scores: TypeAlias = Mapping[Part, float]
"""The agreement in each part that can be judged in an episode."""

SIZE = 3.0
"""The factor by which policy and expert may differ in size at no cost."""

STILL = 0.02
"""An expert that turns less than this, as a share of the largest step, shows nothing of turns."""

_FEWEST = 2
"""Moments at which the expert must have opened, and closed, its gripper."""


def compared(reading: Reading, asking: Asking, name: str) -> list[tuple[Floats, Floats, Floats]]:
    """What the policy said, the expert did, and another expert did, in each episode.

    Each is ``(M, n)``: the control steps that the answers last, in units of the controller's
    largest step, not cut off, the gripper from -1, open, to 1, closed. The third is what the expert
    did at the same step of the next episode: what somebody would agree with who knows the task, and
    not this scene.

    Raises:
        PolicyError: If the policy answers something that is no answer, or cannot be meant.
        ContractError: If the answers cannot be turned into actions.
        InfrastructureError: If its server is lost.
    """
    said, paths = _all_said(reading, asking, name), asking.paths
    done = [_closing(path.reference, asking.env) for path in paths]
    told = [_turned(reading, _closing(rows, asking.env)) for _, rows in said]
    meant = [did[steps] for did, (steps, _) in zip(done, said, strict=True)]
    others = [*done[1:], *done[:1]]
    strange = [did[steps % len(did)] for did, (steps, _) in zip(others, said, strict=True)]
    if reading.fit:
        told = fitted(reading.fit, told, meant)
    return list(zip(told, meant, strange, strict=True))


def _all_said(reading: Reading, asking: Asking, name: str) -> list[Said]:
    """On each path; readings that differ in axes or a fit alone share it."""
    key = (reading.question, reading.spec, reading.first_row, reading.hz, reading.span)
    if key not in asking.converted:
        pipeline, answers = reading.pipeline(asking.env), asking.answers(reading, name)
        asking.converted[key] = [
            _said(reading, pipeline, there, path)
            for there, path in zip(answers, asking.paths, strict=True)
        ]
    return asking.converted[key]


def _said(reading: Reading, pipeline: Pipeline, answers: Answers, path: Path) -> Said:
    """The control steps at which something was said, and what, one after another."""
    executor = Executor(
        pipeline.policy.name,
        pipeline.actions,
        [step for step in pipeline.execution if not isinstance(step, StickyGripper)],
        [step for step in pipeline.finish if not isinstance(step, Clip)],
    )
    steps: list[int] = []
    rows: list[Floats] = []
    for first, answer in sorted(answers.items()):
        for step, row in _lasting(reading, pipeline, first, len(answer)):
            if step < len(path.reference):
                steps.append(step)
                rows.append(executor(answer[row], path.stances[step]).astype(np.float64))
    dimension = pipeline.env.action.dimension
    return np.array(steps, dtype=int), np.array(rows).reshape(-1, dimension)


def _lasting(
    reading: Reading, pipeline: Pipeline, first: int, length: int
) -> list[tuple[int, int]]:
    """The control steps that an answer at `first` lasts, and its row for each of them."""
    hz = pipeline.env.control_hz
    ratio = float(pipeline.ratio) if reading.hz is None else reading.hz / hz
    rows = length if reading.span is not None else min(pipeline.executed, length)
    lasting: list[tuple[int, int]] = []
    for later in range(math.ceil(rows / ratio)):
        row = int(later * ratio + 1e-9)
        if reading.first_row <= row < rows and (reading.span is None or later < reading.span):
            lasting.append((first + later, row))
    return lasting


def _closing(actions: Floats, env: EnvSpec) -> Floats:
    """The same with the gripper from -1, open, to 1, closed."""
    opened, closed = env.action.gripper_open, env.action.gripper_close
    shares = (actions[:, -1:] - opened) / (closed - opened)
    return np.concatenate([actions[:, :-1], 2 * shares - 1], axis=1)


def _turned(reading: Reading, rows: Floats) -> Floats:
    """The same motions along other axes."""
    if reading.axes is None and not reading.reversed_rotation:
        return rows
    turned = rows.copy()
    if reading.axes is not None:
        axes = np.array(reading.axes, dtype=np.float64)
        turned[:, :3] = rows[:, :3] @ axes.T
        # a rotation is an axial vector: a mirror turns it round as well
        turned[:, 3:6] = rows[:, 3:6] @ axes.T * round(float(np.linalg.det(axes)))
    if reading.reversed_rotation:
        turned[:, 3:6] = -turned[:, 3:6]
    return turned


def fit_of(reading: Reading, asking: Asking) -> tuple[Floats, Floats]:
    """The factors and offsets of a reading with a fit, over all episodes."""
    plain = replace(reading, fit="")
    found = compared(plain, asking, "")
    told, meant = [rows for rows, _, _ in found], [rows for _, rows, _ in found]
    return coefficients(reading.fit, told, meant)


# --- maps that are fitted -----------------------------------------------------------------------


def fitted(kind: str, told: Sequence[Floats], meant: Sequence[Floats]) -> list[Floats]:
    """What the policy said, each episode mapped as fits the others best."""
    mapped = []
    for number, rows in enumerate(told):
        others = [k for k in range(len(told)) if k != number]
        factors, offsets = coefficients(kind, [told[k] for k in others], [meant[k] for k in others])
        mapped.append(np.concatenate([rows[:, :-1] * factors + offsets, rows[:, -1:]], axis=1))
    return mapped


def coefficients(
    kind: str, told: Sequence[Floats], meant: Sequence[Floats]
) -> tuple[Floats, Floats]:
    """A factor and an offset for each number of the arm, that take `told` to `meant`."""
    said, done = (np.concatenate([rows[:, :-1] for rows in all_]) for all_ in (told, meant))
    width = said.shape[1]
    if kind == "offset":
        offsets = (done - said).mean(axis=0)
        offsets[3:] = 0.0
        return np.ones(width), offsets
    if kind == "size":
        halves = [slice(0, 3), slice(3, 6)] if width == 6 else [slice(0, width)]
        factors = np.ones(width)
        for half in halves:
            size = _length(said[:, half])
            factors[half] = _length(done[:, half]) / size if size else 1.0
        return factors, np.zeros(width)
    middle, goal = said.mean(axis=0), done.mean(axis=0)
    spread = ((said - middle) ** 2).sum(axis=0)
    together = ((said - middle) * (done - goal)).sum(axis=0)
    factors = np.divide(together, spread, out=np.zeros(width), where=spread > 0).clip(min=0.0)
    return factors, goal - factors * middle


# --- scores -------------------------------------------------------------------------------------


def scores(action: ActionSpec, told: Floats, meant: Floats) -> Scores:
    """The agreement in each part; those that the expert shows nothing of are left out."""
    found: dict[Part, float] = {}
    if not len(told):
        return found
    if action.control in OF_JOINTS:
        if _length(meant[:, :-1]) > STILL * math.sqrt(len(meant)):
            found["joints"] = alike(told[:, :-1], meant[:, :-1])
    else:
        found["translation"] = alike(told[:, :3], meant[:, :3])
        turning = _length(meant[:, 3:6]) > STILL * math.sqrt(len(meant))
        if action.rotation != "none" and turning:
            found["rotation"] = alike(told[:, 3:6], meant[:, 3:6])
    closed = meant[:, -1] > 0
    if min(closed.sum(), (~closed).sum()) >= _FEWEST:
        grip = told[:, -1].clip(-1, 1)
        found["gripper"] = float(grip[closed].mean() - grip[~closed].mean()) / 2
    return found


def alike(told: Floats, meant: Floats) -> float:
    """The cosine between two series of vectors, less if their sizes are far apart."""
    ours, theirs = _length(told), _length(meant)
    if ours < 1e-9 or theirs < 1e-9:
        return 0.0
    cosine = float((told * meant).sum()) / (ours * theirs)
    return cosine * min(1.0, SIZE * min(ours / theirs, theirs / ours))


def mean_of(found: Scores, parts: Sequence[Part]) -> float | None:
    """The mean over those of `parts` that could be judged; None if none could."""
    there = [found[part] for part in parts if part in found]
    return sum(there) / len(there) if there else None


def _length(vectors: Floats) -> float:
    return math.sqrt(float((vectors * vectors).sum()))
