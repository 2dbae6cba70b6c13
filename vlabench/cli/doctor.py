"""``vlabench doctor``: what is missing on this machine, and the command that mends it.

With ``--policy`` it examines a policy instead: see `vlabench.cli.conventions`.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from ctypes.util import find_library
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Annotated

import typer

from vlabench import diskcache
from vlabench.cli import options
from vlabench.cli.findings import Finding
from vlabench.cli.graphics import check_rendering, probe
from vlabench.errors import UsageError
from vlabench.naming import one_line

GIB = 1024**3
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (no file is made there: Ray keeps its objects in it)
FAILED = 2
"""Exit code where something that is needed is missing."""


def doctor_command(
    policy: Annotated[
        str | None, typer.Option(help="Examine this policy's declaration, not the machine.")
    ] = None,
    policy_arg: options.PolicyArg = None,
    alternative: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Another value that an argument might need."),
    ] = None,
    tasks: options.Tasks = None,
    episodes: Annotated[int, typer.Option(help="Nominal episodes of each task.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Other draws.")] = None,
    questions: Annotated[
        int, typer.Option(help="How often in an episode a policy without memory is asked.")
    ] = 20,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="All that was tried.")] = None,
    ray_address: options.RayAddress = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only what was found.")] = False,
    world: options.World = "tabletop",
    expert: Annotated[str, typer.Option(hidden=True)] = "expert",
) -> None:
    """Say what is missing here, or wrong with a policy's declaration.

    With --policy, exits with 0 if no fault is found, 1 if one is named, 3 if none can be.
    """
    if policy is None:
        if policy_arg or alternative or tasks or json:
            raise UsageError("These options examine a policy; name it with --policy.")
        _examine_machine()
        return
    from vlabench.cli.conventions import parse_alternatives, report
    from vlabench.cli.eval import parse_policy_args, parse_tasks
    from vlabench.conventions import examine

    diagnosis = examine(
        policy,
        policy_args=parse_policy_args(policy_arg or []),
        tasks=parse_tasks(tasks),
        episodes=episodes,
        seed=seed,
        questions=questions,
        alternatives=parse_alternatives(alternative or []),
        ray_address=ray_address,
        world=world,
        expert=expert,
        told=(lambda _: None) if quiet else partial(typer.echo, err=True),
    )
    report(diagnosis, json)


def _examine_machine() -> None:
    failed = False
    for finding in findings():
        typer.echo(one_line(f"{finding.state:<4}  {finding.what}"))
        if finding.mend:
            typer.echo(one_line(f"      -> {finding.mend}"))
        failed = failed or finding.state == "fail"
    typer.echo("Something that is needed is missing." if failed else "Ready to run.")
    if failed:
        raise typer.Exit(FAILED)


def findings() -> Iterator[Finding]:
    """Every check, the slow ones last."""
    yield check_python(sys.version_info[:2])
    yield check_cores(len(os.sched_getaffinity(0)))
    yield check_fma(platform.machine(), _cpu_flags())
    yield check_memory(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    yield check_shared_memory(_free_bytes(SHARED_MEMORY))
    yield check_disk(_free_bytes(Path.cwd()))
    yield check_writing(Path("results"))
    yield check_cache(diskcache.folder(), diskcache.size(), diskcache.works())
    yield from check_dependencies(_requirements(), _installed)
    chosen = os.environ.get("MUJOCO_GL", "").lower()
    yield check_rendering(probe, chosen, find_library("EGL") is not None)


# --- the machine --------------------------------------------------------------------------------


def check_python(found: tuple[int, int]) -> Finding:
    """Python 3.11 is what everything is tested with; nothing older works."""
    name = f"Python {found[0]}.{found[1]}"
    if found < (3, 11):
        return Finding("fail", f"{name}; 3.11 is needed", "uv venv --python 3.11")
    return Finding("ok", name)


def check_cores(count: int) -> Finding:
    """Each worker is a process, so cores are speed."""
    if count < 2:
        return Finding("warn", "1 CPU core: one episode at a time")
    return Finding("ok", f"{count} CPU cores")


def check_fma(machine: str, flags: frozenset[str]) -> Finding:
    """Episodes replay to the bit only among x86-64 machines that have FMA."""
    if machine.lower() in ("x86_64", "amd64") and "fma" in flags:
        return Finding("ok", f"{machine} with FMA: replays agree with other machines")
    return Finding(
        "warn",
        f"{machine} without x86-64 FMA: episodes run, but may differ from other machines' in the "
        "last bit, so replay and compare runs on one machine",
    )


def check_memory(size: int) -> Finding:
    """A worker takes about one GiB."""
    what = f"{size / GIB:.1f} GiB of memory"
    if size < 4 * GIB:
        return Finding("warn", f"{what}; about 1 GiB for each worker", "give --workers 1")
    return Finding("ok", what)


def check_shared_memory(free: int | None) -> Finding:
    """Ray passes frames through shared memory; a container's default is 64 MiB."""
    mend = "docker run --shm-size=2g ..., or vlabench eval --runner serial"
    if free is None:
        return Finding("warn", f"no {SHARED_MEMORY}: Ray falls back to files, and is slow", mend)
    what = f"{free / GIB:.1f} GiB free in {SHARED_MEMORY}"
    return Finding("ok", what) if free >= GIB else Finding("warn", f"{what}: Ray wants 1", mend)


