"""A run on the terminal: the plan before it, the report after it.

The report goes from sections to failures to notes. Its last line sums it up; `--quiet` prints only that line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ringback.contract.clauses import SECTIONS
from ringback.contract.verdict import ClauseResult, ExitCode, Verdict
from ringback.reporting.model.safe import one_line
from ringback.reporting.model.verdicts import (
    MARKS,
    WORDS,
    WORST_FIRST,
    by_section,
    own_reasons,
    plural,
    spans,
    with_verdict,
)
from ringback.reporting.terminal.failures import print_failures
from ringback.reporting.terminal.layout import (
    NOTE,
    OPEN,
    STYLES,
    bullets,
    hanging,
    heading,
    joined,
    line,
    packed,
    page_width,
)
from ringback.reporting.terminal.load import print_load
from ringback.reporting.terminal.progress import Progress
from ringback.reporting.terminal.screen import console, is_terse
from ringback.rundir.run import RunReport

__all__ = ["Progress", "console", "print_plan", "print_report"]

_EXITS = {
    ExitCode.OK: "every decided clause and limit held",
    ExitCode.BROKEN: "the deployment broke a clause or a limit",
    ExitCode.INCONCLUSIVE: "no verdict: something could not be decided",
    ExitCode.INTERRUPTED: "interrupted; what was observed so far is reported",
}
_WIDEST_IDS = 20
"""Columns that clause ids may take; the reason of a longer list goes to the next line."""
_ROOM_BESIDE_TITLES = 40
_NAMED = 5
"""Broken clauses and limits that the last line names."""
_ENTRY = 300
"""Characters of a one-line entry, before wrapping."""
_PARAGRAPH = 600
"""Characters of a reason of the run."""


def print_plan(console: Console, lines: Sequence[tuple[str, str]], *, when_quiet: str = "") -> None:
    """Print a plan, one label with its text per line; when quiet, only the line `when_quiet`, if there is one."""
    if is_terse(console):
        if when_quiet:
            line(console, one_line(when_quiet, 2_000))
        return
    width = max((len(label) for label, _ in lines), default=0)
    for label, text in lines:
        lead = Text(f"{one_line(label, 40):<{width}}  ", "dim")
        hanging(console, lead, Text(one_line(text, 2_000)))


def print_report(console: Console, report: RunReport, directory: Path) -> None:
    """Print a run whose reports are in `directory`; when quiet, its last line only."""
    if not is_terse(console):
        _print_header(console, report)
        _print_sections(console, report)
        bullets(console, "This run", own_reasons(report), OPEN, _PARAGRAPH)
        print_failures(console, report)
        _print_entries(console, "Warnings", report, Verdict.WARN)
        _print_entries(console, "Could not be decided", report, Verdict.INCONCLUSIVE)
        _print_entries(console, "Not exercised", report, Verdict.NOT_EXERCISED)
        _print_entries(console, "Waived: you accepted these deviations", report, Verdict.WAIVED)
        _print_limits(console, report)
        if report.load is not None:
            print_load(console, report.load)
        bullets(console, "Notes", report.notes, NOTE, _ENTRY)
        line(console)
    _print_last_line(console, report, directory)


def _print_header(console: Console, report: RunReport) -> None:
    where = Text(one_line(report.base_url, _ENTRY), "bold")
    if report.embedded:
        with_faults = f" with {one_line(', '.join(report.variation), _ENTRY)}" if report.variation else ""
        where.append(f" (the embedded sandbox{with_faults})", style="not bold")
    line(console)
    hanging(console, Text(f"ringback {report.command}  ", "bold"), where)
    facts = [
        f"{report.started.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        f"level {report.level.value}",
        f"seed {report.seed}",
    ]
    line(console, joined(facts), "dim")


def _print_sections(console: Console, report: RunReport) -> None:
    if not report.results:
        return
    line(console)
    sections = by_section(report)
    width = max(len(SECTIONS[section]) for section in sections)
    if page_width(console) < width + _ROOM_BESIDE_TITLES:
        width = 0
    for section, results in sections.items():
        passed = sum(result.verdict is Verdict.PASS for result in results)
        worst = next(verdict for verdict in WORST_FIRST if any(r.verdict is verdict for r in results))
        lead = Text.assemble(
            (f"{MARKS[worst]} {section}  ", STYLES[worst]),
            f"{SECTIONS[section]:<{width}}  " if width else "",
            f"{f'{passed}/{len(results)}':>5} pass  ",
        )
        beside = [_ids(results, verdict) for verdict in WORST_FIRST[:-1]]
        hanging(console, lead, packed(beside, page_width(console) - lead.cell_len))


def _ids(results: Sequence[ClauseResult], verdict: Verdict) -> Text:
    ids = spans([result.clause.id for result in results if result.verdict is verdict])
    return Text(f"{WORDS[verdict]} {ids}", STYLES[verdict]) if ids else Text()


def _print_entries(console: Console, title: str, report: RunReport, verdict: Verdict) -> None:
    """Print the clauses of one verdict, those with the same reason together."""
    by_reason: dict[str, list[ClauseResult]] = {}
    own = own_reasons(report)
    for result in with_verdict(report, verdict):
        by_reason.setdefault(_reason(result, own), []).append(result)
    if not by_reason:
        return
    heading(console, title)
    for reason, results in by_reason.items():
        ids = spans([result.clause.id for result in results])
        lead = Text(f"{MARKS[verdict]} ", STYLES[verdict])
        if len(ids) <= _WIDEST_IDS:
            hanging(console, Text.assemble(lead, (ids, STYLES[verdict]), "  "), Text(reason))
        else:
            hanging(console, lead, Text(ids, STYLES[verdict]))
            hanging(console, Text("  "), Text(reason))


def _reason(result: ClauseResult, own: Sequence[str]) -> str:
    if result.verdict is Verdict.INCONCLUSIVE and result.summary in own:
        return "for the reason above"
    reason = one_line(result.summary, _ENTRY) or result.clause.title
    if result.verdict is Verdict.WAIVED:
        reason += f" (waived: {one_line(result.waiver or 'no reason given', _ENTRY)})"
    return reason


def _print_limits(console: Console, report: RunReport) -> None:
    if not report.limits:
        return
    heading(console, "Limits")
    metrics = [one_line(held.metric, 100) for held in report.limits]
    bounds = [one_line(held.limit, 100) for held in report.limits]
    wide, narrow = max(map(len, metrics)), max(map(len, bounds))
    for metric, bound, held in zip(metrics, bounds, report.limits, strict=True):
        measured = "not measured" if held.value is None else f"{WORDS[held.verdict]}: {held.value:,.6g}"
        why = f" ({one_line(held.why, _ENTRY)})" if held.why else ""
        style = STYLES[held.verdict]
        row = (f"{MARKS[held.verdict]} ", style), f"{metric:<{wide}}  {bound:<{narrow}}  "
        hanging(console, Text.assemble(*row), Text(measured + why, style))


def _print_last_line(console: Console, report: RunReport, directory: Path) -> None:
    code = report.conclusion.exit_code
    parts = [
        _broken(report),
        _counted(report),
        report.calls_placed(),
        f"{report.seconds:.1f} s",
        f"reports in {one_line(str(directory), 1_000)}",
        f"exit {code}: {_why(console, report)}",
    ]
    style = STYLES[report.conclusion.verdict]
    line(console, Text.assemble((f"{report.conclusion.verdict.value.upper()}  ", style), joined(parts)))


def _why(console: Console, report: RunReport) -> str:
    """What the exit code means; when quiet, the first reason of a run without a verdict."""
    code = report.conclusion.exit_code
    undecided = (_reason(result, ()) for result in with_verdict(report, Verdict.INCONCLUSIVE))
    reasons = list(dict.fromkeys([*own_reasons(report), *undecided])) or list(report.conclusion.reasons)
    if code != ExitCode.INCONCLUSIVE or not reasons or not is_terse(console):
        return _EXITS.get(code, "not a verdict")
    more = f" (and {plural(len(reasons) - 1, 'more reason')})" if len(reasons) > 1 else ""
    return f"no verdict: {one_line(reasons[0], _ENTRY)}{more}"


def _broken(report: RunReport) -> str:
    broken = [result.clause.id for result in report.results if result.verdict is Verdict.FAIL]
    broken += [one_line(held.metric, 100) for held in report.limits if held.verdict is Verdict.FAIL]
    if not broken:
        return ""
    more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
    return f"broken: {', '.join(broken[:_NAMED])}{more}"


def _counted(report: RunReport) -> str:
    counts = report.counts()
    parts = [f"{counts[Verdict.PASS]} of {len(report.results)} clauses pass"] if report.results else []
    parts += [f"{counts[verdict]} {WORDS[verdict]}" for verdict in WORST_FIRST[1:-1] if counts[verdict]]
    if report.limits:
        held = sum(limit.verdict is Verdict.PASS for limit in report.limits)
        parts.append(f"{held} of {len(report.limits)} limits hold")
    return ", ".join(parts) or "nothing was decided"
