"""One failing clause on a terminal: what was promised, what came instead, and how to see it again.

Written for a reader who has never met the project: each block stands alone.
"""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

from ringback.contract.clauses import Level
from ringback.contract.verdict import ClauseResult, Evidence, Finding, Verdict
from ringback.reporting.model.run import RunReport
from ringback.reporting.model.safe import one_line, printable, shell_line
from ringback.reporting.terminal.layout import MARKS, STYLES, field, hanging, heading, line, quotation

__all__ = ["print_failures"]

_BINDING = {
    Level.MUST: "MUST: the API's documentation says so",
    Level.SHOULD: "SHOULD: it follows from the documentation, HTTP or JSON",
    Level.ADVISORY: "ADVISORY: good practice",
}
_PARAGRAPH = 600
_QUOTED = 4_000
_QUOTED_LINES = 12
_CURL = 3_000
"""Characters of a curl line that a reader can still be expected to paste from a terminal."""
_ALSO = 5
_VARIABLE = re.compile(r"\$(RINGBACK_[A-Z0-9_]+)")
_ROUTINE = {"host", "accept", "accept-encoding", "connection", "content-length", "user-agent"}
"""Headers that each request carries and no reader looks for."""


def print_failures(console: Console, report: RunReport) -> None:
    """Print each failing clause of a run in full, the smallest request that shows its deviation among the rest."""
    failed = [result for result in report.results if result.verdict is Verdict.FAIL]
    if not failed:
        return
    shown = [_choice(result) for result in failed]
    lines = [evidence.curl for _, evidence in shown if evidence is not None]
    heading(console, "1 clause is broken" if len(failed) == 1 else f"{len(failed)} clauses are broken")
    if any(lines):
        variables = sorted({name for curl in lines for name in _VARIABLE.findall(curl)})
        aside = "Each curl line sends the request above it once more"
        if report.embedded:
            aside += ", once a deployment is there: the sandbox ended with this run; `ringback sandbox` starts another."
        else:
            aside += "; a trigger places a call."
        variables = sorted({name for curl in lines for name in _VARIABLE.findall(curl)})
        if variables:
            aside += f" Set {' and '.join(variables)} in your shell first."
        hanging(console, Text(), Text(aside, "dim"))
    for result, (finding, evidence) in zip(failed, shown, strict=True):
        _print_failure(console, result, finding, evidence)


def _choice(result: ClauseResult) -> tuple[Finding | None, Evidence | None]:
    """The deviation that the smallest request shows, and that request."""
    candidates = [(finding, evidence) for finding in result.deviations for evidence in finding.evidence]
    if candidates:
        return min(candidates, key=lambda pair: len(pair[1].request))
    return (result.deviations[0], None) if result.deviations else (None, None)


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
    observed = (finding.observed if finding else "") or summary
    if summary and summary != observed:
        hanging(console, Text("  "), Text(one_line(summary, _PARAGRAPH), "red"))
    field(console, "contract", f"{clause.statement} ({_BINDING[clause.level]}.)")
    if finding is not None:
        field(console, "test", one_line(finding.test, _PARAGRAPH))
    field(console, "expected", printable((finding and finding.expected) or clause.expects, _PARAGRAPH), "green")
    if observed:
        field(console, "observed", printable(observed, _PARAGRAPH), "red")
    if evidence is not None:
        quotation(console, "request", _request(evidence), _QUOTED_LINES)
        quotation(console, "answer", printable(evidence.response, _QUOTED), _QUOTED_LINES)
    _print_also(console, result, finding, evidence)
    field(console, "mend", clause.mend, "cyan")
    if evidence is not None and evidence.curl:
        _print_curl(console, evidence.curl)


def _print_curl(console: Console, curl: str) -> None:
    pasted = shell_line(curl)
    if "\0" in curl:
        field(console, "curl", "none: the request holds a NUL character, and no command line can", "dim")
    elif len(pasted) > _CURL:
        field(console, "curl", f"a line of {len(pasted):,} characters, in verdict.json", "dim")
    else:
        line(console, pasted)


def _request(evidence: Evidence) -> str:
    head, _, body = evidence.request.partition("\n\n")
    first, *headers = head.split("\n")
    told = [f"{first}  (exchange {evidence.exchange})"]
    told += [header for header in headers if header.partition(":")[0].lower() not in _ROUTINE]
    return printable("\n".join([*told, "", body] if body else told), _QUOTED)


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
