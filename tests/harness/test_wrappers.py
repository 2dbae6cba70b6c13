"""``blind:`` and ``deaf:`` before any policy: what it is shown and called, what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import vlabench
from vlabench import report
from vlabench.contract.negotiate import negotiate
from vlabench.contract.specs import CameraSpec, PolicySpec
from vlabench.errors import UnknownNameError, UsageError
from vlabench.evaluation import first_look, plan
from vlabench.leaderboard import leaderboard_row
from vlabench.policies.masked import Blind
from vlabench.runner.job import make_policy, policy_code_hash, seen_by
from vlabench.store import Run
from vlabench.testing import EXAMPLE_ENV, check_policy, example_observation

SEER = """
import numpy as np
from harness_fakes import FakePolicy
from vlabench.types import ActionChunk


class Seer(FakePolicy):
    # its actions tell what it was shown: brightness, letters at the start, letters now

    def __init__(self, scale=1.0):
        self.scale, self.letters, self.closed = scale, {}, 0

    def reset(self, starts):
        self.letters.update({s.episode_id: len(s.instruction) for s in starts})

    def act(self, observations):
        return [ActionChunk(self.actions(seen)) for seen in observations]

    def actions(self, seen):
        actions = np.zeros((3, 7))
        for image in seen.images.values():
            actions[:, 0] = image.mean() / 255
        actions[:, 1] = self.letters[seen.episode_id] / 100
        actions[:, 2] = len(seen.instruction) / 100
        return actions * self.scale

    def end(self, episode_ids):
        for name in episode_ids:
            del self.letters[name]

    def close(self):
        self.closed += 1


def act(seen):
    return np.zeros(7)
