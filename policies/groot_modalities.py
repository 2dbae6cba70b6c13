"""What a GR00T server calls things, as a card says it and as the server tells it.

The server's ``get_modality_config`` names the keys of images, state, action and language, and the
steps of each that belong to one request or answer.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

from vlabench.contract.specs import PolicySpec
from vlabench.errors import UsageError
from vlabench.policies.vectors import state_size
from vlabench.types import Json


class GrootOptions(BaseModel):
    """What a card says beside the conventions.

    Attributes:
        protocol: Whose server it is: ``n1.5``, or ``n1.6`` for that and all later ones.
        state: The parts of the state vector in order, each with how many numbers it has.
        action: The parts of an action in order, each with how many numbers it has.
        language: What the instruction is called.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: Literal["n1.5", "n1.6"]
    state: dict[str, PositiveInt]
    action: dict[str, PositiveInt]
    language: str


def check_parts(spec: PolicySpec, options: GrootOptions) -> None:
    """That the parts make up the declared vectors, and that every camera has a key.

    Raises:
        UsageError: If not.
    """
    for what, due, parts in (
        ("state", state_size(spec.state), options.state),
        ("action", spec.action.dimension, options.action),
    ):
        if sum(parts.values()) != due:
            raise UsageError(
                f"The card {spec.name!r} has {due} numbers in its {what}, and its options.{what} "
                f"has {sum(parts.values())}; make them equal."
            )
    unnamed = [camera.role for camera in spec.cameras if not camera.key]
    if unnamed:
        raise UsageError(
            f"The card {spec.name!r} does not say what the server calls the camera {unnamed[0]!r}; "
            "give it a key."
        )


def differences(spec: PolicySpec, options: GrootOptions, told: Json) -> list[str]:
    """Where the server's modality configuration and the card differ, with both sides."""
    if not isinstance(told, dict):
        return [f"the server's get_modality_config is a {type(told).__name__} and no map"]
    history = max((c.history for c in spec.cameras), default=1)
    stride = max((c.history_stride for c in spec.cameras), default=1)
    declared: dict[str, tuple[list[str], list[int]]] = {
        "video": ([c.key for c in spec.cameras], list(range(-(history - 1) * stride, 1, stride))),
        "state": (list(options.state), [0]),
        "action": (list(options.action), list(range(spec.chunk_length))),
        "language": ([options.language], [0]),
    }
    found = []
    for modality, (keys, steps) in declared.items():
        server = told.get(modality)
        server = server if isinstance(server, dict) else {}
        theirs = [str(key).removeprefix(f"{modality}.") for key in server.get("modality_keys", ())]
        if theirs != keys:
            found.append(f"{modality} keys are {theirs} there and {keys} in the card")
        if list(server.get("delta_indices", ())) != steps:
            found.append(
                f"{modality} steps are {server.get('delta_indices')} there and {steps} in the card"
            )
    return found
