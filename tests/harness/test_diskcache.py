from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vlabench import diskcache


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(diskcache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def elsewhere(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments])


def test_what_is_written_is_read(place: Path) -> None:
    assert diskcache.read("a") is None
    diskcache.write("a", b"first")
    diskcache.write("b", b"")
    diskcache.write("a", b"second")
    assert (diskcache.read("a"), diskcache.read("b")) == (b"second", b"")
    assert sorted(path.name for path in place.iterdir()) == ["a", "b"]
    assert diskcache.works()
    assert diskcache.size() == sum(path.stat().st_size for path in place.iterdir())


def test_it_is_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(diskcache.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert diskcache.folder() == tmp_path / "vlabench"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert diskcache.folder() == tmp_path / ".cache" / "vlabench"


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(diskcache.VARIABLE, "")
    diskcache.write("a", b"data")
    assert diskcache.folder() is None
    assert diskcache.read("a") is None
    assert diskcache.size() == 0


@pytest.mark.parametrize("at", [0, 31, 32, 40, -1])
def test_one_wrong_bit_is_noticed(place: Path, at: int) -> None:
    diskcache.write("a", b"data" * 5)
    kept = bytearray((place / "a").read_bytes())
    kept[at] ^= 1
    (place / "a").write_bytes(kept)
    assert diskcache.read("a") is None


@pytest.mark.parametrize("length", [0, 10, 32, 51])
def test_a_file_that_ends_too_early_is_noticed(place: Path, length: int) -> None:
    diskcache.write("a", b"data" * 5)
    os.truncate(place / "a", length)
    assert diskcache.read("a") is None


@pytest.mark.parametrize("name", ["", "a"])
def test_what_others_may_write_is_not_trusted(place: Path, name: str) -> None:
    diskcache.write("a", b"data")
    (place / name).chmod(0o777)
    assert diskcache.read("a") is None


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o1777])
def test_nothing_is_written_where_nothing_would_be_read(place: Path, mode: int) -> None:
    diskcache.write("a", b"data")
    place.chmod(mode)
    diskcache.write("b", b"data")
    assert [path.name for path in place.iterdir()] == ["a"]
    assert not diskcache.works()


def test_a_pipe_in_the_place_of_an_entry_stops_nobody(place: Path) -> None:
    diskcache.write("a", b"data")
    (place / "a").unlink()
    os.mkfifo(place / "a", 0o600)
    reader = elsewhere("from vlabench import diskcache; assert diskcache.read('a') is None")
    try:
        assert reader.wait(60) == 0
    finally:
        reader.kill()
    diskcache.write("a", b"again")
    assert diskcache.read("a") == b"again"


def test_what_a_killed_writer_left_is_deleted_later(place: Path) -> None:
    diskcache.write("a", b"data")
    for name, age in (("old.tmp", 4000), ("new.tmp", 60), ("old", 4000)):
        (place / name).write_bytes(b"half")
        os.utime(place / name, (time.time() - age,) * 2)
    diskcache.write("b", b"data")
    assert sorted(path.name for path in place.iterdir()) == ["a", "b", "new.tmp", "old"]


def test_a_folder_may_be_named_by_its_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(diskcache.VARIABLE, "~/kept")
    assert diskcache.folder() == tmp_path / "kept"
    monkeypatch.setenv(diskcache.VARIABLE, "~nobody-has-this-name/kept")
    assert diskcache.folder() is None


def test_a_folder_that_cannot_be_made_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(diskcache.VARIABLE, str(tmp_path / "file" / "cache"))
    diskcache.write("a", b"data")
    assert diskcache.read("a") is None
    assert diskcache.size() == 0
    assert not diskcache.works()


def test_a_full_disk_leaves_nothing_behind(place: Path) -> None:
    code = """
import resource
from vlabench import diskcache
diskcache.write("small", b"data")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # writing more is an OSError
diskcache.write("small", bytes(10**6))
diskcache.write("large", bytes(10**6))
"""
    assert elsewhere(code).wait() == 0
    assert [path.name for path in place.iterdir()] == ["small"]
    assert diskcache.read("small") == b"data"


def test_several_writers_never_show_half_an_entry(place: Path) -> None:
    code = """
import sys
from vlabench import diskcache
for k in range(200):
    diskcache.write("a", sys.argv[1].encode() * 300_000)
"""
    writers = [elsewhere(code, letter) for letter in "xyz"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        data = diskcache.read("a")
        if data is not None:
            assert len(data) == 300_000
            assert len(set(data)) == 1
            seen.add(data[:1])
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert seen
    assert [path.name for path in place.iterdir()] == ["a"]


def test_a_killed_writer_leaves_the_entry_as_it_was(place: Path) -> None:
    code = """
import os, pathlib, signal
from vlabench import diskcache
pathlib.Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
diskcache.write("a", b"never seen")
"""
    diskcache.write("a", b"data")
    assert elsewhere(code).wait() == -9
    assert diskcache.read("a") == b"data"
