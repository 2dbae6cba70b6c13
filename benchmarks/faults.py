"""Injects every fault of docs/faults.md, more often than the tests do, and prints the table of it.

The faults are those of ``tests/faults``: real processes are killed with SIGKILL, real servers go
away for 20 s, real file systems are full and read-only. Here every point of the record writer is
tried and not every fourth. Each row is written by the test that did it, after it has compared what
the run came to with an undisturbed one, record for record and trace for trace.

Usage: python benchmarks/faults.py [words for pytest, for example -k writer]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests" / "faults"


def main() -> int:
    """Runs the tests and prints their table; 1 if one of them failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "faults.xml"
        words = [sys.executable, "-m", "pytest", str(TESTS), "-q", f"--junit-xml={report}"]
        done = subprocess.run(
            [*words, *sys.argv[1:]], env={**os.environ, "VLABENCH_FAULTS": "1"}, check=False
        )
        cases = list(ET.parse(report).iter("testcase"))  # noqa: S314  (pytest writes it)
    print("| what was done | times | records lost or twice | |\n|---|---|---|---|")
    for case in cases:
        for fault in case.iter("property"):
            if fault.get("name") == "fault":
                what, times, lost, note = json.loads(fault.get("value", ""))
                print(f"| {what} | {times} | {lost or 'none'} | {note} |")
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    print("\n".join(f"FAILED {name}" for name in failed))
    return int(bool(failed) or done.returncode != 0)


if __name__ == "__main__":
    raise SystemExit(main())
