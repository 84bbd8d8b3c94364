"""Clauses as the page shows them: those to mend first, each with what shows it, and the matrix of all.

Whatever a deployment sent is made inert here, and cut to an `Allowance`; the templates escape it, as they do all text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ringback.contract.clauses import SECTIONS, Level
from ringback.contract.verdict import ClauseResult, Evidence, Finding, Verdict
from ringback.contract.waivers import WaiverUse
from ringback.reporting.html.figures import count
from ringback.reporting.model.run import RunReport
from ringback.reporting.model.safe import one_line, printable, shell_line
from ringback.reporting.terminal.layout import MARKS

__all__ = ["ALLOWANCES", "Allowance", "Cell", "Section", "Shown", "opened", "sections", "to_mend", "waivers"]

_BINDING = {
    Level.MUST: "The API's documentation says so.",
    Level.SHOULD: "It follows from the documentation, HTTP or JSON.",
    Level.ADVISORY: "Good practice; a deviation only warns.",
}
_CURL = 3_000
"""Characters of a curl line that a reader can still be expected to paste."""
_VARIABLE = re.compile(r"\$\{?(RINGBACK_[A-Z0-9_]+)")
_ROUTINE = {"host", "accept", "accept-encoding", "connection", "content-length", "user-agent"}
"""Headers that each request carries and no reader looks for."""
_NUMBERS = 6
_LEVELS = {Level.MUST: 0, Level.SHOULD: 1, Level.ADVISORY: 2}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much is told: characters of a paragraph and of a message, findings of a clause, rows of a table."""

    paragraph: int
    message: int
    findings: int
    rows: int


ALLOWANCES = (
    Allowance(1_200, 6_000, 6, 1_200),
    Allowance(800, 2_500, 3, 1_200),
    Allowance(400, 1_000, 2, 600),
    Allowance(200, 300, 1, 200),
    Allowance(120, 80, 1, 50),
)
"""From generous to meagre: the page takes the first with which it is small enough."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One finding, with the smallest exchange that shows it."""

    test: str
    summary: str
    expected: str
    observed: str
    request: str
    response: str
    exchange: int | None
    see_also: str
    curl: str
    """A line to paste; empty if there is none."""
    curl_aside: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One clause."""

    id: str
    title: str
    level: str
    verdict: str
    word: str
    mark: str
    statement: str
    binding: str
    basis: str
    expects: str
    mend: str
    summary: str
    waiver: str
    shown: tuple[Shown, ...]
    left_out: str
    observed_in: tuple[str, ...]
    """The tests that found the clause kept."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the contract."""

    key: str
    title: str
    cells: tuple[Cell, ...]
    passed: int


@dataclass(frozen=True, slots=True)
class WaiverRow:
    """A waiver of the configuration."""

    clause: str
    reason: str
    expires: str
    fate: str
    needless: bool


def sections(report: RunReport, allowance: Allowance) -> tuple[Section, ...]:
    """All clauses of the run, by section."""
    found = []
    for key, title in SECTIONS.items():
        results = [result for result in report.results if result.clause.section == key]
        if results:
            cells = tuple(_cell(result, allowance) for result in results)
            found.append(Section(key, title, cells, sum(result.verdict is Verdict.PASS for result in results)))
    return tuple(found)


def to_mend(report: RunReport, allowance: Allowance) -> tuple[Cell, ...]:
    """The broken clauses, those first on which the documentation itself insists."""
    broken = [result for result in report.results if result.verdict is Verdict.FAIL]
    return tuple(_cell(result, allowance) for result in sorted(broken, key=lambda r: _LEVELS[r.clause.level]))


def opened(report: RunReport) -> tuple[tuple[str, str], ...]:
    """What could not be decided: a clause id (or nothing) and the reason. What clauses and limits tell is left out."""
    found = [
        (result.clause.id, one_line(result.summary, 400))
        for result in report.results
        if result.verdict is Verdict.INCONCLUSIVE
    ]
    told = {f"{result.clause.id}: {result.summary}" for result in report.results}
    told |= {f"{held.metric} {held.limit}{end}" for held in report.limits for end in ("", ": not measured")}
    found += [("", one_line(reason, 400)) for reason in report.conclusion.reasons if reason not in told]
    return tuple(found)


