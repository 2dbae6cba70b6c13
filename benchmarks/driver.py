"""What one driver can take, and what an episode leaves behind: the figures of docs/scaling.md.

    .venv/bin/python benchmarks/driver.py RUN [--records 2000] [--folder DIR]

The records and traces of `RUN` are handed, under new names, to the writer of a new run as if
workers had just sent them, as fast as it takes them. Then it is counted what they are on disk, in
memory, and on their way between processes. Exits with 1 if the run that was written is not whole.
"""

from __future__ import annotations

import argparse
import gzip
import pickle
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import ray

from vlabench.manifest import Manifest
from vlabench.runner.cluster import cluster
from vlabench.runner.job import Finished, RunnerOptions
from vlabench.runner.order import Line
from vlabench.runner.worker import Answer
from vlabench.store import EPISODES, MANIFEST, TRACES, Run, RunWriter
from vlabench.types import EpisodeRecord, EpisodeSpec

KIB = 1024


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        sys.exit(measured(Run.open(options.run), options.records, Path(folder) / "run"))


def measured(old: Run, records: int, folder: Path) -> int:
    """Writes so many records into `folder`, and prints what that takes."""
    known = old.records
    chosen = [known[number % len(known)] for number in range(records)]
    specs = [
        replace(old.manifest.by_id[record.episode_id], index=10**6 + number, control_id=None)
        for number, record in enumerate(chosen)
    ]
    manifest = replace(old.manifest, episodes=tuple(specs))
    info = replace(
        old.info, manifest_hash=manifest.hash, completed=0, finished_at=None, episodes_sha256=None
    )
    events = [
        Finished(of_episode(record, spec, manifest), old.trace(record.episode_id))
        for record, spec in zip(chosen, specs, strict=True)
    ]
    with RunWriter(folder, info, manifest) as writer:
        cpu, wall = time.process_time(), time.perf_counter()
        for finished in events:
            writer.add(finished.record, finished.trace)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        cpu_handing = handing_out(manifest)
    whole = Run.open(folder)
    tracemalloc.start()
    assert len(whole.manifest.episodes) == len(whole.records)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    traces = list((folder / TRACES).iterdir())
    on_disk = sum(path.stat().st_size for path in traces)
    blocks = sum(512 * path.stat().st_blocks for path in traces)
    log, plan = (folder / EPISODES).read_bytes(), (folder / MANIFEST).read_bytes()
    there = [len(pickle.dumps(spec)) for spec in specs]
    back = [len(pickle.dumps(Answer(one, 0, 0, False))) for one in events]
    per = 1e6 / records
    rate, squeezed = records / wall, len(gzip.compress(log)) / records
    print(f"the writer takes {rate:.0f} records/s here, {per * cpu:.0f} us of CPU each")
    print(f"the order of the episodes takes {per * cpu_handing:.0f} us of CPU each")
    print(f"Ray's call and its answer take {1e6 * carried(specs, events):.0f} us of CPU")
    print(f"a record is {len(log) / records:.0f} bytes, {squeezed:.0f} compressed")
    print(f"a trace is one file of {on_disk / records:.0f} bytes, {blocks / records:.0f} on disk")
    print(f"an episode of the manifest is {len(plan) / records:.0f} bytes")
    print(f"in the driver an episode and its record are {kept / records / KIB:.1f} KiB")
    print(f"an episode goes to a worker as {mean(there):.0f} bytes, {max(there)} at the most")
    print(f"its answer is {mean(back):.0f} bytes, {max(back)} at the most")
    correct = len(whole.records) == records == len(traces) and whole.valid
    print("all of them are there" if correct else "THE RUN IS NOT WHOLE")
    return not correct


def of_episode(record: EpisodeRecord, spec: EpisodeSpec, manifest: Manifest) -> EpisodeRecord:
    """`record` as that of another episode."""
    return replace(
        record,
        episode_id=spec.episode_id,
        control_id=None,
        index=spec.index,
        suite_hash=manifest.hash,
        env_fingerprint=manifest.env_fingerprint,
    )


class Echo:
    """A worker that has run its episode before it is asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def attempt(self, episode: EpisodeSpec, attempt: int) -> Answer:
        """The same answer each time."""
        del episode, attempt
        return self.answer


def carried(specs: Sequence[EpisodeSpec], events: Sequence[Finished]) -> float:
    """Seconds of CPU of this process for one episode that goes to a worker and comes back.

    All are under way at once, as with so many workers, and waited for as `vlabench.runner.pool`
    does.
    """
    with cluster(RunnerOptions(workers=1)):
        make = ray.remote(Echo).options(num_cpus=1)
        worker = make.remote(Answer(events[0], 0, 0, False))
        ray.get(worker.attempt.remote(specs[0], 0))
        cpu = time.process_time()
        busy = {worker.attempt.remote(spec, 0): spec for spec in specs}
        while busy:
            ray.wait(list(busy), num_returns=1)
            ready, _ = ray.wait(list(busy), num_returns=len(busy), timeout=0)
            for future in ready:
                ray.get(future)
                del busy[future]
        return (time.process_time() - cpu) / len(specs)


def handing_out(manifest: Manifest) -> float:
    """Seconds of CPU that the order alone takes, as with 6,400 workers; Ray's calls come on top."""
    cpu = time.process_time()
    line = Line(manifest.episodes, 6400)
    while (turn := line.next()) is not None:
        line.over(turn)
    return time.process_time() - cpu


def mean(sizes: list[int]) -> float:
    """The mean."""
    return sum(sizes) / len(sizes)


if __name__ == "__main__":
    main()
