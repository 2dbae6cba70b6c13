"""Intervals, paired tests and averages: pure functions of counts, with numpy and scipy alone.

Where there is nothing to compute from they raise `ValueError`; none of them ever says 0 for
"no data".
"""

from __future__ import annotations

from vlabench.stats.aggregate import (
    EffectiveCounts,
    StratifiedRate,
    effective_counts,
    scene_design_effect,
    scene_design_effects,
    stratified_gap,
    stratified_rate,
)
from vlabench.stats.curves import StrengthCurve, strength_curve
from vlabench.stats.graded import (
    Effect,
    bca_interval,
    cluster_bootstrap,
    interaction,
    paired_permutation,
)
from vlabench.stats.horizon import (
    ChainLengths,
    StageSuccess,
    chain_length,
    conditional_stage_success,
    pass_hat_k,
)
from vlabench.stats.intervals import (
    Interval,
    clopper_pearson_interval,
    jeffreys_interval,
    newcombe_interval,
    wilson_interval,
)
from vlabench.stats.paired import Alternative, holm, mcnemar_exact, mcnemar_midp, tango_interval
from vlabench.stats.power import (
    paired_power,
    required_pairs,
    required_pairs_noninferiority,
    required_unpaired,
    smallest_effect,
)
from vlabench.stats.ranking import (
    Contest,
    Tested,
    Unpaired,
    compact_letters,
    pairwise_p_values,
    ranks,
)
from vlabench.stats.sequential import Decision, SequentialGate, e_mcnemar, noninferiority_e
from vlabench.stats.survival import SurvivalCurve, kaplan_meier, restricted_mean_time
from vlabench.stats.unpaired import boschloo

__all__ = [
    "Alternative",
    "ChainLengths",
    "Contest",
    "Decision",
    "Effect",
    "EffectiveCounts",
    "Interval",
    "SequentialGate",
    "StageSuccess",
    "StratifiedRate",
    "StrengthCurve",
    "SurvivalCurve",
    "Tested",
    "Unpaired",
    "bca_interval",
    "boschloo",
    "chain_length",
    "clopper_pearson_interval",
    "cluster_bootstrap",
    "compact_letters",
    "conditional_stage_success",
    "e_mcnemar",
    "effective_counts",
    "holm",
    "interaction",
    "jeffreys_interval",
    "kaplan_meier",
    "mcnemar_exact",
    "mcnemar_midp",
    "newcombe_interval",
    "noninferiority_e",
    "paired_permutation",
    "paired_power",
    "pairwise_p_values",
    "pass_hat_k",
    "ranks",
    "required_pairs",
    "required_pairs_noninferiority",
    "required_unpaired",
    "restricted_mean_time",
    "scene_design_effect",
    "scene_design_effects",
    "smallest_effect",
    "stratified_gap",
    "stratified_rate",
    "strength_curve",
    "tango_interval",
    "wilson_interval",
]
