"""What can go wrong, and who must mend it.

Every error that a user can cause is a `UsageError` whose text is one sentence: what is wrong,
where, and how to mend it. The command line prints that sentence and exits with `exit_code`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VlabenchError(Exception):
    """Base of all errors that vlabench raises on purpose."""

    exit_code = 2


class UsageError(VlabenchError):
    """A wrong name, value, file or combination; the text says how to mend it."""


class UnknownNameError(UsageError):
    """A name that is in no registry; the text carries the nearest valid one.

    Args:
        kind: What the name should have been, for example ``"policy"``.
        name: The name that was given.
        valid: All names that exist.
        where: The file or option the name came from, if that helps.
    """

    def __init__(self, kind: str, name: str, valid: Iterable[str], where: str = "") -> None:
        self.kind, self.name, self.valid, self.where = kind, name, sorted(valid), where
        nearest = difflib.get_close_matches(name, self.valid, n=1, cutoff=0.4)
        known = f"there are: {', '.join(self.valid)}."
        hint = f"did you mean {nearest[0]!r}?" if nearest else known
        place = f" in {where}" if where else ""
        super().__init__(f"Unknown {kind} {name!r}{place}; {hint}")

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, list[str], str]]:
        return UnknownNameError, (self.kind, self.name, self.valid, self.where)


def in_one_line(error: BaseException) -> str:
    """What somebody else's code raised, for example ``"ValueError: no such file"``."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


class ContractError(UsageError):
    """A policy and an environment that do not agree; the text names both sides."""


class PlacementError(UsageError):
    """The policy's host cannot serve this run any more: the run stops, and no episode is charged.

    It is the one `UsageError` of a policy's `reset` or `act` that is not the policy's own mistake.
    """


class InvalidRunError(VlabenchError):
    """A run with too many missing episodes to be published."""

    exit_code = 5


class NotComparableError(VlabenchError):
    """Two runs that did not meet the same episodes in the same world; the text says the field."""

    exit_code = 4


class PolicyError(VlabenchError):
    """The policy itself failed (NaN, a wrong shape, an exception): the episode is a failure."""


class InfrastructureError(VlabenchError):
    """A lost worker or a dead server: the episode is tried again, and is never a failure."""


class BrokenSceneError(InfrastructureError):
    """The scene itself came apart: a defect of the benchmark, which every attempt would meet."""


class HungError(InfrastructureError):
    """No step was made for too long; the process that hung is not to be used again."""


class SessionLostError(InfrastructureError):
    """One session of a policy was lost, such as by its own connection; the others go on."""
