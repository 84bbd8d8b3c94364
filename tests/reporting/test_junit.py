from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.contract.clauses import CLAUSES, SECTIONS
from ringback.contract.verdict import Finding, LimitResult, Verdict
from ringback.reporting import RunReport, write_junit
from ringback.rundir.names import JUNIT_FILE

MakeReport = Callable[..., RunReport]

ATTRIBUTES = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set()),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}, {"id", "hostname"}),
    "properties": (set(), set()),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, set()),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}
"""Required and optional attributes of each element, as all common readers of JUnit files accept them."""
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


def check_shape(element: ET.Element) -> None:
    required, allowed = ATTRIBUTES[element.tag]
    assert required <= set(element.attrib) <= required | allowed, element.tag
    assert {child.tag for child in element} <= CHILDREN.get(element.tag, set()), element.tag
    if element.tag in {"testsuites", "testsuite"}:
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        for total, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            if total in element.attrib:
                assert element.get(total) == str(sum(case.find(tag) is not None for case in cases))
    if "time" in element.attrib:
        assert float(element.attrib["time"]) >= 0
    for child in element:
        check_shape(child)


def written(report: RunReport, directory: Path) -> ET.Element:
    path = write_junit(report, directory)
    assert path == directory / JUNIT_FILE
    root = ET.fromstring(path.read_bytes())
    check_shape(root)
    return root


def case(root: ET.Element, clause_id: str) -> ET.Element:
    (found,) = (c for c in root.iter("testcase") if c.attrib["name"].startswith(clause_id))
    return found


def test_a_suite_a_section_and_a_case_a_clause(tmp_path: Path, make_report: MakeReport) -> None:
    root = written(make_report(), tmp_path)
    assert [suite.attrib["name"] for suite in root] == [f"{key} {title}" for key, title in SECTIONS.items()]
    assert root.get("tests") == str(len(CLAUSES))
    named = case(root, "TRN-01")
    assert named.attrib == {"classname": "contract.TRN", "name": f"TRN-01 {CLAUSES['TRN-01'].title}", "time": "0.500"}
    assert root[0].attrib["timestamp"] == "2026-03-01T12:00:00"


def test_what_each_verdict_becomes(tmp_path: Path, of_every_kind: MakeReport) -> None:
    root = written(of_every_kind(), tmp_path)
    failure = case(root, "ACK-03").find("failure")
    assert failure is not None
    assert failure.attrib == {"type": "must", "message": "what happened to ACK-03"}
    for shown in ("expected: ", "observed: what happened to ACK-03", "POST https://ivr", "curl --request", "fix: "):
        assert shown in (failure.text or "")
    error = case(root, "STA-02").find("error")
    assert error is not None
    assert error.attrib == {"type": "inconclusive", "message": "what happened to STA-02"}
    skipped = case(root, "DST-01").find("skipped")
    assert skipped is not None
    assert skipped.attrib["message"] == "not exercised: what happened to DST-01"
    waived = case(root, "RES-04").find("skipped")
    assert waived is not None
    assert waived.attrib["message"] == "waived: vendor ticket 4711"
    warning = case(root, "ACK-04")
    assert [child.tag for child in warning] == ["system-out"]
    assert "warning: what happened to ACK-04" in (warning[0].text or "")
    assert len(case(root, "TRN-01")) == 0


def test_limits_are_a_suite_of_their_own(tmp_path: Path, of_every_kind: MakeReport) -> None:
    suite = written(of_every_kind(), tmp_path)[-1]
    assert suite.attrib["name"] == "Limits"
    assert next(suite.iter("testcase")).attrib["name"] == "trigger.latency_ms.p99 < 500"
    assert [c[0].tag for c in suite.iter("testcase")] == ["failure", "system-out", "error"]
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("1", "1")


def test_a_run_without_a_verdict_is_an_error_though_each_case_passes(tmp_path: Path, make_report: MakeReport) -> None:
    why = "the deployment's rate limit (429) stopped 85 of 160 arrivals", "2 calls were unfinished"
    report = make_report(clauses=(), limits=(LimitResult("calls.lost", "== 0", 0.0, Verdict.PASS),))
    held = replace(report, conclusion=replace(report.conclusion, reasons=("calls.lost == 0: undecided", *why)))
    suite = written(held, tmp_path)[-1]
    assert (suite.attrib["name"], suite.attrib["errors"]) == ("Run", "1")
    (error,) = suite.iter("error")
    assert (error.attrib["message"], error.text) == (why[0], "\n".join(why))


def test_a_run_without_clauses_is_still_a_file(tmp_path: Path, make_report: MakeReport) -> None:
    root = written(make_report(clauses=()), tmp_path)
    assert [error.attrib["message"] for error in root.iter("error")] == ["nothing was decided"]


def test_many_deviations_are_bounded(tmp_path: Path, make_report: MakeReport) -> None:
    many = [Finding("ROB-01", Verdict.FAIL, f"body {n}", "answered 500") for n in range(500)]
    failure = case(written(make_report(findings=many), tmp_path), "ROB-01").find("failure")
    assert failure is not None
    assert "490 more deviations are in verdict.json" in (failure.text or "")
    assert len(failure.text or "") < 10_000


@pytest.mark.parametrize(
    "text", ["]]>", "<!--", "</failure>", "&#0;", "\x00\x1b[2J\x9b", "\ud800", "\ufffe\uffff", "a\rb"]
)
def test_hostile_text_stays_text(tmp_path: Path, of_every_kind: MakeReport, text: str) -> None:
    root = written(of_every_kind(text), tmp_path)
    assert len(root) == len(SECTIONS) + 1


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_leaves_it_well_formed(
    tmp_path_factory: pytest.TempPathFactory, of_every_kind: MakeReport, text: str
) -> None:
    root = written(of_every_kind(text, base_url=text, faults=(text,)), tmp_path_factory.getbasetemp() / "junit")
    shown = "".join(root.itertext()) + "".join(value for element in root.iter() for value in element.attrib.values())
    assert all(character.isprintable() or character == "\n" for character in shown)
