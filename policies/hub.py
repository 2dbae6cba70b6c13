"""The Hugging Face hub: whether it can be reached, and what is told where it cannot.

The standard library suffices here: this is asked before an environment with the hub's own client is
built.
"""

from __future__ import annotations

import json
import re
import socket
from http.client import HTTPException
from os import environ
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

from vlabench.errors import UsageError, in_one_line

HUB = "https://huggingface.co"
"""The hub, unless the variable ``HF_ENDPOINT`` names another."""

_KNOCKING_SECONDS = 5
_MODELS = "models--"
_MAIN = "main"
_COMMIT = re.compile("[0-9a-f]{40}")


def cached(checkpoint: str) -> bool:
    """Whether an earlier download of `checkpoint` lies in the cache of the hub's client."""
    return any(_kept(checkpoint).glob("snapshots/*/*"))


def published_in_cache(folder: Path) -> str:
    """The ``owner/name`` of what the hub's client has put into `folder`; empty for any other.

    Its cache is ``models--owner--name/snapshots/COMMIT`` (huggingface_hub's ``file_download.py``).
    """
    parts = folder.resolve().parts[-3:]
    if len(parts) < 3 or parts[1] != "snapshots" or not parts[0].startswith(_MODELS):
        return ""
    return parts[0].removeprefix(_MODELS).replace("--", "/", 1)


def commit_of(checkpoint: str, revision: str = "") -> str:
    """The commit that `revision` of `checkpoint` is now; empty where that cannot be known.

    As ``snapshot_download`` finds it: what the hub says, or what the last download found where the
    hub cannot be reached. Before and after a download it is the same, so that a plan agrees with
    the policy that it fetches; of a checkpoint that the hub shows only to some, it is not known.
    """
    if _COMMIT.fullmatch(revision):
        return revision
    if not _offline():
        try:
            return _asked(checkpoint, revision or _MAIN)
        except OSError:
            pass  # nobody is there: what was fetched before counts
    noted = _kept(checkpoint) / "refs" / (revision or _MAIN)
    return noted.read_text("utf-8").strip() if noted.is_file() else ""


def _asked(checkpoint: str, revision: str) -> str:
    """What the hub says: see ``model_info`` of huggingface_hub's ``hf_api.py``.

    Raises:
        OSError: If nobody answers.
    """
    base = environ.get("HF_ENDPOINT", HUB).rstrip("/")
    if not base.startswith(("http://", "https://")):
        return ""
    where = f"{base}/api/models/{checkpoint}/revision/{quote(revision, safe='')}"
    try:
        with urlopen(where, timeout=_KNOCKING_SECONDS) as answer:  # noqa: S310, http alone comes here
            said = json.load(answer)
    except (HTTPError, HTTPException, ValueError):
        return ""
    return str(said.get("sha") or "") if isinstance(said, dict) else ""


def snapshot(checkpoint: str, revision: str = "") -> Path | None:
    """Where the files of `checkpoint` lie in the cache of the hub's client; None if nowhere."""
    commit = commit_of(checkpoint, revision)
    folder = _kept(checkpoint) / "snapshots" / commit
    return folder if commit and folder.is_dir() else None


def _kept(checkpoint: str) -> Path:
    home = Path(environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(environ.get("HF_HUB_CACHE", home / "hub"))
    return cache / (_MODELS + checkpoint.replace("/", "--"))


def _offline() -> bool:
    return environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def knock(policy: str, checkpoint: str) -> None:
    """Refuses a hub that is not there, before minutes are spent on what only it can finish.

    Raises:
        UsageError: If nobody answers at its address.
    """
    if _offline():
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
