"""The line that shows, on a terminal, how far a run has come."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from rich.console import Console
from rich.text import Text

from ringback.reporting.safe import one_line

if TYPE_CHECKING:
    from rich.live import Live

__all__ = ["Progress"]

_UPDATES_PER_SECOND = 8
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASCII_SPINNER = "|/-\\"


@dataclass(frozen=True, slots=True)
class _State:
    clauses_done: int = 0
    clauses_total: int = 0
    calls_placed: int = 0
    budget: int = 0
    ringing: int = 0
    doing: str = ""


class Progress:
    """A single live line: clauses done, calls placed of the budget, calls still ringing, seconds.

    Shown on a terminal only, drawn at most 8 times a second, and wiped at the end, whatever ended it. `update` may be
    called from any thread, as often as it likes. Meanwhile the console writes to the terminal itself, even if somebody
    (pytest, for one) redirects standard output underneath it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state = _State()
        self._begun = time.monotonic()
        self._live: Live | None = None
        self._terminal: IO[str] | None = None
        self._before: IO[str] = console.file

    def update(
        self, clauses_done: int, clauses_total: int, calls_placed: int, budget: int, ringing: int, doing: str = ""
    ) -> None:
        """Say how far the run is; `doing` is a few words, `budget` 0 means that there is none."""
        self._state = _State(clauses_done, clauses_total, calls_placed, budget, ringing, doing)

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._before = self._console.file
        if _is_terminal(self._console):
            try:
                self._show()
            except BaseException:
                self._hide()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._hide()

    def _show(self) -> None:
        from rich.live import Live

        self._terminal = os.fdopen(
            os.dup(self._before.fileno()),
            "w",
            encoding=self._console.encoding,
            errors=getattr(self._before, "errors", None) or "backslashreplace",
        )
        self._console.file = self._terminal
        self._live = Live(
            get_renderable=self._line,
            console=self._console,
            transient=True,
            refresh_per_second=_UPDATES_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _hide(self) -> None:
        try:
            if self._live is not None:
                self._live.stop()
        finally:
            self._live = None
            self._console.file = self._before
            if self._terminal is not None:
                self._terminal.close()
                self._terminal = None

    def _line(self) -> Text:
        now, elapsed = self._state, time.monotonic() - self._begun
        spinner = _ASCII_SPINNER if self._console.options.ascii_only else _SPINNER
        parts = [
            f"{now.clauses_done} of {now.clauses_total} clauses" if now.clauses_total else "",
            f"{now.calls_placed} of {now.budget} calls placed" if now.budget else f"{now.calls_placed} calls placed",
            f"{now.ringing} ringing" if now.ringing else "",
            f"{elapsed:.0f} s",
            one_line(now.doing, 200),
        ]
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(spinner[int(elapsed * _UPDATES_PER_SECOND) % len(spinner)] + " ", style="cyan")
        text.append(" · ".join(part for part in parts if part))
        return text


def _is_terminal(console: Console) -> bool:
    """Whether somebody is watching: colour that was forced into a pipe is not a terminal."""
    if getattr(console, "terse", False) or console.quiet or console.is_dumb_terminal or not console.is_terminal:
        return False
    try:
        return os.isatty(console.file.fileno())
    except (OSError, ValueError):
        return False
