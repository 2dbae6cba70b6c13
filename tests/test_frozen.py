"""World 2 stays what it is: its physics and its predicates, to the bit.

``frozen.json`` holds for one episode of each task the hashes of the first state, the expert's
actions and the last state; what is drawn is held by ``tests/test_published.py``. Where a change
moves one of them, old and new records must not be compared: raise `VERSION` in
``envs/profile.py`` and the versions of the suites, certify them, and write the file anew with
``python tests/test_frozen.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import vlabench
from vlabench.envs.profile import VERSION
from vlabench.registry import TASKS

FILE = Path(__file__).parent / "frozen.json"
FIELDS = ("steps", "init_state_hash", "actions_hash", "final_state_hash")


def episodes() -> dict[str, dict[str, object]]:
    """One nominal episode of each task under the expert."""
    suite = {
        "name": "frozen",
        "version": 1,
        "description": "One nominal episode of each task.",
        "seed": 0,
        "episodes": 1,
        "tasks": TASKS.names(),
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frozen.yaml"
        path.write_text(json.dumps(suite))  # JSON is YAML
        run = vlabench.evaluate("expert", str(path), runner="serial", out=Path(folder) / "run")
        return {r.task: {field: getattr(r, field) for field in FIELDS} for r in run.records}


@pytest.fixture(scope="module")
def frozen() -> dict[str, dict[str, object]]:
    values: dict[str, dict[str, object]] = json.loads(FILE.read_text())
    assert values["world"] == VERSION, "write frozen.json anew, see the head of this file"
    return values


@pytest.fixture(scope="module")
def now() -> dict[str, dict[str, object]]:
    return episodes()


@pytest.mark.parametrize("task", TASKS.names())
def test_physics_and_predicates_do_not_change(
    task: str, frozen: dict[str, dict[str, object]], now: dict[str, dict[str, object]]
):
    assert now[task] == frozen["episodes"][task]


if __name__ == "__main__":
    values = {
        "world": VERSION,
        "episodes": episodes(),
    }
    FILE.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
