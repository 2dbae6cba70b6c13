"""What runs in the process of a worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from vlabench.runner.capacity import available_bytes, resident_bytes
from vlabench.runner.egl import choose_device, draw_on
from vlabench.runner.hosts import link
from vlabench.runner.inference import Ask, HostedPolicy
from vlabench.runner.job import Event, Finished, Job, Station
from vlabench.runner.placement import looks
from vlabench.runner.watchdog import STEP_TIMEOUT_S, unwatched
from vlabench.types import EpisodeSpec


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker brings back from an attempt.

    Attributes:
        event: What came of it.
        resident_bytes: The worker's memory after it.
        available_bytes: What can still be had on its node.
        on_a_card: Whether its policy computes on a graphics card.
    """

    event: Event
    resident_bytes: int
    available_bytes: int
    on_a_card: bool


class Worker:
    """Lives in its own process, with an environment and, unless it has hosts, the policy.

    Args:
        job: What to run.
        hosts: The inference actors that the policy lives in.
        step_timeout_s: Seconds without a control step after which an attempt is given up.
    """

    def __init__(
        self, job: Job, hosts: Sequence[Any], step_timeout_s: float = STEP_TIMEOUT_S
    ) -> None:
        # Ray's own handler raises SystemExit, which would be taken for the policy's
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
        links = [_watched_there(link(host)) for host in hosts]
        self._job = job
        hosted = (lambda: HostedPolicy(links)) if links else None
        self._station = Station(job, hosted, step_timeout_s, deadly=True)

    def where(self) -> tuple[str, str]:
        """The node that it has come up on, and the file there that its last words go to."""
        return ray.get_runtime_context().get_node_id(), os.path.realpath("/proc/self/fd/2")

    def prepare(self, turn: int, taken: Collection[int]) -> tuple[str, str]:
        """Builds what an episode needs, so that the first begins at once.

        Args:
            turn: Its number among the workers of its node.
            taken: The graphics cards that inference actors of its node have been given.

        Raises:
            UsageError: If something cannot be made.
        """
        if self._job.declared is None or looks(self._job.declared):
            draw_on(choose_device(turn, taken, os.environ))
        self._station.prepare()
        return self.where()

    def attempt(self, episode: EpisodeSpec, attempt: int) -> Answer:
        """Runs `episode` once, from its start to its end."""
        event = self._station.attempt(episode, attempt)
        on_a_card = isinstance(event, Finished) and bool(event.record.gpu_memory_bytes)
        return Answer(event, resident_bytes(), available_bytes(), on_a_card)

    def close(self) -> None:
        """Frees the environment and the policy."""
        self._station.closes()


def _watched_there(ask: Ask) -> Ask:
    """Questions to an inference actor, which itself gives up a policy that hangs.

    How long one waits there for its turn depends on how many workers ask, and must not count.
    """

    def do(what: str, data: bytes) -> bytes:
        with unwatched():
            return ask(what, data)

    return do
