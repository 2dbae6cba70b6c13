"""How fast anything moves in published episodes: what `envs.divergence.ABSURD_SPEED` rests on.

Usage: python benchmarks/speeds.py [policy] [suite] [episodes]
"""

from __future__ import annotations

import sys

import numpy as np

from vlabench.envs import world
from vlabench.envs.simulation import Simulation
from vlabench.published import open_published
from vlabench.rollout import RunContext
from vlabench.runner.job import Job, Station
from vlabench.suite import load_suite

lengths: list[float] = []


class Watched(Simulation):
    """Notes the length of the vector of all velocities after every control step."""

    def advance(self, action: np.ndarray) -> bool:
        """As it is, and noted."""
        over = super().advance(action)
        lengths.append(float(np.linalg.norm(self.data.qvel)))
        return over


def main() -> None:
    """Runs so many episodes, evenly spread over the suite, and prints the largest."""
    policy, name, count = ([*sys.argv[1:], *("expert", "full", "34")[len(sys.argv) - 1 :]])[:3]
    suite = load_suite(name)
    published = open_published(suite)
    manifest = None if published is None else published.part(suite)
    assert manifest is not None, f"{name} is not published"
    episodes = manifest.episodes[:: max(1, len(manifest.episodes) // int(count))][: int(count)]
    setattr(world, "Simulation", Watched)  # noqa: B010  (the world makes its simulations by name)
    station = Station(Job("tabletop", policy, {}, RunContext("speeds", name, 1, "")))
    for episode in episodes:
        station.attempt(episode, 0)
    station.close()
    print(
        f"{policy} on {name}: {len(episodes)} episodes, {len(lengths)} control steps; "
        f"longest {max(lengths):.1f}, 99.9 % below {np.percentile(lengths, 99.9):.1f}"
    )


if __name__ == "__main__":
    main()
