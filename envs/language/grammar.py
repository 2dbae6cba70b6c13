"""How templates become sentences, and what a bank of templates must be.

A template is a sentence in lower case with slots. For a role such as ``object`` there are:

- ``{object}``: its colour and name, "red mug"; in a lexical phrase a synonym stands for the name;
- ``{a_object}``: the same behind its indefinite article, "a red mug", "an orange cup";
- ``{object_use}``: what it is good for, "something to drink from", "a fruit that monkeys like".

``{list}`` stands for as many things as are asked for, each behind its article: "the red block, the
lemon and the green sponge".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import as_file, files
from itertools import chain
from string import Formatter
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, model_validator

from vlabench.errors import UsageError
from vlabench.yamlio import load_model

KINDS = ("seen", "lexical", "syntactic", "indirect")
"""The plain ways to say a task, and three kinds of paraphrase that are held out."""

LIST = "list"
"""The slot for things that are named one after another."""

LEAST_SEEN, LEAST_OF_A_KIND = 4, 5
"""How many phrases a bank has at least: of the kind ``seen``, and of each kind of paraphrase."""


@dataclass(frozen=True)
class Referent:
    """The words for one thing in the scene, all in lower case.

    Attributes:
        name: What it is usually called, without an article: "mug".
        synonyms: Other names for it: ("cup", "beaker").
        colour: "red"; empty for a thing that is told apart without it.
        use: What it is good for: "something to drink from", "fruit that monkeys like".

    Raises:
        UsageError: If a word has capitals or stray blanks, or a name begins with an article.
    """

    name: str
    synonyms: tuple[str, ...] = ()
    colour: str = ""
    use: str = ""

    def __post_init__(self) -> None:
        names = [self.name, *self.synonyms]
        for words in [*names, *filter(None, (self.colour, self.use))]:
            if not _WORDS.fullmatch(words):
                raise UsageError(
                    f"{words!r} cannot stand in a phrase; write lower-case words, single blanks."
                )
        for name in names:
            if name.split()[0] in _ARTICLES:
                raise UsageError(f"The name {name!r} begins with an article; leave it out.")

    def called(self, name: str) -> str:
        """`name` behind the colour, unless it is one: no orange is an orange orange."""
        return f"{self.colour} {name}" if self.colour not in {"", name} else name


@dataclass(frozen=True)
class Phrase:
    """One drawn phrase, not yet about anything.

    Attributes:
        kind: One of `KINDS`.
        template: The sentence with its slots.
        synonym: A draw in [0, 1) that picks among synonyms, however many there will be.
        expressions: Role to the words that stand for its colour and name in this phrase.
    """

    kind: str
    template: str
    synonym: float
    expressions: Mapping[str, str] = field(default_factory=dict)


def realise(phrase: Phrase, referents: Mapping[str, Referent], listed: Sequence[str] = ()) -> str:
    """The sentence that the policy hears.

    Args:
        phrase: What was drawn.
        referents: Role to its words, for everything in the scene that has words: the roles of the
            phrase's slots, and whatever else they must be told apart from.
        listed: The roles that ``{list}`` names, in their order.

    Raises:
        UsageError: If a role has no words, a use is needed and empty, nothing is listed, or a role
            would be called what something else is called too.
    """
    slots = _slots(phrase.template)
    roles = {slot: _role(slot) for slot in slots if slot != LIST}
    spoken_of = dict.fromkeys([*roles.values(), *(listed if LIST in slots else ())])
    missing = sorted(spoken_of.keys() - referents.keys())
    if missing:
        raise UsageError(f"No words for {missing[0]!r} in {phrase.template!r}; give its Referent.")
    named = {role: _expression(phrase, role, referents) for role in spoken_of}
    _check_unambiguous(phrase, named, referents)
    words = {slot: _fill(slot, named[role], referents[role]) for slot, role in roles.items()}
    if LIST in slots:
        if not listed:
            raise UsageError(f"{phrase.template!r} lists things, but none is listed; name one.")
        # an expression comes last, so that no clause in it swallows what follows
        in_order = sorted(listed, key=lambda role: role in phrase.expressions)
        words[LIST] = joined([f"the {named[role]}" for role in in_order], "and")
    return phrase.template.format_map(words)


def joined(words: Sequence[str], conjunction: str) -> str:
    """One after another, as in "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def roles_of(template: str) -> tuple[str, ...]:
    """The roles that `template` speaks of, each once."""
    return tuple(dict.fromkeys(map(_role, _slots(template))))


def article(words: str) -> str:
    """The indefinite article before `words`, by how they sound."""
    first = words.split()[0]
    vowel = first[0] in "aeiou" and not first.startswith(_CONSONANT_SOUND)
    return "an" if vowel or first.startswith(_SILENT_H) else "a"


