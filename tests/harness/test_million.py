"""The benchmark of a million records finds what is wrong, here with a few hundred of them."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "million.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = spec_from_file_location("million", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("million")
    script.write(folder, 300, 2)
    return folder


def test_every_number_is_that_of_the_outcomes(script: ModuleType, folder: Path) -> None:
    seconds, wrong = script.measure(folder)
    assert seconds > 0
    assert wrong == []


def test_a_wrong_number_is_found(script: ModuleType, folder: Path) -> None:
    """The records say of one unchanged episode of the first run what the outcomes do not."""
    truth = folder / script.TRUTH
    outcomes = np.load(truth)["outcomes"]
    other = outcomes.copy()
    other[0, 0] = not other[0, 0]
    np.savez(truth, outcomes=other)
    _, wrong = script.measure(folder)
    np.savez(truth, outcomes=outcomes)
    assert any("policy-0, unchanged: not" in fault for fault in wrong)
    assert any("the comparison counts other pairs" in fault for fault in wrong)


def test_limits(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "MOST_BYTES", 1e12)
    assert script.within_limits(1.0)
    assert not script.within_limits(61.0)
    monkeypatch.setattr(script, "MOST_BYTES", 1.0)
    assert not script.within_limits(1.0)
