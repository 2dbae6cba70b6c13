"""The policy that replays: what an episode gives to those who know the task and nothing of it.

The recordings in ``data/recordings.npz`` are the expert's, of nominal episodes that no suite asks
for; ``benchmarks/record_baselines.py`` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import PolicySpec
from vlabench.errors import UsageError
from vlabench.seeding import stream
from vlabench.types import ActionChunk, EpisodeStart, Floats, Observation

Recording = npt.NDArray[np.int16]
"""Actions ``(T, 7)`` in thousandths."""


@dataclass
class _Session:
    seed: int
    recording: Floats | None = None
    step: int = 0


class Replay:
    """Repeats what the expert did in another nominal episode of the task, with its eyes shut.

    It reads the task's name at the first step, picks one of the task's recordings by the session's
    seed, and executes it; then it holds still, with the hand as it is. Where it does well, things
    stand in the same places every time. It takes no arguments.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}

    def spec(self) -> PolicySpec:
        """It looks through no camera; of the simulator's state it reads the task's name."""
        return PolicySpec(name="replay", privileged=True, stateful=True, max_batch=1024)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        self._sessions.update({start.episode_id: _Session(start.seed) for start in starts})

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """The next action ``(1, 7)`` of each session's recording."""
        return [ActionChunk(self._next(observation)[None]) for observation in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets these sessions."""
        for episode_id in episode_ids:
            self._sessions.pop(episode_id, None)

    def close(self) -> None:
        """Forgets all sessions."""
        self._sessions.clear()

    def _next(self, observation: Observation) -> Floats:
        session = self._sessions[observation.episode_id]
        if session.recording is None:
            if observation.privileged is None:
                raise UsageError(
                    "The policy 'replay' must be told the task; this environment hides it."
                )
            session.recording = _pick(observation.privileged.task, session.seed)
        recording, step = session.recording, session.step
        session.step += 1
        return recording[step].copy() if step < len(recording) else _still(recording[-1])


def recordings() -> Mapping[str, Sequence[Recording]]:
    """Task to its recordings."""
    return _load()


@cache
def _load() -> Mapping[str, tuple[Recording, ...]]:
    found: dict[str, tuple[Recording, ...]] = {}
    with (
        as_file(files("vlabench.policies") / "data" / "recordings.npz") as path,
        np.load(path, allow_pickle=False) as data,
    ):
        for key in sorted(data.files):
            task = key.partition("/")[0]
            found[task] = (*found.get(task, ()), data[key])
    return found


def _pick(task: str, seed: int) -> Floats:
    known = recordings()
    if task not in known:
        raise UsageError(
            f"The policy 'replay' has no recording of the task {task!r}; "
            "leave the task out, or record it with benchmarks/record_baselines.py."
        )
    chosen = int(stream("replay", seed).integers(len(known[task])))
    actions: Floats = known[task][chosen] / 1000.0
    return actions


def _still(last: Floats) -> Floats:
    """Goes nowhere, with the gripper as it was told last."""
    return np.concatenate([np.zeros(6), last[6:]])
