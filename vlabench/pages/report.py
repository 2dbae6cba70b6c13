"""The report of one run, or of several beside each other."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlabench.comparison import Comparison, compare
from vlabench.errors import UsageError, VlabenchError
from vlabench.figures import (
    Figure,
    Named,
    figures_of_comparison,
    figures_of_run,
    figures_of_runs,
    write_paper,
)
from vlabench.figures.changes import HEAD
from vlabench.hashing import content_hash
from vlabench.naming import file_name, one_line
from vlabench.pages.episodes import write_episodes
from vlabench.pages.site import Site
from vlabench.pages.told import badges, blocks, provenance, tiles
from vlabench.report import Summary, summarize
from vlabench.report.tables import facts as facts_of_run
from vlabench.report.verdict import facts, headline
from vlabench.store import Run
from vlabench.types import Json

REPORTS = Path("results/reports")
"""Where the reports of several runs go unless told otherwise."""


def default_folder(runs: Sequence[Run]) -> Path:
    """Inside a single run's folder; else a folder whose name follows from the runs."""
    if len(runs) == 1:
        return runs[0].path / "report"
    names = [run.info.run_id for run in runs]
    first = file_name(runs[0].info.suite, "suite")
    return REPORTS / f"{first}-{len(runs)}-runs-{content_hash(names)[:8]}"


def write_report(runs: Sequence[Run], folder: Path, *, figures: bool = False) -> Path:
    """Writes the pages; the first run is the base that the others are compared with.

    Args:
        runs: One or more, each once.
        folder: Where they go; an older report there is replaced.
        figures: Whether every figure is written as PDF and PNG too, into ``figures/``.

    Returns:
        The page to open.

    Raises:
        UsageError: If no run is given, or one twice, or the folder holds something else.
    """
    if not runs:
        raise UsageError("No run is given; give the folders of one run or more.")
    names = [run.info.run_id for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"The run {name!r} is given twice; give each run once.")
    shown = [Shown(run, number, name) for number, (run, name) in enumerate(_called(runs))]
    site = Site(folder)
    pages = _Pages(site, shown, figures)
    return pages.write()


@dataclass(frozen=True)
class Shown:
    """A run of a report: its number, and what it is called in it."""

    run: Run
    number: int
    name: str

    @cached_property
    def summary(self) -> Summary:
        """What its tables say."""
        return summarize(self.run)

    @cached_property
    def figures(self) -> list[Figure]:
        """What its page shows."""
        return figures_of_run(self.summary, self.run.results, self.run.records)


@dataclass(frozen=True)
class _Pages:
    site: Site
    shown: Sequence[Shown]
    paper: bool

    def write(self) -> Path:
        alone = len(self.shown) == 1
        contrasts = [] if alone else [self._contrast(one) for one in self.shown[1:]]
        self.site.data("report", self._told(contrasts))
        for one in self.shown:
            write_episodes(self.site, one.run, one.number)
            page = "index.html" if alone else f"run-{one.number}.html"
            self._run_page(page, one)
            self._on_paper(one.figures, "" if alone else f"run-{one.number}-")
        shared = {"alone": alone, "names": [one.name for one in self.shown]}
        self.site.page("episode.html", "episode.html", title="Episode", **shared)
        if not alone:
            self._front(contrasts)
        return self.site.folder / "index.html"

    def _run_page(self, page: str, one: Shown) -> None:
        summary, info = one.summary, one.run.info
        self.site.page(
            page,
            "run.html",
            title=f"{one.name} on {info.suite}",
            alone=len(self.shown) == 1,
            name=one.name,
            number=one.number,
            summary=summary,
            badges=list(badges(summary)),
            facts=facts_of_run(summary),
            tiles=list(tiles(summary)),
            figures=one.figures,
            paper=self.paper,
            head=HEAD,
            blocks=blocks(summary),
            provenance=list(provenance(one.run)),
            contract=info.contract,
            tasks=sorted({episode.task for episode in one.run.needed}),
            axes=sorted({c.axis for e in one.run.needed for c in e.changes}),
        )

    def _front(self, contrasts: Sequence[_Contrast]) -> None:
        runs = [Named(one.name, one.summary, one.run.results) for one in self.shown]
        found = figures_of_runs(runs)
        self._on_paper(found)
        for contrast in contrasts:
            self._on_paper(contrast.figures)
            if contrast.comparison is not None and contrast.comparison.flips:
                self._flips(contrast, contrast.comparison)
        infos = [one.run.info for one in self.shown]
        suites = sorted({f"{info.suite} v{info.suite_version}" for info in infos})
        self.site.page(
            "index.html",
            "several.html",
            title=" and ".join(suites),
            alone=False,
            figures=found,
            contrasts=contrasts,
            shown=self.shown,
            badges={one.number: list(badges(one.summary)) for one in self.shown},
            paper=self.paper,
        )

    def _contrast(self, new: Shown) -> _Contrast:
        base = self.shown[0]
        try:
            comparison = compare(base.run, new.run)
        except VlabenchError as error:
            return _Contrast(base, new, None, str(error), [])
        name = "forest" if len(self.shown) == 2 else f"forest-{new.number}"
        return _Contrast(base, new, comparison, "", figures_of_comparison(comparison, name))

    def _flips(self, contrast: _Contrast, comparison: Comparison) -> None:
        number = contrast.new.number
        told = [[f.episode_id, f.task, f.changes, f.index, f.lost] for f in comparison.flips]
        self.site.data(f"flips-{number}", {"base": 0, "new": number, "flips": told})
        lost = sum(flip.lost for flip in comparison.flips)
        self.site.page(
            f"flips-{number}.html",
            "flips.html",
            title="Flips",
            alone=False,
            number=number,
            base=contrast.base.name,
            new=contrast.new.name,
            lost=lost,
            won=len(comparison.flips) - lost,
            tasks=sorted({flip.task for flip in comparison.flips}),
        )

    def _told(self, contrasts: Sequence[_Contrast]) -> Json:
        return {
            "runs": [
                {
                    "name": one.name,
                    "page": "index.html" if len(self.shown) == 1 else f"run-{one.number}.html",
                    "command": one.run.info.command,
                    "path": str(one.run.path),
                    "film": shlex.join(["vlabench", "replay", str(one.run.path)]),
                }
                for one in self.shown
            ],
            "compared": [c.new.number for c in contrasts if c.comparison is not None],
        }

    def _on_paper(self, figures: Sequence[Figure], prefix: str = "") -> None:
        if self.paper:
            for figure in figures:
                for path in write_paper(figure, self.site.folder / "figures", prefix):
                    self.site.note(path)


@dataclass(frozen=True)
class _Contrast:
    """A run against the base; `fault` says why there is no comparison."""

    base: Shown
    new: Shown
    comparison: Comparison | None
    fault: str
    figures: Sequence[Figure]

    @property
    def outcome(self) -> str:
        return "" if self.comparison is None else self.comparison.verdict.outcome

    @property
    def headline(self) -> str:
        return "" if self.comparison is None else headline(self.comparison).partition(": ")[2]

    @property
    def facts(self) -> Sequence[str]:
        return [] if self.comparison is None else list(facts(self.comparison))


def _called(runs: Sequence[Run]) -> Iterator[tuple[Run, str]]:
    """Each run and its policy's name, with the run's own where two have the same."""
    labels = Counter(run.info.policy.label for run in runs)
    for run in runs:
        label = run.info.policy.label
        name = label if labels[label] == 1 else f"{label} ({run.info.run_id})"
        yield run, one_line(name)
