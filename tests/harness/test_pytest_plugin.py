"""The pytest plugin, in pytest sessions of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_fakes import episode, make_run

from vlabench.baseline import promote
from vlabench.types import EpisodeSpec, Status

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"

PLANNED = tuple(episode("stack", index) for index in range(120))
TEST = """
def test_the_policy_is_no_worse(vlabench_gate):
    found = vlabench_gate({run!r}{options})
    assert found.overall.base_n == 120
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good run, a bad one, and the good one's baseline."""
    folder = tmp_path_factory.mktemp("runs")

    def worse(spec: EpisodeSpec) -> Status:
        return "failure" if spec.index < 12 else "success"

    good = make_run(folder / "good", PLANNED, lambda spec: "success")
    make_run(folder / "bad", PLANNED, worse)
    promote(good, folder / "base.json")
    return folder


def session(
    pytester: pytest.Pytester, runs: Path, new: str, *words: str, options: str = ""
) -> pytest.RunResult:
    pytester.makepyfile(TEST.format(run=str(runs / new), options=options))
    return pytester.runpytest_inprocess("-p", "no:xdist", "-p", "no:cacheprovider", *words)


def test_a_test_fails_on_a_regression(pytester: pytest.Pytester, runs: Path) -> None:
    result = session(pytester, runs, "bad", "--vlabench-baseline", str(runs / "base.json"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*REGRESSED: bad is 10.0 points worse than the base.*"])
    assert "vlabench replay" in result.stdout.str()


def test_a_test_passes_where_nothing_is_worse(pytester: pytest.Pytester, runs: Path) -> None:
    base = ["--vlabench-baseline", str(runs / "base.json")]
    session(pytester, runs, "good", *base, options=", require_noninferiority=True").assert_outcomes(
        passed=1
    )


def test_a_project_may_set_its_baseline(pytester: pytest.Pytester, runs: Path) -> None:
    pytester.makeini(f"[pytest]\nvlabench_baseline = {runs / 'base.json'}\n")
    session(pytester, runs, "bad").assert_outcomes(failed=1)


def test_a_baseline_may_be_given_where_it_is_used(pytester: pytest.Pytester, runs: Path) -> None:
    own = f", baseline={str(runs / 'bad')!r}"
    session(pytester, runs, "bad", options=own).assert_outcomes(passed=1)


def test_what_is_not_decided_fails_where_that_is_asked_for(
    pytester: pytest.Pytester, runs: Path
) -> None:
    base = ["--vlabench-baseline", str(runs / "base.json")]
    strict = ", margin=0.001, require_noninferiority=True"
    result = session(pytester, runs, "good", *base, options=strict)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*INCONCLUSIVE*"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "*There is nothing to compare with; give --vlabench-baseline FILE*"),
        (["--vlabench-baseline", "nowhere.json"], "*neither a run's folder nor a baseline*"),
    ],
    ids=["none", "nowhere"],
)
def test_nothing_to_compare_with_is_a_failure(
    words: list[str], told: str, pytester: pytest.Pytester, runs: Path
) -> None:
    result = session(pytester, runs, "good", *words)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([told])
    assert "Traceback" not in result.stdout.str()


def test_the_test_of_the_page_gates(pytester: pytest.Pytester, runs: Path) -> None:
    (code,) = re.findall(r"(?s)```python\n(import vlabench\n.*?)```", PAGE.read_text())
    pytester.makepyfile(code)
    pytester.makeconftest(
        "import vlabench\n"
        "def evaluate(policy, suite):\n"
        "    assert (policy, suite) == ('my_package:MyPolicy', 'ci')\n"
        f"    return vlabench.Run.open({str(runs / 'bad')!r})\n"
        "vlabench.evaluate = evaluate\n"
    )
    words = ["-p", "no:xdist", "-p", "no:cacheprovider", "--vlabench-baseline"]
    result = pytester.runpytest_subprocess(*words, str(runs / "base.json"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*REGRESSED: bad is 10.0 points worse than the base.*"])
