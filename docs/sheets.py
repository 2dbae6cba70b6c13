"""Draws the sheets of the documentation: every task from start to end, every axis at every level.

    .venv/bin/python docs/sheets.py [tasks] [axes]

``docs/tasks.jpg``: each task as the policy sees it first, and as the expert leaves it.
``docs/axes-*.jpg``: a row for each axis: the control twin, then its levels. What an axis of words
changes is written below; for an event in mid-episode the frame is the one after it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from vlabench.contract.environment import draw_episode
from vlabench.contract.specs import CameraSpec
from vlabench.envs.axes.base import Axis
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import task
from vlabench.envs.world import TabletopWorld
from vlabench.policies.expert import Expert
from vlabench.registry import AXES, TASKS
from vlabench.types import Change, EpisodeSpec, EpisodeStart

HERE = Path(__file__).parent
CAMERA = CameraSpec("exterior/0", 320, 320)
TILE, TITLE, LINE = 2.6, 0.26, 0.155
"""Inches: of a frame, of the title above it, and of a line of the caption below it."""

Frame = npt.NDArray[np.uint8]

PICTURED: Mapping[str, tuple[str, int]] = {
    "articulation": ("open-drawer", 1),
    "embodiment": ("place-in", 2),
    "horizon": ("errands", 0),
    "dynamic": ("place-in", 4),
    "confusable-distractors": ("place-on", 5),
    "object-appearance": ("place-in", 5),
    "distractors": ("store-in-drawer", 1),
    "object-scale": ("stack", 3),
}
"""Axis to the task and index that show it; the first task that it applies to for the others."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "visual": ("visual",),
    "behaviour": ("behaviour", "dynamic", "horizon", "combination"),
    "words": ("semantic", "diagnostic"),
}
"""Sheet to the kinds of axes on it."""


@dataclass(frozen=True)
class Shot:
    """A frame and what is written on it."""

    frame: Frame
    title: str
    below: str


def main() -> None:
    """Draws the sheets that are named, or all."""
    sheets: dict[str, Callable[[], None]] = {"tasks": tasks, "axes": axes}
    for name in sys.argv[1:] or sheets:
        sheets[name]()


def tasks() -> None:
    """Two frames a task."""
    shots: list[Shot] = []
    for name in TASKS.names():
        episode = draw(name, (), 1)
        first, last, steps = play(episode)
        shots.append(Shot(first, name, episode.instruction))
        shots.append(Shot(last, "", f"after {steps} of {episode.horizon} steps"))
    sheet([shots[k : k + 8] for k in range(0, len(shots), 8)], HERE / "tasks.jpg")


def axes() -> None:
    """A row for each axis, on a sheet for each group of kinds."""
    for group, kinds in GROUPS.items():
        rows = [row_of(n) for n in AXES.names() if AXES.load(n).kind in kinds]
        sheet(rows, HERE / f"axes-{group}.jpg")


def row_of(name: str) -> list[Shot]:
    """The twin and the levels of one axis."""
    axis: Axis = AXES.load(name)()
    applies = [t for t in ("place-in", "place-on", *TASKS.names()) if axis.applies(task(t))]
    chosen, index = PICTURED.get(name, (applies[0], 2))
    twin = draw(chosen, (), index)
    row = [Shot(look(twin), f"{name}: twin", twin.instruction)]
    for level in axis.levels_of(task(chosen)):
        episode = draw(chosen, (Change(name, level),), index)
        frame, said = look(episode), episode.instruction or "(nothing)"
        if axis.kind == "dynamic":
            frame, said = after_event(episode)
        row.append(Shot(frame, f"{name}: {level}", said))
    return row


def draw(name: str, changes: tuple[Change, ...], index: int) -> EpisodeSpec:
    """The episode of that task, change and index."""
    return draw_episode(TabletopWorld(), name, changes, seed=0, index=index)


def look(episode: EpisodeSpec) -> Frame:
    """The first frame."""
    simulation = Simulation()
    simulation.start(episode)
    frame = simulation.observe((CAMERA,)).images[CAMERA.role]
    simulation.close()
    return frame


def play(episode: EpisodeSpec) -> tuple[Frame, Frame, int]:
    """First and last frame under the expert, and how many steps it took."""
    simulation, actions = Simulation(), _expert(episode)
    simulation.start(episode)
    first = simulation.observe((CAMERA,)).images[CAMERA.role]
    while not simulation.advance(actions(simulation)):
        pass
    last = simulation.observe((CAMERA,)).images[CAMERA.role]
    steps = simulation.steps
    simulation.close()
    return first, last, steps


def after_event(episode: EpisodeSpec) -> tuple[Frame, str]:
    """The frame half a second after the event, and what the policy is told then."""
    simulation, actions = Simulation(), _expert(episode)
    simulation.start(episode)
    while not simulation.advance(actions(simulation)):
        events = simulation.outcome().events
        if events and simulation.steps >= events[0].step + 10:
            break
    seen = simulation.observe((CAMERA,))
    simulation.close()
    return seen.images[CAMERA.role], seen.instruction


def _expert(episode: EpisodeSpec) -> Callable[[Simulation], npt.NDArray[np.float32]]:
    expert = Expert()

    def act(simulation: Simulation) -> npt.NDArray[np.float32]:
        if simulation.steps == 0:
            name = episode.episode_id
            expert.reset([EpisodeStart(name, 0, episode.instruction, simulation.spec())])
        chunk = expert.act([simulation.observe(privileged=True)])[0]
        action: npt.NDArray[np.float32] = chunk.actions[0].astype(np.float32)
        return action

    return act


def sheet(rows: Sequence[Sequence[Shot]], path: Path) -> None:
    """Draws rows of shots into one picture; each row is as high as its longest caption needs."""
    columns = max(map(len, rows))
    lines = [max(len(caption(shot).splitlines()) for shot in row) for row in rows]
    heights = [TILE + TITLE + LINE * count for count in lines]
    figure = plt.figure(figsize=(TILE * columns + 0.1 * (columns + 1), sum(heights)))
    width, height = figure.get_size_inches()
    top = height
    for row, row_height in zip(rows, heights, strict=True):
        for column, shot in enumerate(row):
            left = 0.1 + column * (TILE + 0.1)
            box = (left / width, (top - TITLE - TILE) / height, TILE / width, TILE / height)
            _draw(figure.add_axes(box), shot)
        top -= row_height
    figure.savefig(path, dpi=80, pil_kwargs={"quality": 85})
    plt.close(figure)


def caption(shot: Shot) -> str:
    """What is written below a shot, in lines that are no wider than it."""
    return fill(shot.below, 38)


def _draw(panel: Axes, shot: Shot) -> None:
    panel.imshow(shot.frame)
    panel.set_title(shot.title, fontsize=10, fontweight="bold", loc="left", pad=3)
    panel.set_xlabel(caption(shot), fontsize=8, loc="left", labelpad=3)
    panel.set_xticks([])
    panel.set_yticks([])


if __name__ == "__main__":
    main()
