"""The progress line of a check on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ringback import clock
from ringback.reporting.terminal.live import UPDATES_PER_SECOND, LiveView

__all__ = ["CheckState", "Progress"]

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASCII_SPINNER = "|/-\\"


@dataclass(frozen=True, slots=True)
class CheckState:
    """What the line shows of a check; a budget of 0 means no limit."""

    clauses_done: int = 0
    clauses_total: int = 0
    calls_placed: int = 0
    budget: int = 0
    ringing: int = 0
    may_have_dialled: int = 0


class Progress(LiveView):
    """A single live line: clauses done, calls placed of the budget, calls still ringing, seconds."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._state: Callable[[], CheckState] = CheckState
        self._begun = clock.monotonic()

    def watch(self, state: Callable[[], CheckState]) -> None:
        """Show this state from now on; it is read each time the line is drawn."""
        self._state = state

    def render(self) -> Text:
        """The current line."""
        now, elapsed = self._state(), clock.monotonic() - self._begun
        spinner = _ASCII_SPINNER if self._console.options.ascii_only else _SPINNER
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(spinner[int(elapsed * UPDATES_PER_SECOND) % len(spinner)] + " ", style="cyan")
        whole, short = (_words(now, f"{elapsed:.0f} s", short=short) for short in (False, True))
        text.append(whole if cell_len(whole) <= self._console.width - text.cell_len else short)
        return text


def _words(now: CheckState, elapsed: str, *, short: bool) -> str:
    of, placed = ("/", "calls") if short else (" of ", "calls placed")
    parts = [
        f"{now.clauses_done}{of}{now.clauses_total} clauses" if now.clauses_total else "",
        f"{now.calls_placed}{of}{now.budget} {placed}" if now.budget else f"{now.calls_placed} {placed}",
        f"{now.may_have_dialled} {'unsure' if short else 'more may have dialled'}" if now.may_have_dialled else "",
        f"{now.ringing} ringing" if now.ringing else "",
        elapsed,
    ]
    return " · ".join(part for part in parts if part)
