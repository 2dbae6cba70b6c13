"""Does the same episode end the same way twice? A sample of a run, run a second time, says so.

The physics is deterministic; a policy may not be, and neither may one whose answers depend on who
else is in its batch. The share of episodes that flip between success and failure is the least that
two runs of the same policy differ by, so no comparison can see less.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from vlabench.errors import UsageError
from vlabench.manifest import Manifest
from vlabench.runinfo import Determinism
from vlabench.seeding import stream
from vlabench.types import EpisodeRecord, EpisodeSpec


def sample(manifest: Manifest, done: Collection[str], count: int) -> list[EpisodeSpec]:
    """So many of the episodes in `done`, at random and always the same, in the manifest's order.

    A larger sample holds every smaller one. Diagnostic episodes, which are in no success rate, are
    in none; where there are fewer than `count` others, the sample is all of them.

    Raises:
        UsageError: If `count` is under 1, or there is no episode to take.
    """
    check_count(count)
    episodes = manifest.episodes
    turns = stream("repetition", manifest.hash).permutation(len(episodes))
    fit = [t for t in turns if episodes[t].episode_id in done and not episodes[t].diagnostic]
    if not fit:
        raise UsageError(
            f"The run of {manifest.suite!r} has no finished episode that could be run again, "
            "diagnostic ones apart; leave out --verify."
        )
    return [episodes[turn] for turn in sorted(fit[:count])]


def check_count(count: int) -> None:
    """Refuses a sample of nothing.

    Raises:
        UsageError: If `count` is under 1.
    """
    if count < 1:
        raise UsageError(f"--verify is {count}; give how many episodes to run again, 1 or more.")


def determinism(
    first: Mapping[str, EpisodeRecord], second: Mapping[str, EpisodeRecord], asked: Collection[str]
) -> Determinism:
    """How far the `second` records of episodes agree with the `first`.

    Args:
        first: Records by the episode's name.
        second: Those of the episodes that ran again.
        asked: The episodes that were to run again.
    """
    pairs = [(first[name], record) for name, record in second.items() if name in first]
    flips = [one.episode_id for one, other in pairs if one.success != other.success]
    return Determinism(
        asked=len({*asked, *(one.episode_id for one, _ in pairs)}),
        repeated=len(pairs),
        flips=tuple(sorted(flips)),
        same_actions=sum(one.actions_hash == other.actions_hash for one, other in pairs),
        same_states=sum(_states(one) == _states(other) for one, other in pairs),
    )


def _states(record: EpisodeRecord) -> tuple[str, str]:
    return record.init_state_hash, record.final_state_hash
