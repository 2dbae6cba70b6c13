"""A comparison as JUnit's XML: the verdict is the one test that can fail.

Axes and tasks are passed tests with their figures in the output: they warn, and do not decide. What
cannot be decided is a skipped test, unless a decision was required.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from vlabench.report.form import percent, plain, signed
from vlabench.report.verdict import headline, probability, verdict_text

if TYPE_CHECKING:
    from vlabench.comparison import Comparison, Line
    from vlabench.errors import VlabenchError


def verdict_junit(comparison: Comparison, code: int) -> str:
    """The text of an XML document; `code` is the exit code that goes with it."""
    verdict = ET.Element("testcase", classname="vlabench.compare", name="overall")
    failed = comparison.verdict.failed or code != 0
    undecided = comparison.verdict.outcome == "INCONCLUSIVE" and not failed
    if failed:
        _told(verdict, "failure", comparison)
    elif undecided:
        _told(verdict, "skipped", comparison)
    ET.SubElement(verdict, "system-out").text = _lines(verdict_text(comparison))
    cases = [verdict, *(_case(line) for line in (*comparison.axes, *comparison.tasks))]
    return _document(
        comparison.suite,
        _properties(comparison),
        cases,
        failures=int(failed),
        skipped=int(undecided),
    )


def error_junit(error: VlabenchError) -> str:
    """The same where there is no comparison, because of `error`."""
    case = ET.Element("testcase", classname="vlabench.compare", name="overall")
    told = ET.SubElement(case, "error", message=plain(str(error)), type=type(error).__name__)
    told.text = plain(str(error))
    return _document("vlabench", [], [case], errors=1)


def _document(
    suite: str,
    properties: Iterable[tuple[str, str]],
    cases: Sequence[ET.Element],
    *,
    failures: int = 0,
    errors: int = 0,
    skipped: int = 0,
) -> str:
    counts = {
        "tests": str(len(cases)),
        "failures": str(failures),
        "errors": str(errors),
        "skipped": str(skipped),
    }
    root = ET.Element("testsuites", {"name": "vlabench compare", **counts})
    of_suite = ET.SubElement(root, "testsuite", {"name": plain(suite), **counts})
    listed = ET.SubElement(of_suite, "properties")
    for name, value in properties:
        ET.SubElement(listed, "property", name=name, value=plain(value))
    of_suite.extend(cases)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ['<?xml version="1.0" encoding="UTF-8"?>\n', "\n"]
    )


def _told(case: ET.Element, kind: str, comparison: Comparison) -> None:
    sentence = headline(comparison)
    told = ET.SubElement(case, kind, message=sentence)
    if kind == "failure":
        told.set("type", comparison.verdict.outcome)
        told.text = sentence


def _case(line: Line) -> ET.Element:
    case = ET.Element("testcase", classname=f"vlabench.compare.{line.kind}")
    case.set("name", plain(line.name or ""))
    low, high = (signed(end) for end in line.interval)
    ET.SubElement(case, "system-out").text = (
        f"{(line.outcome or 'information').lower()}: {percent(line.base_rate)} % in the base, "
        f"{percent(line.new_rate)} % in the new run, change {signed(line.difference)} points "
        f"({low} to {high}), p: {probability(line.p_value)}"
    )
    return case


def _properties(comparison: Comparison) -> Iterator[tuple[str, str]]:
    yield "outcome", comparison.verdict.outcome
    yield "base", comparison.base.run_id
    yield "new", comparison.new.run_id
    yield "manifest_hash", comparison.manifest_hash
    yield "env_fingerprint", comparison.env_fingerprint
    yield "difference", f"{comparison.verdict.difference:.6f}"


def _lines(text: str) -> str:
    """Text whose characters XML allows, its line breaks kept."""
    return "\n".join(plain(line) for line in text.split("\n"))
