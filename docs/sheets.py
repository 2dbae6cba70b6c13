"""Draws the sheets of the documentation: every task from start to end, every axis at every level.

    .venv/bin/python docs/sheets.py [tasks] [axes] [card]

``docs/tasks.jpg``: each task as the policy sees it first, and as the expert leaves it.
``docs/axes-*.jpg``: a row for each axis: the control twin, then its levels. What an axis of words
changes is written below; for an event in mid-episode the frame is the one after it.
``docs/card/*.jpg``: the same frames for the benchmark card, a strip for each task and for each axis
that can be seen, without words; ``docs/card/pictures.json`` has fingerprints of what they show.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import examples
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from PIL import Image

from vlabench.contract.specs import CameraSpec
from vlabench.envs.simulation import Simulation
from vlabench.jsonfiles import write_json
from vlabench.policies.expert import Expert
from vlabench.registry import AXES, TASKS
from vlabench.types import EpisodeSpec, EpisodeStart

HERE = Path(__file__).parent
CARD = HERE / "card"
SMALL = 216
"""Pixels: height and width of a frame on the card."""

CAMERA = CameraSpec("exterior/0", 320, 320)
TILE, TITLE, LINE = 2.6, 0.26, 0.155
"""Inches: of a frame, of the title above it, and of a line of the caption below it."""

Frame = npt.NDArray[np.uint8]

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
    sheets: dict[str, Callable[[], None]] = {"tasks": tasks, "axes": axes, "card": card}
    for name in sys.argv[1:] or sheets:
        sheets[name]()


def tasks() -> None:
    """Two frames a task."""
    shots: list[Shot] = []
    for name in TASKS.names():
        episode = examples.of_task(name)
        first, last, steps = play(episode)
        shots.append(Shot(first, name, episode.instruction))
        shots.append(Shot(last, "", f"after {steps} of {episode.horizon} steps"))
    sheet([shots[k : k + 8] for k in range(0, len(shots), 8)], HERE / "tasks.jpg")


def axes() -> None:
    """A row for each axis, on a sheet for each group of kinds."""
    for group, kinds in GROUPS.items():
        drawn = [name for name in AXES.names() if AXES.load(name).drawn]
        rows = [row_of(name) for name in drawn if AXES.load(name).kind in kinds]
        sheet(rows, HERE / f"axes-{group}.jpg")


def row_of(name: str) -> list[Shot]:
    """The twin and the levels of one axis."""
    shown = examples.of_axis(name)
    row = []
    for level, episode in shown.items():
        frame, said = seen(episode)
        row.append(Shot(frame, f"{name}: {level}", said or "(nothing)"))
    return row


def card() -> None:
    """A strip for each task, from start to end, and for each axis of which there is a picture."""
    drawn: dict[str, str] = {}
    for name in TASKS.names():
        episode = examples.of_task(name)
        first, last, _ = play(episode)
        strip([first, last], CARD / f"task-{name}.jpg")
        drawn[f"task-{name}.jpg"] = examples.fingerprint({"twin": episode})
    for name in AXES.names():
        if examples.can_be_seen(name):
            shown = examples.of_axis(name)
            strip([seen(episode)[0] for episode in shown.values()], CARD / f"axis-{name}.jpg")
            drawn[f"axis-{name}.jpg"] = examples.fingerprint(shown)
    write_json(CARD / "pictures.json", drawn)


def strip(frames: Sequence[Frame], path: Path) -> None:
    """Puts frames side by side into one small picture."""
    gap = np.full((SMALL, 4, 3), 255, np.uint8)
    small = [
        np.asarray(Image.fromarray(f).resize((SMALL, SMALL), Image.Resampling.LANCZOS))
        for f in frames
    ]
    parts = [part for frame in small for part in (gap, frame)][1:]
    Image.fromarray(np.concatenate(parts, axis=1)).save(path, quality=82, optimize=True)


def seen(episode: EpisodeSpec) -> tuple[Frame, str]:
    """What shows an episode, and what the policy is told then: at the start, or after its event."""
    if episode.factors.get("events"):
        return after_event(episode)
    return look(episode), episode.instruction


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
