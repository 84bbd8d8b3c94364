"""`junit.xml`: the run as test cases, for pipelines.

It has one suite per section of the contract, with one case per clause, and one suite for the limits. A failed clause is
a failure, an inconclusive one an error, a waived or not exercised one is skipped, and a warning passes with output. A
run that is inconclusive as a whole has one more suite, with an error: without it, all cases of such a run could pass.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

from ringback.contract.clauses import SECTIONS
from ringback.contract.verdict import ClauseResult, Evidence, Finding, LimitResult, Verdict
from ringback.reporting.model.evidence import curl_line, expected, observed, smallest_request
from ringback.reporting.model.safe import one_line, printable, shell_line
from ringback.reporting.model.verdicts import by_section, own_reasons
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import JUNIT_FILE
from ringback.rundir.run import RunReport

__all__ = ["write_junit"]

_LINE, _TEXT = 1_000, 20_000
_FINDINGS = 10
"""Deviations of one clause that are shown; `verdict.json` has them all."""


def write_junit(report: RunReport, directory: Path) -> Path:
    """Write `junit.xml` into the run's directory, whole or not at all, and return its path. Raises OSError."""
    suites = [
        _suite(f"{section} {SECTIONS[section]}", [_clause_case(result) for result in results], report)
        for section, results in by_section(report).items()
    ]
    if report.limits:
        suites.append(_suite("Limits", [_limit_case(held) for held in report.limits], report))
    if reasons := own_reasons(report):
        suites.append(_suite("Run", [_run_case(reasons)], report))
    root = ET.Element("testsuites", {"name": f"ringback {report.command}", "time": f"{report.seconds:.3f}"})
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in suites)))
    root.extend(suites)
    ET.indent(root)
    content = ET.tostring(root, encoding="utf-8", xml_declaration=True).decode()
    return write_whole(directory / JUNIT_FILE, SINK.document(content + "\n"))


def _suite(name: str, cases: Sequence[ET.Element], report: RunReport) -> ET.Element:
    suite = ET.Element("testsuite", {"name": name, "tests": str(len(cases))})
    for total, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(total, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
    suite.set("timestamp", report.started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("base_url", report.base_url),
        ("seed", str(report.seed)),
        ("level", report.level.value),
        ("variation", " ".join(report.variation)),
    ):
        if value:
            ET.SubElement(properties, "property", {"name": key, "value": one_line(value, _LINE)})
    suite.extend(cases)
    return suite


def _clause_case(result: ClauseResult) -> ET.Element:
    clause = result.clause
    case = ET.Element(
        "testcase",
        {
            "classname": f"contract.{clause.section}",
            "name": f"{clause.id} {clause.title}",
            "time": f"{sum(finding.seconds for finding in result.findings):.3f}",
        },
    )
    summary = one_line(result.summary, _LINE)
    match result.verdict:
        case Verdict.FAIL:
            failure = ET.SubElement(case, "failure", {"type": clause.level.value, "message": summary})
            failure.text = _deviations(result)
        case Verdict.INCONCLUSIVE:
            error = ET.SubElement(case, "error", {"type": "inconclusive", "message": summary})
            error.text = summary
        case Verdict.NOT_EXERCISED:
            ET.SubElement(case, "skipped", {"type": "not-exercised", "message": f"not exercised: {summary}"})
        case Verdict.WAIVED:
            reason = one_line(result.waiver or "", _LINE)
            skipped = ET.SubElement(case, "skipped", {"type": "waived", "message": f"waived: {reason}"})
            skipped.text = summary
        case Verdict.WARN:
            ET.SubElement(case, "system-out").text = f"warning: {summary}\n\n{_deviations(result)}"
        case Verdict.PASS:
            pass
    return case


def _deviations(result: ClauseResult) -> str:
    parts = [_deviation(finding, result) for finding in result.deviations[:_FINDINGS]]
    if (left := len(result.deviations) - len(parts)) > 0:
        parts.append(f"{left} more deviations are in verdict.json")
    return "\n\n".join([*parts, f"fix: {result.fix}"])


def _deviation(finding: Finding, result: ClauseResult) -> str:
    seen = observed(result, finding)
    lines = [f"test: {one_line(finding.test, _LINE)}"]
    if finding.summary and finding.summary != seen:
        lines.append(f"found: {printable(finding.summary, _LINE)}")
    lines += [
        f"expected: {printable(expected(result, finding), _LINE)}",
        f"observed: {printable(seen, _LINE)}",
    ]
    if shown := smallest_request(finding):
        lines += [
            f"\nrequest (exchange {shown.exchange}):\n{printable(shown.request, _TEXT)}",
            f"\nanswer:\n{printable(shown.response, _TEXT)}",
            f"\nrepeat: {_repeated(finding, shown)}",
        ]
    return "\n".join(lines)


def _repeated(finding: Finding, shown: Evidence) -> str:
    curl = curl_line(finding)
    return f"\n{curl.line}" if curl.is_script else shell_line(shown.curl)


def _limit_case(held: LimitResult) -> ET.Element:
    case = ET.Element(
        "testcase", {"classname": "limits", "name": one_line(f"{held.metric} {held.limit}", _LINE), "time": "0.000"}
    )
    measured = f"measured {held.value:g}" if held.value is not None else "not measured"
    measured += f" ({one_line(held.why, _LINE)})" if held.why else ""
    if held.verdict is Verdict.FAIL:
        ET.SubElement(case, "failure", {"type": "limit", "message": measured}).text = measured
    elif held.verdict is not Verdict.PASS:
        ET.SubElement(case, "error", {"type": "inconclusive", "message": measured}).text = measured
    else:
        ET.SubElement(case, "system-out").text = measured
    return case


def _run_case(reasons: Sequence[str]) -> ET.Element:
    case = ET.Element("testcase", {"classname": "run", "name": "The run has a verdict", "time": "0.000"})
    error = ET.SubElement(case, "error", {"type": "inconclusive", "message": one_line(reasons[0], _LINE)})
    error.text = "\n".join(one_line(reason, _LINE) for reason in reasons)
    return case