"""


@pytest.fixture(autouse=True)
def _seer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user's own module ``seer`` in the working folder."""
    (tmp_path / "seer.py").write_text(SEER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("seer", None)


@pytest.fixture
def evaluate(suite_file: Path, tmp_path: Path) -> Callable[..., Run]:
    def do(policy: str, runner: str = "serial") -> Run:
        return vlabench.evaluate(
            policy,
            str(suite_file),
            runner=runner,
            workers=1,
            limit=2,
            world="harness_fakes:FakeWorld",
            out=tmp_path / f"run-{runner}-{policy.replace(':', '-')}",
        )

    return do


def shown(run: Run) -> np.ndarray:
    """What the seer was shown in all steps of all episodes: a row a step."""
    return np.concatenate([run.trace(r.episode_id).actions[:, :3] for r in run.records])


def test_a_blind_policy_sees_grey_and_is_told_all(evaluate: Callable[..., Run]) -> None:
    brightness, at_start, now = shown(evaluate("blind:seer:Seer")).T
    np.testing.assert_allclose(brightness, 127 / 255, rtol=1e-6)
    assert at_start.min() > 0
    assert now.min() > 0


@pytest.mark.parametrize(("dtype", "grey"), [("uint8", 127), ("float32", 127 / 255)])
def test_grey_is_grey_in_every_type_layout_and_history(dtype: str, grey: float) -> None:
    camera = CameraSpec("wrist/0", 4, 6, history=2, layout="chw", dtype=dtype)
    pipeline = negotiate(PolicySpec("probe", cameras=(camera,)), EXAMPLE_ENV)
    seen = pipeline.to_policy(example_observation(pipeline, "e", 0))
    hidden = Blind.hide(seen).images["wrist/0"]
    assert (hidden.shape, hidden.dtype) == ((2, 3, 4, 6), np.dtype(dtype))
    np.testing.assert_allclose(hidden, np.full((2, 3, 4, 6), grey), rtol=1e-6)


def test_a_deaf_policy_is_told_nothing_and_sees_all(evaluate: Callable[..., Run]) -> None:
    brightness, at_start, now = shown(evaluate("deaf:seer:Seer")).T
    assert (at_start.max(), now.max()) == (0, 0)
    assert len(np.unique(brightness)) > 1
    np.testing.assert_array_equal(brightness, shown(evaluate("seer:Seer"))[:, 0])


@pytest.mark.parametrize("name", ["blind:deaf:seer:Seer", "deaf:blind:seer:Seer"])
def test_they_wrap_each_other(name: str, evaluate: Callable[..., Run]) -> None:
    run = evaluate(name)
    brightness, at_start, now = shown(run).T
    np.testing.assert_allclose(brightness, 127 / 255, rtol=1e-6)
    assert (at_start.max(), now.max()) == (0, 0)
    assert run.info.policy.label == name.replace("seer:Seer", "fake")


def test_workers_know_them_too(evaluate: Callable[..., Run]) -> None:
    here, there = evaluate("blind:seer:Seer"), evaluate("blind:seer:Seer", runner="ray")
    assert [r.actions_hash for r in there.records] == [r.actions_hash for r in here.records]


def test_tables_folders_and_rows_say_it(suite_file: Path, evaluate: Callable[..., Run]) -> None:
    run = evaluate("blind:seer:Seer")
    planned = plan("blind:seer:Seer", str(suite_file), world="harness_fakes:FakeWorld")
    assert planned.folder.name.startswith("blind-seer-Seer-small-")
    assert "--policy blind:seer:Seer" in planned.info.command
    assert report.text(report.summarize(run)).startswith("blind:fake on small")
    assert leaderboard_row(run)["policy"] == "blind:fake"
    assert leaderboard_row(run)["privileged"] is False


def test_a_dry_run_shows_what_is_left(suite_file: Path) -> None:
    def look(policy: str) -> tuple[set[int], str]:
        seen = first_look(plan(policy, str(suite_file), world="harness_fakes:FakeWorld"))
        return set(seen.images["exterior/0"].ravel().tolist()), seen.instruction

    open_eyed, told = look("seer:Seer")
    assert open_eyed != {127}
    assert told
    assert look("blind:seer:Seer") == ({127}, told)
    assert look("deaf:seer:Seer") == (open_eyed, "")
    assert look("deaf:blind:seer:Seer") == ({127}, "")


def test_nothing_of_an_observation_is_hidden_without_a_wrapper(suite_file: Path) -> None:
    seen = first_look(plan("seer:Seer", str(suite_file), world="harness_fakes:FakeWorld"))
    assert seen_by("seer:Seer", seen) is seen
    before = {role: image.copy() for role, image in seen.images.items()}
    seen_by("blind:seer:Seer", seen)
    for role, image in before.items():
        np.testing.assert_array_equal(seen.images[role], image)


def test_the_contract_is_that_of_the_inner_policy(evaluate: Callable[..., Run]) -> None:
    inner, wrapped = evaluate("seer:Seer").info, evaluate("deaf:seer:Seer").info
    assert wrapped.contract_fingerprint == inner.contract_fingerprint
    assert wrapped.policy.code_hash == inner.policy.code_hash != ""
    assert policy_code_hash("blind:deaf:seer:Seer", {}) == inner.policy.code_hash
    assert policy_code_hash("deaf:random", {}) == ""
    target = {"target": "seer:act"}
    assert policy_code_hash("deaf:callable", target) == policy_code_hash("callable", target) != ""
    assert wrapped.run_id != inner.run_id


def test_arguments_reach_the_inner_policy() -> None:
    policy = make_policy("deaf:seer:Seer", {"scale": 0.5})
    assert policy.spec().name == "deaf:fake"
    with pytest.raises(UnknownNameError, match=r"'scael'.*did you mean 'scale'"):
        make_policy("deaf:seer:Seer", {"scael": 0.5})
    assert make_policy("deaf:seer:act", {}).spec().name == "deaf:seer:act"
    options = {"target": "seer:act", "cameras": "exterior/0"}
    assert make_policy("blind:callable", options).spec().name == "blind:seer:act"


@pytest.mark.parametrize("name", ["deaf:random", "deaf:noop", "deaf:callable", "blind:callable"])
def test_wrapped_policies_conform(name: str) -> None:
    options = {"target": "seer:act", "cameras": "exterior/0"} if "callable" in name else {}
    check_policy(make_policy(name, options), EXAMPLE_ENV)


def test_a_server_that_is_not_there_yet_can_be_wrapped() -> None:
    spec = make_policy("deaf:blind:openvla-rest", {"url": "http://127.0.0.1:1"}).spec()
    assert spec.name == "deaf:blind:openvla-rest"
    assert spec.cameras


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("blind:openvl", r"Unknown policy 'openvl'; did you mean 'openvla'"),
        ("blind:deaf:openvl", r"Unknown policy 'openvl'; did you mean 'openvla'"),
        ("blind:", r"Unknown policy ''"),
        ("deaf", r"'deaf' is no policy but wraps one; write deaf:POLICY"),
        ("blind:noop", r"'noop' looks through no camera, so 'blind:' changes nothing"),
        ("blind:expert", r"'expert' reads the simulator's state.*'blind:' hides nothing"),
        ("deaf:random-goal", r"'random-goal' reads the simulator's state.*'deaf:' hides nothing"),
        ("deaf:blind:replay", r"'replay' reads the simulator's state.*'blind:' hides nothing"),
        ("blind:no_such_module:Policy", r"Cannot import 'no_such_module'"),
    ],
)
def test_what_cannot_be_wrapped_is_told_in_one_sentence(reference: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        make_policy(reference, {})
    assert "\n" not in str(caught.value)


def test_what_is_refused_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_policy("seer:Seer", {})
    freed: list[object] = []
    monkeypatch.setattr(type(made), "close", lambda self: freed.append(self))
    monkeypatch.setattr(type(made), "spec", lambda self: PolicySpec("sees nothing"))
    with pytest.raises(UsageError, match="looks through no camera"):
        make_policy("blind:seer:Seer", {})
    assert len(freed) == 1
