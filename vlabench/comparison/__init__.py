"""Two runs against each other: is the new policy worse than the base?"""

from __future__ import annotations

from vlabench.comparison.comparing import compare
from vlabench.comparison.model import Comparison, Flip, Line, Side, exit_code

__all__ = ["Comparison", "Flip", "Line", "Side", "compare", "exit_code"]
