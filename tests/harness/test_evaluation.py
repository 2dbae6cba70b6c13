"""From names to a run: what is refused before anything runs, and what a run says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness_fakes import FakePolicy

import vlabench
from vlabench.errors import ContractError, UnknownNameError, UsageError
from vlabench.evaluation import Plan, first_look, plan
from vlabench.runner.progress import Lines
from vlabench.store import Run

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
    assert (info.suite, info.suite_version, info.published_draws) == ("small", 3, True)
    assert info.env_fingerprint == "fake-env"
    assert any("exterior/0" in line for line in info.contract)
    assert info.versions["python"] == sys.version.split()[0]
    assert info.planned == info.completed
    assert "--limit 2" in info.command


def test_the_folder_is_named_by_what_the_command_means(suite_file: Path) -> None:
    def folder(policy: str = "harness_fakes:PickyPolicy", **options: Any) -> Path:
        args = {"checkpoint": "a", **options.pop("args", {})}
        return make_plan(suite_file, policy, policy_args=args, **options).folder

    assert folder() == folder()
    assert folder().parent == Path("results/runs")
    assert folder().name.startswith("harness_fakes-PickyPolicy-small-")
    others = [folder(args={"checkpoint": "b"}), folder(seed=3), folder(limit=1), folder(episodes=1)]
    assert len({folder(), *others}) == 5


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

    with pytest.raises(UsageError, match="cannot be imported by workers"):
        make_plan(suite_file, Local)


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
