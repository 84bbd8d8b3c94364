"""A replay on the terminal and as `replay.json`: the expected, the recorded and the new answer, and the differences."""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ringback import __version__
from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import ExitCode
from ringback.reporting.model.safe import one_line, printable
from ringback.reporting.model.verdicts import plural
from ringback.reporting.terminal.layout import field as labelled
from ringback.reporting.terminal.layout import hanging, heading, joined, line, quotation
from ringback.reporting.terminal.screen import is_terse
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import REPLAY_FILE

__all__ = ["ReplayReport", "ReplayedClause", "ReplayedStep", "differences", "print_replay", "write_replay"]

_SCHEMA = "ringback/replay/1"
_ROUTINE = frozenset({"date", "content-length", "connection", "keep-alive"})
"""Headers that differ from answer to answer."""
_PARAGRAPH = 600
_QUOTED = 4_000
_LINES = 16
_STYLES = {
    ExitCode.OK: "bold green",
    ExitCode.BROKEN: "bold red",
    ExitCode.INCONCLUSIVE: "bold yellow",
    ExitCode.INTERRUPTED: "bold yellow",
}
_WORDS = {
    ExitCode.OK: "as expected now",
    ExitCode.BROKEN: "the deviation is still there",
    ExitCode.INCONCLUSIVE: "undecided",
    ExitCode.INTERRUPTED: "interrupted",
}


@dataclass(frozen=True, slots=True)
class ReplayedClause:
    """A clause that cites the exchange, and the result of the replay."""

    id: str
    test: str
    expected: str
    observed: str
    """What the run observed."""
    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReplayedStep:
    """One request, with the recorded and the new answer."""

    exchange: int
    purpose: str
    request: str
    then: str
    now: str
    """The recorded and the new answer in readable form, or why there is none."""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The recorded and the new answers to the requests of a replay; all texts are redacted."""

    run: str
    """The run's directory, as given."""
    steps: tuple[ReplayedStep, ...]
    """In the order of sending; one at least."""
    clauses: tuple[ReplayedClause, ...]
    exit_code: int
    reason: str
    """One sentence on the outcome as a whole."""
    base_url: str
    calls: int
    """Calls that were or may have been placed."""
    restored: tuple[str, ...] = field(default=())
    """What was restored in the request."""

    def __post_init__(self) -> None:
        """Clean all texts before they are compared: the run may come from elsewhere."""
        for name in ("run", "steps", "clauses", "reason", "base_url", "restored"):
            object.__setattr__(self, name, SINK.values(getattr(self, name)))


def differences(then: str, now: str) -> list[str]:
    """The lines in which two answers differ; they begin with `-` (recorded) and `+` (new)."""
    rows = difflib.unified_diff(_comparable(then), _comparable(now), n=0, lineterm="")
    return [row for row in rows if not row.startswith(("---", "+++", "@@"))]


def write_replay(report: ReplayReport, directory: Path) -> Path:
    """Write `replay.json`, whole or not at all, and return its path. Raises OSError."""
    last = report.steps[-1]
    document: dict[str, Any] = {
        "schema": _SCHEMA,
        "ringback": __version__,
        "exit_code": report.exit_code,
        "reason": report.reason,
        "run": report.run,
        "exchange": last.exchange,
        "purpose": last.purpose,
        "base_url": report.base_url,
        "calls": report.calls,
        "restored": list(report.restored),
        "clauses": [asdict(clause) for clause in report.clauses],
        "request": last.request,
        "then": last.then,
        "now": last.now,
        "differences": differences(last.then, last.now),
        "steps": [asdict(step) for step in report.steps],
    }
    return write_whole(directory / REPLAY_FILE, SINK.json_document(document, indent=2))


def print_replay(console: Console, report: ReplayReport, directory: Path) -> None:
    """Print a replay; when quiet, its last line only."""
    if not is_terse(console):
        line(console)
        title = Text.assemble(("ringback replay  ", "bold"), one_line(report.base_url, _PARAGRAPH))
        hanging(console, Text(), title)
        aside = f"restored: {', '.join(report.restored)}" if report.restored else ""
        for index, step in enumerate(report.steps):
            head = f"Exchange {step.exchange}: {one_line(step.purpose, _PARAGRAPH)}"
            heading(console, head, one_line(aside, _QUOTED) if index == 0 else "")
            quotation(console, "request", printable(step.request, _QUOTED), _LINES)
            if len(report.steps) > 1:
                _print_answers(console, step)
        for clause in report.clauses:
            _print_clause(console, clause)
        last = report.steps[-1]
        if len(report.steps) == 1:
            heading(console, "The answers")
            _print_answers(console, last)
        heading(console, "What differs" if len(report.steps) == 1 else f"What differs in exchange {last.exchange}")
        _print_differences(console, differences(last.then, last.now))
        line(console)
    _print_last_line(console, report, directory)


def _print_answers(console: Console, step: ReplayedStep) -> None:
    quotation(console, "then", printable(step.then, _QUOTED), _LINES)
    quotation(console, "now", printable(step.now, _QUOTED), _LINES)


def _print_clause(console: Console, clause: ReplayedClause) -> None:
    line(console)
    hanging(console, Text(f"{clause.id}  ", "bold"), Text(CLAUSES[clause.id].title, "bold"))
    labelled(console, "test", one_line(clause.test, _PARAGRAPH))
    labelled(console, "expected", printable(clause.expected or CLAUSES[clause.id].expects, _PARAGRAPH), "green")
    labelled(console, "observed", printable(clause.observed, _PARAGRAPH), "red")
    outcome = clause.outcome + (f": {clause.reason}" if clause.reason else "")
    labelled(console, "now", one_line(outcome, _PARAGRAPH), "bold")


def _print_differences(console: Console, rows: Sequence[str]) -> None:
    if not rows:
        line(console, "  nothing but headers such as date", "dim")
    for row in rows[:_LINES]:
        style = "red" if row.startswith("-") else "green"
        hanging(console, Text("  "), Text(one_line(row, _PARAGRAPH), style))
    if len(rows) > _LINES:
        line(console, f"  … and {len(rows) - _LINES} more lines, in {REPLAY_FILE}", "dim")


def _print_last_line(console: Console, report: ReplayReport, directory: Path) -> None:
    calls = f"{plural(report.calls, 'call')} placed" if report.calls else "no call placed"
    parts: list[str | Text] = [
        Text(_WORDS[report.exit_code], _STYLES[report.exit_code]),
        ", ".join(dict.fromkeys(clause.id for clause in report.clauses)),
        one_line(report.reason, _PARAGRAPH),
        calls,
        one_line(str(directory), _PARAGRAPH),
        f"exit {report.exit_code}",
    ]
    line(console, joined(parts))


def _comparable(answer: str) -> list[str]:
    head, _, body = answer.partition("\n\n")
    kept = [row for row in head.split("\n") if row.partition(":")[0].strip().lower() not in _ROUTINE]
    return [*kept, "", *_body(body)]


def _body(text: str) -> Iterator[str]:
    with contextlib.suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=1)
    yield from text.split("\n")
