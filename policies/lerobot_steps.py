"""Whose code loading a lerobot checkpoint would run: which steps and policies need no consent.

A step without a registered name is imported by its path (``DataProcessorPipeline``,
``_resolve_step_class`` in lerobot/processor/pipeline.py), and some of lerobot's own steps and
policies themselves run code that a checkpoint names: ``action_tokenizer_processor`` and pi0-FAST,
GR00T, WALL-X and SAC ask transformers with ``trust_remote_code=True``. So everything needs consent
that is not known here to run nothing but lerobot's own code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vlabench.errors import UsageError
from vlabench.policies.checkpoints import read_json
from vlabench.types import Json

TYPES = ("act", "diffusion", "pi0", "pi05", "smolvla", "vqbet", "xvla")
"""Policies that run no code but lerobot's (their ``modeling_*.py`` in lerobot 0.4.4)."""

STEPS = frozenset(
    {
        "absolute_actions_processor",
        "device_processor",
        "libero_processor",
        "normalizer_processor",
        "pi05_prepare_state_tokenizer_processor_step",
        "pi0_new_line_processor",
        "relative_actions_processor",
        "rename_observations_processor",
        "smolvla_new_line_processor",
        "to_batch_processor",
        "tokenizer_processor",
        "unnormalizer_processor",
        "xvla_add_domain_id",
        "xvla_image_scale",
        "xvla_image_to_float",
        "xvla_imagenet_normalize",
        "xvla_rotation_6d_to_axis_angle",
    }
)
"""Steps that the pipelines of `TYPES` are saved with (``processor_*.py`` of each; those of relative
actions in lerobot 0.6)."""

_ASKS = "trust_remote_code"


def check_steps(folder: Path, config: str, pipelines: Sequence[str], *, trusted: bool) -> None:
    """Refuses what could run code that is not lerobot's own, unless the user has allowed it.

    A step's state is read from `folder` alone, whatever the user allows.

    Args:
        folder: The checkpoint.
        config: The file with the policy's type.
        pipelines: The files with the steps.
        trusted: Whether the user lets foreign code run.

    Raises:
        UsageError: If there is such a thing and nobody has allowed it, or a step's state lies
            elsewhere.
    """
    for name in pipelines:
        for step in steps_of(read_json(folder / name)):
            if step.get("state_file") is not None:
                state_file(folder, step["state_file"])
    if trusted:
        return
    for path, what in _foreign(folder, config, pipelines):
        raise UsageError(
            f"The file {path} {what}, which may run code that is not lerobot's own with your "
            "rights; give --policy-arg trust_remote_code=true if you trust whoever wrote it."
        )


def state_file(folder: Path, name: object) -> Path:
    """The file of `folder` with a step's state.

    Raises:
        UsageError: If `name` is a path and not a bare file name.
    """
    if not isinstance(name, str) or name in ("", ".", "..") or {"/", "\\"} & set(name):
        raise UsageError(
            f"A pipeline of the checkpoint {folder} has its state_file at {name!r}, and only a "
            "file of the checkpoint's own folder is read; give the folder that save_pretrained "
            "wrote."
        )
    return folder / name


def steps_of(pipeline: Json) -> list[dict[str, Json]]:
    """The steps of a saved pipeline."""
    steps: list[dict[str, Json]] = pipeline["steps"]
    return steps


def _foreign(folder: Path, config: str, pipelines: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Each file that asks for foreign code, and what it says."""
    settings = read_json(folder / config)
    if settings.get("type") not in TYPES:
        yield folder / config, f"is of a policy {settings.get('type')!r}"
    for name in pipelines:
        for step in steps_of(read_json(folder / name)):
            if "class" in step:
                yield folder / name, f"lets lerobot import {step['class']}"
            if str(step.get("registry_name")) not in STEPS:
                yield folder / name, f"has a step {step.get('registry_name')!r}"
    for name in (config, *pipelines):
        if _asks(read_json(folder / name)):
            yield folder / name, f"asks for {_ASKS}"


def _asks(content: Json) -> bool:
    """Whether ``trust_remote_code`` is anything but off, however deep it lies."""
    if isinstance(content, dict):
        return bool(content.get(_ASKS)) or any(_asks(value) for value in content.values())
    return isinstance(content, list) and any(_asks(value) for value in content)
