"""A running Ray: one of its own on this machine, or a cluster that is there already."""

from __future__ import annotations

import importlib
import logging
import math
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray

from vlabench.errors import UsageError
from vlabench.runner.capacity import LOOKING_WORKER_BYTES, capacity
from vlabench.runner.job import RunnerOptions

logger = logging.getLogger(__name__)

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_TQDM": "0",
    "RUNTIME_ENV_RETRY_TIMES": "1",
}
"""No telemetry, no log lines, the graphics card stays visible to workers, and an environment that
pip cannot build is not built again."""

_OBJECT_STORE_BYTES = 256 * 1024**2
_KNOCKING_SECONDS = 5


_ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""What makes Ray listen on 127.0.0.1 alone where it would listen on every address; whoever reaches
one of its ports can run code here. ``_node_ip_address="127.0.0.1"`` does not: Ray puts the
machine's own address in its place (``get_node_ip_address`` of ray/_private/services.py)."""


@contextmanager
def cluster(options: RunnerOptions, each: int = LOOKING_WORKER_BYTES) -> Iterator[int]:
    """A running Ray, one of its own unless there is one; yields the number of workers.

    Args:
        options: How many there should be, and where.
        each: Bytes that a worker takes.
    """
    if ray.is_initialized():
        yield _fitting(options.workers, each)
        return
    processors = options.workers or capacity().workers(each)
    own = {"num_cpus": processors, "object_store_memory": _OBJECT_STORE_BYTES}
    local = options.ray_address is None
    quiet = _QUIET | _ON_LOOPBACK if local else _QUIET
    with _environment(quiet), _reachable(by_others=not local), _own_sigterm():
        try:
            _knock(options.ray_address)
            ray.init(
                address=options.ray_address or "local",
                include_dashboard=False if options.ray_address is None else None,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                **({} if options.ray_address else own),
            )
        except Exception as error:  # Ray raises a bare one where it does not start in time
            raise UsageError(
                f"Cannot start or reach Ray at {options.ray_address or 'this machine'} "
                f"({' '.join(str(error).split())}); check --ray-address, or use --runner serial."
            ) from error
    try:
        yield processors if options.ray_address is None else _fitting(options.workers, each)
    finally:
        ray.shutdown()


@contextmanager
def _reachable(by_others: bool) -> Iterator[None]:
    """What `_ON_LOOPBACK` says, for this process too: Ray reads the variable when it is imported.

    Ray asks again for the constant while it starts, and not later. It is one of Ray's own, which
    another version may not have: the variable alone must do then, and who runs Ray is warned.
    """
    constants = _ray_constants()
    if constants is None:
        if not by_others:
            logger.warning(
                "Ray %s has no constant that keeps it on 127.0.0.1: others may reach its ports and "
                "run code as you; close them, or use --runner serial",
                ray.__version__,
            )
        yield
        return
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = by_others
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


def _ray_constants() -> Any:
    """Ray's module with the constant of `_reachable`; None where this version has it elsewhere."""
    try:
        found = importlib.import_module("ray._private.ray_constants")
    except ImportError:
        return None
    return found if hasattr(found, "ENABLE_RAY_CLUSTER") else None


def _knock(address: str | None) -> None:
    """Asks whether anybody listens at ``host:port``: Ray itself would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_KNOCKING_SECONDS).close()


def _fitting(workers: int | None, each: int) -> int:
    """As many workers as are wanted, else as the nodes have processors and memory for.

    What memory a node has is what Ray's own count says. A worker that no node has a processor for
    waits for one that joins.
    """
    if workers is not None:
        return workers
    return max(1, sum(_room_on(node["Resources"], each) for node in ray.nodes() if node["Alive"]))


def _room_on(resources: Mapping[str, float], each: int) -> int:
    processors = int(resources.get("CPU", 0))
    return min(processors, int(resources.get("memory", math.inf) // each)) if processors else 0


def node_lives(node: str) -> bool:
    """Whether the cluster still has `node`."""
    return any(there["NodeID"] == node and there["Alive"] for there in ray.nodes())


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keeps Ray from taking SIGTERM away from whoever has a handler for it (`ray.init` does)."""
    mine = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if callable(mine) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, mine)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables for the processes that are started inside, and no longer."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def last_words(text: str) -> str:
    """What pip complained of last, or else the end of what Ray says."""
    plain = without_advice(re.sub(r"\x1b\[[0-9;]*m", "", text))
    lines = [" ".join(line.split()) for line in plain.splitlines() if line.strip()]
    complaints = [line for line in lines if line.startswith("ERROR:")]
    return " ".join(complaints[-3:] or lines[-2:]).rstrip(".")[-600:]


def without_advice(text: str) -> str:
    """What Ray says of a process that died, without its guesses, which are the same each time."""
    return re.sub(
        r"\s*(Some common causes include|There are some potential).*", "", text, flags=re.S
    )


def no_vlabench(error: BaseException | None) -> UsageError | None:
    """One sentence, if `error` is that of a node which lacks this package."""
    if "No module named 'vlabench" not in str(error):
        return None
    return UsageError(
        "A node of the cluster has no vlabench (or another one) in the Python that Ray runs there; "
        "install the same version on every node."
    )
