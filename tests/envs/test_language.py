"""What a policy is told: good sentences, that say which thing and where, each of one kind."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlabench.envs.fixtures.base import fixture
from vlabench.envs.language import (
    KINDS,
    LISTED,
    WORDS,
    Phrase,
    Referent,
    draw_phrase,
    named,
    phrases,
    realise,
    tasks,
)
from vlabench.envs.language.grammar import LIST, article, load_bank, roles_of
from vlabench.envs.tasks.base import task as task_called
from vlabench.errors import UnknownNameError, UsageError
from vlabench.registry import TASKS
from vlabench.seeding import stream

OBJECTS = (
    Referent("mug", ("cup", "coffee mug"), "red", "something to drink from"),
    Referent("apple", (), "orange", "fruit that grows on trees"),
    Referent("block", ("brick", "cube"), "ivory", "a thing to build with"),
    Referent("hourglass", ("sand timer",), "", "something to measure time with"),
    Referent("plate", ("dish", "dinner plate"), "white", "something to eat from"),
    Referent("block", ("brick", "cube"), "dark blue", "a thing to build with"),
    Referent("box", ("crate",), "", "something to keep things in"),
    Referent("orange", ("tangerine",), "orange", "fruit with a peel"),
    Referent("oven door", ("door of the oven",), "", "something to open"),
)
PLACES = {"object": OBJECTS[0], "target": OBJECTS[1]}


def templates_of(task: str) -> list[tuple[str, str]]:
    return [(kind, template) for kind in KINDS for template in phrases(task)[kind]]


def scenes(template: str) -> list[dict[str, Referent]]:
    """Words for the roles of a template: each of `OBJECTS` in each role, each side in turn."""
    roles = [role for role in roles_of(template) if role not in ("side", LIST)]
    roles += [*LISTED[: len(OBJECTS) - len(roles)]] if LIST in roles_of(template) else []
    sides = itertools.cycle(WORDS.values())
    return [
        dict(zip(roles, OBJECTS[turn:] + OBJECTS[:turn], strict=False)) | {"side": next(sides)}
        for turn in range(len(OBJECTS))
    ]


def said(kind: str, template: str, scene: dict[str, Referent], synonym: float) -> str:
    listed = [role for role in LISTED if role in scene]
    return realise(Phrase(kind, template, synonym), scene, listed)


def test_every_task_has_phrases_and_all_phrases_have_a_task():
    assert tasks() == tuple(sorted(TASKS.names()))


@pytest.mark.parametrize("task", tasks())
def test_a_bank_names_what_its_task_has(task):
    kind = task_called(task)
    parts = {part.name for name in kind.fixtures for part in fixture(name).parts}
    known = {role.name for role in kind.roles} | set(kind.choices) | parts
    assert set(named(task)) <= known
    assert (LIST in roles_of(phrases(task)["seen"][0])) == bool(kind.chain)
    if kind.chain:
        assert [stage.goals[0].arguments[0] for stage in kind.stages] == [*LISTED]


@pytest.mark.parametrize("task", tasks())
def test_a_bank_is_large_enough_and_read_once(task):
    bank = phrases(task)
    assert tuple(bank) == KINDS
    assert len(bank["seen"]) >= 4
    assert all(len(bank[kind]) >= 5 for kind in KINDS[1:])
    assert phrases(task) is bank
    with pytest.raises(TypeError):
        bank["seen"] = ()


@pytest.mark.parametrize("task", tasks())
def test_every_sentence_is_clean_and_names_its_things(task):
    for kind, template in templates_of(task):
        for scene in scenes(template):
            for synonym in (0.0, 0.999999):
                sentence = said(kind, template, scene, synonym)
                assert re.fullmatch(r"[a-z]+(['-][a-z]+)?([,;]? [a-z]+(['-][a-z]+)*)*", sentence)
                assert not re.search(r"\b(\w+) \1\b", sentence), sentence
                assert not re.search(r"\ba [aeiou](?!ni)|\b(the|an?) (the|an?)\b", sentence)
                for role in {*roles_of(template)} & {*scene}:
                    words = scene[role]
                    assert any(words.called(n) in sentence for n in (words.name, *words.synonyms))


@pytest.mark.parametrize("task", ["place-beside", "set-table"])
def test_directions_say_that_they_are_the_robots(task):
    for kind, template in templates_of(task):
        for words in WORDS.values():
            for synonym in (0.0, 0.5, 0.999999):
                scene = {role: OBJECTS[n] for n, role in enumerate(roles_of(template))}
                sentence = said(kind, template, scene | {"side": words}, synonym)
                assert "robot" in sentence, sentence


@pytest.mark.parametrize("task", tasks())
def test_no_sentence_of_one_kind_is_ever_one_of_another(task):
    templates = templates_of(task)
    for turn in range(len(OBJECTS)):
        kinds: dict[str, str] = {}
        for kind, template in templates:
            for synonym in (0.0, 0.5, 0.999999):
                sentence = said(kind, template, scenes(templates[0][1])[turn], synonym)
                assert kinds.setdefault(sentence, kind) == kind


@pytest.mark.parametrize("task", tasks())
def test_two_templates_never_say_the_same(task):
    templates = templates_of(task)
    scene = scenes(templates[0][1])[0]
    sentences = [said(kind, template, scene, 0.5) for kind, template in templates]
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "the red mug"),
        (2, "the red mug and the orange apple"),
        (4, "the red mug, the orange apple, the ivory block and the hourglass"),
    ],
)
def test_a_list_names_as_many_as_are_asked_for(count, words):
    scene = dict(zip(LISTED, OBJECTS, strict=False))
    phrase = Phrase("seen", "put {list} away", 0.0)
    assert realise(phrase, scene, LISTED[:count]) == f"put {words} away"


def test_an_empty_list_is_refused():
    with pytest.raises(UsageError, match="none is listed"):
        realise(Phrase("seen", "put {list} away", 0.0), {})


def test_an_expression_stands_for_colour_and_name_everywhere_in_the_phrase():
    phrase = Phrase(
        "lexical", "take {a_object}, the {object}, off the {target}", 0.0, {"object": "odd thing"}
    )
    assert realise(phrase, PLACES) == "take an odd thing, the odd thing, off the orange apple"


def test_what_is_called_by_its_colour_is_not_called_so_twice():
    assert Referent("orange", (), "orange").called("orange") == "orange"
    assert Referent("orange", (), "orange").called("tangerine") == "orange tangerine"


def test_only_lexical_phrases_use_synonyms_and_fall_back_to_the_name():
    scene = PLACES
    assert realise(Phrase("seen", "take the {object}", 0.0), scene) == "take the red mug"
    assert realise(Phrase("lexical", "take the {object}", 0.0), scene) == "take the red cup"
    assert realise(Phrase("lexical", "take the {object}", 0.5), scene) == "take the red coffee mug"
    nameless = {"object": Referent("apple", colour="green")}
    assert realise(Phrase("lexical", "take the {object}", 0.9), nameless) == "take the green apple"


def test_a_synonym_that_something_else_goes_by_is_not_used():
    mug = Referent("mug", ("cup", "beaker"), "red")
    near = {"object": mug, "distractor": Referent("cup", (), "red")}
    far = {"object": mug, "distractor": Referent("cup", (), "blue")}
    phrase = Phrase("lexical", "take the {object}", 0.0)
    assert realise(phrase, near) == "take the red beaker"
    assert realise(phrase, far) == "take the red cup"


@given(st.floats(0, 1, exclude_max=True))
def test_every_draw_picks_a_synonym(synonym):
    sentence = realise(Phrase("lexical", "take the {object}", synonym), PLACES)
    assert sentence in ("take the red cup", "take the red coffee mug")


def test_slots_for_articles_and_uses():
    scene = {"object": OBJECTS[1]}
    assert realise(Phrase("seen", "there is {a_object}", 0), scene) == "there is an orange apple"
    assert realise(Phrase("seen", "i want {object_use}", 0), scene) == (
        "i want a fruit that grows on trees"
    )
    fruit = {"object": Referent("banana", use="fruit that monkeys like")}
    assert realise(Phrase("seen", "i want {object_use}", 0), fruit) == (
        "i want a fruit that monkeys like"
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("red apple", "a"),
        ("orange mug", "an"),
        ("hourglass", "an"),
        ("house", "a"),
        ("utensil", "a"),
        ("umbrella", "an"),
        ("unicorn", "a"),
        ("ivory block", "an"),
    ],
)
def test_articles_go_by_sound(words, expected):
    assert article(words) == expected


def test_what_cannot_be_told_apart_is_refused():
    twin = Referent("block", (), "red")
    phrase = Phrase("seen", "stack the {object} on the {target}", 0.0)
    with pytest.raises(UsageError, match="'red block'"):
        realise(phrase, {"object": twin, "target": twin})
    with pytest.raises(UsageError, match="distractor"):
        realise(phrase, {"object": twin, "target": OBJECTS[0], "distractor": twin})


def test_missing_words_are_refused():
    with pytest.raises(UsageError, match="'target'"):
        realise(Phrase("seen", "put it on the {target}", 0.0), {"object": OBJECTS[0]})
    with pytest.raises(UsageError, match="use"):
        realise(Phrase("indirect", "i want {object_use}", 0.0), {"object": Referent("mug")})


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "the mug"},
        {"name": "Mug"},
        {"name": ""},
        {"name": "red  mug"},
        {"name": "mug", "colour": " red"},
        {"name": "mug", "synonyms": ("a cup",)},
        {"name": "mug", "use": "to drink from."},
    ],
)
def test_words_that_would_spoil_a_sentence_are_refused(fields):
    with pytest.raises(UsageError):
        Referent(**fields)


def test_drawing_is_a_matter_of_the_stream_alone():
    draws = [draw_phrase("stack", "lexical", stream(0, "phrase", i)) for i in range(300)]
    again = [draw_phrase("stack", "lexical", stream(0, "phrase", i)) for i in range(300)]
    assert draws == again
    assert {draw.template for draw in draws} == set(phrases("stack")["lexical"])
    assert all(draw.kind == "lexical" and 0 <= draw.synonym < 1 for draw in draws)
    assert all(round(draw.synonym, 6) == draw.synonym for draw in draws)


def test_every_kind_takes_as_many_numbers_from_the_stream():
    after = set()
    for kind in KINDS:
        rng = np.random.Generator(np.random.Philox(1))
        draw_phrase("stack", kind, rng)
        after.add(rng.integers(2**60))
    assert len(after) == 1


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match="place-on"):
        phrases("place-om")
    with pytest.raises(UnknownNameError, match="lexical"):
        draw_phrase("stack", "lexicle", stream(0))


GOOD = {
    "roles": ["object"],
    "seen": [f"take the {{object}} {word}" for word in ("up", "out", "off", "in")],
    "lexical": [f"grab the {{object}} {word}" for word in ("up", "out", "off", "in", "on")],
    "syntactic": [f"the {{object}} goes {word}" for word in ("up", "out", "off", "in", "on")],
    "indirect": [f"i miss the {{object}} {word}" for word in ("up", "out", "off", "in", "on")],
}


def _with_first(kind, template):
    return {**GOOD, kind: [template, *GOOD[kind][1:]]}


@pytest.fixture
def load(tmp_path, monkeypatch):
    import yaml

    from vlabench.envs.language import grammar

    def load_from(bank):
        (tmp_path / "made-up.yaml").write_text(yaml.safe_dump(bank))
        return load_bank.__wrapped__("made-up")

    monkeypatch.setattr(grammar, "files", lambda package: tmp_path)
    return load_from


def test_a_good_bank_loads(load):
    assert load(GOOD)["seen"][0] == "take the {object} up"


@pytest.mark.parametrize(
    ("bank", "part"),
    [
        ({**GOOD, "seen": GOOD["seen"][:3]}, "at least 4"),
        ({**GOOD, "indirect": GOOD["indirect"][:4]}, "at least 5"),
        ({**GOOD, "lexicle": []}, "'lexical'"),
        ({k: v for k, v in GOOD.items() if k != "roles"}, "'roles' is missing"),
        (_with_first("lexical", "take the {object} up"), "twice"),
        (_with_first("lexical", "grab the {objekt} up"), "slot 'objekt'"),
        (_with_first("lexical", "grab the {object"), "broken slot"),
        (_with_first("lexical", "grab it"), "does not name the object"),
        (_with_first("lexical", "grab {object_use}"), "does not name the object"),
        (_with_first("lexical", "Grab the {object}"), "lower case"),
        (_with_first("lexical", "grab the {object}."), "mark at its end"),
        (_with_first("lexical", "grab  the {object}"), "single blanks"),
    ],
)
def test_a_bank_that_breaks_a_rule_is_refused(load, bank, part):
    with pytest.raises(UsageError) as caught:
        load(bank)
    assert part in str(caught.value)
    assert "made-up.yaml" in str(caught.value)
