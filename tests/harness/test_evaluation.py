"""From names to a run: what is refused before anything runs, and what a run says of itself."""

from __future__ import annotations

import importlib
import itertools
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_fakes import FakePolicy

import vlabench
from vlabench.cli.eval import parse_policy_args
from vlabench.errors import ContractError, UnknownNameError, UsageError
from vlabench.evaluation import Plan, execute, first_look, plan
from vlabench.leaderboard import leaderboard_row
from vlabench.report import summarize
from vlabench.runinfo import RunInfo, run_name
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Lines, Silent
from vlabench.store import Run
from vlabench.suite import load_suite

WORLD = "harness_fakes:FakeWorld"


def make_plan(suite_file: Path, policy: Any = FakePolicy, **options: Any) -> Plan:
    return plan(policy, str(suite_file), world=WORLD, **options)


def run(suite_file: Path, tmp_path: Path, **options: Any) -> Run:
    return vlabench.evaluate(
        FakePolicy, str(suite_file), world=WORLD, out=tmp_path / "run", runner="serial", **options
    )


def test_importing_the_package_is_light_and_the_function_stays_a_function() -> None:
    code = (
        "import sys, vlabench\n"
        "heavy = {'mujoco', 'gymnasium', 'ray', 'torch', 'numpy', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import vlabench.evaluation\n"
        "assert callable(vlabench.evaluate) and callable(vlabench.evaluate)\n"
        "heavy = {'mujoco', 'gymnasium', 'ray', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_says_what_it_was(suite_file: Path, tmp_path: Path) -> None:
    info = run(suite_file, tmp_path, limit=2).info
    assert info.policy.name == "harness_fakes:FakePolicy"
    assert info.policy.spec["executed"] == 2
    assert not info.policy.privileged
    assert (info.suite, info.suite_version) == ("small", 3)
    assert not info.complete
    assert not info.published_draws
    assert info.env_fingerprint == "fake-env"
    assert any("exterior/0" in line for line in info.contract)
    assert info.versions["python"] == sys.version.split()[0]
    assert info.planned == info.completed
    assert "--limit 2" in info.command


def test_a_run_knows_whether_it_is_the_whole_suite(suite_file: Path) -> None:
    def complete(**options: Any) -> bool:
        return make_plan(suite_file, **options).info.complete

    whole = make_plan(suite_file).manifest
    assert complete()
    assert complete(limit=len(whole.episodes))
    assert complete(seed=load_suite(str(suite_file)).seed)
    assert not complete(limit=1)
    assert not complete(seed=12345)
    assert not complete(episodes=1)


def test_the_folder_is_named_by_what_the_command_means(suite_file: Path) -> None:
    def folder(policy: str = "harness_fakes:PickyPolicy", **options: Any) -> Path:
        args = {"checkpoint": "a", **options.pop("args", {})}
        return make_plan(suite_file, policy, policy_args=args, **options).folder

    assert folder() == folder()
    assert folder().parent == Path("results/runs")
    assert folder().name.startswith("harness_fakes-PickyPolicy-small-")
    others = [folder(args={"checkpoint": "b"}), folder(seed=3), folder(limit=1), folder(episodes=1)]
    assert len({folder(), *others}) == 5


def test_a_changed_policy_of_ones_own_is_another_run(suite_file: Path, mine: Path) -> None:
    def planned(policy: str, **args: Any) -> Plan:
        return make_plan(suite_file, policy, policy_args=args, limit=1)

    function = {"target": "mine:act", "proprio": "ee_position"}
    before = [planned("mine:Mine"), planned("callable", **function)]
    assert [plan.info.run_id for plan in before] == [
        planned("mine:Mine").info.run_id,
        planned("callable", **function).info.run_id,
    ]
    mine.write_text(mine.read_text().replace("0.5", "0.75"))
    after = [planned("mine:Mine"), planned("callable", **function)]
    for old, new in zip(before, after, strict=True):
        assert old.info.run_id != new.info.run_id
        reason = old.info.difference(new.info)
        assert reason is not None
        assert reason.startswith("the policy's code is ")


def test_the_file_that_defines_the_policy_counts_too(suite_file: Path, mine: Path) -> None:
    mine.with_name("shown.py").write_text("from mine import Mine\n")
    before = make_plan(suite_file, "shown:Mine").info
    mine.write_text(mine.read_text() + "\n")
    assert make_plan(suite_file, "shown:Mine").info.policy.code_hash != before.policy.code_hash
    sys.modules.pop("shown")


def test_another_revision_is_another_run(suite_file: Path, tmp_path: Path) -> None:
    def planned(policy: str) -> Plan:
        return make_plan(suite_file, f"harness_fakes:{policy}", out=tmp_path / "run", limit=1)

    one, other = planned("FakePolicy"), planned("RevisedPolicy")
    assert (one.info.policy.revision, other.info.policy.revision) == ("", "step-2000")
    same_name = replace(one.info.policy, spec=other.info.policy.spec)
    assert one.info.difference(replace(one.info, policy=same_name)) == (
        "the policy's revision is step-2000 now and was unknown"
    )
    names = {
        run_name(policy, "small", "manifest", "env") for policy in (one.info.policy, same_name)
    }
    assert len(names) == 2


def test_an_older_file_without_a_revision_is_read(suite_file: Path) -> None:
    data = make_plan(suite_file).info.to_json()
    del data["policy"]["code_hash"], data["policy"]["spec"]["revision"]
    del data["policy"]["spec"]["name"]
    policy = RunInfo.from_json(data).policy
    assert (policy.label, policy.revision, policy.code_hash) == (policy.name, "", "")


def test_a_function_is_a_policy_whichever_way_it_is_named(
    suite_file: Path, mine: Path, tmp_path: Path
) -> None:
    def evaluate(policy: Any, runner: str = "serial", **args: Any) -> Run:
        args = {"proprio": "ee_position", **args}
        out = tmp_path / f"run-{next(numbers)}"
        planned = make_plan(suite_file, policy, policy_args=args, out=out)
        return execute(planned, runner, RunnerOptions(workers=1), Silent())

    numbers = itertools.count()
    runs = [evaluate("callable", target="mine:act"), evaluate("mine:act", "ray")]
    runs += [evaluate("mine:act"), evaluate(importlib.import_module("mine").act)]
    for run in runs:
        assert run.info.policy.label == "mine:act"
        assert summarize(run).header.policy == leaderboard_row(run)["policy"] == "mine:act"
        actions = {record.episode_id: record.actions_hash for record in run.records}
        assert actions == {record.episode_id: record.actions_hash for record in runs[0].records}
        assert {record.status for record in run.records} <= {"success", "failure"}
    assert runs[1].info.run_id.startswith("mine-act-small-")


@pytest.mark.parametrize(
    ("policy", "args"),
    [("mine:Mine", {}), ("mine:make", {}), ("mine:make", {"way": "well"}), ("mine:policy", {})],
)
def test_what_makes_a_policy_stays_what_it_is(
    policy: str, args: dict[str, Any], suite_file: Path, mine: Path
) -> None:
    assert make_plan(suite_file, policy, policy_args=args).info.policy.label == "fake"


@pytest.mark.parametrize(
    ("policy", "args", "text"),
    [
        ("mine:Mine", {"way": "on"}, r"'mine:Mine' cannot .*\(ValueError: no such way: on\); give"),
        ("mine:make", {"way": "on"}, r"cannot .*mine:make.*ValueError: no such way: on"),
        ("mine:Mine", {"way": "exit"}, r"'mine:Mine' cannot be made .*SystemExit: 3"),
        ("mine:make_text", {}, "'mine:make_text' makes a str, which is no policy"),
        ("mine:make", {"target": "x"}, "cannot have the argument 'target'"),
    ],
)
def test_a_policy_that_cannot_be_made_is_told(
    policy: str, args: dict[str, Any], text: str, suite_file: Path, mine: Path
) -> None:
    with pytest.raises(UsageError, match=text) as caught:
        make_plan(suite_file, policy, policy_args=args)
    assert "\n" not in str(caught.value)


def test_the_command_gives_equal_arguments_again(suite_file: Path) -> None:
    args = {"checkpoint": "0012345", "scale": 2}
    for checkpoint in ("0012345", "12345", "no", "true", 'a "b"', "", "1e3"):
        args["checkpoint"] = checkpoint
        planned = make_plan(suite_file, "harness_fakes:PickyPolicy", policy_args=args)
        words = shlex.split(planned.info.command)
        pairs = [words[i + 1] for i, word in enumerate(words) if word == "--policy-arg"]
        assert parse_policy_args(pairs) == args


def test_another_seed_is_not_certified(suite_file: Path) -> None:
    planned = make_plan(suite_file, seed=3)
    assert not planned.info.published_draws
    assert {episode.seed for episode in planned.manifest.episodes} == {3}


def test_a_finished_run_is_not_run_again(suite_file: Path, tmp_path: Path) -> None:
    first = run(suite_file, tmp_path)
    lines: list[str] = []
    again = run(suite_file, tmp_path, progress=Lines(lines.append))
    assert again.records == first.records
    assert lines == ["28 episodes, 28 done before"]
    fresh = run(suite_file, tmp_path, fresh=True, progress=Lines(lines.append))
    assert lines[1] == "28 episodes"
    assert lines[-1].startswith("28/28  ")
    assert [r.stable() for r in fresh.records] == [r.stable() for r in first.records]


def test_one_may_narrow_to_tasks(suite_file: Path, tmp_path: Path) -> None:
    records = run(suite_file, tmp_path, tasks=["place-in"], episodes=1).records
    assert {record.task for record in records} == {"place-in"}
    assert len(records) == 4


def test_a_contract_that_fails_leaves_no_folder(suite_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="'cheat' and environment 'point'"):
        vlabench.evaluate(
            "harness_fakes:PrivilegedPolicy", str(suite_file), world=WORLD, out=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("policy", "args", "text"),
    [
        ("harness_fakes:PickyPolicy", {}, "needs 'checkpoint'; give it as --policy-arg checkpoint"),
        (
            "harness_fakes:PickyPolicy",
            {"checkpoint": "a", "scal": 1},
            "Unknown argument 'scal' in --policy-arg .*did you mean 'scale'",
        ),
        ("harness_fakes:FakePolicy", {"a": 1}, "takes no arguments; leave 'a' out"),
        ("harness_fakes:FakePolicy", {"a": {1, 2}}, "cannot be kept as JSON"),
        ("harness_fakes:NoPolicy", {}, "has no 'NoPolicy'"),
        ("nowhere.at.all:Policy", {}, "Cannot import"),
        ("expret", {}, "Unknown policy 'expret'; did you mean 'expert'"),
    ],
)
def test_a_wrong_policy_is_told(
    policy: str, args: dict[str, Any], text: str, suite_file: Path
) -> None:
    with pytest.raises(UsageError, match=text):
        make_plan(suite_file, policy, policy_args=args)


def test_a_policy_that_workers_cannot_import_is_refused(suite_file: Path) -> None:
    class Local(FakePolicy):
        pass

    for policy in (Local, lambda seen: seen, FakePolicy()):
        with pytest.raises(UsageError, match="cannot be imported by workers"):
            make_plan(suite_file, policy)


def test_wrong_options_are_told(suite_file: Path, tmp_path: Path) -> None:
    arguments = {"world": WORLD, "out": tmp_path / "run"}
    with pytest.raises(UnknownNameError, match="did you mean 'serial'"):
        vlabench.evaluate(FakePolicy, str(suite_file), runner="serail", **arguments)
    with pytest.raises(UsageError, match="workers is 0"):
        vlabench.evaluate(FakePolicy, str(suite_file), workers=0, **arguments)
    assert not (tmp_path / "run").exists()


def test_the_first_look_is_what_the_policy_would_see(suite_file: Path) -> None:
    planned = make_plan(suite_file)
    seen = first_look(planned)
    assert seen.images["exterior/0"].shape == (4, 6, 3)
    assert seen.instruction == planned.manifest.episodes[0].instruction


HURRIED = "inference_fakes:HurriedPolicy"


def test_another_latency_is_another_run(suite_file: Path, tmp_path: Path) -> None:
    usual, slow = make_plan(suite_file), make_plan(suite_file, latency=250.0)
    measured = make_plan(suite_file, latency="measured")
    settings = [usual.info.conditions, slow.info.conditions, measured.info.conditions]
    assert [one.latency_ms for one in settings] == [None, 250.0, "measured"]
    assert len({usual.folder, slow.folder, measured.folder}) == 3
    assert "--latency 250.0" in slow.info.command
    assert usual.info.difference(slow.info) == "the latency is 250.0 now and was null"
    assert RunInfo.from_json(measured.info.to_json()) == measured.info
    with pytest.raises(UsageError, match=r"-5 ms is no time"):
        make_plan(suite_file, latency=-5)


def test_latency_reaches_the_records(suite_file: Path, tmp_path: Path) -> None:
    plain = run(suite_file, tmp_path, limit=2)
    slow = vlabench.evaluate(
        FakePolicy,
        str(suite_file),
        world=WORLD,
        out=tmp_path / "slow",
        runner="serial",
        limit=2,
        latency=250.0,
    )
    assert {record.latency_setting_ms for record in plain.records} == {None}
    assert {record.latency_setting_ms for record in slow.records} == {250.0}
    steps = [sum(record.steps for record in ran.records) for ran in (plain, slow)]
    assert steps[0] < steps[1]


def test_a_run_without_conditions_has_the_name_it_always_had(suite_file: Path) -> None:
    info = make_plan(suite_file).info
    data = info.to_json()
    del data["conditions"]
    assert RunInfo.from_json(data) == info
    name = run_name(info.policy, "small", "manifest", "env", info.conditions)
    assert name == run_name(info.policy, "small", "manifest", "env")


def test_an_allowed_mismatch_is_another_run_and_is_told(suite_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"7 Hz .*--allow-mismatch"):
        make_plan(suite_file, HURRIED)
    allowed = make_plan(suite_file, HURRIED, allow_mismatch=True)
    (mismatch,) = allowed.info.conditions.mismatches
    assert "7 Hz" in mismatch
    assert allowed.info.command.endswith("--allow-mismatch")
    assert RunInfo.from_json(allowed.info.to_json()) == allowed.info
    ran = vlabench.evaluate(
        HURRIED,
        str(suite_file),
        world=WORLD,
        out=tmp_path / "run",
        runner="serial",
        limit=1,
        allow_mismatch=True,
    )
    assert {record.allow_mismatch for record in ran.records} == {(mismatch,)}
    agreed = make_plan(suite_file, allow_mismatch=True)
    assert agreed.folder == make_plan(suite_file).folder
