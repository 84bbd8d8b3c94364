"""The progress line of a check on a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ringback import clock
from ringback.reporting.model.safe import one_line
from ringback.reporting.terminal.live import UPDATES_PER_SECOND, LiveView

__all__ = ["Progress"]

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASCII_SPINNER = "|/-\\"


@dataclass(frozen=True, slots=True)
class _State:
    clauses_done: int = 0
    clauses_total: int = 0
    calls_placed: int = 0
    budget: int = 0
    may_have_dialled: int = 0
    ringing: int = 0
    doing: str = ""


class Progress:
    """A single live line: clauses done, calls placed of the budget, calls still ringing, seconds.

    Shown on a terminal only, drawn at most 8 times a second, and wiped at the end, whatever ended it. `update` may be
    called from any thread, as often as it likes.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state = _State()
        self._begun = clock.monotonic()
        self._view = LiveView(console, self._line)

    def update(
        self,
        clauses_done: int,
        clauses_total: int,
        calls_placed: int,
        budget: int,
        ringing: int,
        doing: str = "",
        may_have_dialled: int = 0,
    ) -> None:
        """Update the line; `doing` is a few words, `budget` 0 means no limit."""
        self._state = _State(clauses_done, clauses_total, calls_placed, budget, may_have_dialled, ringing, doing)

    def __enter__(self) -> Self:
        self._begun = clock.monotonic()
        self._view.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._view.__exit__(*raised)

    def _line(self) -> Text:
        now, elapsed = self._state, clock.monotonic() - self._begun
        spinner = _ASCII_SPINNER if self._console.options.ascii_only else _SPINNER
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(spinner[int(elapsed * UPDATES_PER_SECOND) % len(spinner)] + " ", style="cyan")
        text.append(_fitting(now, f"{elapsed:.0f} s", self._console.width - text.cell_len))
        return text


def _fitting(now: _State, elapsed: str, room: int) -> str:
    """The longest form that fits into so many columns; else the shortest."""
    doing = one_line(now.doing, 200)
    forms = [_said(now, elapsed, doing), _said(now, elapsed), _said(now, elapsed, short=True)]
    return next((form for form in forms if cell_len(form) <= room), forms[-1])


def _said(now: _State, elapsed: str, doing: str = "", *, short: bool = False) -> str:
    of, placed = ("/", "calls") if short else (" of ", "calls placed")
    parts = [
        f"{now.clauses_done}{of}{now.clauses_total} clauses" if now.clauses_total else "",
        f"{now.calls_placed}{of}{now.budget} {placed}" if now.budget else f"{now.calls_placed} {placed}",
        f"{now.may_have_dialled} {'unsure' if short else 'more may have dialled'}" if now.may_have_dialled else "",
        f"{now.ringing} ringing" if now.ringing else "",
        elapsed,
        doing,
    ]
    return " · ".join(part for part in parts if part)
