"""Draws the pictures in the documentation from the real scenes.

    .venv/bin/python docs/pictures.py

``docs/scenes.png``: every task as the policy sees it, and below it the same episode with one thing
changed. ``docs/objects.png``: every category of object. ``docs/fixtures.png``: every fixture.
Tasks and axes are on the sheets of ``docs/sheets.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import CameraSpec
from vlabench.envs.draw import EMBODIMENT
from vlabench.envs.fixtures.base import fixture
from vlabench.envs.materials import FINISHES, add_material
from vlabench.envs.objects.catalog import Category, category
from vlabench.envs.objects.geometry import about_z, steady
from vlabench.envs.rendering import Renderer
from vlabench.envs.scene import CAMERAS
from vlabench.envs.world import TabletopWorld, instruction
from vlabench.registry import FIXTURES, OBJECTS
from vlabench.types import Change, EpisodeSpec, Json

HERE = Path(__file__).parent
PIXELS = 512
PORTRAIT = 256
SCENES = [
    ("place-on", 4, Change("unseen-instances", "L1")),
    ("place-in", 6, Change("unseen-categories", "L1")),
    ("stack", 2, Change("lighting", "L3")),
    ("open-drawer", 0, Change("object-pose", "L3")),
    ("store-in-drawer", 2, Change("paraphrase", "indirect")),
]


def main() -> None:
    """Draws the pictures."""
    scenes()
    objects()
    fixtures()


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
    """One instance of every category, family by family; the held-out ones are marked."""
    kinds = sorted(map(category, OBJECTS.names()), key=lambda kind: (kind.family, kind.split))
    columns = 10
    rows = -(-len(kinds) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.6 * columns, 1.9 * rows))
    with Renderer() as renderer:
        for panel, kind in zip_longest(axes.flat, kinds):
            panel.set_axis_off()
            if kind is not None:
                panel.imshow(portrait(renderer, kind))
                held_out = kind.split == "unseen"
                panel.set_title(
                    f"{kind.name}{' *' if held_out else ''}",
                    fontsize=10,
                    color="firebrick" if held_out else "black",
                )
    figure.tight_layout()
    figure.savefig(HERE / "objects.png", dpi=100)


def fixtures() -> None:
    """Every fixture, and those with parts that move once more with one of them open."""
    tiles = [
        (name, opened)
        for name in FIXTURES.names()
        for opened in ["", *[p.name for p in fixture(name).parts if p.travel][:1]]
    ]
    columns = 6
    rows = -(-len(tiles) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.4 * columns, 2.65 * rows))
    with Renderer() as renderer:
        for panel, tile in zip_longest(axes.flat, tiles):
            panel.set_axis_off()
            if tile is not None:
                name, opened = tile
                panel.imshow(fixture_portrait(renderer, name, opened))
                panel.set_title(f"{name}: {opened}" if opened else name, fontsize=11)
    figure.tight_layout()
    figure.savefig(HERE / "fixtures.png", dpi=100)


def portrait(renderer: Renderer, kind: Category) -> npt.NDArray[np.uint8]:
    """A category by itself on a wooden top, seen from close by."""
    shape = kind.shape([0.5] * 4)
    top = max(float(visual.mesh.vertices[:, 2].max()) for visual in shape.visuals)
    size = max(0.68 * top, 1.05 * shape.radius, 0.036)
    spec = studio(3.4 * size, top * 0.45)
    body = spec.worldbody.add_body(quat=steady(about_z(-0.6)))
    for index, visual in enumerate(shape.visuals):
        color = kind.rgb(kind.colors[0]) if visual.slot == "main" else kind.trim[visual.slot]
        material = add_material(spec, f"paint {index}", color, FINISHES[kind.material])
        spec.add_mesh(
            name=f"mesh {index}",
            uservert=visual.mesh.vertices.ravel(),
            userface=visual.mesh.faces.ravel(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=f"mesh {index}",
            material=material,
            group=1,
        )
    return shoot(renderer, spec)


def fixture_portrait(renderer: Renderer, name: str, opened: str) -> npt.NDArray[np.uint8]:
    """A fixture by itself on a wooden top, with the part called `opened` open."""
    kind = fixture(name)
    spec = studio(0.66, 0.03)
    spec.visual.map.shadowclip = 0.8
    kind.add(spec, [0.5] * 4, next(iter(kind.colors)), (0.0, 0.0, -0.95), 0.0)
    return shoot(
        renderer, spec, {f"{p.name} joint": p.travel for p in kind.parts if p.name == opened}
    )


def studio(away: float, level: float) -> mujoco.MjSpec:
    """A wooden top under a lamp, and a camera at that distance that looks at that height."""
    spec = mujoco.MjSpec()
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[0.3, -0.4, 1.0],
        dir=[-0.35, 0.4, -1.0],
        diffuse=[0.5] * 3,
        specular=[0.3] * 3,
    )
    spec.worldbody.add_camera(
        name=CAMERAS["exterior/0"],
        pos=[0.0, -away * 0.78, level + away * 0.62],
        xyaxes=[1.0, 0.0, 0.0, 0.0, 0.62, 0.78],
        fovy=40.0,
    )
    spec.visual.headlight.ambient = [0.34] * 3
    spec.visual.headlight.diffuse = [0.22] * 3
    spec.visual.map.znear, spec.visual.map.zfar, spec.stat.extent = 0.01, 20.0, 1.0
    spec.visual.map.shadowclip, spec.visual.quality.shadowsize = 0.4, 2048
    wood = add_material(spec, "wood", (0.72, 0.6, 0.46), FINISHES["wood"], texture="grain")
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[1.0, 1.0, 0.05],
        pos=[0.0, 0.0, -0.05],
        material=wood,
        group=1,
    )
    return spec


def shoot(
    renderer: Renderer, spec: mujoco.MjSpec, openings: Mapping[str, float] | None = None
) -> npt.NDArray[np.uint8]:
    """What the camera of a studio sees with these joints opened."""
    model = spec.compile()
    data = mujoco.MjData(model)
    for name, opening in (openings or {}).items():
        data.qpos[model.joint(name).qposadr[0]] = opening
    mujoco.mj_forward(model, data)
    camera = CameraSpec("exterior/0", 2 * PORTRAIT, 2 * PORTRAIT)
    frame = renderer.render(model, data, (camera,))["exterior/0"]
    halved = frame.reshape(PORTRAIT, 2, PORTRAIT, 2, 3).mean(axis=(1, 3))
    return halved.astype(np.uint8)


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
