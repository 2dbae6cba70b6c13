"""Suites, runs and traces from a stranger: no bomb goes off, and every refusal is one sentence."""

from __future__ import annotations

import io
import json
import os
import pickle
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from harness_fakes import SUITE
from report_fakes import episodes, make_run

from vlabench.baseline import read_baseline
from vlabench.errors import UsageError
from vlabench.leaderboard import read_leaderboard
from vlabench.store import Run
from vlabench.suite import load_suite
from vlabench.trace import Trace, is_whole, load_trace, save_trace
from vlabench.yamlio import LARGEST, load_yaml

PLANNED = episodes(["stack"], [("lighting", "L1")], 3)


# --- YAML -------------------------------------------------------------------------------------

LAUGHS = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
MERGES = "m0: &m0 {k: 1}\n" + "".join(
    f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}\n" for n in range(1, 10)
)
BOMBS = {
    "a billion laughs": (LAUGHS, "with its aliases written out"),
    "a billion merges": (MERGES, "with its aliases written out"),
    "an alias in itself": ("a: &a [*a]\n", "stands inside itself"),
    "a key twice": ("a: 1\na: 2\n", "'a' stands on line 1 already"),
    "a key twice, deep": ("a:\n  - {b: 1, b: 2}\n", "'b' stands on line 2 already"),
    "too deep": ("[" * 10_000 + "]" * 10_000, "nested too deeply"),
    "too deep in maps": ("{a: " * 10_000 + "}" * 10_000, "nested too deeply"),
    "too large": ("a: " + "x" * (LARGEST + 1), "larger than"),
    "a long number": ("a: " + "1:" * 100_000 + "1\n", "no text and too long"),
    "many digits": ("a: " + "7" * 100_000 + "\n", "no text and too long"),
    "an object": ("a: !!python/object/apply:os.system [touch pwned]\n", "this is no YAML"),
    "a module": ("a: !!python/module:os\n", "this is no YAML"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_yaml_goes_off(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text, said = BOMBS[name]
    path = tmp_path / "bomb.yaml"
    path.write_text(text)
    began = time.process_time()
    with pytest.raises(UsageError, match=said) as caught:
        load_yaml(path)
    assert time.process_time() - began < 20  # without the defence: hours, or no memory
    assert str(caught.value).startswith(str(path))
    assert not (tmp_path / "pwned").exists()


def test_an_alias_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(
        SUITE.replace("levels: [L1, L2]", "levels: &both [L1, L2]").replace(
            "levels: [L2]", "levels: *both"
        )
    )
    assert [cell.levels for cell in load_suite(str(path)).cells] == [("L1", "L2")] * 2


def test_a_file_without_an_end_is_not_read_to_it() -> None:
    with pytest.raises(UsageError, match="larger than"):
        load_yaml(Path("/dev/zero"))


# --- runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.json", "manifest.json", "episodes.jsonl"])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 100_000, "NaN", "\0"])
def test_a_run_that_is_none_is_one_sentence(name: str, text: str, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", PLANNED, lambda spec: "success")
    (run.path / name).write_text(f"{text}\n")
    with pytest.raises(UsageError, match=name):
        _ = Run.open(run.path).records


@pytest.mark.parametrize("text", ["[" * 100_000, '{"episodes":[],"run":' + '{"a":' * 100_000])
def test_a_baseline_that_is_none_is_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="cannot be read as a baseline"):
        read_baseline(path)


def test_a_cell_of_a_leaderboard_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_text("policy,suite\n" + "x" * 10**6 + ",ci\n")
    with pytest.raises(UsageError, match=r"board\.csv"):
        read_leaderboard(path)


# --- traces -----------------------------------------------------------------------------------


class Marker:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.path),)


def test_a_trace_is_no_pickle(tmp_path: Path) -> None:
    path, marker = tmp_path / "trace.npz", tmp_path / "pwned"
    actions = np.array([Marker(marker)], dtype=object)
    np.savez(path, actions=actions, checksums=np.zeros(1, np.uint32))
    with pytest.raises(UsageError, match="is no trace"):
        load_trace(path)
    path.write_bytes(pickle.dumps(Marker(marker)))
    with pytest.raises(UsageError, match="is no trace"):
        load_trace(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())  # noqa: S301  (the marker does work)
    assert marker.exists()


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def test_a_trace_is_no_bomb(tmp_path: Path) -> None:
    """300 kB on disk would be 300 MB in memory, and nothing of it is unpacked."""
    path = tmp_path / "trace.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("actions.npy", "w") as file:
            file.write(header("(10000000, 7)"))
            for _ in range(280):
                file.write(b"\0" * 10**6)
        archive.writestr("checksums.npy", b"")
    assert path.stat().st_size < 400_000
    with pytest.raises(UsageError, match="would be 280000"):
        load_trace(path)


@pytest.mark.parametrize("shape", ["(1000000000000, 7)", "(2, 7)", "(-1, 7)", "()"])
def test_a_trace_is_as_large_as_it_says(shape: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    checksums = io.BytesIO()
    np.save(checksums, np.zeros(1, np.uint32))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("actions.npy", header(shape) + b"\0" * 28)
        archive.writestr("checksums.npy", checksums.getvalue())
    with pytest.raises(UsageError, match="is no trace"):
        load_trace(path)


@pytest.mark.parametrize("damage", [b"", b"PK\x05\x06", b"PK\x03\x04" + b"\0" * 200])
def test_a_damaged_trace_is_one_sentence(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    path.write_bytes(damage)
    with pytest.raises(UsageError, match="is no trace"):
        load_trace(path)


def test_a_flipped_bit_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    actions = np.random.default_rng(0).random((50, 7), np.float32)
    save_trace(path, Trace(actions, np.arange(50, dtype=np.uint32)))
    whole = path.read_bytes()
    for place in range(0, len(whole), 37):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = load_trace(path)
        except UsageError as error:
            assert "is no trace" in str(error)  # noqa: PT017  (whatever else it raises is a fault)
        else:
            assert np.array_equal(found.actions, actions)


def zipped(path: Path, actions: bytes, compression: int = zipfile.ZIP_STORED) -> None:
    checksums = io.BytesIO()
    np.save(checksums, np.zeros(1, np.uint32))
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("actions.npy", actions)
        archive.writestr("checksums.npy", checksums.getvalue())


@pytest.mark.parametrize(
    "text", [b"(" * 100, b"{'descr': '<f4', 'shape': (1, 7)", b"(" * 9_000, b"\xff", b"1 +", b""]
)
def test_a_header_that_cannot_be_parsed_is_one_sentence(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    zipped(path, b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    with pytest.raises(UsageError, match="is no trace"):
        load_trace(path)
    assert not is_whole(path, "")


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_ways_of_packing_are_not_unpacked(compression: int, tmp_path: Path) -> None:
    """Each has errors of its own, and whoever damages a file chooses one."""
    path, actions = tmp_path / "trace.npz", io.BytesIO()
    np.save(actions, np.random.default_rng(0).random((50, 7), np.float32))
    zipped(path, actions.getvalue(), compression)
    whole = path.read_bytes()
    for damaged in (whole, whole[:60] + bytes(value ^ 0xFF for value in whole[60:90]) + whole[90:]):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match="packed in a way that NumPy does not write"):
            load_trace(path)
        assert not is_whole(path, "")


def test_json_stays_what_it_is(tmp_path: Path) -> None:
    """A run that nobody has touched is read as before."""
    run = make_run(tmp_path / "run", PLANNED, lambda spec: "success")
    assert len(run.records) == len(PLANNED)
    assert json.loads((run.path / "run.json").read_text())["policy"]["args"] == {}
