"""Whether two runs can be compared at all, and whether what is missing in them spoils it."""

from __future__ import annotations

import numpy as np

from vlabench.errors import InvalidRunError, NotComparableError
from vlabench.outcomes import Outcomes
from vlabench.stats.paired import mcnemar_midp
from vlabench.store import LARGEST_MISSING_SHARE

UNEQUAL = 0.05
"""Losses so unequal that chance gives them no more often than this spoil a comparison."""


def refuse_running(outcomes: Outcomes) -> None:
    """Refuses a run that still goes on.

    Raises:
        InvalidRunError: If it does.
    """
    if outcomes.running:
        raise InvalidRunError(f"{outcomes.source} is still running; wait until it ends.")


def differing(base: Outcomes, new: Outcomes) -> dict[str, tuple[str, str]]:
    """The fields that two runs would have to share and do not: of the base, and of the new run.

    Raises:
        NotComparableError: If they cannot be compared in any way.
    """
    fields = {
        "suite": (base.info.suite, new.info.suite),
        "suite_version": (str(base.info.suite_version), str(new.info.suite_version)),
        "manifest_hash": (base.info.manifest_hash, new.info.manifest_hash),
        "env_fingerprint": (base.info.env_fingerprint, new.info.env_fingerprint),
        "latency_setting_ms": (_latency(base), _latency(new)),
    }
    found = {name: values for name, values in fields.items() if values[0] != values[1]}
    for outcomes in (base, new):
        if not outcomes.info.conditions.reproducible:
            found["latency_setting_ms"] = fields["latency_setting_ms"]
        _refuse_biased(outcomes, base if outcomes is new else None)
    if not found and not (_fits(base, new) and list(base.names[: len(new)]) == list(new.names)):
        raise NotComparableError(
            f"{base.source} (BASE) and {new.source} (NEW) have the same manifest_hash and not the "
            "same episodes: a file of one of them was changed; run again with --fresh."
        )
    return found


def check_missing(base: Outcomes, new: Outcomes, *, paired: bool) -> None:
    """Refuses runs that the machinery has taken too much from, or more from one of them.

    Raises:
        InvalidRunError: If it has.
    """
    for outcomes in (base, new):
        if outcomes.missing > LARGEST_MISSING_SHARE * len(outcomes):
            raise InvalidRunError(
                f"{outcomes.source} is not valid: {outcomes.missing} of {len(outcomes)} episodes "
                "are missing; the same eval command finishes it."
            )
    if not paired:
        return
    count = len(new)
    only_base = int(np.count_nonzero(~base.present[:count] & new.present))
    only_new = int(np.count_nonzero(base.present[:count] & ~new.present))
    if mcnemar_midp(only_base, only_new) <= UNEQUAL:
        raise InvalidRunError(
            f"The machinery lost {only_base} episodes of {base.source} alone and {only_new} of "
            f"{new.source} alone, which is no chance: what is lost may depend on the policy; the "
            "same eval commands try the missing episodes again."
        )


def stopped_for(new: Outcomes, base: Outcomes) -> bool:
    """Whether `new` was to end as soon as its comparison with `base` was decided."""
    stopping = new.info.stopping
    return stopping is not None and stopping.outcomes_hash == base.hash


def _refuse_biased(outcomes: Outcomes, base: Outcomes | None) -> None:
    """Refuses a run that ended as soon as it was decided, but against the base it was meant for."""
    stopping = outcomes.info.stopping
    if stopping is None or not outcomes.info.stopped_early:
        return
    if base is None or not stopped_for(outcomes, base):
        raise NotComparableError(
            f"{outcomes.source} ended as soon as its comparison with the run "
            f"{stopping.baseline!r} was decided, so that its success rate is biased; compare it "
            "with that run alone, or run the whole suite with 'vlabench eval'."
        )


def _fits(base: Outcomes, new: Outcomes) -> bool:
    """Whether `new` has as many episodes as it says: all, or those until its rule ended it.

    Diagnostics are counted in the manifest, and are not among the outcomes.
    """
    if not new.info.stopped_early:
        return len(new) == len(base)
    diagnostics = base.info.planned - len(base)
    return 0 <= new.info.asked - len(new) <= diagnostics


def _latency(outcomes: Outcomes) -> str:
    setting = outcomes.info.conditions.latency_ms
    if setting is None:
        return "none"
    return f"{setting:g}" if isinstance(setting, float | int) else "measured on its machine"
