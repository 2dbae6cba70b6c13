"""Whether a policy that wants packages of its own finds them here.

``vlabench eval`` builds such a policy an environment; a server makes it in its own process.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement

from vlabench.errors import UsageError


def check_packages(policy: str, requires: Sequence[str]) -> None:
    """Refuses to serve a policy whose packages are not installed here.

    Args:
        policy: What the user calls it.
        requires: What pip would be told to install; a file or an address without a name is taken
            to be there, and what begins with ``--`` for an option of pip.

    Raises:
        UsageError: If one is not installed, or in a version that it does not want.
    """
    missing = {each: found for each in requires if (found := _lacking(each))}
    if missing:
        told = ", ".join(f"{each} ({found})" for each, found in missing.items())
        options = [each for each in requires if each.startswith("--")]
        raise UsageError(
            f"The policy {policy!r} needs packages that are not here: {told}; run "
            f"'pip install {shlex.join([*options, *missing])}' in an environment of its own, and "
            "serve it there."
        )


def _lacking(requirement: str) -> str:
    """What is installed instead; empty if all is well."""
    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return ""
    if wanted.marker is not None and not wanted.marker.evaluate():
        return ""
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return "not installed"
    return "" if wanted.specifier.contains(found, prereleases=True) else f"{found} is installed"
