"""A live view on a terminal: redrawn regularly, erased at the end, and absent without a terminal."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Self, cast

from rich.console import Console, RenderableType

from ringback.reporting.terminal.screen import is_terse
from ringback.rundir import CleaningStream

if TYPE_CHECKING:
    from rich.live import Live

__all__ = ["UPDATES_PER_SECOND", "LiveView"]

UPDATES_PER_SECOND = 8


class LiveView:
    """Draws what `render` gives, on a terminal only, at most 8 times a second, and wipes it, whatever ended it.

    `render` is called on another thread.

    Meanwhile the console writes to the terminal itself, even if somebody (pytest, for one) redirects standard output
    underneath it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._terminal: IO[str] | None = None
        self._before: IO[str] = console.file

    def render(self) -> RenderableType:
        """The current view."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._before = self._console.file
        if _is_terminal(self._console):
            try:
                self._show()
            except BaseException:
                self._hide()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._hide()

    def _show(self) -> None:
        from rich.live import Live

        self._terminal = os.fdopen(
            os.dup(self._before.fileno()),
            "w",
            encoding=self._console.encoding,
            errors=getattr(self._before, "errors", None) or "backslashreplace",
        )
        self._console.file = cast("IO[str]", CleaningStream(self._terminal))
        self._live = Live(
            get_renderable=self.render,
            console=self._console,
            transient=True,
            refresh_per_second=UPDATES_PER_SECOND,
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


def _is_terminal(console: Console) -> bool:
    """Whether the output is a terminal; colour forced into a pipe does not count."""
    if is_terse(console) or console.quiet or console.is_dumb_terminal or not console.is_terminal:
        return False
    try:
        return os.isatty(console.file.fileno())
    except (OSError, ValueError):
        return False
