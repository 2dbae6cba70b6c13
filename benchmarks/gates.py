"""How often the gates are wrong: false alarms and power of `compare` and of `check --sequential`.

    .venv/bin/python benchmarks/gates.py [--comparisons 10000]

Pairs are independent draws: with the given discordance one policy succeeds and the other fails,
and a drop moves that share towards the base. Where the discordance is smaller than the drop, it is
the drop. `compare` is worked out exactly, table by table, through its own rule for a verdict; what
takes a look after every pair is simulated, and its decisions are checked against the gate itself.
Beside them stand two rules that many would write: "fail if 5 points are lost", and looking at the
p-value every 10 pairs.

Where pairs share scenes, or tasks differ in size, `compare` is simulated: two policies that are
alike, each with luck of its own in every scene. Under "skewed" they are as good on average and not
alike: one loses an episode of many scenes and wins all of a few. No test can hold its level when
the few scenes that matter may be absent, so that is shown and not promised; `compare` warns where
there are few shared scenes. Exits with 1 if a gate breaks its promise.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from vlabench import stats
from vlabench.comparison.pairs import Pairs, verdict_of
from vlabench.seeding import stream
from vlabench.stats.sequential import STAKES, SequentialGate
from vlabench.stats.verdict import ALPHA, MARGIN, Rule, judge

Outcomes = npt.NDArray[np.int8]
"""New less base, a row a comparison, a column a pair."""

CAP, QUICK, PEEK = 500, 100, 10
SIZES = (20, 50, 100, 200, 500, 1000)
DISCORDANCES = {"deterministic": 0.0, "10 % differ": 0.1, "20 % differ": 0.2}
DROPS = (0.0, 0.05, 0.1)
NAIVE_DROP = 0.05
TASKS = np.arange(10)
UNEQUAL = (8, 12, 20, 40, 60, 90, 120, 150)
"""Scenes of tasks of unequal size."""
RULE = Rule()
ALIKE = 100
"""Comparisons of each case in which the simulation is held against the gate itself."""

LEFT_OUT = 1e-12


def main() -> None:
    """Prints the tables, and exits with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description="How often the gates are wrong.")
    parser.add_argument("--comparisons", type=int, default=10_000, help="simulated, each case")
    comparisons = parser.parse_args().comparisons
    began = time.perf_counter()
    broken = [*fixed(), *dependent(comparisons // 4), *sequential(comparisons)]
    for promise in broken:
        print(f"BROKEN: {promise}")
    print(f"\n{'broken' if broken else 'kept'}, in {time.perf_counter() - began:.0f} s")
    sys.exit(1 if broken else 0)


# --- compare: every table -----------------------------------------------------------------------


def fixed() -> list[str]:
    """Prints what `compare` does, and says where it breaks its promise."""
    print(f"compare: one-sided mid-p at alpha {ALPHA:g}, margin {MARGIN:g}; exact, in percent")
    print(f"naive: regressed if {100 * NAIVE_DROP:g} points or more are lost; exact, in percent")
    print("pairs  discordance    drop  REGRESSED  failed  non-inferior   naive")
    broken = []
    for pairs in (QUICK, CAP):
        for name, discordance in DISCORDANCES.items():
            for drop in DROPS:
                shares = exact(pairs, max(discordance, drop), drop)
                print(
                    f"{pairs:5}  {name:13} {points(drop):>5}"
                    f"  {percent(shares['regressed']):>9}  {percent(shares['failed']):>6}"
                    f"  {percent(shares['non-inferior']):>12}  {percent(shares['naive']):>6}"
                )
                if drop == 0 and shares["regressed"] > ALPHA:
                    broken.append(f"compare, {pairs} pairs, {name}: {shares['regressed']:.4f}")
    print("most false alarms of compare over all discordances, exact, in percent")
    for pairs in SIZES:
        share, psi = max((stats.paired_power(pairs, 0, psi / 200), psi) for psi in range(1, 201))
        print(f"  {pairs:5} pairs: {percent(share, 2)}, where {psi / 2:g} % differ")
    print()
    return broken


def exact(pairs: int, discordance: float, drop: float) -> dict[str, float]:
    """The share of each outcome over all tables; what is too rare to sum counts as an alarm."""
    found = dict.fromkeys(("regressed", "failed", "non-inferior", "naive"), 0.0)
    lost = (discordance + drop) / 2 / discordance if discordance else 0.0
    seen = 0.0
    for differing in likely(pairs, discordance):
        among = binom.pmf(differing, pairs, discordance)
        counts = likely(int(differing), lost)
        weights = among * binom.pmf(counts, differing, lost)
        for b, weight in zip(counts.tolist(), weights.tolist(), strict=True):
            outcome, failed = verdict(b, int(differing) - b, pairs)
            seen += weight
            found["regressed"] += weight * (outcome == "REGRESSED")
            found["failed"] += weight * failed
            found["non-inferior"] += weight * (outcome in ("NON-INFERIOR", "IMPROVED"))
            found["naive"] += weight * ((2 * b - differing) / pairs >= NAIVE_DROP - 1e-12)
    rest = max(0.0, 1 - seen)
    return {name: share + rest * (name != "non-inferior") for name, share in found.items()}


@functools.cache
def verdict(b: int, c: int, pairs: int) -> tuple[str, bool]:
    """What `compare` says of one table, and whether it fails a build."""
    found = judge(b, c, pairs, alpha=ALPHA, margin=MARGIN)
    return found.outcome, found.failed


def likely(trials: int, share: float) -> npt.NDArray[np.int64]:
    """The counts that are not too rare to matter."""
    low, high = binom.ppf([LEFT_OUT, 1 - LEFT_OUT], trials, share)
    return np.arange(max(0, int(low)), int(high) + 1)


# --- compare: pairs that share scenes, tasks of unequal size ------------------------------------

DESIGNS = {
    "500 scenes, 3 pairs each": (np.full(500, 3), TASKS),
    "100 scenes, 3 pairs each": (np.full(100, 3), TASKS),
    "50 scenes, 12 pairs each": (np.full(50, 12), TASKS),
    "20 scenes, 12 pairs each": (np.full(20, 12), TASKS),
    "500 scenes, tasks of 8 to 150": (np.full(500, 1), np.repeat(np.arange(8), UNEQUAL)),
}
"""How many pairs each scene has, and the tasks that the scenes belong to, in turn."""


def dependent(comparisons: int) -> list[str]:
    """Prints the false alarms where pairs depend on each other, and says which are too many."""
    print(f"compare, pairs that share scenes: {comparisons:,} comparisons each, in percent")
    print("design                         alike (95 % interval)   skewed")
    broken = []
    for name, (sizes, tasks) in DESIGNS.items():
        rates = []
        for draw in (alike, skewed):
            rng = stream("gates", name, draw.__name__)
            alarms = sum(regressed(sizes, tasks, draw(rng, sizes)) for _ in range(comparisons))
            rates.append(
                (alarms / comparisons, stats.clopper_pearson_interval(alarms, comparisons))
            )
        (rate, (low, high)), (askew, _) = rates
        print(
            f"{name:30} {percent(rate):>6} ({percent(low, 2):>5} to {percent(high, 2):>5})"
            f"  {percent(askew):>7}"
        )
        if low > ALPHA:
            broken.append(f"compare, {name}: false alarms from {low:.4f}")
    print()
    return broken


def alike(rng: np.random.Generator, sizes: npt.NDArray[np.int64]) -> Outcomes:
    """New less base of two policies whose success varies from scene to scene alike."""
    solved = [
        rng.random(int(sizes.sum())) < np.repeat(rng.beta(0.4, 0.4, len(sizes)), sizes)
        for _ in range(2)
    ]
    return np.asarray(solved[0].astype(np.int8) - solved[1].astype(np.int8))


def skewed(rng: np.random.Generator, sizes: npt.NDArray[np.int64]) -> Outcomes:
    """The new policy loses a pair in a third of the scenes, and wins a few scenes whole."""
    luck, difference = rng.random(len(sizes)), np.zeros(int(sizes.sum()), dtype=np.int8)
    difference[(np.cumsum(sizes) - sizes)[luck < 1 / 3]] = -1
    difference[np.repeat(luck > 1 - 1 / 3 / sizes, sizes)] = 1
    return difference


def regressed(
    sizes: npt.NDArray[np.int64], tasks: npt.NDArray[np.int64], difference: Outcomes
) -> bool:
    """Whether `compare` raises an alarm."""
    scene = np.repeat(np.arange(len(sizes)), sizes)
    task = np.resize(tasks, len(sizes))[scene]
    return verdict_of(Pairs(difference < 1, difference > -1, task, scene), RULE).outcome == (
        "REGRESSED"
    )


# --- check --sequential, and naive peeking: by simulation ---------------------------------------


@dataclass(frozen=True)
class Stopped:
    """Of each comparison: whether it said regressed, or non-inferior, and after how many pairs."""

    regressed: npt.NDArray[np.bool_]
    non_inferior: npt.NDArray[np.bool_]
    pairs: npt.NDArray[np.int64]


def sequential(comparisons: int) -> list[str]:
    """Prints what `check --sequential` does, and says where it breaks its promise."""
    print(
        f"check --sequential: decides at 1/alpha = {1 / ALPHA:g}, after {CAP} pairs at the latest;"
        f" {comparisons:,} comparisons each"
    )
    print(f"peeking: mid-p at alpha {ALPHA:g} after every {PEEK} pairs, stops when it alarms")
    print("discordance    drop  regressed (95 % interval)  non-inferior  mean pairs   peeking")
    broken = []
    for name, discordance in DISCORDANCES.items():
        for drop in DROPS:
            differences = simulate(comparisons, max(discordance, drop), drop)
            stopped = gate(differences)
            compare_with_the_gate(differences[:ALIKE], stopped)
            alarms = int(stopped.regressed.sum())
            low, high = stats.clopper_pearson_interval(alarms, comparisons)
            print(
                f"{name:13} {points(drop):>5}  {percent(alarms / comparisons):>9}"
                f" ({percent(low, 2):>5} to {percent(high, 2):>6})"
                f"  {percent(float(stopped.non_inferior.mean())):>12}"
                f"  {stopped.pairs.mean():10.0f}  {percent(float(peeking(differences).mean())):>8}"
            )
            if drop == 0 and low > ALPHA:
                broken.append(f"check --sequential, {name}: false alarms from {low:.4f}")
            cleared = int(stopped.non_inferior.sum())
            least = stats.clopper_pearson_interval(cleared, comparisons).low
            if drop >= MARGIN and least > ALPHA:
                broken.append(f"check --sequential, {name}, drop {drop:g}: cleared {least:.4f}")
    return broken


def simulate(comparisons: int, discordance: float, drop: float) -> Outcomes:
    """Independent pairs of which `discordance` differ, the new policy losing `drop` more."""
    rng = stream("gates", f"{discordance:g}", f"{drop:g}")
    drawn = rng.random((comparisons, CAP))
    lost = drawn < (discordance + drop) / 2
    return np.where(lost, -1, np.where(drawn < discordance, 1, 0)).astype(np.int8)


def gate(differences: Outcomes) -> Stopped:
    """When the two e-processes first reach 1/alpha, for all comparisons at once."""
    b, c = np.cumsum(differences < 0, axis=1), np.cumsum(differences > 0, axis=1)
    same = np.arange(1, CAP + 1) - b - c
    alarmed = first(b >= fewest(stats.e_mcnemar, int(c.max()))[c])
    products = np.zeros(differences.shape)
    for stake in STAKES:
        per_pair = [1 + stake * (d + MARGIN) / (1 - MARGIN) for d in (-1, 0, 1)]
        lost, even, won = (max(0.0, factor) for factor in per_pair)
        products += lost**b * even**same * won**c
    cleared = first(products / len(STAKES) >= 1 / ALPHA)
    return Stopped(
        regressed=(alarmed < cleared),
        non_inferior=(cleared < alarmed),
        pairs=np.minimum(np.minimum(alarmed, cleared), CAP),
    )


def peeking(differences: Outcomes) -> npt.NDArray[np.bool_]:
    """Whether mid-p alarms at any look."""
    b, c = np.cumsum(differences < 0, axis=1), np.cumsum(differences > 0, axis=1)
    looks = slice(PEEK - 1, None, PEEK)

    def evidence(lost: int, won: int) -> float:
        return 1 / stats.mcnemar_midp(lost, won, "greater")

    enough = fewest(evidence, int(c.max()))
    return np.asarray(np.any(b[:, looks] >= enough[c[:, looks]], axis=1))


def fewest(evidence: Callable[[int, int], float], most_won: int) -> npt.NDArray[np.int64]:
    """For each number of pairs won, the fewest lost pairs with evidence of 1/alpha."""
    found, b = [], 0
    for c in range(most_won + 1):
        while evidence(b, c) < 1 / ALPHA:
            b += 1
        found.append(b)
    return np.array(found)


def first(reached: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """After how many pairs each row is first true; one more than the cap if never."""
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, CAP + 1)


def compare_with_the_gate(differences: Outcomes, stopped: Stopped) -> None:
    """Feeds the same pairs to the gate that `check` uses; it must say the same, as soon."""
    for row, pairs in enumerate(differences.tolist()):
        real = SequentialGate(ALPHA, MARGIN)
        for difference in pairs:
            if real.feed(base=difference < 1, new=difference > -1) is not None:
                break
        simulated = (bool(stopped.regressed[row]), bool(stopped.non_inferior[row]))
        decided = (real.decision == "regressed", real.decision == "non-inferior")
        assert (decided, real.pairs) == (simulated, int(stopped.pairs[row]))


def percent(share: float, decimals: int = 1) -> str:
    """A share as a number, without its sign."""
    return f"{100 * share:.{decimals}f}"


def points(drop: float) -> str:
    """A drop as points of success rate."""
    return f"-{100 * drop:.0f}" if drop else "0"


if __name__ == "__main__":
    main()
