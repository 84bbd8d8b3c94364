"""Which evidence reports show of a clause, and in what form: the smallest request first, with a curl line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ringback.contract.verdict import ClauseResult, Evidence, Finding, Verdict
from ringback.reporting.model.safe import printable, shell_line

__all__ = [
    "CurlLine",
    "curl_line",
    "decisive",
    "expected",
    "observed",
    "request_text",
    "smallest",
    "smallest_first",
    "smallest_request",
]

_LONGEST_CURL = 3_000
"""Characters of a curl line that a reader can be expected to paste."""
_ROUTINE = {"host", "accept", "accept-encoding", "connection", "content-length", "user-agent"}
"""Headers that every request has and no reader looks for."""


def decisive(result: ClauseResult) -> tuple[Finding, ...]:
    """The findings behind a clause's verdict: its deviations, or its open questions; a pass has none."""
    if result.verdict is Verdict.INCONCLUSIVE:
        return tuple(finding for finding in result.findings if finding.verdict is Verdict.INCONCLUSIVE)
    return result.deviations


def expected(result: ClauseResult, finding: Finding | None) -> str:
    """What was expected, in the words of the finding or else of the clause."""
    return (finding.expected if finding else "") or result.clause.expects


def observed(result: ClauseResult, finding: Finding | None) -> str:
    """What was observed, in the words of the finding or else of the result."""
    return (finding.observed or finding.summary if finding else "") or result.summary


def smallest(result: ClauseResult) -> tuple[Finding | None, Evidence | None]:
    """The deviation with the smallest request, and that request; None where there is none."""
    deviations = smallest_first(result.deviations)
    return (deviations[0], smallest_request(deviations[0])) if deviations else (None, None)


def smallest_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in the order of their smallest request; those without evidence come last."""

    def size(finding: Finding) -> int:
        evidence = smallest_request(finding)
        return len(evidence.request) if evidence else 1 << 60

    return sorted(findings, key=size)


def smallest_request(finding: Finding) -> Evidence | None:
    """The evidence with the smallest request; None if the finding has no evidence."""
    return min(finding.evidence, key=lambda evidence: len(evidence.request), default=None)


def request_text(evidence: Evidence, limit: int, *, aside: str = "") -> str:
    """The request without its routine headers, in at most `limit` characters; `aside` follows the first line."""
    head, _, body = evidence.request.partition("\n\n")
    first, *headers = head.split("\n")
    lines = [first + aside, *(header for header in headers if header.partition(":")[0].lower() not in _ROUTINE)]
    return printable("\n".join([*lines, "", body] if body else lines), limit)


@dataclass(frozen=True, slots=True)
class CurlLine:
    """A line or a script to paste, or the reason why there is none."""

    line: str = ""
    problem: str = ""
    is_script: bool = False


def curl_line(finding: Finding | None, limit: int = _LONGEST_CURL) -> CurlLine:
    """What repeats a finding: the script of several requests, or the curl line of the smallest one.

    It has at most `limit` characters, a script twice as many.
    """
    if finding is not None and finding.script is not None:
        shown = "\n".join(map(shell_line, finding.script.commands))
        if "\0" not in shown and len(shown) <= 2 * limit:
            return CurlLine(shown, is_script=True)
    evidence = smallest_request(finding) if finding is not None else None
    if evidence is None or not evidence.curl:
        return CurlLine()
    if "\0" in evidence.curl:
        return CurlLine(problem="There is no curl line: the request contains a NUL character.")
    if len(evidence.curl) > limit or len(line := shell_line(evidence.curl)) > limit:
        return CurlLine(problem=f"The curl line has {len(evidence.curl):,} characters; see verdict.json.")
    return CurlLine(line)