def waivers(report: RunReport) -> tuple[WaiverRow, ...]:
    """What became of each waiver of the configuration; those that may be deleted come first."""
    ranked = sorted(report.waivers, key=lambda use: not use.needless)
    return tuple(
        WaiverRow(use.clause, one_line(use.reason, 300), use.expires.isoformat(), _fate(use), use.needless)
        for use in ranked
    )


def _fate(use: WaiverUse) -> str:
    if use.shadowed:
        return "delete it: a later waiver of this clause stands in its place"
    if use.needless:
        return "delete it: the clause holds"
    if use.applied:
        return "it waived a deviation"
    return "the clause could not be decided" if use.verdict is not None else "the run was not asked about the clause"


def _cell(result: ClauseResult, allowance: Allowance) -> Cell:
    clause = result.clause
    telling = _telling(result)
    shown = tuple(_shown(finding, result, allowance) for finding in telling[: allowance.findings])
    left = len(telling) - len(shown)
    kept = [f.test for f in result.findings if f.verdict is Verdict.PASS]
    return Cell(
        id=clause.id,
        title=clause.title,
        level=clause.level.value,
        verdict=result.verdict.value,
        word=result.verdict.value.replace("-", " "),
        mark=MARKS[result.verdict],
        statement=clause.statement,
        binding=_BINDING[clause.level],
        basis=clause.basis,
        expects=clause.expects,
        mend=clause.mend,
        summary=one_line(result.summary, 400),
        waiver=one_line(result.waiver or "", 400),
        shown=shown,
        left_out=f"{count(left)} more {'finding is' if left == 1 else 'findings are'} in verdict.json." if left else "",
        observed_in=tuple(one_line(test, 160) for test in kept[:12]),
    )


def _telling(result: ClauseResult) -> Sequence[Finding]:
    """The findings that made the verdict what it is, those with the smallest request first."""
    if result.verdict is Verdict.INCONCLUSIVE:
        found = [f for f in result.findings if f.verdict is Verdict.INCONCLUSIVE]
    else:
        found = list(result.deviations)
    return sorted(found, key=lambda f: min((len(e.request) for e in f.evidence), default=1 << 60))


def _shown(finding: Finding, result: ClauseResult, allowance: Allowance) -> Shown:
    evidence = min(finding.evidence, key=lambda e: len(e.request)) if finding.evidence else None
    observed = finding.observed or finding.summary or result.summary
    summary = finding.summary if finding.summary != observed else ""
    curl, aside = _curl(evidence)
    return Shown(
        test=one_line(finding.test, 200),
        summary=printable(summary, allowance.paragraph),
        expected=printable(finding.expected or result.clause.expects, allowance.paragraph),
        observed=printable(observed, allowance.paragraph),
        request=_request(evidence, allowance.message) if evidence else "",
        response=printable(evidence.response, allowance.message) if evidence else "",
        exchange=evidence.exchange if evidence else None,
        see_also=_see_also(finding, evidence),
        curl=curl,
        curl_aside=aside,
    )


def _request(evidence: Evidence, limit: int) -> str:
    head, _, body = evidence.request.partition("\n\n")
    first, *headers = head.split("\n")
    told = [first, *(header for header in headers if header.partition(":")[0].lower() not in _ROUTINE)]
    return printable("\n".join([*told, "", body] if body else told), limit)


def _see_also(finding: Finding, evidence: Evidence | None) -> str:
    others = [str(other.exchange) for other in finding.evidence if other is not evidence]
    if not others:
        return ""
    more = f" and {count(len(others) - _NUMBERS)} more" if len(others) > _NUMBERS else ""
    return (
        f"See also exchange{'s' if len(others) > 1 else ''} {', '.join(others[:_NUMBERS])}{more} in exchanges.ndjson."
    )


def _curl(evidence: Evidence | None) -> tuple[str, str]:
    if evidence is None or not evidence.curl:
        return "", ""
    if "\0" in evidence.curl:
        return "", "There is no curl line: the request holds a NUL character, and no command line can."
    if len(evidence.curl) > _CURL or len(pasted := shell_line(evidence.curl)) > _CURL:
        return "", f"The curl line has {count(len(evidence.curl))} characters; it is in verdict.json."
    names = sorted(set(_VARIABLE.findall(evidence.curl)))
    return pasted, f"Set {' and '.join(names)} in your shell first." if names else ""
