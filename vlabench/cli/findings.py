"""What ``vlabench doctor`` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: whether it will do, what it is, and the command that mends it."""

    state: Literal["ok", "warn", "fail"]
    what: str
    mend: str = ""
