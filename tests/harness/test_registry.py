"""Names and references: a module that cannot be imported is one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vlabench.errors import UsageError
from vlabench.registry import load_attribute, load_own


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('no\\nweights')", "ValueError: no weights"),
        ("def act(:", "SyntaxError: invalid syntax"),
        ("import sys\nsys.exit()", "SystemExit"),
        ("import nowhere_at_all", "No module named 'nowhere_at_all'"),
        ("from vlabench.errors import UsageError\nraise UsageError('Plain.')", "Plain."),
    ],
)
def test_a_module_that_fails_is_told(source: str, reason: str, mine: Path) -> None:
    mine.write_text(source)
    with pytest.raises(UsageError) as caught:
        load_own("mine:act", "policy")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "mine" in str(caught.value) or reason == "Plain."


def test_only_a_users_own_module_is_searched_in_the_working_folder(mine: Path) -> None:
    with pytest.raises(UsageError, match="Cannot import 'mine'"):
        load_attribute("mine:act")
    assert load_own("mine:act") is sys.modules["mine"].act
