"""A comparison of two runs on the terminal, and its document in a file.

The last line sums up the comparison; `--quiet` prints only that line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ringback.comparison import (
    Change,
    ClauseChange,
    Comparison,
    LimitChange,
    LoadComparison,
    Metric,
    Significance,
    comparison_document,
    in_words,
)
from ringback.contract.verdict import ExitCode
from ringback.reporting.model.safe import one_line
from ringback.reporting.terminal.layout import NOTE, OPEN, STYLES, bullets, hanging, heading, joined, line
from ringback.reporting.terminal.screen import is_terse
from ringback.rundir import SINK, write_whole
from ringback.rundir.verdict import SavedRun
from ringback.rundir.windows import SavedWindows

__all__ = ["print_comparison", "write_comparison"]

_TITLES = {
    Change.REGRESSION: "Regressions: held before, broken now",
    Change.UNDECIDED: "Undecided: not observed in one of the runs",
    Change.FIXED: "Fixed: broken before, hold now",
    Change.OTHER: "Other changes",
}
_STYLES = {
    Change.REGRESSION: "bold red",
    Change.UNDECIDED: "bold yellow",
    Change.FIXED: "green",
    Change.OTHER: "dim",
}
_SIGNIFICANCES = {
    Significance.WORSE: ("worse", "bold red"),
    Significance.BETTER: ("better", "green"),
    Significance.SMALL: ("beyond noise, but too small to matter", "dim"),
    Significance.NOISE: ("within noise", "dim"),
    Significance.TOO_FEW: ("too few windows to decide", "yellow"),
    Significance.SHOWN: ("not tested", "dim"),
}
_ENDS = {
    ExitCode.OK: ("no regression", "bold green"),
    ExitCode.BROKEN: ("regression", "bold red"),
    ExitCode.INCONCLUSIVE: ("undecided", "bold yellow"),
}
_SENTENCE = 300
_NAMED = 5


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """Write the document `ringback/comparison/1`, whole or not at all, and return its path. Raises OSError."""
    without_files = replace(
        comparison,
        old=replace(comparison.old, results=(), windows=SavedWindows()),
        new=replace(comparison.new, results=(), windows=SavedWindows()),
    )
    document = comparison_document(SINK.values(without_files))
    return write_whole(path, SINK.json_document(document, indent=2))


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print what changed between two runs; when quiet, the last line only."""
    if not is_terse(console):
        _print_runs(console, comparison)
        for change in _TITLES:
            _print_clauses(console, change, comparison.clauses)
        _print_limits(console, comparison.limits)
        if comparison.load is not None:
            _print_load(console, comparison.load, comparison.least_change)
        bullets(console, "A regression can't be ruled out", comparison.undecided, OPEN, _SENTENCE)
        bullets(console, "Notes", comparison.notes, NOTE, _SENTENCE)
        line(console)
    _print_last_line(console, comparison)


def _print_runs(console: Console, comparison: Comparison) -> None:
    line(console)
    for label, run in (("old", comparison.old), ("new", comparison.new)):
        hanging(console, Text(f"{label}  ", "bold"), _run(run))


def _run(run: SavedRun) -> Text:
    parts: list[str | Text] = [
        Text(one_line(run.deployment, _SENTENCE), "bold"),
        f"{run.started:%Y-%m-%d %H:%M:%S} UTC",
        one_line(run.command, 20),
        Text(run.conclusion.verdict.value, STYLES[run.conclusion.verdict]),
        one_line(str(run.path), _SENTENCE),
    ]
    return joined(parts)


def _print_clauses(console: Console, change: Change, clauses: Sequence[ClauseChange]) -> None:
    found = [clause for clause in clauses if clause.change is change]
    if not found:
        return
    heading(console, _TITLES[change])
    for clause in found:
        words = f"{in_words(clause.old)} -> {in_words(clause.new)}"
        aside = "" if clause.counts else f" ({clause.level.value}: does not affect the exit code)"
        lead = Text.assemble((f"{clause.id}  ", _STYLES[change]), f"{words:<28}  ")
        hanging(
            console, lead, Text(f"{one_line(clause.summary, _SENTENCE) or one_line(clause.title, _SENTENCE)}{aside}")
        )


def _print_limits(console: Console, limits: Sequence[LimitChange]) -> None:
    moved = [held for held in limits if held.change is not Change.SAME]
    if not moved:
        return
    heading(console, "Limits that changed")
    for held in moved:
        lead = Text(f"{one_line(held.metric, 100)} {one_line(held.limit, 100)}  ", _STYLES[held.change])
        verdicts = (
            f"{in_words(held.old)} ({_figure(held.old_value)}) -> {in_words(held.new)} ({_figure(held.new_value)})"
        )
        hanging(console, lead, Text(verdicts))


def _print_load(console: Console, load: LoadComparison, least_change: float) -> None:
    aside = (
        f"Steady windows: {load.windows[0]} and {load.windows[1]}. A change counts if it is beyond noise (permuted "
        "blocks of windows, for counts Fisher's exact test; p-values by Holm's method, 5 % in all) and at least "
        f"{100 * least_change:.3g} % of the older figure, for a latency also 1 ms. Assumes that only the deployment "
        "differs."
    )
    if any(load.limited_windows):
        aside += (
            f" Left out because the generator was the bottleneck: {load.limited_windows[0]} and "
            f"{load.limited_windows[1]} windows."
        )
    heading(console, "Load", aside)
    wide = max((len(metric.name) for metric in load.metrics), default=0)
    for metric in load.metrics:
        line(console, _metric(metric, wide))


def _metric(metric: Metric, wide: int) -> Text:
    word, style = _SIGNIFICANCES[metric.significance]
    if metric.old == metric.new == 0:
        word = "none in either run"
    change = "" if metric.change is None else f"{metric.change:+.1%}"
    figures = f"{_figure(metric.old, metric.unit):>12} -> {_figure(metric.new, metric.unit):<12}"
    p = "" if metric.p is None else f"  p {'< 0.001' if metric.p < 0.001 else f'= {metric.p:.3f}'}"
    block = f", blocks of {metric.shift.block}" if metric.shift is not None and metric.p is not None else ""
    return Text.assemble(f"  {metric.name:<{wide}}  {figures} {change:>8}  ", (word, style), (f"{p}{block}", "dim"))


def _print_last_line(console: Console, comparison: Comparison) -> None:
    code = comparison.exit_code
    word, style = _ENDS[code]
    worse = comparison.regressions
    more = f" and {len(worse) - _NAMED} more" if len(worse) > _NAMED else ""
    fixed = len([clause for clause in comparison.clauses if clause.change is Change.FIXED])
    parts: list[str | Text] = [
        Text(word, style),
        f"worse: {', '.join(one_line(name, 100) for name in worse[:_NAMED])}{more}" if worse else "",
        f"undecided: {len(comparison.undecided)}" if comparison.undecided else "",
        f"{fixed} fixed" if fixed else "",
        f"{len(comparison.clauses)} clauses compared" if comparison.clauses else "",
        f"{len(comparison.load.metrics)} load figures compared" if comparison.load else "",
        f"exit {code}",
    ]
    line(console, joined(parts))


def _figure(value: float | None, unit: str = "") -> str:
    if value is None:
        return "none"
    if unit == "share":
        return f"{value:.3%}"
    return f"{value:,.4g}" + (f" {unit}" if unit else "")
