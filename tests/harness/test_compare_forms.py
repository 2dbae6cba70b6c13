"""How a comparison looks: text, Markdown, JSON, JUnit, GitHub; and the command line around it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from report_fakes import episode, make_run

import vlabench
from vlabench.cli import main
from vlabench.comparison import Comparison
from vlabench.report.verdict import verdict_text
from vlabench.report.verdict_github import annotation, verdict_annotations, write_summary
from vlabench.report.verdict_json import verdict_json
from vlabench.report.verdict_junit import verdict_junit
from vlabench.report.verdict_markdown import verdict_markdown
from vlabench.runinfo import PolicyInfo
from vlabench.store import Run
from vlabench.types import EpisodeSpec, Status

ROOT = Path(__file__).parents[2]
NASTY = "::error::pwned\n##[add-mask]x\x1b[31m<script>|`]]>&\"'\x00\u2028"
"""A name that wants to be a workflow command, an escape sequence, HTML, a cell and a CDATA end."""

PLANNED = tuple(
    episode("stack", index, ("lighting", "L2") if index % 2 else None) for index in range(200)
)
HOSTILE = tuple(
    episode("::warning::task|`x`", index, ("a<b>", "L`\n2") if index % 2 else None)
    for index in range(60)
)


def worse(spec: EpisodeSpec) -> Status:
    return "failure" if spec.index < 20 else "success"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    policy = PolicyInfo(name="x", args={}, spec={"name": NASTY}, privileged=False)
    return {
        "good": make_run(folder / "good", PLANNED, lambda spec: "success"),
        "bad": make_run(folder / "bad", PLANNED, worse),
        "few": make_run(folder / "few", PLANNED[:30], lambda spec: "success"),
        "nasty": make_run(folder / "nasty", HOSTILE, lambda spec: "success", policy=policy),
        "nastier": make_run(folder / "nas`ti er", HOSTILE, worse, policy=policy),
    }


@pytest.fixture(scope="module")
def regressed(runs: dict[str, Run]) -> Comparison:
    return vlabench.compare(runs["good"], runs["bad"])


@pytest.fixture(scope="module")
def hostile(runs: dict[str, Run]) -> Comparison:
    return vlabench.compare(runs["nasty"], runs["nastier"])


def parsed(xml: str) -> ET.Element:
    """The root of a text of ours."""
    parser = ET.XMLParser()  # noqa: S314  (it is our own text)
    parser.feed(xml)
    return parser.close()


def call(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    return caught.value.code


def test_the_text_says_all_that_must_be_said(regressed: Comparison) -> None:
    text = verdict_text(regressed)
    flat = " ".join(text.split())
    assert text.startswith("REGRESSED: bad is 10.0 points worse than the base.\n")
    low, high = (f"{100 * end:+.1f}".replace("-", "−") for end in regressed.verdict.interval)
    assert f"Change: −10.0 points (90 % interval {low} to {high}, p < 0.0001)." in flat
    assert "Of 200 pairs, 20 were solved by the base only (b) and 0 by the new run only (c)" in flat
    assert "10.0 % differ" in flat
    assert f"show a drop of {100 * (regressed.smallest_effect or 0):.1f} points or more" in flat
    for flip in regressed.flips[:10]:
        for command in regressed.replays(flip):
            assert command in text
    assert "and 10 more, which --format json lists" in text
    assert "unchanged" in text
    assert "lighting" in text
    assert max(len(line) for line in text.splitlines() if "replay" not in line) <= 110


@pytest.mark.parametrize(
    ("base", "new", "told"),
    [
        ("good", "good", "NON-INFERIOR: good is not worse than the base by more than the margin"),
        ("bad", "good", "IMPROVED: good is 10.0 points better than the base."),
        ("few", "few", "INCONCLUSIVE: few has too few pairs to say whether it is worse than the"),
    ],
)
def test_the_headline_is_the_verdict(base: str, new: str, told: str, runs: dict[str, Run]) -> None:
    assert verdict_text(vlabench.compare(runs[base], runs[new])).startswith(told)


def test_json_has_everything(regressed: Comparison) -> None:
    data = json.loads(verdict_json(regressed))
    assert data["outcome"] == "REGRESSED"
    assert data["difference"] == regressed.verdict.difference
    assert data["interval"] == list(regressed.verdict.interval)
    assert (data["overall"]["base_only"], data["overall"]["new_only"]) == (20, 0)
    assert len(data["flips"]) == 20
    assert data["flips"][0]["replay"] == list(regressed.replays(regressed.flips[0]))
    assert [line["name"] for line in data["axes"]] == ["unchanged", "lighting"]


def test_markdown_is_a_table_and_folds_the_episodes(regressed: Comparison) -> None:
    text = verdict_markdown(regressed)
    assert text.startswith("### ❌ REGRESSED: bad is 10.0 points worse than the base.")
    rows = [line for line in text.splitlines() if line.startswith("| all episodes |")]
    assert len(rows) == 1
    assert "| 100.0 | 90.0 | −10.0 |" in rows[0]
    assert text.count("<details>") == text.count("</details>") == 1
    assert regressed.replays(regressed.flips[0])[1] in text


def test_junit_fails_where_the_verdict_does(regressed: Comparison, runs: dict[str, Run]) -> None:
    root = parsed(verdict_junit(regressed, 1))
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures")) == ("4", "1")
    failure = root.find(".//testcase[@name='overall']/failure")
    assert failure is not None
    assert failure.get("type") == "REGRESSED"
    assert len(root.findall(".//failure")) == 1
    same = vlabench.compare(runs["good"], runs["good"])
    assert parsed(verdict_junit(same, 0)).findall(".//failure") == []
    few = vlabench.compare(runs["few"], runs["few"])
    assert len(parsed(verdict_junit(few, 0)).findall(".//skipped")) == 1
    assert len(parsed(verdict_junit(few, 3)).findall(".//failure")) == 1


def test_annotations_have_the_level_of_the_verdict(
    regressed: Comparison, runs: dict[str, Run]
) -> None:
    (first, *rest) = verdict_annotations(regressed, 1)
    assert first.startswith("::error title=vlabench%3A made-up v1::REGRESSED: bad is 10.0 points")
    assert all(line.startswith("::warning ") for line in rest)
    (same,) = verdict_annotations(vlabench.compare(runs["good"], runs["good"]), 0)
    assert same.startswith("::notice ")
    few = vlabench.compare(runs["few"], runs["few"])
    assert next(verdict_annotations(few, 0)).startswith("::warning ")
    assert next(verdict_annotations(few, 3)).startswith("::error ")


# --- names that others wrote ------------------------------------------------------------------


def test_an_annotation_is_one_command_whatever_is_in_it() -> None:
    told = annotation("error", "a,b::c%\n", "100 %\r\n::set-output name=x::y")
    assert told == "::error title=a%2Cb%3A%3Ac%25 ::100 %25  ::set-output name=x::y"
    assert "\n" not in told


def test_a_log_takes_no_name_for_a_command(hostile: Comparison) -> None:
    for line in verdict_text(hostile).splitlines():
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
        assert all(char.isprintable() for char in line)
    for line in verdict_annotations(hostile, 1):
        assert len(re.findall(r"^::(error|warning|notice) ", line, re.MULTILINE)) == 1
        assert all(char.isprintable() for char in line)


def test_xml_survives_any_name(hostile: Comparison) -> None:
    root = parsed(verdict_junit(hostile, 1))
    names = [case.get("name") for case in root.iter("testcase")]
    assert names == ["overall", "unchanged", "a<b>", "::warning::task|`x`"]
    verdict_junit(hostile, 1).encode()


def test_markdown_survives_any_name(hostile: Comparison) -> None:
    text = verdict_markdown(hostile)
    outside = re.sub(r"(?ms)^(`{3,})shell\n.*?^\1$", "", text)
    assert "<script>" not in outside
    tags = set(re.findall(r"</?[a-z][^>]*>", outside))
    assert tags == {"<details>", "</details>", "<summary>", "</summary>"}
    cells = [line for line in outside.splitlines() if line.startswith("| ")]
    widths = {len(re.split(r"(?<!\\)\|", line)) for line in cells}
    assert widths == {5, 12}
    (fence,) = set(re.findall(r"(?m)^(`+)shell$", text))
    assert len(fence) >= 3


def test_a_command_to_copy_is_quoted(hostile: Comparison) -> None:
    command = hostile.replays(hostile.flips[0])[1]
    assert command.startswith("vlabench replay '")
    assert command.endswith(f"nas`ti er' {hostile.flips[0].episode_id}")


# --- the command line -------------------------------------------------------------------------


def test_the_command_writes_every_form(
    runs: dict[str, Run],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    forms = [
        "github",
        f"junit={tmp_path}/x/junit.xml",
        f"json={tmp_path}/c.json",
        f"md={tmp_path}/c.md",
    ]
    words = [word for form in forms for word in ("--format", form)]
    paths = [str(runs[name].path) for name in ("good", "bad")]
    assert call("compare", *paths, "--fail-on-regression", *words) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("REGRESSED: bad")
    assert "\n::error title=" in printed
    assert summary.read_text() == f"before\n{(tmp_path / 'c.md').read_text()}\n"
    assert parsed((tmp_path / "x" / "junit.xml").read_text()).tag == "testsuites"
    assert json.loads((tmp_path / "c.json").read_text())["failed"] is True


def test_without_a_job_there_is_no_summary(
    regressed: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert write_summary(regressed) is None


def test_a_summary_stays_within_githubs_limit(
    regressed: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setattr("vlabench.report.verdict_github.LARGEST_SUMMARY", 2000)
    write_summary(regressed)
    text = (tmp_path / "summary.md").read_text()
    assert len(text.encode()) < 2000
    assert "REGRESSED: bad" in text
    assert "too long" in text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["good", "bad"], 0),
        (["good", "bad", "--fail-on-regression"], 1),
        (["good", "bad", "--require-noninferiority"], 1),
        (["good", "good", "--require-noninferiority", "--fail-on-regression"], 0),
        (["few", "few", "--fail-on-regression"], 0),
        (["few", "few", "--require-noninferiority"], 3),
        (["good", "few"], 4),
        (["good", "few", "--allow-unpaired"], 0),
        (["good", "bad", "--by", "colour"], 2),
        (["good", "bad", "--format", "html"], 2),
        (["good", "bad", "--format", "github=x"], 2),
        (["good", "bad", "--alpha", "0.9"], 2),
    ],
)
def test_the_commands_exit_codes(words: list[str], code: int, runs: dict[str, Run]) -> None:
    given = [str(runs[word].path) if word in runs else word for word in words]
    assert call("compare", *given) == code


def test_only_the_tables_that_were_asked_for(
    runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(runs[name].path) for name in ("good", "bad")]
    shown = {}
    for by in ("axis", "task", "none"):
        call("compare", *paths, "--by", by)
        shown[by] = capsys.readouterr().out
    assert ["by axis" in shown[by] for by in ("axis", "task", "none")] == [True, False, False]
    assert ["by task" in shown[by] for by in ("axis", "task", "none")] == [False, True, False]
    assert all("all episodes" in text for text in shown.values())


def test_github_is_told_of_errors_too(
    runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(runs[name].path) for name in ("good", "few")]
    assert call("compare", *paths, "--format", "github") == 4
    printed = capsys.readouterr()
    assert printed.out.startswith("::error title=vlabench::")
    assert "manifest_hash" in printed.out
    assert "manifest_hash" in printed.err


# --- the action -------------------------------------------------------------------------------


@pytest.mark.parametrize(("new", "code"), [("bad", 1), ("good", 0), ("few", 4)])
def test_the_action_gates(new: str, code: int, runs: dict[str, Run], tmp_path: Path) -> None:
    done, told = gate(tmp_path, {"BASELINE": str(runs["good"].path), "RUN": str(runs[new].path)})
    assert (done.returncode, told) == (code, f"code={code}\n")
    assert ("<error " in (tmp_path / "junit.xml").read_text()) == (code == 4)
    assert ("No comparison" in (tmp_path / "summary.md").read_text()) == (code == 4)
    assert (json.loads((tmp_path / "c.json").read_text())["outcome"] is None) == (code == 4)


def test_the_actions_inputs_are_never_code(tmp_path: Path) -> None:
    """What stands in a policy's name or arguments reaches the command as it is."""
    echo = tmp_path / "bin" / "vlabench"
    echo.parent.mkdir()
    echo.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    echo.chmod(0o755)
    inputs = {"POLICY": "a b; $(exit 9)", "POLICY_ARGS": "x=1 2\ny=`false`\n", "BASELINE": "*"}
    done, _ = gate(tmp_path, inputs, path=echo.parent)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:13] == [
        *("check", "--policy", "a b; $(exit 9)", "--suite", "ci", "--baseline", "*", "--quiet"),
        *("--sequential", "--policy-arg", "x=1 2", "--policy-arg", "y=`false`"),
    ]
    action = (ROOT / "action.yml").read_text()
    for script in re.findall(r"(?s)run: (.*?)(?=\n    - |\Z)", action.split("steps:")[1]):
        assert "${{" not in script


