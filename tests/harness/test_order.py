"""In which order episodes are handed out."""

from __future__ import annotations

import heapq
from itertools import count

import numpy as np
import pytest

from vlabench.runner.order import TAIL, Line, Turn
from vlabench.seeding import stream
from vlabench.types import EpisodeSpec


def episode(index: int, horizon: int = 100) -> EpisodeSpec:
    return EpisodeSpec("task", (), index, 0, {}, "go", "1", horizon, "panda")


def handed_out(line: Line) -> list[int]:
    """The order in which one worker after another gets them, each done before the next."""
    order = []
    while (turn := line.next()) is not None:
        order.append(turn.place)
        line.over(turn)
    return order


def test_the_last_few_go_longest_first_and_those_before_in_order() -> None:
    horizons = [10, 90, 50, 20, 70, 30, 60, 30, 40, 80]
    line = Line([episode(n, h) for n, h in enumerate(horizons)], size=2, tail=2)
    assert handed_out(line) == [0, 1, 2, 3, 4, 5, 9, 6, 8, 7]


def test_no_more_than_the_second_half_is_reordered() -> None:
    line = Line([episode(n, n) for n in range(40)], size=64)
    order = handed_out(line)
    assert order[:20] == list(range(20))
    assert order[20:] == list(range(39, 19, -1))


def test_a_gate_keeps_the_manifests_order_and_its_distance() -> None:
    line = Line([episode(n, n) for n in range(6)], size=2, ahead=2)
    turns = [line.next(lambda one: one.index == 5) for _ in range(4)]
    begun = [turn for turn in turns if turn is not None]
    assert [turn.place for turn in begun] == [0, 1, 2]
    line.over(begun[1])
    assert line.next() is None
    line.over(begun[0])
    assert [turn.place for turn in (line.next(), line.next()) if turn is not None] == [3, 4]
    assert line.next() is None


def test_an_attempt_that_was_lost_goes_first() -> None:
    line = Line([episode(n) for n in range(6)], size=1, tail=0)
    first = line.next()
    assert first is not None
    line.again(Turn(first.place, first.episode, attempt=1))
    again = line.next()
    assert again is not None
    assert (again.place, again.attempt) == (0, 1)


def test_an_episode_that_is_served_nearby_is_preferred_and_none_is_left_behind() -> None:
    line = Line([episode(n) for n in range(100)], size=4, tail=0)
    order = []
    while (turn := line.next(lambda one: one.index % 10 == 3)) is not None:
        order.append(turn.place)
        line.over(turn)
    assert order[0] == 3
    assert sorted(order) == list(range(100))
    moved = max(abs(position - place) for position, place in enumerate(order))
    assert 0 < moved <= 8


def idle_steps(steps: list[int], episodes: list[EpisodeSpec], workers: int, tail: int) -> int:
    """Time that workers stand idle at the end, if episodes take so many steps of it."""
    line = Line(episodes, workers, tail=tail)
    number = count()
    at_work: list[tuple[int, int, Turn | None]] = [(0, next(number), None) for _ in range(workers)]
    ends = []
    while at_work:
        now, _, done = heapq.heappop(at_work)
        if done is not None:
            line.over(done)
        turn = line.next()
        if turn is None:
            ends.append(now)
        else:
            heapq.heappush(at_work, (now + steps[turn.place], next(number), turn))
    return sum(max(ends) - end for end in ends)


@pytest.mark.parametrize("workers", [8, 32])
def test_workers_stand_idle_for_a_third_of_what_they_would(workers: int) -> None:
    """Episodes of 100 to 1000 steps, of which a tenth or more is used."""
    before = after = 0
    for repeat in range(5):
        random = stream(0, repeat, "durations")
        horizons = random.choice([100, 200, 400, 1000], 1000).tolist()
        steps = [int(h * share) for h, share in zip(horizons, random.random(1000), strict=True)]
        steps = np.maximum(steps, [h // 10 for h in horizons]).tolist()
        episodes = [episode(n, h) for n, h in enumerate(horizons)]
        before += idle_steps(steps, episodes, workers, tail=0)
        after += idle_steps(steps, episodes, workers, tail=TAIL)
    assert after < before / 3
