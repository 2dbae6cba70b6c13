"""Loads a lerobot policy with its pipelines, and asks it; the only module that imports lerobot.

Its ``from_pretrained`` is not strict: ``PreTrainedPolicy`` fills what the weights lack with random
numbers and logs it, and that of pi0 (``modeling_pi0.py``) catches whatever goes wrong and returns a
random model. Here every key is compared while it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vlabench.errors import UsageError
from vlabench.policies.checkpoints import check_consent, check_keys, check_ready
from vlabench.policies.lerobot_files import BEFORE, WEIGHTS, has_step, names_elsewhere
from vlabench.policies.torchvision_beside import import_torchvision

if TYPE_CHECKING:
    import torch

NAME = "lerobot"
_TOKENIZER, _DEVICE = "tokenizer_processor", "device_processor"
_ACTION = "action"

_NOISY: Mapping[str, tuple[str, str]] = {
    "smolvla": ("chunk_size", "max_action_dim"),
    "pi0": ("chunk_size", "max_action_dim"),
    "pi05": ("chunk_size", "max_action_dim"),
}
"""Policies that take their noise, all of it, as an argument of ``predict_action_chunk``, and the
fields of their configurations that are its shape (``sample_actions`` of each)."""

_QUIET = ("act",)
"""Policies that draw nothing: ACT's latent is zero when it is asked (``modeling_act.py``)."""


