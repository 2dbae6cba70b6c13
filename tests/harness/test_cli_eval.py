"""The command line: what it prints, what it saves, and how it exits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from vlabench.cli import COMMANDS, main
from vlabench.cli.eval import parse_policy_args
from vlabench.contract.specs import CameraSpec, StateField
from vlabench.errors import UsageError
from vlabench.registry import load_attribute
from vlabench.store import Run

FAKE = ["--world", "harness_fakes:FakeWorld", "--runner", "serial", "--quiet"]


def call(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    return caught.value.code


def evaluate(suite_file: Path, folder: Path, *words: str, policy: str = "FakePolicy") -> object:
    place = ["--suite", str(suite_file), "--out", str(folder)]
    return call("eval", "--policy", f"harness_fakes:{policy}", *place, *FAKE, *words)


def test_a_run_ends_with_its_table(
    suite_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert evaluate(suite_file, folder, "--limit", "3") == 0
    printed = capsys.readouterr()
    assert Run.open(folder).valid
    assert (folder / "tables" / "summary.txt").read_text() in printed.out
    assert Run.open(folder).info.manifest_hash in printed.out
    assert printed.err == ""


def test_a_dry_run_shows_and_sends_nothing(
    suite_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    folder = tmp_path / "run"
    assert evaluate(suite_file, folder, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "28 episodes" in printed
    assert "camera exterior/0" in printed
    frame = folder / "dry-run" / "exterior-0.png"
    assert str(frame) in printed
    assert Image.open(frame).size == (6, 4)
    assert not (folder / "run.json").exists()
    assert evaluate(suite_file, folder) == 0


@pytest.mark.parametrize("layout", ["hwc", "chw"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("history", [1, 3])
def test_a_dry_run_saves_pictures_however_the_policy_wants_its_images(
    layout: Literal["hwc", "chw"],
    dtype: Literal["uint8", "float32"],
    history: int,
    suite_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from harness_fakes import FakePolicy
    from PIL import Image

    camera = CameraSpec("exterior/0", 4, 6, layout=layout, dtype=dtype, history=history)
    shown = replace(FakePolicy().spec(), cameras=(camera,), state=(StateField("ee_position"),))
    monkeypatch.setattr(FakePolicy, "spec", lambda _: replace(shown, proprio=()))
    assert evaluate(suite_file, tmp_path, "--dry-run") == 0
    printed = capsys.readouterr().out
    names = [f"exterior-0-{k}-of-3.png" for k in (1, 2, 3)] if history > 1 else ["exterior-0.png"]
    assert sorted(path.name for path in (tmp_path / "dry-run").iterdir()) == names
    for name in names:
        picture = Image.open(tmp_path / "dry-run" / name)
        assert (picture.mode, picture.size) == ("RGB", (6, 4))
        assert f"{tmp_path / 'dry-run' / name}\n" in printed
    assert ("(1 of 3, oldest first)" in printed) == (history > 1)
    assert "\n  state: " in printed
    assert "\n  instruction: '" in printed
    assert printed.endswith("No observation was sent to the policy.\n")


def test_a_dry_run_of_a_policy_that_does_not_look_says_so(
    suite_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from harness_fakes import FakePolicy

    spec = replace(FakePolicy().spec(), cameras=())
    monkeypatch.setattr(FakePolicy, "spec", lambda _: spec)
    assert evaluate(suite_file, tmp_path, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "there is no image to save" in printed
    assert printed.endswith("No observation was sent to the policy.\n")
    assert not (tmp_path / "dry-run").exists()


@pytest.mark.parametrize(
    ("policy", "words", "told"),
    [
        ("harness_fakes:FakePolicy", [], "the policy lives in every worker"),
        ("harness_fakes:FakePolicy", ["--runner", "serial"], "the policy lives in this process"),
        (
            "inference_fakes:BatchedPolicy",
            ["--latency", "100"],
            "the policy lives in 1 inference actor with what GPUs there are: batches of up to 8, "
            "which wait for 5 ms at most",
        ),
        (
            "inference_fakes:BatchedPolicy",
            ["--inference-actors", "2", "--gpus", "0.5", "--batch-wait-ms", "20"],
            "the policy lives in 2 inference actors with 0.5 GPU each: batches of up to 8, which "
            "wait for 20 ms at most",
        ),
        ("inference_fakes:BatchedPolicy", ["--inference-actors", "0"], "lives in every worker"),
        (
            "inference_fakes:HopelessPolicy",
            ["--render-device", "cpu"],
            "in an environment of its own with /no/such/folder/a-package-1.0-py3-none-any.whl",
        ),
    ],
)
def test_a_dry_run_says_where_the_policy_would_live(
    policy: str,
    words: list[str],
    told: str,
    suite_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = ["--suite", str(suite_file), "--out", str(tmp_path), "--dry-run", *FAKE[:2]]
    assert call("eval", "--policy", policy, *place, *words) == 0
    printed = capsys.readouterr().out
    assert told in printed
    assert ("latency in simulated time: 100.0 ms" in printed) == ("--latency" in words)


def test_an_invalid_run_exits_with_5(
    suite_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--policy-arg", "goal=0.3"]
    assert evaluate(suite_file, tmp_path / "run", *words, policy="LostPolicy") == 5
    printed = capsys.readouterr()
    assert "not valid" in printed.err
    assert "of 28 episodes are missing" in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--tasks", "stak"], "did you mean 'stack'"),
        (["--policy-arg", "scale"], "not of the form KEY=VALUE"),
        (["--limit", "0"], "limit is 0 pairs"),
        (["--latency", "soon"], "--latency is 'soon'; give milliseconds, or 'measured'"),
        (["--latency", "-1"], "-1.0 ms is no time"),
        (["--gpus", "1"], "--gpus is for workers and actors"),
        (["--dry-run", "--inference-actors", "3"], "--runner serial has none"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    words: list[str],
    text: str,
    suite_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert evaluate(suite_file, tmp_path / "run", *words) == 2
    error = capsys.readouterr().err
    assert error.startswith("vlabench: ")
    assert text in error
    assert error.count("\n") == 1


def test_what_is_done_is_not_run_again_and_told(
    suite_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    evaluate(suite_file, folder)
    assert "nothing to run" not in capsys.readouterr().out
    assert evaluate(suite_file, folder) == 0
    day = Run.open(folder).info.finished_at[:10]
    printed = capsys.readouterr().out.splitlines()
    assert f"nothing to run: all 28 episodes were done on {day}" in printed


@pytest.mark.parametrize(
    "text", ["0012345", "no", "12:30:45", "1_000", "NaN", "1e999", "2026-01-02"]
)
def test_what_is_no_json_stays_text(text: str) -> None:
    assert parse_policy_args([f"a={text}"]) == {"a": text}
    assert parse_policy_args(['a="12"']) == {"a": "12"}


def test_policy_arguments_are_plain_values() -> None:
    pairs = ["a=1", "b=0.5", "c=true", "d=text", "e=x=y", "f=", "g=[1, 2]", "h=@{"]
    assert parse_policy_args(pairs) == {
        "a": 1,
        "b": 0.5,
        "c": True,
        "d": "text",
        "e": "x=y",
        "f": "",
        "g": [1, 2],
        "h": "@{",
    }
    with pytest.raises(UsageError, match="given twice"):
        parse_policy_args(["a=1", "a=2"])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_is_in_the_help(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_attribute(COMMANDS[name].function).__doc__
    assert call("--help") == 0
    assert COMMANDS[name].summary in capsys.readouterr().out
    assert call(name, "--help") == 0


def test_an_unknown_command_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("evla") == 2
    assert "eval" in capsys.readouterr().err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out.strip()
