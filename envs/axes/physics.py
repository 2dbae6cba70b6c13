"""Physics: the objects are heavier or lighter, smoother or rougher, and joints turn otherwise.

A behaviour axis. Each level is a ring around the nominal world, in which every factor is 1:

====== ============================
level  mass, friction, damping
====== ============================
L1     x 0.7-0.85, x 1.15-1.4
L2     x 0.5-0.7, x 1.4-2
L3     x 0.3-0.5, x 2-3
====== ============================
"""

from __future__ import annotations

FACTOR = "physics"

NOMINAL = {"mass": 1.0, "friction": 1.0, "damping": 1.0}
"""Shares of what the catalog says."""
