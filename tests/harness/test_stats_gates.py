"""The benchmark of the gates measures what the gates do."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from vlabench import stats


@pytest.fixture(scope="module")
def gates() -> ModuleType:
    page = Path(__file__).parents[2] / "benchmarks" / "gates.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_the_gates", page)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("drop", "discordance"), [(0.0, 0.0), (0.0, 0.2), (0.1, 0.2), (0.1, 0.1)])
def test_a_verdict_has_the_power_that_was_promised(
    gates: ModuleType, drop: float, discordance: float
) -> None:
    found = gates.exact(50, discordance, drop)
    assert found["regressed"] == pytest.approx(stats.paired_power(50, drop, discordance), abs=1e-9)
    assert found["failed"] <= found["regressed"]


@pytest.mark.parametrize("discordance", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("pairs", [20, 50])
def test_identical_policies_are_seldom_called_worse(
    gates: ModuleType, pairs: int, discordance: float
) -> None:
    assert gates.exact(pairs, discordance, 0.0)["regressed"] <= 0.05


def test_simulated_gates_are_the_gate(gates: ModuleType) -> None:
    differences = gates.simulate(30, 0.2, 0.05)
    stopped = gates.gate(differences)
    gates.compare_with_the_gate(differences, stopped)
    assert stopped.regressed.any()
    assert not stopped.regressed.all()
    stopped.pairs[3] += 1
    with pytest.raises(AssertionError):
        gates.compare_with_the_gate(differences, stopped)


def test_peeking_alarms_where_no_gate_would(gates: ModuleType) -> None:
    differences = gates.simulate(2000, 0.2, 0.0)
    assert gates.peeking(differences).mean() > 0.15
    alarms = int(gates.gate(differences).regressed.sum())
    assert stats.clopper_pearson_interval(alarms, 2000).low <= 0.05
