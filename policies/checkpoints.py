"""Checkpoints that are loaded in process: their files, the consent to run their code, their memory.

What adapters of model families share; nothing here knows a family. Whatever a user can mend is one
sentence. What must be seen before an environment with the family's packages is built needs none of
them: `check_ready` looks at a folder with the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vlabench.errors import InfrastructureError, UsageError, VlabenchError, in_one_line
from vlabench.policies.hub import cached, knock, not_fetched
from vlabench.policies.weights import weight_bytes
from vlabench.types import Json

_SHOWN = 5


def is_local(checkpoint: str) -> bool:
    """Whether `checkpoint` means a folder here and not ``owner/name`` on the hub."""
    path = Path(checkpoint).expanduser()
    begins = checkpoint.startswith(("/", "./", "../", "~")) or checkpoint in (".", "..")
    return begins or path.exists() or checkpoint.count("/") != 1


def local_folder(policy: str, checkpoint: str, needed: Sequence[str] = ("config.json",)) -> Path:
    """The folder that `checkpoint` names, once it is known to be a checkpoint.

    Args:
        policy: Whose it is, for errors.
        checkpoint: A folder's path.
        needed: Files without which it is none.

    Raises:
        UsageError: If there is no such folder, or it lacks one of them.
    """
    folder = Path(checkpoint).expanduser()
    if not folder.is_dir():
        what = "is a file and no folder" if folder.exists() else "does not exist"
        raise UsageError(
            f"The checkpoint {checkpoint!r} of policy {policy!r} {what}; give --policy-arg "
            "checkpoint=FOLDER with the folder that holds config.json and the weights, or "
            "checkpoint=OWNER/NAME for one on the Hugging Face hub."
        )
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        found = sorted(entry.name for entry in folder.iterdir())
        shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        raise UsageError(
            f"The folder {checkpoint} is no checkpoint of policy {policy!r}: it has no "
            f"{missing[0]} (it has {shown or 'nothing'}); give the folder that the project's own "
            "training or export wrote."
        )
    return folder


def checkpoint_files(
    policy: str,
    checkpoint: str,
    *,
    revision: str = "",
    needed: Sequence[str] = ("config.json",),
) -> Path:
    """The folder with the files of `checkpoint`, fetched from the hub if it is no folder here.

    Raises:
        UsageError: If it is no checkpoint, or the hub cannot be reached or does not have it.
    """
    if is_local(checkpoint):
        return local_folder(policy, checkpoint, needed)
    from huggingface_hub import snapshot_download

    try:
        fetched = snapshot_download(checkpoint, revision=revision or None)
    except Exception as error:  # the hub's client raises errors of several libraries
        raise not_fetched(policy, checkpoint, in_one_line(error)[:200]) from error
    return local_folder(policy, fetched, needed)


def check_ready(
    policy: str,
    checkpoint: str,
    *,
    trusted: bool,
    needed: Sequence[str] = ("config.json",),
    brings_code: bool = False,
) -> None:
    """Refuses, before anything is installed or fetched, what cannot be loaded later.

    Args:
        policy: Whose it is, for errors.
        checkpoint: A folder or ``owner/name``.
        trusted: Whether the user lets the checkpoint's own code run.
        needed: Files without which a folder is no checkpoint.
        brings_code: Whether all checkpoints of the family bring code, so that one on the hub need
            not be looked at.

    Raises:
        UsageError: If it is no checkpoint, brings code that nobody allowed to run, or lies on a
            hub that cannot be reached.
    """
    if is_local(checkpoint):
        check_consent(policy, local_folder(policy, checkpoint, needed), trusted=trusted)
        return
    if brings_code and not trusted:
        raise _no_consent(policy, checkpoint, [])
    if not cached(checkpoint):
        knock(policy, checkpoint)


def check_consent(policy: str, folder: Path, *, trusted: bool) -> None:
    """Refuses a checkpoint that brings code of its own, unless the user has allowed it.

    Raises:
        UsageError: If it does and nobody has.
    """
    code = own_code(folder)
    if code and not trusted:
        raise _no_consent(policy, str(folder), code)


def own_code(folder: Path) -> list[str]:
    """The Python files that loading `folder` would run: what its ``auto_map`` entries name.

    transformers reads them from ``config.json`` and from the configurations of processors and
    tokenizers (``dynamic_module_utils.py``, ``get_class_from_dynamic_module``): a value is
    ``module.Class``, perhaps ``owner/name--module.Class``, or a list of these.
    """
    named: set[str] = set()
    for path in sorted(folder.glob("*config.json")):
        settings = read_json(path)
        mapped = settings.get("auto_map") if isinstance(settings, dict) else None
        values = mapped.values() if isinstance(mapped, dict) else []
        for value in values:
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str):
                    named.add(one.rpartition("--")[2].partition(".")[0] + ".py")
    return sorted(named)


def read_json(path: Path) -> Json:
    """The content of a JSON file of a checkpoint.

    Raises:
        UsageError: If it is none.
    """
    try:
        content: Json = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"The file {path} of the checkpoint cannot be read ({in_one_line(error)}); fetch or "
            "export the checkpoint again."
        ) from error
    return content


def check_keys(
    policy: str,
    checkpoint: str,
    missing: Iterable[str],
    unexpected: Iterable[str] = (),
    mismatched: Iterable[str] = (),
) -> None:
    """Refuses weights that are not all of the model's: the rest would stay random.

    Raises:
        UsageError: If any key is missing, not expected or of another shape.
    """
    found = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
        for what, keys in (
            ("missing", sorted(missing)),
            ("unexpected", sorted(unexpected)),
            ("of another shape", sorted(mismatched)),
        )
        if keys
    ]
    if found:
        raise UsageError(
            f"The weights of checkpoint {checkpoint} do not fit the model of policy {policy!r}: "
            f"{'; '.join(found)}; give the checkpoint whole, and the packages it was saved with."
        )


def device_named(policy: str, device: str) -> str:
    """Where a model goes: what the user says, else the first graphics card, else the processor.

    Raises:
        UsageError: If there is no such device.
    """
    import torch

    if not device:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"Policy {policy!r} cannot use device={device} ({in_one_line(error)[:120]}); give "
            "--policy-arg device=cpu, or cuda where there is a graphics card."
        ) from error
    return device


def check_memory(
    policy: str,
    folder: Path,
    device: str,
    itemsize: int | None = None,
    beside: Sequence[str] = (),
) -> None:
    """Refuses a graphics card that is too small for the weights alone.

    Args:
        policy: Whose they are, for errors.
        folder: Where they lie.
        device: Where they go.
        itemsize: Bytes of a number once it is loaded; None for as many as in the files.
        beside: Patterns of further files with weights; see `weight_bytes`.

    Raises:
        UsageError: If its free memory is less than their size.
    """
    import torch

    if torch.device(device).type != "cuda":
        return
    weights = weight_bytes(folder, itemsize, beside)
    free, _ = torch.cuda.mem_get_info(device)
    if weights > free:
        raise UsageError(
            f"The weights of policy {policy!r} take {weights / 1e9:.1f} GB and {device} has "
            f"{free / 1e9:.1f} GB free; {_SMALLER}."
        )


_SMALLER = (
    "free the card, give the policy more of it with --gpus 1 and one inference actor, or take "
    "--policy-arg device=cpu"
)


@contextmanager
def loading(policy: str, checkpoint: str) -> Iterator[None]:
    """Whatever goes wrong inside while a model is loaded is told as one sentence.

    Raises:
        UsageError: If anything does.
    """
    try:
        yield
    except VlabenchError:
        raise
    except ImportError as error:
        raise UsageError(
            f"Loading the checkpoint {checkpoint} of policy {policy!r} needs a package that is not "
            f"there ({in_one_line(error)[:200]}); name it in 'requires' of the card, or install it "
            "where the policy runs."
        ) from error
    except Exception as error:  # another project's code may raise anything
        if _out_of_memory(error):
            raise UsageError(
                f"There is too little memory for the checkpoint {checkpoint} of policy {policy!r} "
                f"({in_one_line(error)[:160]}); {_SMALLER}."
            ) from error
        raise UsageError(
            f"The checkpoint {checkpoint} of policy {policy!r} cannot be loaded "
            f"({in_one_line(error)[:300]}); see that it is whole and of this family, and that the "
            "packages are those that its card requires."
        ) from error


@contextmanager
def inferring(policy: str) -> Iterator[None]:
    """Running out of memory inside is the machine's fault: the episode runs again.

    Raises:
        InfrastructureError: If the memory does not suffice.
    """
    try:
        yield
    except Exception as error:
        if _out_of_memory(error):
            raise InfrastructureError(
                f"There is too little memory for policy {policy!r} to answer "
                f"({in_one_line(error)[:160]}); {_SMALLER}."
            ) from error
        raise


def _out_of_memory(error: BaseException) -> bool:
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "not enough memory" in str(error)
    )


def _no_consent(policy: str, checkpoint: str, code: Sequence[str]) -> UsageError:
    files = f" ({', '.join(code)})" if code else ""
    return UsageError(
        f"The checkpoint {checkpoint} of policy {policy!r} brings Python code of its own{files}, "
        "which would run on this machine with your rights; give --policy-arg "
        "trust_remote_code=true if you trust whoever wrote it."
    )
