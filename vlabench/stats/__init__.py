"""Intervals, paired tests and averages: pure functions of counts, with numpy and scipy alone.

Where there is nothing to compute from they raise `ValueError`; none of them ever says 0 for
"no data".
"""

from __future__ import annotations

from vlabench.stats.aggregate import (
    ChainLengths,
    StratifiedRate,
    chain_length,
    restricted_mean_time,
    scene_design_effect,
    stratified_gap,
    stratified_rate,
)
from vlabench.stats.intervals import (
    Interval,
    clopper_pearson_interval,
    jeffreys_interval,
    newcombe_interval,
    wilson_interval,
)
from vlabench.stats.paired import (
    Alternative,
    holm,
    mcnemar_exact,
    mcnemar_midp,
    tango_interval,
)
from vlabench.stats.ranking import ranks

__all__ = [
    "Alternative",
    "ChainLengths",
    "Interval",
    "StratifiedRate",
    "chain_length",
    "clopper_pearson_interval",
    "holm",
    "jeffreys_interval",
    "mcnemar_exact",
    "mcnemar_midp",
    "newcombe_interval",
    "ranks",
    "restricted_mean_time",
    "scene_design_effect",
    "stratified_gap",
    "stratified_rate",
    "tango_interval",
    "wilson_interval",
]
