"""Whatever listens, listens on this machine alone unless it is told otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from inspect import signature
from ipaddress import ip_address
from pathlib import Path

import pytest
from serve_fakes import Counting, served, serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from vlabench.cli.serve import serve_command
from vlabench.runner.job import RunnerOptions


def family(pid: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            yield from family(int(child))


def listening(pid: int) -> dict[str, set[str]]:
    """A process and those that it has started, by name, and the addresses where they listen."""
    sockets = {}
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":  # LISTEN
                sockets[f"socket:[{fields[9]}]"] = address(fields[1].partition(":")[0])
    found: dict[str, set[str]] = {}
    for one in family(pid):
        with suppress(OSError):
            name = Path(f"/proc/{one}/comm").read_text().strip()
            for entry in Path(f"/proc/{one}/fd").iterdir():
                with suppress(OSError):
                    if (where := sockets.get(str(entry.readlink()))) is not None:
                        found.setdefault(name, set()).add(where)
    return found


def address(hexadecimal: str) -> str:
    """``0100007F`` is 127.0.0.1: words of four bytes, each of them backwards."""
    raw = bytes.fromhex(hexadecimal)
    return str(ip_address(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))))


def own(where: str) -> bool:
    found = ip_address(where)
    mapped = getattr(found, "ipv4_mapped", None)
    return (found if mapped is None else mapped).is_loopback


def test_ray_listens_on_this_machine_alone() -> None:
    """Who reaches a port of Ray's runs code here."""
    ray = pytest.importorskip("vlabench.runner.ray")
    ray_constants = pytest.importorskip("ray._private.ray_constants")
    from harness_fakes import fragile  # a function that workers can import

    before = ray_constants.ENABLE_RAY_CLUSTER
    seen: list[dict[str, set[str]]] = []
    options = RunnerOptions(workers=1)
    with ray.cluster(options):
        assert dict(ray.each(fragile, [0], options)) == {0: "0 done"}
        seen.append(listening(os.getpid()))
    assert "gcs_server" in seen[0]
    assert "raylet" in seen[0]
    assert len(seen[0]) >= 3
    assert all(own(where) for addresses in seen[0].values() for where in addresses), seen
    assert before == ray_constants.ENABLE_RAY_CLUSTER
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in os.environ


def test_a_ray_that_has_moved_its_constant_still_starts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The variable alone must do then, and whoever runs it is warned."""
    cluster = pytest.importorskip("vlabench.runner.cluster")
    constants = pytest.importorskip("ray._private.ray_constants")

    def start(address: str, **_: object) -> None:
        seen.append((address, os.environ.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")))

    seen: list[tuple[str, str | None]] = []
    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster.ray, "init", start)
    monkeypatch.setattr(cluster.ray, "shutdown", lambda: None)
    for missing in ("the constant", "the module"):
        with monkeypatch.context() as moved:
            if missing == "the constant":
                moved.delattr(constants, "ENABLE_RAY_CLUSTER")
            else:
                moved.setitem(sys.modules, "ray._private.ray_constants", None)
            with cluster.cluster(RunnerOptions(workers=1)) as workers:
                assert workers == 1
    assert seen == [("local", "0")] * 2
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "run code as you" in caplog.text


def test_a_server_listens_on_this_machine_alone() -> None:
    assert signature(serve_command).parameters["host"].default == "127.0.0.1"
    with serving("noop", "--port", "0") as (process, url):
        assert url.startswith("ws://127.0.0.1:")
        assert set().union(*listening(process.pid).values()) == {"127.0.0.1"}


def test_a_page_in_a_browser_cannot_ask_a_policy() -> None:
    """A browser lets any page open a websocket to 127.0.0.1, and says whose page it is."""
    with served(Counting) as server:
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url, origin="https://example.org")
        assert refused.value.response.status_code == 403
        with connect(server.url):
            pass
