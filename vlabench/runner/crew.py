"""The workers of a run: asked for, made ready, recycled, ended.

A worker is asked for, comes up somewhere, is told its turn on that node, builds what it needs, and
is idle then; only an idle one is given an episode. So an episode never waits for a worker that
cannot come up because its node is gone: the others go on, and one that comes up later joins them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import ray
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from vlabench.errors import InfrastructureError
from vlabench.runner.cluster import last_words, no_vlabench
from vlabench.runner.hosts import CLOSING_SECONDS, Hosts
from vlabench.runner.job import Job, RunnerOptions
from vlabench.runner.placement import worker_environment
from vlabench.runner.worker import Answer, Worker

RECYCLED_AFTER = 1000
"""Episodes after which a worker is replaced by a fresh one, unless told otherwise."""

GROWN_BYTES = 1024**3
"""A worker that has grown by so much since its first episode is replaced."""

FAILED_STARTS = 5
"""After so many workers in a row that died before they were ready, no more are asked for."""


@dataclass(eq=False)
class Member:
    """A worker, as the driver sees it.

    Attributes:
        actor: Its handle.
        node: The node that it came up on; empty until then.
        log: The file there that its last words go to.
        turn: Its number among the workers of that node.
        episodes: How many it has run.
        first_bytes: Its memory after the first of them.
        due: Whether a fresh one should take its place.
    """

    actor: Any
    node: str = ""
    log: str = ""
    turn: int = 0
    episodes: int = 0
    first_bytes: int | None = None
    due: bool = False


class Crew:
    """At most `size` workers, and perhaps one that will take the place of another.

    Args:
        job: What they run.
        size: How many there should be.
        hosts: The inference actors that they ask.
        options: Where they render, and when they are recycled.
    """

    def __init__(self, job: Job, size: int, hosts: Hosts, options: RunnerOptions) -> None:
        self.size = size
        self._hosts = hosts
        self._own_cluster = options.ray_address is None
        self._most = RECYCLED_AFTER if options.recycle is None else options.recycle
        self._step_timeout_s = options.step_timeout_s
        self._job = ray.put(job)
        self._how = {
            "max_restarts": 0,
            "runtime_env": {"env_vars": worker_environment(options)},
        }
        self._coming: dict[Any, Member] = {}
        self._preparing: dict[Any, Member] = {}
        self._idle: list[Member] = []
        self._working: list[Member] = []
        self._failed_starts = 0

    def ask_for(self, wanted: int) -> None:
        """Asks for the workers that are missing to `wanted`, or to `size`."""
        while self.living + len(self.starts) < min(self.size, wanted):
            self._ask_for_one()

    @property
    def living(self) -> int:
        """How many are ready, whether they work or not."""
        return len(self._idle) + len(self._working)

    @property
    def starts(self) -> Sequence[Any]:
        """What tells that a worker has come up, or is ready; see `has_started`."""
        return [*self._preparing, *self._coming]

    @property
    def waits_for_a_place(self) -> bool:
        """Whether nobody lives, and nobody has come up yet."""
        return not self.living and not self._preparing

    def has_started(self, future: Any) -> bool:
        """Takes the answer of a worker that is starting; False if `future` is none.

        Raises:
            Exception: What makes the run impossible, as the worker raised it.
            InfrastructureError: If they die one after another before they are ready.
        """
        if future in self._coming:
            self._has_come(self._coming.pop(future), self._answer(future))
            return True
        if future in self._preparing:
            member = self._preparing.pop(future)
            if self._answer(future) is not None:
                self._failed_starts = 0
                self._idle.append(member)
            return True
        return False

    def free(self) -> Member | None:
        """An idle worker, one that is due only if there is no other; None if all that may, work."""
        if not self._idle or len(self._working) >= self.size:
            return None
        return min(self._idle, key=lambda member: member.due)

    def sent(self, member: Member) -> None:
        """`member` has been given an episode."""
        self._idle.remove(member)
        self._working.append(member)

    def back(self, member: Member, answer: Answer, waiting: int) -> None:
        """`member` has ended an episode; it is idle again, or a fresh one takes its place.

        Args:
            member: Who answered.
            answer: What it answered.
            waiting: How many episodes nobody has begun.
        """
        self._working.remove(member)
        if self._is_over(member, answer, waiting):
            member.actor.close.remote()
            member.actor.__ray_terminate__.remote()  # after what it has been asked before
        else:
            self._idle.append(member)

    def lost(self, member: Member) -> None:
        """`member` is gone, or no good any more."""
        self._working.remove(member)
        ray.kill(member.actor)

    def close(self) -> None:
        """Lets idle workers free what they hold, and ends the others."""
        for member in (*self._working, *self._coming.values(), *self._preparing.values()):
            ray.kill(member.actor)
        if self._idle:
            closing = [member.actor.close.remote() for member in self._idle]
            ray.wait(closing, num_returns=len(closing), timeout=CLOSING_SECONDS)

    def _ask_for_one(self, beside: Member | None = None) -> None:
        place: dict[str, Any] = {"num_cpus": 1, "scheduling_strategy": "SPREAD"}
        if beside is not None and self._own_cluster:
            # a cluster of our own has a processor for each that works, and for no other
            here = NodeAffinitySchedulingStrategy(beside.node, soft=False)
            place = {"num_cpus": 0, "scheduling_strategy": here}
        make = ray.remote(Worker).options(**self._how, **place)
        member = Member(make.remote(self._job, self._hosts.actors, self._step_timeout_s))
        self._coming[member.actor.where.remote()] = member

    def _has_come(self, member: Member, place: tuple[str, str] | None) -> None:
        """Tells a worker its turn on its node, and lets it build what it needs."""
        if place is None:
            return
        node, member.log = place
        others = (*self._preparing.values(), *self._idle, *self._working)
        there = {other.turn for other in others if other.node == node}
        member.node, member.turn = node, next(turn for turn in count() if turn not in there)
        taken = self._hosts.cards_on(node)
        self._preparing[member.actor.prepare.remote(member.turn, taken)] = member

    def _answer(self, future: Any) -> tuple[str, str] | None:
        """The node and the log of a worker that is starting; None if it died."""
        try:
            place: tuple[str, str] = ray.get(future)
        except ray.exceptions.RayTaskError as error:
            raise cause_of(error) from error
        except ray.exceptions.RayError as error:
            lacking = no_vlabench(error)
            if lacking is not None:
                raise lacking from error
            self._failed_starts += 1
            if self._failed_starts < FAILED_STARTS:
                return None
            if self.living:
                self.size = self.living
                return None
            raise InfrastructureError(
                f"{FAILED_STARTS} workers in a row died before they could run an episode, the last "
                f"because of: {last_words(str(error))}."
            ) from error
        return place

    def _is_over(self, member: Member, answer: Answer, waiting: int) -> bool:
        """Whether a worker that has ended an episode ends with it."""
        member.episodes += 1
        member.first_bytes = member.first_bytes or answer.resident_bytes
        grown = answer.resident_bytes - member.first_bytes > GROWN_BYTES
        member.due = member.due or grown or 0 < self._most <= member.episodes
        if not member.due or not waiting:
            return False
        if self.living >= self.size:
            return True  # the fresh one is there
        if self.living + len(self.starts) >= self.size:
            return False  # it is on its way
        if self._has_room_beside(answer):
            self._ask_for_one(beside=member)
            return False
        return True  # the fresh one comes after it

    def _has_room_beside(self, answer: Answer) -> bool:
        """Whether a fresh worker fits in beside one that answered so, until it takes its place."""
        if answer.on_a_card or answer.available_bytes < 2 * answer.resident_bytes:
            return False
        return self._own_cluster or ray.available_resources().get("CPU", 0) >= 1


def cause_of(error: Any) -> Exception:
    """What a worker raised."""
    cause: Exception = error.cause or error
    return cause
