"""Axes of words: what is said is what is meant, reaches the policy, and means one thing only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from vlabench.envs.axes.absent_object import names_in
from vlabench.envs.axes.base import Axis
from vlabench.envs.axes.knowledge import known_as, rivals
from vlabench.envs.axes.referring import argument, readings
from vlabench.envs.axes.wording import moved, moved_and_named
from vlabench.envs.language import LISTED
from vlabench.envs.language.expressions import (
    LEVELS,
    MOST_EXCLUDED,
    PARTS,
    denotes,
    unambiguous,
)
from vlabench.envs.language.things import NOUNS, adjectives, nouns, things
from vlabench.envs.objects.catalog import category
from vlabench.envs.simulation import Simulation
from vlabench.envs.splits import kept_from
from vlabench.envs.tasks.base import Task
from vlabench.envs.tasks.base import task as task_called
from vlabench.envs.world import TabletopWorld, instruction
from vlabench.registry import AXES, TASKS
from vlabench.types import Change, EpisodeSpec

Draw = Callable[..., EpisodeSpec]
Factors = Mapping[str, Any]

OF_WORDS = (
    "absent-object",
    "composition",
    "empty-instruction",
    "horizon",
    "knowledge",
    "paraphrase",
    "referring",
    "swapped-goal",
)
DIAGNOSTICS = {"absent-object": "absent", "empty-instruction": "empty", "swapped-goal": "swapped"}
SENTENCE = re.compile(r"[a-z]+(['-][a-z]+)?([,;]? [a-z0-9]+(['-][a-z0-9]+)*)*")


def axis_called(name: str) -> Axis:
    axis: Axis = AXES.load(name)()
    return axis


def cells(axis: str) -> list[tuple[str, str]]:
    """Every task and level that an axis has."""
    return [(t, level) for t in TASKS.names() for level in axis_called(axis).levels_of(_task(t))]


def each_cell(axis: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("task", "level"), cells(axis))


def _task(name: str) -> Task:
    return task_called(name)


def scene(**things_there: tuple[str, str, float, float]) -> dict[str, Any]:
    """Factors of a scene: role to category, colour, x and y."""
    factors: dict[str, Any] = {}
    for role, (kind, color, x, y) in things_there.items():
        factors |= {f"{role}.category": kind, f"{role}.color": color, f"{role}.pose": [x, y, 0.0]}
        factors |= {f"{role}.shape": [0.5] * 4}
    return factors


# --- what is said -----------------------------------------------------------------------------


@pytest.mark.parametrize("axis", OF_WORDS)
def test_every_sentence_is_whole_and_says_what_the_factors_say(draw: Draw, axis: str) -> None:
    for task, level in cells(axis):
        for index in range(2):
            episode = draw(task, index, f"{axis}:{level}")
            assert episode.instruction == instruction(episode.factors)
            if axis == "empty-instruction":
                assert episode.instruction == ""
            else:
                assert SENTENCE.fullmatch(episode.instruction), episode.instruction
                assert not re.search(r"\b(the|an?) (the|an?)\b", episode.instruction)


@pytest.mark.parametrize("task", TASKS.names())
def test_nominal_sentences_of_twenty_scenes_are_whole(draw: Draw, task: str) -> None:
    for index in range(20):
        sentence = draw(task, index).instruction
        assert SENTENCE.fullmatch(sentence), sentence
        assert not re.search(r"\b(\w+) \1\b|\b(the|an?) (the|an?)\b", sentence), sentence


@pytest.mark.parametrize("axis", OF_WORDS)
def test_the_policy_hears_the_sentence_of_the_manifest(draw: Draw, axis: str) -> None:
    task, level = cells(axis)[0]
    episode, simulation = draw(task, 0, f"{axis}:{level}"), Simulation()
    simulation.start(EpisodeSpec.from_json(episode.to_json()))
    assert simulation.observe().instruction == episode.instruction


# --- referring --------------------------------------------------------------------------------


@each_cell("referring")
def test_an_expression_denotes_what_is_meant_and_nothing_else(
    draw: Draw, task: str, level: str
) -> None:
    for index in range(5):
        factors = draw(task, index, f"referring:{level}").factors
        ((told, words),) = factors["phrase"]["expressions"].items()
        meant = factors["cast"].get(told, told)
        assert told == argument(_task(task))
        ways = [denotes(words, factors, unmeant) for unmeant in readings(_task(task), factors)]
        assert {meant} in ways, words
        assert ways[-1] <= {meant}, words
        excluded = re.search(r"\b(?:is not|neither) (.*)", words)
        assert not excluded or len(re.split(", | nor ", excluded[1])) <= MOST_EXCLUDED, words
        assert f"the {words}" in instruction(factors)
        if meant not in PARTS:
            kind = category(factors[f"{meant}.category"])
            head = re.split(r" (?:that|nearest|furthest|from) ", words)[0]
            assert not {kind.name, *kind.synonyms} & {head.split()[-1]}


@pytest.mark.parametrize("task", [task for task, level in cells("referring") if level == "spatial"])
def test_places_are_where_they_are_said_to_be(draw: Draw, task: str) -> None:
    """The expressions are read anew here, by what the words mean."""
    for index in range(8):
        factors = draw(task, index, "referring:spatial").factors
        ((told, words),) = factors["phrase"]["expressions"].items()
        if told not in factors["cast"]:
            role = {f"{t.called}": t.at for t in things(factors)}
            x, y, _ = factors[f"{told}.pose"]
            ys = [t.at[1] for t in things(factors) if t.kind and t.name != told]
            if words == "thing furthest to the robot's left":
                assert y >= max(ys) + 0.03
            if words == "thing furthest to the robot's right":
                assert y <= min(ys) - 0.03
            if one := re.fullmatch(r"thing that is to the robot's (left|right) of the (.*)", words):
                anchor = role.get(one[2])
                if anchor is not None:
                    assert (y - anchor[1]) * (1 if one[1] == "left" else -1) >= 0.03
            if one := re.fullmatch(
                r"thing that is on the robot's (far )?side of the ([a-z ]*)", words
            ):
                anchor = role.get(one[2])
                if anchor is not None:
                    assert (x - anchor[0]) * (1 if one[1] else -1) >= 0.03


CROWD = scene(
    object=("mug", "red", 0.0, 0.2),
    near=("mug", "blue", 0.02, 0.1),
    fruit=("lemon", "yellow", 0.1, -0.05),
    last=("apple", "red", -0.1, -0.2),
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("thing furthest to the robot's left", {"object"}),
        ("thing furthest to the robot's right", {"last"}),
        ("second thing from the robot's left", {"near"}),
        ("third thing from the robot's left", {"fruit"}),
        ("second thing from the robot's right", {"fruit"}),
        ("red thing", {"object", "last"}),
        ("red fruit", {"last"}),
        ("fruit", {"fruit", "last"}),
        ("fruit furthest to the robot's left", {"fruit"}),
        ("thing nearest to the blue mug", {"object"}),
        ("thing that is to the robot's left of the blue mug", {"object"}),
        ("fruit that is not red", {"fruit"}),
        ("ceramic thing that is not the blue mug", {"object"}),
        ("thing furthest from the blue mug", {"last"}),
        ("thing second nearest to the blue mug", {"fruit"}),
        ("thing that is neither a fruit nor the blue mug", {"object"}),
        ("thing that is neither the yellow lemon, the red apple nor the blue mug", set()),
        ("thing of which nobody speaks", set()),
    ],
)
def test_what_words_denote_in_a_known_scene(words: str, expected: set[str]) -> None:
    assert denotes(words, CROWD) == expected


def test_too_near_to_call_is_ambiguous() -> None:
    close = scene(object=("mug", "red", 0.0, 0.02), other=("mug", "blue", 0.0, 0.0))
    assert denotes("thing furthest to the robot's left", close) == {"object", "other"}
    assert "thing furthest to the robot's left" not in unambiguous("object", "spatial", close)
    apart = scene(object=("mug", "red", 0.0, 0.04), other=("mug", "blue", 0.0, 0.0))
    assert "thing furthest to the robot's left" in unambiguous("object", "spatial", apart)


def test_a_side_is_not_claimed_of_what_is_rather_behind() -> None:
    slanted = scene(object=("mug", "red", 0.2, 0.05), plate=("plate", "white", 0.0, 0.0))
    words = unambiguous("object", "spatial", slanted)
    assert "thing that is on the robot's far side of the white plate" in words
    assert "thing that is to the robot's left of the white plate" not in words


def test_twins_but_for_their_category_are_told_apart_by_name_at_last() -> None:
    twins = scene(object=("fork", "black", 0.0, 0.1), other=("knife", "black", 0.0, -0.1))
    for level in LEVELS:
        for words in unambiguous("object", level, twins):
            assert denotes(words, twins) == {"object"}
            assert "fork" not in words


def test_adjectives_and_nouns_are_true_of_the_thing_and_only_of_such() -> None:
    by_name = {thing.name: thing for thing in things(CROWD)}
    said = {name: {word.words for word in adjectives(thing)} for name, thing in by_name.items()}
    assert {"red", "ceramic"} <= said["object"]
    assert {"round", "red"} <= said["last"]
    assert "long" not in said["last"]
    assert [noun.words for noun in nouns(by_name["last"])] == ["fruit"]
    assert all(nouns(thing) == [] or nouns(thing)[0].words in NOUNS for thing in by_name.values())


def test_of_a_thing_in_another_material_no_material_is_said() -> None:
    clad = {**CROWD, "object.material": "terrazzo"}
    assert "ceramic thing" not in unambiguous("object", "attribute", clad)
    assert denotes("ceramic thing", CROWD) == denotes("ceramic thing", clad) == {"object", "near"}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("task", ["place-in", "stack"])
def test_expressions_hold_among_many_look_alikes(draw: Draw, task: str, level: str) -> None:
    for index in range(4):
        crowd = draw(task, index, "confusable-distractors:L3", f"referring:{level}").factors
        words = crowd["phrase"]["expressions"]["object"]
        ways = [denotes(words, crowd, unmeant) for unmeant in readings(_task(task), crowd)]
        assert {"object"} in ways


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("task", ["swap", "two-in-basket"])
def test_no_clause_swallows_what_is_named_after_and(draw: Draw, task: str, level: str) -> None:
    for index in range(8):
        factors = draw(task, index, f"referring:{level}").factors
        words = factors["phrase"]["expressions"]["object"]
        assert f"the {words} and the " not in instruction(factors)


def test_a_thing_that_was_scaled_is_as_large_as_it_is() -> None:
    boxes = scene(object=("block", "red", 0.0, 0.2), other=("block", "red", 0.0, -0.2))
    scaled = boxes | {"object.scale": 0.75}
    assert denotes("smallest thing", scaled) == {"object"}
    assert denotes("largest thing", scaled) == {"other"}
    assert denotes("smallest thing", boxes) == {"object", "other"}


def test_what_the_sentence_names_besides_is_not_meant() -> None:
    assert denotes("red thing", CROWD) == {"object", "last"}
    assert denotes("red thing", CROWD, {"last"}) == {"object"}
    assert "red thing" in unambiguous("object", "attribute", CROWD, {"last"})


@pytest.mark.parametrize("level", LEVELS)
def test_an_expression_for_a_part_is_that_of_no_other(level: str) -> None:
    said = [words for levels in PARTS.values() for words in levels.get(level, ())]
    assert len(set(said)) == len(said)


# --- knowledge and composition ----------------------------------------------------------------


@each_cell("knowledge")
def test_what_is_known_fits_nothing_else_in_the_scene(draw: Draw, task: str, level: str) -> None:
    role = moved_and_named(_task(task))
    assert role is not None
    for index in range(8):
        factors = draw(task, index, f"knowledge:{level}").factors
        thing = next(t for t in things(factors) if t.name == role.name)
        assert thing.kind is not None
        words = factors["phrase"]["expressions"][role.name]
        (phrase,) = [known for known in thing.kind.knowledge if known in words]
        assert not re.search(rf"\b{thing.kind.name}\b", words)
        for rival in rivals(thing, things(factors)):
            added = words.replace(phrase, "").split()
            told = [word.words for word in adjectives(thing) if word.holds(rival) is False]
            assert set(told) & set(added) or f"the {rival.called}" in words


def test_a_rival_is_told_apart_by_another_word() -> None:
    alone = scene(object=("mug", "red", 0, 0), other=("lemon", "yellow", 0, 0.2))
    assert known_as("object", alone) == sorted(category("mug").knowledge)
    twice = scene(object=("mug", "red", 0, 0), other=("mug", "blue", 0, 0.2))
    assert known_as("object", twice) == sorted(f"red {k}" for k in category("mug").knowledge)
    rival = sorted(category("mug").fits)[0]
    color = category(rival).colors[0]
    other = scene(object=("mug", "red", 0, 0), other=(rival, color, 0, 0.2))
    assert not set(known_as("object", other)) & set(category("mug").knowledge)


@each_cell("composition")
def test_a_composition_is_of_what_training_keeps_apart(draw: Draw, task: str, level: str) -> None:
    role = moved(_task(task))
    assert role is not None
    for index in range(6):
        factor = f"{role.name}.category"
        apart = draw(task, index, f"composition:{level}").factors[factor]
        assert apart in kept_from(task, role.kind, role.super_category)
        assert draw(task, index).factors[factor] not in kept_from(task, role.kind)


# --- diagnostics and horizon ------------------------------------------------------------------


@pytest.mark.parametrize("axis", sorted(DIAGNOSTICS))
def test_a_diagnostic_says_so_and_nominal_episodes_do_not(draw: Draw, axis: str) -> None:
    for task, level in cells(axis):
        drawn = TabletopWorld().draw(task, (Change(axis, level),), seed=0, index=0)
        assert drawn.diagnostic
        assert drawn.factors["diagnostic"] == {"kind": DIAGNOSTICS[axis]}
        assert "diagnostic" not in draw(task, 0).factors


@each_cell("absent-object")
def test_what_is_asked_for_is_not_there(draw: Draw, task: str, level: str) -> None:
    role = moved_and_named(_task(task))
    assert role is not None
    for index in range(8):
        factors = draw(task, index, f"absent-object:{level}").factors
        words = factors["phrase"]["expressions"][role.name]
        assert f"the {words}" in instruction(factors)
        for name in names_in(factors):
            assert name not in {category_of(words).name, *category_of(words).synonyms}


def category_of(words: str) -> Any:
    """The category that "red mug" speaks of."""
    from vlabench.registry import OBJECTS

    kinds = [category(name) for name in OBJECTS.names()]
    return max((k for k in kinds if words.endswith(k.name)), key=lambda kind: len(kind.name))


@each_cell("swapped-goal")
def test_a_swapped_goal_is_another_and_not_yet_reached(draw: Draw, task: str, level: str) -> None:
    for index in range(8):
        nominal, swapped = draw(task, index), draw(task, index, f"swapped-goal:{level}")
        kind = _task(task)
        assert kind.wanted(swapped.factors) != kind.wanted(nominal.factors)
        assert swapped.instruction != nominal.instruction
    simulation = Simulation()
    simulation.start(swapped)
    seen = simulation.observe(privileged=True).privileged
    assert seen is not None
    assert not all(goal.holds for stage in seen.stages for goal in stage.goals)


@each_cell("horizon")
def test_a_longer_list_is_the_shorter_one_and_more(draw: Draw, task: str, level: str) -> None:
    for index in range(3):
        nominal, longer = draw(task, index), draw(task, index, f"horizon:{level}")
        assert len(_task(task).asked(longer.factors)) == int(level)
        assert len(_task(task).asked(nominal.factors)) == 1
        for role in LISTED[: int(level)]:
            color = longer.factors[f"{role}.color"]
            name = longer.factors[f"{role}.category"]
            assert (name if name == color else f"{color} {name}") in longer.instruction


@pytest.mark.parametrize(
    ("axis", "tasks"),
    [
        ("horizon", {"errands"}),
        ("paraphrase", set(TASKS.names())),
        ("empty-instruction", set(TASKS.names())),
    ],
)
def test_which_tasks_an_axis_changes(axis: str, tasks: set[str]) -> None:
    assert {task for task, _ in cells(axis)} == tasks
