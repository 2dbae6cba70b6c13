"""What the scripted baselines must reach on every published suite.

    .venv/bin/python benchmarks/baselines.py [--suites lighting,paraphrase]

The expert solves at least 97 % of the episodes, which shows that they can be solved; doing nothing
and doing anything solve at most 2 %, which shows that success is not given away. Runs are kept
under ``results/runs`` and go on where they stopped. Exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import sys
import time

import vlabench
from vlabench.suite import suite_names

BOUNDS = {"expert": (0.97, 1.0), "noop": (0.0, 0.02), "random": (0.0, 0.02)}
"""Policy to the least and the greatest share of successful episodes."""


def main() -> int:
    """Runs every baseline on every suite and prints a line for each."""
    parser = argparse.ArgumentParser(description="The baselines on every suite.")
    parser.add_argument("--suites", help="names with commas between them; all if left out")
    chosen = parser.parse_args().suites
    missed = 0
    print(f"{'suite':16} {'policy':8} {'success':>16} {'bound':>12} {'minutes':>8}")
    for suite in chosen.split(",") if chosen else suite_names():
        for policy, (least, greatest) in BOUNDS.items():
            began = time.monotonic()
            run = vlabench.evaluate(policy, suite)
            successes = sum(record.success for record in run.records)
            rate = successes / len(run.records)
            kept = run.valid and least <= rate <= greatest
            missed += not kept
            bound = f">= {least:.0%}" if greatest == 1.0 else f"<= {greatest:.0%}"
            minutes = (time.monotonic() - began) / 60
            print(
                f"{suite:16} {policy:8} {successes:5} of {len(run.records):4} {rate:6.1%}"
                f" {bound:>9}{'  ' if kept else ' !'} {minutes:8.1f}",
                flush=True,
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
