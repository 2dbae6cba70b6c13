"""Addresses of policy servers as users write them: plain ones, since they stand in every record."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from vlabench.errors import UsageError

_MARKS = frozenset("@?#")
"""What begins or ends a user, a query and a fragment: the places where people put secrets."""


def check_address(
    policy: str, url: str, schemes: tuple[str, ...], what: str, *, usual_port: int = 0
) -> SplitResult:
    """The parts of `url`: a scheme, a host, perhaps a port and a path, and nothing else.

    Args:
        policy: The policy's name, for errors.
        url: What the user gave.
        schemes: Those it may have; the first one is shown as an example.
        what: What it should be, for errors.
        usual_port: Of addresses that must name a port, and have no path: the one that is shown as
            an example. 0 for all others.

    Raises:
        UsageError: If it is anything else. What may be a secret is not repeated.
    """
    mend = f"write it like {schemes[0]}://127.0.0.1:{usual_port or 8000}"
    if _MARKS.intersection(url):
        raise UsageError(
            f"Policy {policy!r} got a url with more in it than the {what}: a user, a query or a "
            f"fragment (@, ? or #) would stand in every record; {mend}."
        )
    wrong = UsageError(f"Policy {policy!r} got url={url}, which is no {what}; {mend}.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in schemes or not host or any(map(str.isspace, url)):
        raise wrong
    if usual_port and (not port or parts.path):
        raise wrong
    return parts
