"""Failing clauses on a terminal: what was expected, what was observed, and how to repeat it."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from ringback.contract.clauses import Level
from ringback.contract.verdict import ClauseResult, Evidence, Finding, Verdict, variables_in
from ringback.reporting.model.evidence import curl_line, expected, observed, request_text, smallest
from ringback.reporting.model.safe import one_line, printable
from ringback.reporting.model.verdicts import MARKS, with_verdict
from ringback.reporting.terminal.layout import STYLES, field, hanging, heading, line, quotation
from ringback.rundir.run import RunReport

__all__ = ["print_failures"]

_BINDING = {
    Level.MUST: "MUST: the API documentation says so",
    Level.SHOULD: "SHOULD: it follows from the documentation, HTTP or JSON",
    Level.ADVISORY: "ADVISORY: good practice",
}
_PARAGRAPH = 600
_QUOTED = 4_000
_QUOTED_LINES = 12
_ALSO = 5


def print_failures(console: Console, report: RunReport) -> None:
    """Print each failing clause of a run in full, with its deviation that has the smallest request."""
    failed = with_verdict(report, Verdict.FAIL)
    if not failed:
        return
    shown = [smallest(result) for result in failed]
    lines = [curl_line(finding).line for finding, _ in shown]
    heading(console, "1 clause is broken" if len(failed) == 1 else f"{len(failed)} clauses are broken")
    if any(lines):
        aside = "Below each request, a curl line or a script repeats it. "
        if report.embedded:
            aside += "The sandbox of this run has stopped: start another with `ringback sandbox` first."
        else:
            aside += "An accepted trigger places a call."
        if variables := variables_in(lines):
            aside += f" Set {' and '.join(variables)} in your shell first."
        hanging(console, Text(), Text(aside, "dim"))
    for result, (finding, evidence) in zip(failed, shown, strict=True):
        _print_failure(console, result, finding, evidence)


def _print_failure(console: Console, result: ClauseResult, finding: Finding | None, evidence: Evidence | None) -> None:
    clause = result.clause
    style = STYLES[Verdict.FAIL]
    summary = (finding.summary if finding else "") or result.summary
    line(console)
    hanging(
        console,
        Text(f"{MARKS[Verdict.FAIL]} {clause.id}  ", style),
        Text.assemble((clause.title, "bold"), "  ", (clause.level.value.upper(), style)),
    )
    seen = observed(result, finding)
    if summary and summary != seen:
        hanging(console, Text("  "), Text(one_line(summary, _PARAGRAPH), "red"))
    field(console, "contract", f"{clause.statement} ({_BINDING[clause.level]}.)")
    if finding is not None:
        field(console, "test", one_line(finding.test, _PARAGRAPH))
    field(console, "expected", printable(expected(result, finding), _PARAGRAPH), "green")
    if seen:
        field(console, "observed", printable(seen, _PARAGRAPH), "red")
    if evidence is not None:
        aside = f"  (exchange {evidence.exchange})"
        quotation(console, "request", request_text(evidence, _QUOTED, aside=aside), _QUOTED_LINES)
        quotation(console, "answer", printable(evidence.response, _QUOTED), _QUOTED_LINES)
    _print_also(console, result, finding, evidence)
    field(console, "fix", result.fix, "cyan")
    curl = curl_line(finding)
    if curl.problem:
        field(console, "curl", curl.problem, "dim")
    for command in curl.line.split("\n") if curl.line else ():
        line(console, command)


def _print_also(console: Console, result: ClauseResult, finding: Finding | None, evidence: Evidence | None) -> None:
    more = [other for other in (finding.evidence if finding else ()) if other is not evidence]
    if more:
        numbers = ", ".join(str(other.exchange) for other in more[:_ALSO]) + (", …" if len(more) > _ALSO else "")
        field(console, "see also", f"exchange{'s' if len(more) > 1 else ''} {numbers} in exchanges.ndjson")
    others = [other for other in result.deviations if other is not finding]
    for other in others[:_ALSO]:
        field(console, "also", f"{one_line(other.test, 120)}: {one_line(other.summary, 200)}")
    if len(others) > _ALSO:
        field(console, "also", f"{len(others) - _ALSO} more deviations, in verdict.json")
