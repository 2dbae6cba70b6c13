"""A pytest plugin: a test fails if a policy is worse than a promoted baseline.

def test_my_policy_is_no_worse(vlabench_gate):
    vlabench_gate(vlabench.evaluate("my_package:MyPolicy", "ci"))

pytest --vlabench-baseline results/baselines/my-policy-ci.json
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from vlabench.comparison import Comparison
    from vlabench.store import Run

OPTION = "--vlabench-baseline"
INI = "vlabench_baseline"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--vlabench-baseline``, and a setting of the same name for the project's file."""
    group = parser.getgroup("vlabench", "comparison of policies")
    group.addoption(
        OPTION,
        metavar="FILE",
        help="a promoted baseline, or a run's folder, that the fixture vlabench_gate compares with",
    )
    parser.addini(INI, f"the same as {OPTION}, relative to the project's root folder")


class Gate:
    """Compares runs with the baseline; call it with a run or its folder.

    Args:
        baseline: What to compare with; None if nobody said.
    """

    def __init__(self, baseline: Path | None) -> None:
        self.baseline = baseline

    def __call__(
        self,
        run: Run | Path | str,
        *,
        baseline: Path | str | None = None,
        alpha: float | None = None,
        margin: float | None = None,
        min_effect: float | None = None,
        require_noninferiority: bool = False,
    ) -> Comparison:
        """Fails the test if `run` is worse than the baseline.

        Args:
            run: The run in question, or its folder.
            baseline: Another baseline than the session's.
            alpha: Share of false alarms that is allowed, one-sided; 0.05 if None.
            margin: Drop of the success rate that still counts as no worse; 0.05 if None.
            min_effect: A regression that is shown to be smaller does not fail; by default the
                margin.
            require_noninferiority: Fail too if it is not shown to be no worse.

        Returns:
            The comparison, of a test that goes on.
        """
        from vlabench.comparison import compare, exit_code
        from vlabench.errors import VlabenchError
        from vlabench.report.verdict import verdict_text

        against = self.baseline if baseline is None else baseline
        if against is None:
            pytest.fail(
                f"There is nothing to compare with; give {OPTION} FILE, or {INI} in pytest's "
                "settings.",
                pytrace=False,
            )
        wrong = None
        try:
            comparison = compare(against, run, alpha=alpha, margin=margin, min_effect=min_effect)
        except VlabenchError as error:
            wrong = str(error)
        if wrong:
            pytest.fail(wrong, pytrace=False)
        code = exit_code(
            comparison, fail_on_regression=True, require_noninferiority=require_noninferiority
        )
        if code:
            pytest.fail(verdict_text(comparison), pytrace=False)
        return comparison


@pytest.fixture(scope="session")
def vlabench_gate(pytestconfig: pytest.Config) -> Gate:
    """Fails a test if the run that it is called with is worse than the session's baseline."""
    given = pytestconfig.getoption(OPTION)
    if given:
        return Gate(Path(pytestconfig.invocation_params.dir) / given)
    setting = pytestconfig.getini(INI)
    return Gate(pytestconfig.rootpath / setting if setting else None)
