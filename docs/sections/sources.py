"""Where the card finds what was measured: certificates, the audit, the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

from vlabench.published import Certified, Publication, read_pool, read_publication
from vlabench.registry import TASKS
from vlabench.suite import Suite, load_suite

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Sources:
    """Files of measurements; what has not been made yet is not there.

    Attributes:
        suites: Folder of the suites' YAML files, with what was published beside them.
        audit: What ``vlabench audit`` wrote.
        baselines: What ``benchmarks/baselines.py`` wrote.
    """

    suites: Path = ROOT / "suites"
    audit: Path = ROOT / "results" / "audit.json"
    baselines: Path = ROOT / "results" / "baselines.csv"

    @cached_property
    def all_suites(self) -> Mapping[str, Suite]:
        """Name to suite, sorted."""
        files = sorted(self.suites.glob("*.yaml"))
        return {path.stem: load_suite(str(path)) for path in files}

    @cached_property
    def publications(self) -> Mapping[str, Publication]:
        """Name of a suite to what has been published of it in its present version."""
        read = {name: read_publication(suite) for name, suite in self.all_suites.items()}
        return {name: found for name, found in read.items() if found is not None}

    @cached_property
    def pool(self) -> Mapping[str, Certified]:
        """Every published episode with its certificate, by its name."""
        return read_pool(self.suites, TASKS.names())

    def median_steps(self, task: str) -> float | None:
        """Control steps that the expert needs for half of the unchanged episodes of `task`."""
        steps = [
            certificate.steps
            for episode, certificate in self.pool.values()
            if episode.task == task and not episode.changes
        ]
        return median(steps) if steps else None
