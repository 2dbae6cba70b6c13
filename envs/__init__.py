"""The world: scenes, objects, tasks, axes and predicates in MuJoCo, behind Gymnasium."""

from __future__ import annotations

if __name__ != "vlabench.envs":
    raise ImportError("Import this package as 'vlabench.envs', not as 'envs'.")

WORLDS = {"tabletop": "vlabench.envs.world:TabletopWorld"}


def register_environments() -> None:
    """Registers ``vlabench/<Task>-v0`` for every task; Gymnasium calls this by entry point."""
    from gymnasium.envs.registration import register

    from vlabench.envs.tasks import GYM_IDS

    for task, gym_id in GYM_IDS.items():
        register(
            id=f"{gym_id}-v0", entry_point="vlabench.envs.env:TabletopEnv", kwargs={"task": task}
        )
