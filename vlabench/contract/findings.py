"""What a check of two declarations finds, and how it is said."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing in which the two do not agree.

    Attributes:
        text: Half a sentence that names the field and both sides.
        passable: Whether numbers can be passed on nevertheless, if somebody takes the blame.
    """

    text: str
    passable: bool = False


Found: TypeAlias = Iterator[str | Mismatch]
"""What a check yields: text stands for a mismatch that cannot be passed."""


def unoffered(kind: str, wanted: Iterable[str], offered: Iterable[str]) -> Iterator[str]:
    """Every name that is wanted and not offered, or wanted twice."""
    wanted, offered = list(wanted), list(offered)
    for name in dict.fromkeys(wanted):
        if name not in offered:
            nearest = difflib.get_close_matches(name, offered, n=1, cutoff=0.4)
            hint = f"the nearest is {nearest[0]!r}" if nearest else f"it offers {listed(offered)}"
            yield f"the policy needs {kind} {name!r}, which the environment has not ({hint})"
    yield from repeated(kind, wanted)


def repeated(kind: str, names: list[str]) -> Iterator[str]:
    """Every name that stands there more than once."""
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"the policy names {kind} {name!r} {names.count(name)} times"


def not_among(what: str, value: Any, valid: Iterable[str]) -> Iterator[str]:
    """`value`, if it is none of those that are `valid`."""
    if value not in tuple(valid):
        yield f"{what} {value!r}, which is none of {listed(valid)}"


def misplaced(offset: tuple[float, ...] | None, turned: tuple[float, ...] | None) -> Iterator[str]:
    """What is wrong with the metres between two origins, and the quaternion between two hands."""
    if offset is not None and not all(map(math.isfinite, offset)):
        yield f"has offset {offset}, which is not finite"
    if turned is not None and not abs(math.hypot(*turned) - 1) < 1e-6:
        yield f"is turned by {turned}, which is no unit quaternion"


def is_positive(value: float) -> bool:
    """Whether it is a number above 0."""
    return math.isfinite(value) and value > 0


def listed(names: Iterable[str]) -> str:
    """The names in a row; "none" if there are none."""
    return ", ".join(names) or "none"
