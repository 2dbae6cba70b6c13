"""Injects every fault of docs/faults.md, more often than the tests do, and tells what each cost.

The faults are those of ``tests/faults``: real processes are killed with SIGKILL, real servers go
away for 20 s, real file systems are full and read-only, nodes of a cluster are lost. Here every
point of the record writer is tried and not every fourth. A row says what the runs that the fault
hit were short of in the end, compared with undisturbed ones, record for record and trace for trace;
the test that injected it counted that.

``--write`` puts the rows into the page, unless a test failed: all of them in place of the table
that is there or, with words for pytest that choose some tests, theirs in place of the rows of the
same faults.

Usage: python benchmarks/faults.py [--write] [--quick] [words for pytest, for example -k writer]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- rows of make faults -->", "<!-- end of the rows -->"
HEAD = """\
| what was done | times | episodes compared | lost | twice | changed | commit |
|---|---|---|---|---|---|---|"""
COUNTS = ("times", "episodes", "lost", "twice", "changed")
BEYOND_HEAD = "+"
"""Marks a commit whose sources were not quite those that ran."""
QUICK = ", quick"
"""Marks a row of faults that were injected only as often as the ordinary tests do it."""


def main() -> int:
    """Runs the tests and prints their table; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"put it into {PAGE.name}")
    parser.add_argument("--quick", action="store_true", help="only as often as the tests do")
    options, words = parser.parse_known_args()
    mark = commit() + QUICK * options.quick
    failed, found = injected(words, options.quick)
    rows = {str(row["fault"]): line(row, mark) for row in found}
    print(table(rows.values()))
    if options.write and failed:
        print(f"{PAGE.name} stays as it is, for a test failed.")
    elif options.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(joined(page, rows, keep=bool(words)), encoding="utf-8")
    return int(failed)


def injected(words: list[str], quick: bool) -> tuple[bool, list[dict[str, str | int]]]:
    """Whether a test failed, and what they counted; `words` are added to pytest's."""
    environment = {name: value for name, value in os.environ.items() if name != "VLABENCH_FAULTS"}
    if not quick:
        environment["VLABENCH_FAULTS"] = "1"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.touch()
        environment["VLABENCH_FAULT_ROWS"] = str(path)
        command = [sys.executable, "-m", "pytest", "tests/faults", "-q", *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        return done.returncode != 0, [json.loads(row) for row in path.read_text().splitlines()]


def commit() -> str:
    """Of what is about to run."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "vlabench", "tests", "benchmarks")
    return git("rev-parse", "--short=8", "HEAD") + BEYOND_HEAD * bool(changed)


def line(row: dict[str, str | int], mark: str) -> str:
    """A row as a line of the table."""
    return " | ".join([f"| {row['fault']}", *(str(row[name]) for name in COUNTS), f"{mark} |"])


def table(lines: Iterable[str]) -> str:
    """The lines in the order of the alphabet, under their head."""
    return "\n".join([HEAD, *sorted(lines, key=str.casefold)])


def joined(page: str, rows: dict[str, str], keep: bool) -> str:
    """The page with these lines between its markers, and with the other faults' that it has."""
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    there = [one for one in old.strip().splitlines() if one.startswith("| ")][1:] if keep else []
    kept = {one[2:].split(" | ")[0]: one for one in there}
    return f"{before}{BEGIN}\n{table((kept | rows).values())}\n{END}{after}"


if __name__ == "__main__":
    raise SystemExit(main())
