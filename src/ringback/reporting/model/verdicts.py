"""Verdicts as all reports show them: marks, words, order, and the sentence that sums up a run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from ringback.contract.clauses import SECTIONS
from ringback.contract.verdict import ClauseResult, ExitCode, RunVerdict, Verdict
from ringback.rundir.run import RunReport

__all__ = ["MARKS", "WORDS", "WORST_FIRST", "by_section", "headline", "own_reasons", "plural", "spans", "with_verdict"]

MARKS: Final = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.WARN: "!",
    Verdict.WAIVED: "~",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_EXERCISED: "–",
}
WORDS: Final = {verdict: verdict.value.replace("-", " ") for verdict in Verdict}
WORST_FIRST: Final = (
    Verdict.FAIL,
    Verdict.INCONCLUSIVE,
    Verdict.WARN,
    Verdict.WAIVED,
    Verdict.NOT_EXERCISED,
    Verdict.PASS,
)


def headline(report: RunReport) -> str:
    """One sentence of fixed words and numbers: how many clauses and limits are broken or undecided."""
    counts = report.counts()
    broken_limits = sum(held.verdict is Verdict.FAIL for held in report.limits)
    parts = []
    if counts[Verdict.FAIL]:
        parts.append(f"{counts[Verdict.FAIL]} of {plural(len(report.results), 'clause')} broken")
    if broken_limits:
        parts.append(f"{broken_limits} of {plural(len(report.limits), 'limit')} broken")
    if counts[Verdict.INCONCLUSIVE]:
        parts.append(f"{plural(counts[Verdict.INCONCLUSIVE], 'clause')} undecided")
    if unmeasured := sum(held.verdict is Verdict.INCONCLUSIVE for held in report.limits):
        parts.append(f"{plural(unmeasured, 'limit')} not measured")
    if report.conclusion.exit_code == ExitCode.INTERRUPTED:
        parts.append("interrupted")
    if not parts and report.conclusion.verdict is RunVerdict.INCONCLUSIVE:
        parts.append("no verdict could be reached")
    if report.results:
        parts.append(f"{counts[Verdict.PASS]} of {plural(len(report.results), 'clause')} pass")
    elif report.limits and not broken_limits and report.conclusion.verdict is RunVerdict.PASS:
        parts.append(f"{plural(len(report.limits), 'limit')} held")
    return ", ".join(parts) or "nothing was tested"


def with_verdict(report: RunReport, verdict: Verdict) -> list[ClauseResult]:
    """The results of one verdict, in the contract's order."""
    return [result for result in report.results if result.verdict is verdict]


def by_section(report: RunReport) -> dict[str, list[ClauseResult]]:
    """Section key -> its results, in the contract's order; sections without a result are left out."""
    found: dict[str, list[ClauseResult]] = {section: [] for section in SECTIONS}
    for result in report.results:
        found[result.clause.section].append(result)
    return {section: results for section, results in found.items() if results}


def own_reasons(report: RunReport) -> list[str]:
    """The reasons for the run's verdict, without those that only repeat a clause or a limit."""
    clauses = [f"{result.clause.id}: " for result in report.results]
    limits = [f"{held.metric} {words}" for held in report.limits for words in (f"{held.limit}: ", "was ")]
    return [reason for reason in report.conclusion.reasons if not reason.startswith((*clauses, *limits))]


def spans(ids: Sequence[str]) -> str:
    """Clause ids in their order, with three or more in a row as a span: `DST-01 to DST-07, ROB-02`."""
    parts: list[str] = []
    for _, run in itertools.groupby(enumerate(ids), key=lambda entry: (entry[1][:4], int(entry[1][4:]) - entry[0])):
        ids_in_a_row = [clause_id for _, clause_id in run]
        parts += ids_in_a_row if len(ids_in_a_row) < 3 else [f"{ids_in_a_row[0]} to {ids_in_a_row[-1]}"]
    return ", ".join(parts)


def plural(count: int, noun: str) -> str:
    """`1 clause`, `2 clauses`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