_ARTICLES = ("a", "an", "the")
_CONSONANT_SOUND = ("eu", "one", "uni", "use", "usu", "ute", "uku")
_SILENT_H = ("heir", "honest", "hour")
_WORDS = re.compile(r"[a-z0-9][a-z0-9'-]*( [a-z0-9][a-z0-9'-]*)*")


def _expression(phrase: Phrase, role: str, referents: Mapping[str, Referent]) -> str:
    """What the thing in `role` is called: in a lexical phrase by a synonym that is only its own."""
    if role in phrase.expressions:
        return phrase.expressions[role]
    referent = referents[role]
    others = [other for name, other in referents.items() if name != role]
    taken = {other.called(name) for other in others for name in (other.name, *other.synonyms)}
    free = [name for name in referent.synonyms if referent.called(name) not in taken]
    if phrase.kind != "lexical" or not free:
        return referent.called(referent.name)
    return referent.called(free[int(phrase.synonym * len(free))])


def _check_unambiguous(
    phrase: Phrase, named: Mapping[str, str], referents: Mapping[str, Referent]
) -> None:
    called = {role: words.called(words.name) for role, words in referents.items()} | {**named}
    for role, expression in named.items():
        for other, taken in called.items():
            if other != role and taken == expression:
                raise UsageError(
                    f"{phrase.template!r} would call the {role} {expression!r}, as the {other} is "
                    "called too; give them different colours."
                )


def _fill(slot: str, named: str, referent: Referent) -> str:
    if slot.endswith("_use"):
        if not referent.use:
            raise UsageError(f"The use of {named!r} is empty, but a phrase needs it; give its use.")
        noun = referent.use.split()[0] not in (*_ARTICLES, "something")
        return f"{article(referent.use)} {referent.use}" if noun else referent.use
    return f"{article(named)} {named}" if slot.startswith("a_") else named


def _role(slot: str) -> str:
    return slot.removeprefix("a_").removesuffix("_use")


def _slots(template: str) -> list[str]:
    return [slot for _, slot, _, _ in Formatter().parse(template) if slot is not None]


# --- banks ------------------------------------------------------------------------------------


class _Bank(BaseModel):
    """A phrase bank as it stands in ``<task>.yaml``; every phrase names every one of `roles`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: tuple[str, ...]
    seen: tuple[str, ...]
    lexical: tuple[str, ...]
    syntactic: tuple[str, ...]
    indirect: tuple[str, ...]

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> _Bank:
        for kind in KINDS:
            least = LEAST_SEEN if kind == "seen" else LEAST_OF_A_KIND
            if len(self.of(kind)) < least:
                raise ValueError(
                    f"{kind} has {len(self.of(kind))} phrases; write at least {least}."
                )
        templates = list(chain.from_iterable(map(self.of, KINDS)))
        for template in templates:
            if templates.count(template) > 1:
                raise ValueError(f"{template!r} stands there twice; keep one of them.")
            _check_template(template, self.roles)
        return self

    def of(self, kind: str) -> tuple[str, ...]:
        templates: tuple[str, ...] = getattr(self, kind)
        return templates


def _check_template(template: str, roles: tuple[str, ...]) -> None:
    valid = {form for role in roles for form in (role, f"a_{role}", f"{role}_use")}
    try:
        slots = _slots(template)
    except ValueError as error:
        raise ValueError(f"{template!r} has a broken slot ({error}).") from None
    for slot in slots:
        if slot not in valid:
            raise ValueError(f"{template!r} has the slot {slot!r}; use {', '.join(sorted(valid))}.")
    named = {_role(slot) for slot in slots if not slot.endswith("_use")}
    for role in roles:
        if role not in named:
            raise ValueError(f"{template!r} does not name the {role}.")
    plain = _SLOT.sub("x", template)
    if not _SENTENCE.fullmatch(plain):
        raise ValueError(
            f"{template!r} must be in lower case, with single blanks and no mark at its end."
        )


_SLOT = re.compile(r"\{[^}]*\}")
_SENTENCE = re.compile(r"[a-z]+('[a-z]+)?([,;]? [a-z]+(['-][a-z]+)*)*")


@cache
def load_bank(task: str) -> Mapping[str, tuple[str, ...]]:
    """Kind to templates of the packaged bank of `task`.

    Raises:
        UsageError: If the file breaks a rule.
    """
    with as_file(files("vlabench.envs.language") / f"{task}.yaml") as path:
        bank = load_model(path, _Bank)
    return MappingProxyType({kind: bank.of(kind) for kind in KINDS})


@cache
def tasks() -> tuple[str, ...]:
    """The tasks that have phrases: one YAML file each."""
    names = (file.name for file in files("vlabench.envs.language").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))
