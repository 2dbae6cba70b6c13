"""Any function or class becomes a policy, and a wrong one says what is wrong with it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from vlabench.contract.specs import CameraSpec
from vlabench.errors import PolicyError, UnknownNameError, UsageError
from vlabench.policies.callable import CallablePolicy, FunctionPolicy
from vlabench.testing import check_policy

MODULE = """
import numpy as np
from vlabench.policies.noop import Noop

NUMBER = 7

def one(observation):
    return np.full(7, observation.step / 10)

def several(observation):
    return np.zeros((4, 7))

def looks(observation):
    return np.full(7, observation.images["wrist/0"].mean() / 255)

def peeks(observation):
    return np.full(7, observation.privileged.table_height)

def confused(observation):
    return [0.0] * 7

def two(observation, other):
    return np.zeros(7)

def make(speed="1"):
    policy = Noop()
    policy.speed = speed
    return policy

def make_from(checkpoint):
    return Needy(checkpoint)

def make_nothing():
    return None

class Needy(Noop):
    def __init__(self, checkpoint):
        self.checkpoint = checkpoint

class Callable:
    def __call__(self, observation):
        return np.zeros(7)

policy = Noop()
instance = Callable()
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_policies.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "my_policies"
    sys.modules.pop("my_policies", None)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("one", {}),
        ("several", {"chunk_length": "4", "executed": "2"}),
        ("several", {"chunk_length": 4}),
        ("looks", {"cameras": "exterior/0, wrist/0", "image_size": "64"}),
        ("peeks", {"privileged": "true"}),
        ("make", {"speed": "2"}),
        ("Needy", {"checkpoint": "x"}),
        ("policy", {}),
        ("instance", {}),
    ],
)
def test_a_target_conforms(module, name, options):
    check_policy(CallablePolicy(target=f"{module}:{name}", **options))


def test_options_become_the_declaration(module):
    spec = CallablePolicy(
        target=f"{module}:several",
        cameras="exterior/0,wrist/0",
        image_size="64",
        proprio="ee_position",
        privileged="yes",
        deterministic="false",
        chunk_length="4",
        executed="2",
    ).spec()
    assert spec.cameras == (CameraSpec("exterior/0", 64, 64), CameraSpec("wrist/0", 64, 64))
    assert (spec.proprio, spec.privileged, spec.deterministic) == (("ee_position",), True, False)
    assert (spec.chunk_length, spec.executed) == (4, 2)


def test_it_is_called_by_its_target_unless_told(module):
    assert CallablePolicy(target=f"{module}:one").spec().name == "my_policies:one"
    assert CallablePolicy(target=f"{module}:one", name="mine").spec().name == "mine"


def test_a_revision_becomes_the_declaration(module):
    assert CallablePolicy(target=f"{module}:one", revision="3").spec().revision == "3"


def test_an_option_that_a_function_requires_makes_the_policy(module):
    made = CallablePolicy(target=f"{module}:make_from", checkpoint="x")
    assert made.spec().name == "noop"


def test_all_of_a_chunk_is_executed_unless_told():
    assert FunctionPolicy(lambda seen: np.zeros((3, 7)), chunk_length=3).spec().executed == 3


def test_options_reach_what_makes_the_policy(module):
    policy = CallablePolicy(target=f"{module}:make", speed="2")
    assert policy._policy.speed == "2"


def test_a_function_that_answers_no_array_is_a_policy_error(module):
    with pytest.raises(PolicyError, match="answered a list"):
        check_policy(CallablePolicy(target=f"{module}:confused"))


@pytest.mark.parametrize(
    ("target", "options", "part"),
    [
        ("", {}, "target=module:function"),
        ("my_policies", {}, "module:attribute"),
        ("my_polices:one", {}, "my_polices"),
        ("my_policies:won", {}, "'won'"),
        ("my_policies:NUMBER", {}, "is a int"),
        ("my_policies:two", {}, "needs observation, other"),
        ("my_policies:make_nothing", {}, "makes a NoneType"),
        ("my_policies:Callable", {}, "makes a Callable"),
        ("my_policies:Needy", {}, "--policy-arg checkpoint=..."),
        ("my_policies:policy", {"cameras": "wrist/0"}, "takes no cameras"),
        ("my_policies:one", {"image_size": "0"}, "image_size=0"),
        ("my_policies:one", {"image_size": 2.5}, "image_size=2.5"),
        ("my_policies:one", {"chunk_length": "many"}, "chunk_length=many"),
        ("my_policies:one", {"executed": True}, "executed=True"),
        ("my_policies:one", {"privileged": "perhaps"}, "privileged=perhaps"),
        ("my_policies:one", {"cameras": "wrist/0,,"}, "between commas"),
    ],
)
def test_a_wrong_target_or_option_is_a_usage_error(module, target, options, part):
    with pytest.raises(UsageError) as caught:
        CallablePolicy(target=target, **options)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", ["one", "make"])
def test_an_unknown_option_is_told_with_the_nearest(module, target):
    with pytest.raises(UnknownNameError) as caught:
        CallablePolicy(target=f"{module}:{target}", camera="wrist/0", sped="1")
    assert f"my_policies:{target}" in str(caught.value)
