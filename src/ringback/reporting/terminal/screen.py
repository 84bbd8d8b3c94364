"""The console that reports are printed on: where colour, encoding and closed pipes are settled once."""

from __future__ import annotations

import codecs
import os
import sys
from typing import Any

from rich.console import Console

__all__ = ["ReportConsole", "console"]

_ASCII = {"✓": "+", "✗": "x", "·": "-", "…": "...", "─": "-", "–": "-", "≈": "~"}
_ERRORS = "ringback-terminal"


class ReportConsole(Console):
    """A rich console on standard output that never reads markup and survives a reader that goes away."""

    def __init__(self, *, terse: bool = False, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        self.terse = terse
        """Whether only a run's last line is wanted."""

    def on_broken_pipe(self) -> None:
        """Go on in silence: the run's own exit code must stand, whether or not somebody reads along."""
        self.quiet = True
        silence = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(silence, self.file.fileno())
        finally:
            os.close(silence)


def console(*, quiet: bool, no_color: bool) -> Console:
    """A console on standard output; `quiet` leaves of each report only its last line.

    Without colour (asked for here, by a non-empty NO_COLOR, or because standard output is no terminal) no escape
    sequence is written at all. Where standard output can't carry a character, a plain one or its code stands in.
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
