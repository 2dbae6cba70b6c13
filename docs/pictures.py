"""Draws the pictures in the documentation from the real scenes.

    .venv/bin/python docs/pictures.py

``docs/scenes.png``: every task as the policy sees it, and below it the same episode with one thing
changed. ``docs/objects.png``: every category of object.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import CameraSpec
from vlabench.envs.draw import EMBODIMENT
from vlabench.envs.objects.catalog import category
from vlabench.envs.world import TabletopWorld, instruction
from vlabench.registry import OBJECTS
from vlabench.types import Change, EpisodeSpec, Json

HERE = Path(__file__).parent
PIXELS = 512
SCENES = [
    ("place-on", 4, Change("unseen-instances", "L1")),
    ("place-in", 6, Change("unseen-categories", "L1")),
    ("stack", 2, Change("lighting", "L3")),
    ("open-drawer", 0, Change("object-pose", "L3")),
    ("store-in-drawer", 2, Change("paraphrase", "indirect")),
]


def main() -> None:
    """Draws both pictures."""
    scenes()
    objects()


def scenes() -> None:
    """Five tasks, nominal above and changed below."""
    figure, axes = plt.subplots(2, len(SCENES), figsize=(15, 7.4))
    world = TabletopWorld()
    for column, (task, index, change) in enumerate(SCENES):
        for row, changes in enumerate([(), (change,)]):
            drawn = world.draw(task, changes, seed=0, index=index)
            panel = axes[row, column]
            panel.imshow(look(task, dict(drawn.factors)))
            panel.set_title(str(change) if changes else task, fontsize=11, fontweight="bold")
            panel.set_xlabel(fill(f"“{drawn.instruction}”", 38), fontsize=9)
            panel.set_xticks([])
            panel.set_yticks([])
    figure.tight_layout()
    figure.savefig(HERE / "scenes.png", dpi=100)


def objects() -> None:
    """One instance of every category; the held-out ones are marked."""
    names = OBJECTS.names()
    columns = 7
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(14, 2.25 * rows))
    for panel in axes.flat:
        panel.axis("off")
    for panel, name in zip(axes.flat, names, strict=False):
        kind = category(name)
        factors = dict(TabletopWorld().draw("place-on", (), seed=0, index=0).factors)
        for role in ("target", "distractor"):
            for key in ("category", "shape", "color", "pose"):
                del factors[f"{role}.{key}"]
        factors |= {
            "object.category": name,
            "object.color": kind.colors[0],
            "object.shape": [0.5] * 4,
            "object.pose": [0.1, -0.04, 0.6],
            "phrase": {"kind": "seen", "template": "look at the {object}", "synonym": 0.0},
        }
        frame = look("place-on", factors)
        panel.imshow(frame[250:400, 190:390])
        panel.set_title(f"{name}{' (held out)' if kind.split == 'unseen' else ''}", fontsize=11)
    figure.tight_layout()
    figure.savefig(HERE / "objects.png", dpi=90)


def look(task: str, factors: dict[str, Json]) -> npt.NDArray[np.uint8]:
    """The first frame of the exterior camera in the scene that these factors describe."""
    world = TabletopWorld()
    environment = world.make()
    environment.start(
        EpisodeSpec(
            task=task,
            changes=(),
            index=0,
            seed=0,
            factors=factors,
            instruction=instruction(factors),
            world_version=world.version,
            horizon=1,
            embodiment=EMBODIMENT,
        )
    )
    frame = environment.observe((CameraSpec("exterior/0", PIXELS, PIXELS),)).images["exterior/0"]
    environment.close()
    return frame


if __name__ == "__main__":
    main()
