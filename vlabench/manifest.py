"""A manifest is every episode of a run, fixed before anything runs.

It is ordered so that any prefix is balanced: a *group* is a nominal episode followed by its
perturbed twins, and groups of all tasks and levels take turns. Its hash covers the drawn values
themselves, so two runs with equal hashes met the same scenes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from vlabench.contract.environment import World, draw_episode
from vlabench.errors import UnknownNameError, UsageError
from vlabench.hashing import content_hash
from vlabench.layout import Key, Scene, arrange
from vlabench.suite import Suite
from vlabench.types import Change, EpisodeSpec, Json

Source: TypeAlias = Callable[[Key, str | None], EpisodeSpec]
"""Gives the episode of a draw; the second argument is the name of its nominal twin."""


@dataclass(frozen=True)
class Manifest:
    """The frozen, ordered list of a run's episodes.

    Attributes:
        suite: Name of the suite.
        suite_version: Its version.
        world_version: Version of the world that drew the episodes.
        env_fingerprint: Of the world that will run them.
        episodes: Groups one after another; in each the nominal episode, if it belongs to the
            suite, comes first.
    """

    suite: str
    suite_version: int
    world_version: str
    env_fingerprint: str
    episodes: tuple[EpisodeSpec, ...]

    @cached_property
    def hash(self) -> str:
        """Names the manifest: equal hashes mean equal episodes in equal order."""
        return content_hash(self.to_json())

    @cached_property
    def by_id(self) -> Mapping[str, EpisodeSpec]:
        """Every episode by its name, in order."""
        return {episode.episode_id: episode for episode in self.episodes}

    def groups(self) -> Iterator[tuple[EpisodeSpec, ...]]:
        """Each nominal episode together with its perturbed twins; others by themselves."""
        group: list[EpisodeSpec] = []
        for episode in self.episodes:
            twins = bool(group) and episode.control_id == group[0].episode_id
            if group and not twins:
                yield tuple(group)
                group = []
            group.append(episode)
        if group:
            yield tuple(group)

    def limit(self, groups: int) -> Manifest:
        """The manifest of the first `groups` groups.

        Raises:
            UsageError: If that would leave nothing.
        """
        if groups < 1:
            raise UsageError(f"The limit is {groups} pairs; give 1 or more.")
        kept = list(self.groups())[:groups]
        return replace(self, episodes=tuple(episode for group in kept for episode in group))

    def to_json(self) -> dict[str, Json]:
        """A dictionary that `from_json` turns back into an equal manifest."""
        return {
            "suite": self.suite,
            "suite_version": self.suite_version,
            "world_version": self.world_version,
            "env_fingerprint": self.env_fingerprint,
            "episodes": [episode.to_json() for episode in self.episodes],
        }

    @staticmethod
    def from_json(data: Mapping[str, Json]) -> Manifest:
        """The manifest that `to_json` wrote."""
        episodes = tuple(EpisodeSpec.from_json(episode) for episode in data["episodes"])
        return Manifest(**{**data, "episodes": episodes})


def build_manifest(
    suite: Suite,
    world: World,
    rejected: frozenset[Key] = frozenset(),
    drawn: dict[Key, EpisodeSpec] | None = None,
) -> Manifest:
    """Draws every episode of `suite` in `world`.

    Args:
        suite: The suite.
        world: Where.
        rejected: Draws that cannot be used; see `vlabench.layout.arrange`.
        drawn: What has been drawn before is taken from here, and what is drawn now is added.

    Raises:
        UsageError: If the world does not know a task, an axis or a level; the text names the
            line of the suite's file.
    """
    memory = {} if drawn is None else drawn

    def draw(key: Key, control_id: str | None) -> EpisodeSpec:
        if key not in memory:
            memory[key] = _drawn(suite, world, key, control_id)
        return memory[key]

    return Manifest(
        suite=suite.name,
        suite_version=suite.version,
        world_version=world.version,
        env_fingerprint=world.spec().fingerprint,
        episodes=tuple(collect(arrange(suite, rejected), draw)),
    )


def _drawn(suite: Suite, world: World, key: Key, control_id: str | None) -> EpisodeSpec:
    task, seed, index, changes = key
    try:
        return draw_episode(world, task, changes, seed=seed, index=index, control_id=control_id)
    except UsageError as error:
        raise _placed(error, suite, task, changes) from None


def collect(scenes: Sequence[Scene], source: Source) -> Iterator[EpisodeSpec]:
    """The episodes of `scenes` in order: in each the nominal one, then one for each change."""
    for scene in scenes:
        nominal = source(scene.key(), None)
        if scene.nominal:
            yield nominal
        for change in scene.changes:
            yield source(scene.key(change), nominal.episode_id)


def _placed(error: UsageError, suite: Suite, task: str, changes: Sequence[Change]) -> UsageError:
    """`error` with the line of the suite's file that the world does not take."""
    for part in (suite, *suite.parts):
        place = part.place_of("tasks", task)
        for change in changes:
            spoken_of = [change.level] if repr(change.level) in str(error) else []
            place = part.place_of("cells", task, change.axis, *spoken_of)
        if place:
            break
    else:
        return error
    if isinstance(error, UnknownNameError):
        return UnknownNameError(error.kind, error.name, error.valid, where=place)
    return UsageError(f"{place}: {error}")