def gate(
    folder: Path, inputs: dict[str, str], path: Path = Path(sys.executable).parent
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Runs the script of the action's gate as GitHub does; what it did, and its output."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (step,) = [step for step in action["runs"]["steps"] if step.get("id") == "gate"]
    assert set(inputs) <= set(step["env"])
    defaults = {
        name: str(
            action["inputs"][value.removeprefix("${{ inputs.").removesuffix(" }}")].get(
                "default", ""
            )
        )
        for name, value in step["env"].items()
    }
    files = {"JUNIT": str(folder / "junit.xml"), "JSON": str(folder / "c.json")}
    told = folder / "output.txt"
    environment = {
        **os.environ,
        **defaults,
        **files,
        **inputs,
        "GITHUB_OUTPUT": str(told),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "PATH": f"{path}:{os.environ['PATH']}",
    }
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(
        words, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    return done, told.read_text()


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda p: p.stem
)
def test_workflows_give_the_action_what_it_takes(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    taken = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if step.get("uses") == "./":
                assert set(step["with"]) <= set(taken)
                assert {name for name, value in taken.items() if value.get("required")} <= set(
                    step["with"]
                )


def test_the_page_shows_what_there_is() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    taken = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    (example,) = re.findall(r"(?s)```yaml\n(.*?)```", page)
    (step,) = [
        step
        for step in yaml.safe_load(example)["jobs"]["gate"]["steps"]
        if "vlabench" in step.get("uses", "")
    ]
    assert set(step["with"]) <= set(taken)
    (table,) = re.findall(r"(?s)\| input \| default \| \|\n\|---\|---\|---\|\n(.*?)\n\n", page)
    named = {
        name for row in table.splitlines() for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])
    }
    assert named == set(taken)


@pytest.mark.parametrize("command", ["compare", "check", "eval", "baseline"])
def test_the_options_of_the_page_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "ci.md").read_text().replace("\\\n", " ")
    calls = re.findall(rf"vlabench {command} ([^\n`]*)", page)
    options = {word.split("=")[0] for call in calls for word in re.findall(r"--[a-z-]+", call)}
    assert calls
    assert call(command, "--help") == 0
    shown = capsys.readouterr().out
    assert [option for option in options if option not in shown] == []
