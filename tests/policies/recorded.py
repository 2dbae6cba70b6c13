"""A policy whose actions were recorded, in process and behind any protocol, on the real world."""

from __future__ import annotations

import numpy as np
import pytest

import vlabench
from vlabench.cli import main
from vlabench.hashing import content_hash
from vlabench.policies.card import find_card
from vlabench.store import Run
from vlabench.types import ActionChunk


def recorded(instruction, call, rows, columns, scale=0.4):
    """What was recorded for the `call`-th question of a session with that instruction.

    ``(rows, columns) float32``; the gripper opens in even calls and closes in odd ones.
    """
    rng = np.random.default_rng(int(content_hash([instruction, call]), 16))
    actions = rng.uniform(-scale, scale, (rows, columns)).astype(np.float32)
    actions[:, -1] = call % 2
    return actions


class Recorded:
    """Plays back in process, under the declaration of a card.

    Args:
        adapter: Whose card it is.
        checkpoint: Which of them.
    """

    def __init__(self, adapter, checkpoint=""):
        self._spec, self._calls = find_card(adapter, checkpoint).spec(), {}

    def spec(self):
        return self._spec

    def reset(self, starts):
        self._calls.update({start.episode_id: 0 for start in starts})

    def act(self, observations):
        return [self._chunk(seen) for seen in observations]

    def end(self, episode_ids):
        for episode_id in episode_ids:
            self._calls.pop(episode_id)

    def close(self):
        self._calls.clear()

    def _chunk(self, seen):
        call = self._calls[seen.episode_id]
        self._calls[seen.episode_id] += 1
        shape = self._spec.chunk_length, self._spec.action.dimension
        return ActionChunk(recorded(seen.instruction, call, *shape))


def through_the_command(suite, out, policy, runner, *options, **arguments):
    """The run that ``vlabench eval`` makes of `policy` and its `arguments`."""
    given = [*options, *(f"--policy-arg={name}={value}" for name, value in arguments.items())]
    place = ["--suite", suite, "--out", str(out), "--runner", runner, "--quiet"]
    with pytest.raises(SystemExit) as caught:
        main(["eval", "--policy", policy, *place, *given])
    assert not caught.value.code
    return Run.open(out)


def in_process(suite, out, adapter, checkpoint="", **options):
    """The same by `Recorded`, in this process."""
    card = {"adapter": adapter, "checkpoint": checkpoint}
    return vlabench.evaluate(
        "recorded:Recorded", suite, policy_args=card, runner="serial", out=out, **options
    )


def runs(run):
    """What must be equal: every record, without what may differ between two equal runs."""
    assert run.records
    assert {record.status for record in run.records} <= {"success", "failure"}
    return {record.episode_id: record.stable() for record in run.records}
