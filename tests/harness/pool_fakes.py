"""Policies that listen to what their process says to others, or can be lost at a given moment."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
from harness_fakes import FakePolicy

from vlabench.types import ActionChunk, EpisodeStart, Observation


class Wiretap(FakePolicy):
    """Counts what its process asks of Ray while an episode is under way; each answer says it.

    Args:
        talks: Whether it speaks to others itself, so that there is something to count.
    """

    def __init__(self, talks: bool = False) -> None:
        self.talks, self.heard, self.listens = talks, Counter[str](), False

    def listen(self) -> None:
        """Begins in the worker, not where the policy is only asked what it declares."""
        self.listens = True
        for name in ("get", "put", "wait"):
            setattr(ray, name, self.tapped(name, getattr(ray, name)))
        self.tapped_class(ray.actor.ActorMethod, "_remote")
        self.tapped_class(ray.remote_function.RemoteFunction, "_remote")

    def tapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def listening(*args: Any, **options: Any) -> Any:
            self.heard[name] += 1
            return function(*args, **options)

        return listening

    def tapped_class(self, kind: Any, name: str) -> None:
        setattr(kind, name, self.tapped(f"{kind.__name__}.{name}", getattr(kind, name)))

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        super().reset(starts)
        if not self.listens:
            self.listen()
        self.heard.clear()

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        if self.talks:
            ray.get(ray.put(1))
        said = {"calls": sum(self.heard.values())}
        return [ActionChunk(self.actions(seen), extras=said) for seen in observations]


class Numbered(FakePolicy):
    """Leaves a file for every process that it is made in, with a line for each of its episodes.

    Args:
        folder: Where.
        grows: Bytes that the process grows by with every episode.
        company: Waits in its third episode until there are so many files.
    """

    def __init__(self, folder: str, grows: int = 0, company: int = 0) -> None:
        self.folder, self.grows, self.company = Path(folder), grows, company
        self.ballast: list[bytes] = []
        self.mine = self.folder / str(os.getpid())
        self.mine.touch()

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        super().reset(starts)
        self.ballast.append(b"x" * self.grows)
        with self.mine.open("a") as file:
            file.writelines(f"{start.episode_id}\n" for start in starts)
        third = len(self.mine.read_text().splitlines()) == 3
        while third and len(list(self.folder.iterdir())) < self.company:
            time.sleep(0.01)


class Waiting(FakePolicy):
    """Waits in the middle of each episode until a file is there; says where it waits.

    Args:
        folder: Where it leaves ``<node>-<pid>``, and where it looks for ``go``.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        node = ray.get_runtime_context().get_node_id()
        (self.folder / f"{node}-{os.getpid()}").touch()
        while not (self.folder / "go").exists():
            time.sleep(0.01)
        return super().act(observations)


class Deadly(FakePolicy):
    """Kills its process while it is made."""

    def __init__(self, folder: str) -> None:
        if (Path(folder) / "planned").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        (Path(folder) / "planned").touch()
