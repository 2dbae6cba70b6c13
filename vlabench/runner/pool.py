"""Who of the workers is at what, and what comes of it.

Between the start and the end of an episode nothing passes between a worker whose policy lives in it
and anybody else: one call takes an `EpisodeSpec` there, and its answer brings back the record and
the trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
import ray.exceptions

from vlabench.contract.wire import encode
from vlabench.errors import InfrastructureError
from vlabench.runner.cluster import last_words, node_lives
from vlabench.runner.crew import Crew, Member, cause_of
from vlabench.runner.hosts import CLOSING_SECONDS, Hosts
from vlabench.runner.inference import host_of
from vlabench.runner.job import Event, Job, LostAttempt, RunnerOptions
from vlabench.runner.order import Line, Turn
from vlabench.runner.watchdog import WRITTEN_AT_THE_END
from vlabench.runner.worker import Answer
from vlabench.types import EpisodeSpec

STARVED_SECONDS = 600
"""A run ends if for so long no worker lives and none comes up."""


class Pool:
    """Hands episodes out to a crew.

    Args:
        job: What to run.
        size: How many workers there should be.
        hosts: The inference actors that they ask.
        options: How the work is spread.
    """

    def __init__(self, job: Job, size: int, hosts: Hosts, options: RunnerOptions) -> None:
        self._crew = Crew(job, size, hosts, options)
        self._hosts = hosts
        self._step_timeout_s = options.step_timeout_s
        self._size = size
        self._ahead = None if options.ahead is None else options.ahead * size
        self._busy: dict[Any, tuple[Member, Turn]] = {}

    def run(self, episodes: Sequence[EpisodeSpec]) -> Iterator[Event]:
        """Runs `episodes`, and those again that were lost.

        Raises:
            InfrastructureError: If no worker comes up, or they die before they are ready.
        """
        line = Line(episodes, self._size, self._ahead)
        while line or self._busy:
            self._crew.ask_for(len(self._busy) + len(line))
            self._hand_out(line)
            for future in self._ready():
                event = self._happened(future, line)
                self._hand_out(line)  # before anybody writes down what happened
                if event is not None:
                    yield event

    def close(self) -> None:
        """Ends all workers."""
        self._crew.close()

    def _hand_out(self, line: Line) -> None:
        while (member := self._crew.free()) is not None:
            turn = line.next(self._hosts.nearness(member.node))
            if turn is None:
                return
            self._crew.sent(member)
            future = member.actor.attempt.remote(turn.episode, turn.attempt)
            self._busy[future] = (member, turn)

    def _ready(self) -> Sequence[Any]:
        """What has been answered; waits until something has.

        Raises:
            InfrastructureError: If nobody lives, and nobody comes up.
        """
        futures = [*self._busy, *self._crew.starts]
        timeout = STARVED_SECONDS if self._crew.waits_for_a_place else None
        ready: Sequence[Any]
        ready, _ = ray.wait(futures, num_returns=1, timeout=timeout)
        if not ready:
            raise InfrastructureError(
                f"No worker lives, and for {STARVED_SECONDS} s the cluster has had no processor "
                "for one; give it nodes, and run the same command again."
            )
        ready, _ = ray.wait(futures, num_returns=len(futures), timeout=0)
        return ready

    def _happened(self, future: Any, line: Line) -> Event | None:
        """Takes one answer; what it tells, if it is the end of an attempt."""
        if self._crew.has_started(future):
            return None
        member, turn = self._busy.pop(future)
        answer = received(future)
        if isinstance(answer, str):
            return self._lost(member, turn, self._hung(member) or answer, line)
        event = answer.event
        if isinstance(event, LostAttempt) and event.hung:
            self._crew.lost(member)
        else:
            self._crew.back(member, answer, len(line))
        if isinstance(event, LostAttempt):
            return self._again(turn, event.error, line, hopeless=event.hopeless)
        line.over(turn)
        return event

    def _hung(self, member: Member) -> str | None:
        """What the watchdog of a worker that was lost wrote, if it is on this machine."""
        with suppress(OSError):
            if WRITTEN_AT_THE_END in Path(member.log).read_text(errors="replace"):
                return (
                    f"HungError: No step was made for {self._step_timeout_s:g} s; the worker was "
                    f"ended, and where it hung is in {member.log}."
                )
        return None

    def _lost(self, member: Member, turn: Turn, reason: str, line: Line) -> LostAttempt:
        """Turns the loss of a worker into that of its attempt; here and nowhere else."""
        self._crew.lost(member)
        return self._again(turn, reason, line, with_its_node=not node_lives(member.node))

    def _again(
        self,
        turn: Turn,
        reason: str,
        line: Line,
        *,
        with_its_node: bool = False,
        hopeless: bool = False,
    ) -> LostAttempt:
        """Puts the attempt that was lost at the head of the line, unless it was the last."""
        forgiven = turn.forgiven + with_its_node
        lost = LostAttempt(
            turn.episode, turn.attempt, reason, forgiven, with_its_node, hopeless=hopeless
        )
        self._forget(turn.episode)
        if lost.final:
            line.over(turn)
        else:
            line.again(replace(turn, attempt=turn.attempt + 1, forgiven=forgiven))
        return lost

    def _forget(self, episode: EpisodeSpec) -> None:
        """Ends the session that a lost worker left behind, before another begins it anew."""
        if self._hosts.actors:
            host = self._hosts.actors[host_of(episode.episode_id, len(self._hosts.actors))]
            ending = host.ask.remote("end", encode(episode.episode_id))
            ray.wait([ending], timeout=CLOSING_SECONDS)


def received(future: Any) -> Answer | str:
    """What came of an attempt; why the worker was lost, if it was.

    Raises:
        Exception: A defect, or what makes the run impossible, as the worker raised it.
    """
    try:
        answer: Answer = ray.get(future)
    except ray.exceptions.RayTaskError as error:
        raise cause_of(error) from error
    except ray.exceptions.RayError as error:
        return f"{type(error).__name__}: {last_words(str(error))}"
    return answer
