"""One short suite on the real world, run by a server's client and by the same policy in process."""

from __future__ import annotations

import pytest

import vlabench
from vlabench.cli import main
from vlabench.store import Run

SUITE = """
name: brief
version: 1
description: Two short episodes.
seed: 0
episodes: 1
tasks: [press-button]
cells:
  - axis: lighting
    levels: [L2]
"""


def through_the_command(folder, policy, *words, runner="serial", **arguments):
    """What ``vlabench eval`` makes of `policy` and its `arguments`."""
    given = [f"--policy-arg={name}={value}" for name, value in arguments.items()]
    place = ["--suite", _suite(folder), "--out", str(folder / "remote")]
    with pytest.raises(SystemExit) as caught:
        main(["eval", "--policy", policy, *place, "--runner", runner, "--quiet", *given, *words])
    assert not caught.value.code
    return Run.open(folder / "remote")


def in_process(folder, card, **arguments):
    """The same suite by `recalled.Recalling` under the declaration of `card`."""
    return vlabench.evaluate(
        "recalled:Recalling",
        _suite(folder),
        policy_args={"card": card, **arguments},
        runner="serial",
        inference_actors=0,
        out=folder / "local",
    )


def runs(run):
    """What must be equal: every record, without what may differ between two equal runs."""
    assert len(run.records) == 2
    assert not [record.error for record in run.records if record.error]
    return {record.episode_id: record.stable() for record in run.records}


def _suite(folder):
    path = folder / "brief.yaml"
    path.write_text(SUITE)
    return str(path)
