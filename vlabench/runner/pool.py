"""Workers, each with an environment and perhaps a policy in it, and who of them is at what."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ray
import ray.exceptions

from vlabench.contract.wire import encode
from vlabench.runner.cluster import last_words
from vlabench.runner.hosts import CLOSING_SECONDS, link
from vlabench.runner.inference import HostedPolicy, host_of
from vlabench.runner.job import Event, Finished, Job, LostAttempt, RunnerOptions, Station
from vlabench.runner.placement import worker_environment
from vlabench.runner.watchdog import with_grace
from vlabench.types import EpisodeSpec


class Worker:
    """Lives in its own process."""

    def __init__(self, job: Job, hosts: Sequence[Any], step_timeout_s: float) -> None:
        links = [link(host) for host in hosts]
        hosted = (lambda: HostedPolicy(links)) if links else None
        longest = step_timeout_s
        if links:  # who hosts the policy gives up first
            longest = with_grace(with_grace(step_timeout_s))
        self._station = Station(job, hosted, longest, deadly=True)

    def attempt(self, episode: EpisodeSpec, attempt: int) -> Event:
        """Runs `episode` once, from its start to its end."""
        return self._station.attempt(episode, attempt)

    def close(self) -> None:
        """Frees the environment and the policy."""
        self._station.close()


class Pool:
    """Workers, and which episode each of them is at."""

    def __init__(self, job: Job, size: int, hosts: Sequence[Any], options: RunnerOptions) -> None:
        self._job = ray.put(job)
        self._size = size
        self._hosts = hosts
        self._step_timeout_s = options.step_timeout_s
        self._make = ray.remote(Worker).options(
            num_cpus=1,
            max_restarts=0,
            runtime_env={"env_vars": worker_environment(options)},
        )
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, EpisodeSpec, int]] = {}
        self._ahead = math.inf if options.ahead is None else options.ahead * size
        self._begun: set[int] = set()

    def run(self, episodes: Sequence[EpisodeSpec]) -> Iterator[Event]:
        """Runs `episodes`, and those again that were lost."""
        waiting = deque((episode, 0) for episode in episodes)
        places = {episode.episode_id: place for place, episode in enumerate(episodes)}
        while waiting or self._busy:
            while waiting and len(self._busy) < self._size and self._may(places, waiting[0][0]):
                self._send(*waiting.popleft())
            ready, _ = ray.wait(list(self._busy), num_returns=1)
            worker, episode, attempt = self._busy.pop(ready[0])
            event, lives = self._receive(ready[0], episode, attempt)
            if lives:
                self._idle.append(worker)
            else:
                ray.kill(worker)
            if not isinstance(event, Finished):
                self._forget(episode)
                if not event.final:
                    waiting.appendleft((episode, attempt + 1))
            if isinstance(event, Finished) or event.final:
                self._begun.remove(places[episode.episode_id])
            yield event

    def close(self) -> None:
        """Lets idle workers free what they hold, and ends the others."""
        for worker, _, _ in self._busy.values():
            ray.kill(worker)
        if self._idle:
            closing = [worker.close.remote() for worker in self._idle]
            ray.wait(closing, num_returns=len(closing), timeout=CLOSING_SECONDS)

    def _may(self, places: Mapping[str, int], episode: EpisodeSpec) -> bool:
        """Whether `episode` is near enough to the first that is not over; it has begun then."""
        place = places[episode.episode_id]
        if place > min(self._begun, default=place) + self._ahead:
            return False
        self._begun.add(place)
        return True

    def _send(self, episode: EpisodeSpec, attempt: int) -> None:
        worker = self._idle.pop() if self._idle else self._new()
        self._busy[worker.attempt.remote(episode, attempt)] = (worker, episode, attempt)

    def _new(self) -> Any:
        return self._make.remote(self._job, self._hosts, self._step_timeout_s)

    def _forget(self, episode: EpisodeSpec) -> None:
        """Ends the session that a lost worker left behind, before another begins it anew."""
        if self._hosts:
            host = self._hosts[host_of(episode.episode_id, len(self._hosts))]
            ending = host.ask.remote("end", encode(episode.episode_id))
            ray.wait([ending], timeout=CLOSING_SECONDS)

    @staticmethod
    def _receive(future: Any, episode: EpisodeSpec, attempt: int) -> tuple[Event, bool]:
        """What came of an attempt, and whether the worker is still there to make another.

        Here and nowhere else a worker's loss becomes a `LostAttempt`.
        """
        try:
            event: Event = ray.get(future)
        except ray.exceptions.RayTaskError as error:
            if error.cause is None:
                raise
            raise error.cause from error
        except ray.exceptions.RayError as error:
            reason = last_words(str(error))
            return LostAttempt(episode, attempt, f"{type(error).__name__}: {reason}"), False
        return event, not (isinstance(event, LostAttempt) and event.hung)
