"""One audited state, made again to be looked at.

This alone, in the audit, asks the predicates: people are shown what they say of each goal.
"""

from __future__ import annotations

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import CameraSpec
from vlabench.envs.audit.scenes import Scenes
from vlabench.envs.audit.states import State
from vlabench.envs.predicates import holds
from vlabench.envs.rendering import Renderer
from vlabench.errors import UsageError

PICTURE = CameraSpec("exterior/0", 512, 512)


def look_at(
    task_name: str, scene: int, number: int, seed: int
) -> tuple[State, list[str], npt.NDArray[np.uint8]]:
    """A state as it was when it had been watched: what is known of it, and a picture of it.

    Raises:
        UnknownNameError: If there is no such task.
        UsageError: If the scene has no such state.
    """
    maker = Scenes(task_name, seed).maker(scene)
    state = maker.state(number)
    if state is None:
        raise UsageError(
            f"State {scene}.{number} of the task {task_name!r} cannot be made with seed {seed}; "
            "take one that the audit has listed."
        )
    bench = maker.bench
    lines = [
        f"{goal.predicate} {' '.join(goal.arguments)}: {holds(goal, bench.scene, bench.data)}"
        for stage in bench.asked
        for goal in stage.goals
    ]
    if state.looks is not None:
        lines.append(f"by rays alone it looks {'true' if state.looks else 'false'}")
    for name, thing in bench.scene.objects.items():
        touched = sorted({_body(bench.model, geom) for geom in bench.neighbours(name)})
        x, y, z = bench.middle(name).tolist()
        lines.append(
            f"{name} ({thing.category.name}) at {x:.3f} {y:.3f} {z:.3f}, "
            f"touches {', '.join(touched) or 'nothing'}"
        )
    with Renderer() as renderer:
        return state, lines, renderer.render(bench.model, bench.data, [PICTURE])[PICTURE.role]


def _body(model: mujoco.MjModel, geom: int) -> str:
    return str(model.body(int(model.geom_bodyid[geom])).name)