@dataclass(eq=False)
class Model:
    """A policy and its pipelines, loaded.

    Attributes:
        policy: lerobot's ``PreTrainedPolicy``.
        before: Its preprocessor.
        after: Its postprocessor.
        noise_shape: Of one session's noise, for a policy that takes it; None for others.
        alone: Whether it draws noise by itself, so that each session must be asked alone.
        remembers: Whether it keeps observations in queues of its own.
    """

    policy: Any
    before: Any
    after: Any
    noise_shape: tuple[int, int] | None = field(init=False)
    alone: bool = field(init=False)
    remembers: bool = field(init=False)

    def __post_init__(self) -> None:
        config = self.policy.config
        names = _NOISY.get(config.type)
        self.noise_shape = (getattr(config, names[0]), getattr(config, names[1])) if names else None
        self.alone = names is None and config.type not in _QUIET
        self.remembers = bool(set(getattr(self.policy, "_queues", ()) or ()) - {_ACTION})

    @property
    def device(self) -> torch.device:
        """Where it lives."""
        import torch

        return torch.device(self.policy.config.device)

    def chunks(
        self, batch: Mapping[str, Any], noise: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[np.float32]:
        """Actions ``(B, T, D)`` in the robot's own numbers.

        Each row of a chunk goes through the postprocessor by itself, as in lerobot's
        ``async_inference/policy_server.py``, ``_get_action_chunk`` and what follows it.

        Args:
            batch: ``observation.images.*`` ``(B, 3, H, W)`` in [0, 1], ``observation.state``
                ``(B, S)`` and ``task``, a list of B sentences.
            noise: ``(B, *noise_shape)``, for a policy that takes it.
        """
        import torch

        given = {} if noise is None else {"noise": torch.from_numpy(noise).to(self.device)}
        with torch.inference_mode(), self._precision():
            answer = self.policy.predict_action_chunk(self.before(dict(batch)), **given)
            rows = [self.after(answer[:, row]) for row in range(answer.shape[1])]
        return _plain(torch.stack(rows, dim=1))

    def action(self, batch: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        """One action ``(1, D)`` of a policy that remembers, for the session whose queues it has."""
        import torch

        with torch.inference_mode(), self._precision():
            return _plain(self.after(self.policy.select_action(self.before(dict(batch)))))

    def fresh_queues(self) -> Any:
        """The queues of a session that begins."""
        self.policy.reset()
        return self.policy._queues

    def take_queues(self, queues: Any) -> None:
        """Makes the policy remember what one session's `queues` hold."""
        self.policy._queues = queues

    @contextmanager
    def drawing_from(self, seed: int) -> Iterator[None]:
        """Inside, torch draws from a stream of its own, and nobody else's moves."""
        import torch

        cards = list(range(torch.cuda.device_count())) if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cards):
            torch.manual_seed(seed)
            yield

    def _precision(self) -> AbstractContextManager[Any]:
        """As in lerobot's ``scripts/lerobot_eval.py``: mixed if the checkpoint was made so."""
        import torch

        return torch.autocast(self.device.type) if self.policy.config.use_amp else nullcontext()


def load(folder: Path, device: str, backbone: str) -> Model:
    """The policy in `folder` and its pipelines.

    Args:
        folder: With the files of `vlabench.policies.lerobot_files.NEEDED`.
        device: Where it shall live.
        backbone: A folder with the configuration and the tokenizer of its language model; empty to
            take what the checkpoint names.

    Raises:
        UsageError: If keys are missing or left over, or something that it names cannot be had.
    """
    import_torchvision()
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    check_backbone(folder, backbone)
    config = PreTrainedConfig.from_pretrained(folder)
    config.device = device
    for name, value in (*_NOTHING_FETCHED, ("vlm_model_name", backbone)):
        if hasattr(config, name) and value != "":
            setattr(config, name, value)
    policy = _loaded(get_policy_class(config.type), config, folder)
    with redirect_stdout(StringIO()):
        before, after = make_pre_post_processors(
            config,
            pretrained_path=str(folder),
            preprocessor_overrides=_changed(folder, device, backbone),
        )
    return Model(policy, before, after)


_NOTHING_FETCHED: Sequence[tuple[str, object]] = (
    ("pretrained_backbone_weights", None),
    ("load_vlm_weights", False),
    ("compile_model", False),
)
"""What would be fetched only to be replaced by the checkpoint's own weights: ACT's and Diffusion's
ResNet, SmolVLA's language model. Nothing is compiled: what a compiled model answers differs in its
last bits from machine to machine."""


def check_backbone(folder: Path, backbone: str) -> None:
    """Refuses what can only be had from a hub that is not there.

    Raises:
        UsageError: If a backbone or a tokenizer that the checkpoint names cannot be had.
    """
    if backbone:
        if not Path(backbone).expanduser().is_dir():
            raise UsageError(
                f"Policy {NAME!r} got backbone={backbone}, which is no folder; give the folder "
                "with the configuration and the tokenizer of the checkpoint's language model."
            )
        check_consent(NAME, Path(backbone).expanduser(), trusted=False)
        return
    for what, name in names_elsewhere(folder):
        try:
            check_ready(NAME, name, trusted=False, needed=())
        except UsageError as error:
            raise UsageError(
                f"The checkpoint {folder} of policy {NAME!r} names the {what} {name!r}, which is "
                "no folder here and cannot be fetched from the Hugging Face hub; fetch it where "
                f"the hub can be reached ('hf download {name} --local-dir FOLDER') and give "
                "--policy-arg backbone=FOLDER."
            ) from error


def _changed(folder: Path, device: str, backbone: str) -> dict[str, dict[str, Any]]:
    """What is replaced in the saved preprocessor.

    Sentences are filled up to the longest length that the checkpoint allows, and not to that of the
    longest one in the batch: the model masks what was filled, and a shape that never changes gives
    the same bits whoever else asks.
    """
    changed: dict[str, dict[str, Any]] = {}
    if has_step(folder, BEFORE, _DEVICE):
        changed[_DEVICE] = {"device": device}
    if has_step(folder, BEFORE, _TOKENIZER):
        changed[_TOKENIZER] = {"padding": "max_length", "tokenizer": _tokenizer(folder, backbone)}
    return changed


def _tokenizer(folder: Path, backbone: str) -> Any:
    """What its step would fetch itself, but never with code of its own.

    Raises:
        UsageError: If its steps name several.
    """
    from transformers import AutoTokenizer

    names = {name for what, name in names_elsewhere(folder) if what == "tokenizer"}
    if len(names) != 1:
        raise UsageError(
            f"The file {folder / BEFORE} names {len(names)} tokenizers "
            f"({', '.join(sorted(names)) or 'none'}) and policy {NAME!r} takes one; mend it."
        )
    return AutoTokenizer.from_pretrained(backbone or names.pop(), trust_remote_code=False)


def _loaded(kind: Any, config: Any, folder: Path) -> Any:
    """The policy with the weights in `folder`, each key of which has been compared."""
    seen: list[tuple[set[str], set[str], set[str]]] = []

    def load_state_dict(self: Any, state_dict: Mapping[str, Any], *args: Any, **kw: Any) -> Any:
        seen.append(_compared(self.state_dict(keep_vars=True), state_dict))
        return kind.load_state_dict(self, state_dict, *args, **kw)

    watched: Any = type(kind.__name__, (kind,), {"load_state_dict": load_state_dict})
    try:
        with redirect_stdout(StringIO()):  # it prints where it loads from
            policy = watched.from_pretrained(str(folder), config=config, strict=False)
    finally:
        for differences in seen:
            check_keys(NAME, str(folder), *differences)
    if not seen:
        raise UsageError(
            f"lerobot loaded none of the weights in {folder / WEIGHTS} and would have gone on with "
            "random ones; see that the file is whole, and that the packages are those that the "
            "card requires."
        )
    policy.to(config.device)
    policy.eval()
    return policy


def _compared(
    own: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]
) -> tuple[set[str], set[str], set[str]]:
    """Keys that are missing, left over, and of another shape.

    A tensor that has two names is saved under one of them (``safetensors.torch.save_model``).
    """
    filled = {own[name].data_ptr() for name in own.keys() & given.keys()}
    missing = {name for name in own.keys() - given.keys() if own[name].data_ptr() not in filled}
    shared = own.keys() & given.keys()
    return (
        missing,
        set(given.keys() - own.keys()),
        {name for name in shared if own[name].shape != given[name].shape},
    )


def _plain(actions: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = actions.detach().to("cpu").float().numpy()
    return array
