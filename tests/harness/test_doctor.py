"""What ``vlabench doctor`` says of machines that lack something."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from vlabench.cli import doctor, graphics
from vlabench.cli.doctor import GIB
from vlabench.cli.findings import Finding
from vlabench.cli.graphics import Probe

BOTH = {"egl": Probe(True, "llvmpipe"), "osmesa": Probe(True, "softpipe")}
BROKEN = Probe(False, "ImportError: no library")


def states(findings: Iterable[Finding]) -> list[str]:
    return [finding.state for finding in findings]


def test_old_python_fails() -> None:
    assert doctor.check_python((3, 11)).state == "ok"
    assert doctor.check_python((3, 10)) == Finding(
        "fail", "Python 3.10; 3.11 is needed", "uv venv --python 3.11"
    )


def test_small_machines_are_warned() -> None:
    assert states([doctor.check_cores(1), doctor.check_cores(2)]) == ["warn", "ok"]
    assert states([doctor.check_memory(2 * GIB), doctor.check_memory(8 * GIB)]) == ["warn", "ok"]
    disks = [doctor.check_disk(size) for size in (None, GIB, 3 * GIB)]
    assert states(disks) == ["warn", "warn", "ok"]
    shared = [doctor.check_shared_memory(size) for size in (None, 64 << 20, 2 * GIB)]
    assert states(shared) == ["warn", "warn", "ok"]
    assert "--shm-size" in shared[1].mend


def test_fma_is_asked_of_x86_alone() -> None:
    assert doctor.check_fma("x86_64", frozenset({"fma", "avx2"})).state == "ok"
    assert doctor.check_fma("x86_64", frozenset({"sse4_2"})).state == "warn"
    assert doctor.check_fma("aarch64", frozenset({"fma"})).state == "warn"


def test_writing_looks_at_the_nearest_folder_and_makes_none(tmp_path: Path) -> None:
    assert doctor.check_writing(tmp_path / "deep" / "results").state == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    found = doctor.check_writing(tmp_path / "file")
    assert found.state == "fail"
    assert "--out" in found.mend


def test_the_cache_is_named(tmp_path: Path) -> None:
    good = doctor.check_cache(tmp_path, 3_200_000, True)
    assert (good.state, good.what) == ("ok", f"3.2 MB cached in {tmp_path}, which may be deleted")
    for place in (None, tmp_path):
        bad = doctor.check_cache(place, 0, False)
        assert bad.state == "warn"
        assert "VLABENCH_CACHE_DIR" in bad.mend


def test_dependencies_are_held_against_what_is_wanted() -> None:
    have = {"mujoco": "3.8.0", "numpy": "1.26.4", "torch": "2.13.0+cpu", "packaging": "26.0"}
    wanted = ["mujoco==3.9.0", "numpy<2,>=1.26", "torch>=2.2", "robosuite==1.5.2"]
    wanted.append('pytest>=8; extra == "dev"')
    *failed, good = doctor.check_dependencies(wanted, have.get)
    assert [finding.what for finding in failed] == [
        "mujoco is 3.8.0; ==3.9.0 is wanted",
        "robosuite is not installed; ==1.5.2 is wanted",
    ]
    assert failed[0].mend == "pip install 'mujoco==3.9.0'"
    assert "evdev" in failed[1].mend
    assert good == Finding("ok", "numpy 1.26.4, torch 2.13.0+cpu")


def test_a_copy_that_is_not_installed_fails() -> None:
    (found,) = doctor.check_dependencies([], {}.get)
    assert (found.state, found.mend) == ("fail", "pip install -e .")


def test_rendering_prefers_egl() -> None:
    found = graphics.check_rendering(BOTH.__getitem__, "", True)
    assert found == Finding("ok", "renders by EGL on llvmpipe")


def test_rendering_falls_back_and_says_how_to_mend() -> None:
    found = graphics.check_rendering((BOTH | {"egl": BROKEN}).__getitem__, "", False)
    assert found.state == "warn"
    assert "OSMESA on softpipe" in found.what
    assert found.mend == "apt-get install libegl1 libgl1-mesa-dri"


def test_an_egl_that_a_run_would_use_and_that_is_broken_fails() -> None:
    found = graphics.check_rendering((BOTH | {"egl": BROKEN}).__getitem__, "", True)
    assert found.state == "fail"
    assert "ImportError: no library" in found.what
    assert found.mend.startswith("export MUJOCO_GL=osmesa, or apt-get install libegl1")


@pytest.mark.parametrize(
    ("chosen", "broken", "state", "text"),
    [
        ("osmesa", "egl", "ok", "renders by OSMESA, as MUJOCO_GL says, on softpipe"),
        ("osmesa", "osmesa", "fail", "unset MUJOCO_GL, or apt-get install libosmesa6"),
        ("glfw", "glfw", "fail", "unset MUJOCO_GL"),
        ("bogus", "", "fail", "unset MUJOCO_GL, or set it to one of egl, osmesa, glfw"),
    ],
)
def test_what_mujoco_gl_names_is_all_that_counts(
    chosen: str, broken: str, state: str, text: str
) -> None:
    found = graphics.check_rendering((BOTH | {broken: BROKEN}).__getitem__, chosen, True)
    assert found.state == state
    assert (found.mend or found.what) == text


def test_no_rendering_fails_with_both_mends() -> None:
    found = graphics.check_rendering(lambda backend: BROKEN, "", True)
    assert found.state == "fail"
    assert "ImportError: no library" in found.what
    assert "libegl1" in found.mend
    assert "libosmesa6" in found.mend


def test_a_probe_that_cannot_work_says_why() -> None:
    found = graphics.probe("no-such-backend")
    assert not found.works
    assert "no-such-backend" in found.text


@pytest.mark.parametrize(
    ("found", "code", "last"),
    [
        ([Finding("ok", "fine"), Finding("warn", "meh", "do")], 0, "Ready to run."),
        ([Finding("ok", "fine"), Finding("fail", "gone", "do")], 2, "Something that is needed"),
    ],
)
def test_only_a_failure_changes_the_exit_code(
    found: list[Finding],
    code: int,
    last: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "findings", lambda: iter(found))
    app = typer.Typer()
    app.command()(doctor.doctor_command)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == code
    lines = result.stdout.splitlines()
    assert lines[-1].startswith(last)
    assert lines[2] == "      -> do"


def test_every_check_says_something_here() -> None:
    found = list(doctor.findings())
    assert len(found) >= 9
    assert all(finding.what for finding in found)
    assert all(finding.mend for finding in found if finding.state == "fail")