def check_disk(free: int | None) -> Finding:
    """A run takes some kilobytes an episode; Ray's session and caches take more."""
    what = f"{(free or 0) / GIB:.1f} GiB free on this disk"
    if free is None or free < 2 * GIB:
        return Finding("warn", f"{what}; 2 are wanted", "free some space, or give --out elsewhere")
    return Finding("ok", what)


def check_writing(folder: Path) -> Finding:
    """Whether runs can be kept where they go unless ``--out`` says otherwise; makes no folder."""
    present = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=present):
            return Finding("ok", f"{folder}/ can be written")
    except OSError as error:
        reason = error.strerror or str(error)
        return Finding(
            "fail", f"cannot write to {folder}/ ({reason})", f"chmod u+w {present}, or give --out"
        )


def check_cache(place: Path | None, size: int, works: bool) -> Finding:
    """Whether what is slow to make is kept for the next process."""
    if place is None:
        what = "no cache folder: every process composes its robots anew, for seconds"
    elif not works:
        what = (
            f"the cache {place} cannot be written: processes may compose robots anew, for seconds"
        )
    else:
        return Finding("ok", f"{size / 1e6:.1f} MB cached in {place}, which may be deleted")
    return Finding(
        "warn", what, f"{diskcache.VARIABLE}=FOLDER names one that only you can write to"
    )


def _cpu_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(
        flag for line in lines if line.startswith("flags") for flag in line.split(":")[1].split()
    )


def _free_bytes(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


# --- dependencies -------------------------------------------------------------------------------

ROBOSUITE_MEND = (
    "apt-get install gcc python3-dev linux-libc-dev (robosuite wants evdev, which may have to be "
    "compiled), then "
)


def check_dependencies(
    wanted: Sequence[str], installed: Callable[[str], str | None]
) -> Iterator[Finding]:
    """Each distribution against the versions that the package asks for.

    Args:
        wanted: Requirements such as ``"mujoco==3.9.0"``.
        installed: The version of a distribution; None if it is not there.
    """
    if not wanted or installed("packaging") is None:
        yield Finding("fail", "vlabench is not installed, or not all of it", "pip install -e .")
        return
    from packaging.requirements import Requirement

    good = []
    for requirement in map(Requirement, wanted):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, found = requirement.name, installed(requirement.name)
        if found is not None and requirement.specifier.contains(found, prereleases=True):
            good.append(f"{name} {found}")
            continue
        has = "is not installed" if found is None else f"is {found}"
        mend = f"pip install '{name}{requirement.specifier}'"
        hint = ROBOSUITE_MEND if name in ("robosuite", "evdev") else ""
        yield Finding("fail", f"{name} {has}; {requirement.specifier} is wanted", f"{hint}{mend}")
    if good:
        yield Finding("ok", ", ".join(good))


def _requirements() -> Sequence[str]:
    try:
        return requires("vlabench") or ()
    except PackageNotFoundError:
        return ()


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
