"""Where the command begins: Ctrl-C is as quiet while Python imports as it is later.

Until the command's own code can say what an interrupt means, it ends the process with exit code 130 and without a word.
This module is imported first, and imports next to nothing.
"""

from __future__ import annotations

import os
import sys

_INTERRUPTED = 130


def _leave(*_: object) -> None:
    os._exit(_INTERRUPTED)


def _hook(kind: type[BaseException], error: BaseException, trace: object) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _leave()
    sys.__excepthook__(kind, error, trace)  # type: ignore[arg-type]  # a traceback, whose type takes an import


_before, sys.excepthook = sys.excepthook, _hook
import signal  # noqa: E402 - takes some milliseconds, in which Python itself would print a traceback

sys.excepthook = _before

__all__ = ["SIGNALS", "leave_quietly", "main"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Those that ask for an end: a person presses Ctrl-C, a pipeline cancels a job, a terminal is closed."""


def leave_quietly() -> None:
    """Have a signal end the process quietly, unless whoever started the process has it ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)


def main() -> None:
    """Run a command and exit."""
    leave_quietly()
    from ringback.cli import main as run

    run()
