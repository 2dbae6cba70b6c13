"""How well does a robot policy do when something changes?

Importing this package loads no simulator, no model and no cluster.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vlabench.comparison import Comparison, compare
    from vlabench.evaluation import evaluate
    from vlabench.store import Run

_LAZY = {
    "Comparison": "vlabench.comparison",
    "compare": "vlabench.comparison",
    "Run": "vlabench.store",
    "evaluate": "vlabench.evaluation",
}

__all__ = ["Comparison", "Run", "compare", "evaluate"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'vlabench' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
