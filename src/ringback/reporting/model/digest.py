"""What several reports tell in the same way: the one-sentence headline, the smallest evidence, numbers out of a load.

Pure functions of a run. How they look on paper is each report's own business; nothing here escapes anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ringback.contract.verdict import ClauseResult, Evidence, ExitCode, Finding, RunVerdict, Verdict
from ringback.reporting.model.run import RunReport

__all__ = ["clean_text", "headline", "members", "number", "smallest"]


def headline(report: RunReport) -> str:
    """One sentence, of our own words and numbers only: how many clauses and limits broke, or what stayed open."""
    counts = report.counts()
    broken_limits = sum(held.verdict is Verdict.FAIL for held in report.limits)
    told = []
    if counts[Verdict.FAIL]:
        told.append(f"{counts[Verdict.FAIL]} of {_some(len(report.results), 'clause')} broken")
    if broken_limits:
        told.append(f"{broken_limits} of {_some(len(report.limits), 'limit')} broken")
    if counts[Verdict.INCONCLUSIVE]:
        told.append(f"{_some(counts[Verdict.INCONCLUSIVE], 'clause')} undecided")
    if unmeasured := sum(held.verdict is Verdict.INCONCLUSIVE for held in report.limits):
        told.append(f"{_some(unmeasured, 'limit')} not measured")
    if report.conclusion.exit_code == ExitCode.INTERRUPTED:
        told.append("interrupted")
    if not told and report.conclusion.verdict is RunVerdict.INCONCLUSIVE:
        told.append("no verdict could be reached")
    if report.results:
        told.append(f"{counts[Verdict.PASS]} of {_some(len(report.results), 'clause')} pass")
    elif report.limits and not broken_limits and report.conclusion.verdict is RunVerdict.PASS:
        told.append(f"{_some(len(report.limits), 'limit')} held")
    return ", ".join(told) or "nothing was tested"


def smallest(result: ClauseResult) -> tuple[Finding | None, Evidence | None]:
    """The deviation of a clause that the smallest request shows, and that request; None for what there is not."""
    shown = [(finding, evidence) for finding in result.deviations for evidence in finding.evidence]
    if shown:
        return min(shown, key=lambda pair: len(pair[1].request))
    return (result.deviations[0], None) if result.deviations else (None, None)


def members(value: Any, *path: str) -> Mapping[str, Any]:
    """The mapping at a path of member names; an empty one where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def number(value: Any) -> float | None:
    """The value if it is a finite number, None if it is anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def clean_text(text: str) -> str:
    r"""Text that UTF-8 can carry: a lone surrogate becomes visible text such as `\ud800`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
