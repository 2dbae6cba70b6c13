"""One canonical form for everything that is hashed: JSON with sorted keys and no blanks."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """The one JSON text of `value`; floats print as Python's shortest round-trip form.

    Raises:
        ValueError: If `value` holds NaN or an infinity.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def content_hash(value: Any, length: int = 16) -> str:
    """The first `length` hexadecimal digits of the SHA-256 of `canonical_json(value)`."""
    return bytes_hash(canonical_json(value).encode(), length)


def bytes_hash(data: bytes, length: int = 16) -> str:
    """The first `length` hexadecimal digits of the SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()[:length]
