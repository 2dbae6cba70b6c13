"""Makes the browser and the made-up runs importable here."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "harness"):
    sys.path.insert(0, str(folder))
