"""``vlabench power`` says how many episodes a question needs."""

from __future__ import annotations

import pytest

from vlabench.cli import main


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(["power", *words])
    assert exit_.value.code in (0, None)
    return capsys.readouterr().out


def test_the_usual_question(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys)
    assert "A drop of 5.0 points, alpha 0.05 one-sided, power 80 %, 20 % of the pairs" in text
    for line in ("493 pairs", "495 pairs", "862 an arm", "from 80 % to 75 %"):
        assert line in text
    assert "100 pairs       show a drop of 10.7 points or more" in text
    assert "500 pairs       show a drop of 5.0 points or more" in text


def test_another_question(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "--discordance", "0.1", "--pairs", "3", "--pairs", "2000")
    assert "246 pairs" in text
    assert "3 pairs       show no drop at all" in text
    assert "2,000 pairs       show a drop of 1.8 points or more" in text


def test_a_large_margin_brings_its_own_discordance(capsys: pytest.CaptureFixture[str]) -> None:
    assert "30 % of the pairs differing" in told(capsys, "--margin", "0.3")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--margin", "0"], "The drop is 0; it must lie between 0 and 1."),
        (["--margin", "0.3", "--discordance", "0.2"], "needs a discordance from 0.3 to 1, not 0.2"),
        (["--rate", "0.01"], "A rate of 0.01 cannot drop by 0.05."),
        (["--alpha", "0.7"], "Alpha lies between 0 and 0.5"),
        (["--pairs", "0"], "at least one pair"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["power", *words])
    assert exit_.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert says in lines[0]
