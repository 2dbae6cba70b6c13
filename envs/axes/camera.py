"""Camera: the exterior cameras look from elsewhere."""

from __future__ import annotations

FACTOR = "camera"

NOMINAL = {"azimuth_deg": 0.0, "elevation_deg": 0.0, "distance": 1.0}
"""Turns about what the camera looks at, in degrees, and the share of the nominal distance."""
