"""The console for reports, which handles colour, encoding and closed pipes."""

from __future__ import annotations

import codecs
import os
import sys
from typing import Any

from rich.console import Console

__all__ = ["ReportConsole", "console", "is_terse"]

_ASCII = {"✓": "+", "✗": "x", "·": "-", "…": "...", "─": "-", "–": "-", "≈": "~"}
_ERRORS = "ringback-terminal"


class ReportConsole(Console):
    """A rich console on standard output that ignores markup and survives a closed pipe."""

    def __init__(self, *, terse: bool = False, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        self.terse = terse

    def on_broken_pipe(self) -> None:
        """Continue without output, so that the exit code is still the run's."""
        self.quiet = True
        silence = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(silence, self.file.fileno())
        finally:
            os.close(silence)


def is_terse(console: Console) -> bool:
    """Whether a command prints one line only."""
    return isinstance(console, ReportConsole) and console.terse


def console(*, quiet: bool, no_color: bool) -> Console:
    """A console on standard output; with `quiet`, a command prints one line only.

    Without colour (`no_color`, a non-empty NO_COLOR, or standard output that is not a terminal), no escape sequence is
    written. A character that standard output can't encode is replaced by a similar one or by its code.
    """
    plain = no_color or bool(os.environ.get("NO_COLOR"))
    stream = sys.stdout
    encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-")
    if not encoding.startswith("utf") and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=_ERRORS)
    return ReportConsole(terse=quiet, color_system=None if plain else "auto")


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    spelled = (_ASCII.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in missing)
    return "".join(spelled), error.end


codecs.register_error(_ERRORS, _substitute)
