"""Background: other walls and another floor."""

from __future__ import annotations

FACTOR = "room"

NOMINAL = {"wall": "plaster", "floor": "planks"}
"""Names of surfaces."""
