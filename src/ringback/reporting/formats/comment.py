"""`comment.md`: the verdict, and the change since an earlier run, for a comment that many people can read.

It consists of fixed words, numbers, clauses of the catalogue and names of limits and metrics. It has no text from a
deployment, no evidence and no address. Everything else is in the run's other reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ringback.comparison import Change, Comparison, LoadComparison, Significance
from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import Verdict
from ringback.reporting.formats.markdown import MARKS, code, command_word, inert, table
from ringback.reporting.model.verdicts import headline, plural, spans, with_verdict
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import COMMENT_FILE
from ringback.rundir.run import RunReport

__all__ = ["comment", "write_comment"]

_LISTED: Final = 20
_NAME: Final = 100
_REASON: Final = 300
_CHANGES: Final = {
    Change.REGRESSION: "Broken now, held before",
    Change.FIXED: "Hold now, broken before",
    Change.UNDECIDED: "Not observed in one of the runs",
    Change.OTHER: "Another verdict than before",
}
_WORDS: Final = {Verdict.PASS: "held", Verdict.FAIL: "broken", Verdict.INCONCLUSIVE: "undecided"}


def write_comment(report: RunReport, comparison: Comparison | None, directory: Path) -> Path:
    """Write `comment.md` into the run's directory, whole or not at all, and return its path. Raises OSError."""
    return write_whole(directory / COMMENT_FILE, SINK.document(comment(report, comparison)))


def comment(report: RunReport, comparison: Comparison | None) -> str:
    """The comment in GitHub Flavored Markdown; without a comparison, the verdict alone."""
    blocks = [*_verdict(report), *(_no_change_known() if comparison is None else _changes(comparison))]
    return "\n\n".join(blocks) + "\n"


def _verdict(report: RunReport) -> Iterator[str]:
    verdict = report.conclusion.verdict
    yield f"### {MARKS[verdict]} Ringback {command_word(report.command)}: {verdict.value}"
    yield f"<p>{inert(headline(report))}</p>"
    broken = [
        (f"<b>{result.clause.id}</b>", result.clause.level.value, _title(result.clause.id))
        for result in with_verdict(report, Verdict.FAIL)
    ]
    yield from _listed(("broken clause", "level", ""), broken)
    failed = [
        (code(f"{held.metric} {held.limit}", _NAME), _figure(held.value))
        for held in report.limits
        if held.verdict is Verdict.FAIL
    ]
    yield from _listed(("broken limit", "measured"), failed)


def _no_change_known() -> Iterator[str]:
    yield "<p>There is no earlier run to compare with.</p>"


def _changes(comparison: Comparison) -> Iterator[str]:
    old = comparison.old
    yield f"<p><b>Since the run of {old.started:%Y-%m-%d %H:%M} UTC</b> ({old.conclusion.verdict.value}):</p>"
    if old.deployment != comparison.new.deployment:
        yield "<p>The runs tested different deployments.</p>"
    if old.version != comparison.new.version:
        yield "<p>Different versions of Ringback made the runs.</p>"
    found = [*_clauses(comparison), *_limits(comparison), *_load(comparison.load)]
    if found:
        yield "\n".join(["<ul>", *(f"<li>{item}</li>" for item in found), "</ul>"])
    yield f"<p>{_same(comparison)}</p>"


def _clauses(comparison: Comparison) -> Iterator[str]:
    for change, words in _CHANGES.items():
        ids = [clause.id for clause in comparison.clauses if clause.change is change]
        if ids:
            yield f"{words}: <b>{inert(spans(ids))}</b>"


def _limits(comparison: Comparison) -> Iterator[str]:
    changed = [held for held in comparison.limits if held.change is not Change.SAME]
    for held in changed[:_LISTED]:
        was, now = (
            f"{'not set' if verdict is None else _WORDS.get(verdict, verdict.value)} ({_figure(value)})"
            for verdict, value in ((held.old, held.old_value), (held.new, held.new_value))
        )
        yield f"{code(f'{held.metric} {held.limit}', _NAME)}: {was} → {now}"


def _load(load: LoadComparison | None) -> Iterator[str]:
    if load is None:
        return
    if load.undecided:
        yield f"Load figures could not all be compared: {code(load.undecided, _REASON)}"
    for metric in load.metrics:
        moved = metric.significance in {Significance.WORSE, Significance.BETTER}
        untested = metric.significance is Significance.SHOWN and metric.change != 0 and not load.not_comparable
        if moved or untested:
            word = metric.significance.value if moved else "not tested for noise"
            change = "" if metric.change is None else f", {metric.change:+.1%}"
            unit = "" if metric.unit == "share" else f" {metric.unit}"
            figures = f"{_figure(metric.old)} → {_figure(metric.new)}{unit}{change}"
            yield f"{code(metric.name, _NAME)}: {figures} ({word})"


def _same(comparison: Comparison) -> str:
    """What was compared and has not changed."""
    tested = {Significance.NOISE, Significance.SMALL}
    load = comparison.load.metrics if comparison.load is not None else ()
    counts = (
        ("clause", sum(clause.change is Change.SAME for clause in comparison.clauses)),
        ("limit", sum(held.change is Change.SAME for held in comparison.limits)),
        ("load figure", sum(metric.significance in tested for metric in load)),
    )
    same = [plural(count, noun) for noun, count in counts if count]
    return f"Unchanged: {', '.join(same)}." if same else "Nothing that both runs observed is unchanged."


def _listed(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield table(head, rows[:_LISTED])
    if len(rows) > _LISTED:
        yield f"<p>{len(rows) - _LISTED} more, in verdict.json</p>"


def _title(clause: str) -> str:
    """The catalogue's title; a clause that it does not have is the user's own."""
    return inert(CLAUSES[clause].title) if clause in CLAUSES else "a clause of your own"


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:,.4g}"
