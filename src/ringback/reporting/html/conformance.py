"""Clauses as the page shows them: the broken ones with their evidence, and the matrix of all.

Text from a deployment is made harmless here and cut to an `Allowance`; the templates escape it, as they do all text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.contract.clauses import SECTIONS, Level
from ringback.contract.verdict import ClauseResult, Evidence, Finding, Verdict, variables_in
from ringback.contract.waivers import WaiverUse
from ringback.reporting.model.evidence import (
    curl_line,
    decisive,
    expected,
    observed,
    request_text,
    smallest_first,
    smallest_request,
)
from ringback.reporting.model.figures import count
from ringback.reporting.model.safe import one_line, printable
from ringback.reporting.model.verdicts import by_section, own_reasons, with_verdict
from ringback.rundir.run import RunReport

__all__ = ["ALLOWANCES", "BINDINGS", "Allowance", "Cell", "Section", "Shown", "broken", "opened", "sections", "waivers"]

BINDINGS: Final = {
    Level.MUST: "The API documentation says so.",
    Level.SHOULD: "It follows from the documentation, HTTP or JSON.",
    Level.ADVISORY: "Good practice; a deviation only warns.",
}
"""Why a clause of a level binds."""
_NUMBERS = 6
_LEVELS = {Level.MUST: 0, Level.SHOULD: 1, Level.ADVISORY: 2}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much is shown: characters of a paragraph and of a message, findings of a clause, rows of a table."""

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
"""In falling order; the page uses the first one that makes it small enough."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One finding with the smallest exchange that shows it."""

    test: str
    summary: str
    expected: str
    observed: str
    request: str
    response: str
    exchange: int | None
    see_also: str
    curl: str
    """A line or a script to paste; empty if there is none."""
    is_script: bool
    curl_aside: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One clause with its result."""

    result: ClauseResult
    shown: tuple[Shown, ...]
    left_out: str
    observed_in: tuple[str, ...]
    """The tests that the clause passed."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the contract."""

    key: str
    title: str
    cells: tuple[Cell, ...]
    passed: int


def sections(report: RunReport, allowance: Allowance) -> tuple[Section, ...]:
    """All clauses of the run, by section."""
    return tuple(
        Section(
            key,
            SECTIONS[key],
            tuple(_cell(result, allowance) for result in results),
            sum(result.verdict is Verdict.PASS for result in results),
        )
        for key, results in by_section(report).items()
    )


def broken(report: RunReport, allowance: Allowance) -> tuple[Cell, ...]:
    """The broken clauses, those of level MUST first."""
    found = sorted(with_verdict(report, Verdict.FAIL), key=lambda result: _LEVELS[result.clause.level])
    return tuple(_cell(result, allowance) for result in found)


def opened(report: RunReport) -> tuple[tuple[str, str], ...]:
    """What could not be decided: a clause id and the reason, or no id and a reason of the whole run."""
    found = [(result.clause.id, one_line(result.summary, 400)) for result in with_verdict(report, Verdict.INCONCLUSIVE)]
    return (*found, *(("", one_line(reason, 400)) for reason in own_reasons(report)))


def waivers(report: RunReport) -> list[tuple[WaiverUse, str]]:
    """The waivers of the configuration with their outcome; those to delete come first."""
    return [(use, _outcome(use)) for use in sorted(report.waivers, key=lambda use: not use.needless)]


def _outcome(use: WaiverUse) -> str:
    if use.shadowed:
        return "delete it: a later waiver of this clause replaces it"
    if use.needless:
        return "delete it: the clause holds"
    if use.applied:
        return "it waived a deviation"
    return "the clause could not be decided" if use.verdict is not None else "the run did not select the clause"


def _cell(result: ClauseResult, allowance: Allowance) -> Cell:
    findings = smallest_first(decisive(result))
    shown = tuple(_shown(finding, result, allowance) for finding in findings[: allowance.findings])
    left = len(findings) - len(shown)
    passed = [f.test for f in result.findings if f.verdict is Verdict.PASS]
    return Cell(
        result,
        shown,
        left_out=f"{count(left)} more {'finding is' if left == 1 else 'findings are'} in verdict.json." if left else "",
        observed_in=tuple(one_line(test, 160) for test in passed[:12]),
    )


def _shown(finding: Finding, result: ClauseResult, allowance: Allowance) -> Shown:
    evidence = smallest_request(finding)
    seen = observed(result, finding)
    summary = finding.summary if finding.summary != seen else ""
    curl = curl_line(finding)
    variables = variables_in([curl.line])
    return Shown(
        test=one_line(finding.test, 200),
        summary=printable(summary, allowance.paragraph),
        expected=printable(expected(result, finding), allowance.paragraph),
        observed=printable(seen, allowance.paragraph),
        request=request_text(evidence, allowance.message) if evidence else "",
        response=printable(evidence.response, allowance.message) if evidence else "",
        exchange=evidence.exchange if evidence else None,
        see_also=_see_also(finding, evidence),
        curl=curl.line,
        is_script=curl.is_script,
        curl_aside=curl.problem or (f"Set {' and '.join(variables)} in your shell first." if variables else ""),
    )


def _see_also(finding: Finding, evidence: Evidence | None) -> str:
    others = [str(other.exchange) for other in finding.evidence if other is not evidence]
    if not others:
        return ""
    more = f" and {count(len(others) - _NUMBERS)} more" if len(others) > _NUMBERS else ""
    return (
        f"See also exchange{'s' if len(others) > 1 else ''} {', '.join(others[:_NUMBERS])}{more} in exchanges.ndjson."
    )
