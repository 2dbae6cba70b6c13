"""The Hugging Face hub: whether it can be reached, and what is told where it cannot.

The standard library suffices here: this is asked before an environment with the hub's own client is
built.
"""

from __future__ import annotations

import socket
from os import environ
from pathlib import Path
from urllib.parse import urlsplit

from vlabench.errors import UsageError, in_one_line

HUB = "https://huggingface.co"
"""The hub, unless the variable ``HF_ENDPOINT`` names another."""

_KNOCKING_SECONDS = 5


def cached(checkpoint: str) -> bool:
    """Whether an earlier download of `checkpoint` lies in the cache of the hub's client."""
    home = Path(environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(environ.get("HF_HUB_CACHE", home / "hub"))
    return any(cache.glob(f"models--{checkpoint.replace('/', '--')}/snapshots/*/*"))


def knock(policy: str, checkpoint: str) -> None:
    """Refuses a hub that is not there, before minutes are spent on what only it can finish.

    Raises:
        UsageError: If nobody answers at its address.
    """
    if environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise not_fetched(policy, checkpoint, "HF_HUB_OFFLINE is set")
    if any(environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")):
        return  # who stands behind a proxy cannot be asked by a plain connection
    address = urlsplit(environ.get("HF_ENDPOINT", HUB))
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), _KNOCKING_SECONDS).close()
    except OSError as error:
        raise not_fetched(policy, checkpoint, in_one_line(error)) from error


def not_fetched(policy: str, checkpoint: str, why: str) -> UsageError:
    """What is told of a checkpoint that the hub did not give: how to point to a folder."""
    return UsageError(
        f"The checkpoint {checkpoint!r} of policy {policy!r} is no folder here and cannot be "
        f"fetched from the Hugging Face hub ({why}); fetch it where the hub can be reached "
        f"('hf download {checkpoint} --local-dir FOLDER') and give --policy-arg checkpoint=FOLDER."
    )
