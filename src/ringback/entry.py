"""The command's entry point. Until the command's code handles signals, they end the process quietly with exit code 130.

This module is imported first and imports very little, so that Ctrl-C prints no traceback while Python imports the rest.
"""

from __future__ import annotations

import gc
import os
import sys

_INTERRUPTED = 130
_NEW_OBJECTS = 20_000


def _leave(*_: object) -> None:
    os._exit(_INTERRUPTED)


def _hook(kind: type[BaseException], error: BaseException, trace: object) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _leave()
    sys.__excepthook__(kind, error, trace)  # type: ignore[arg-type]  # a traceback; its type would need an import


_before, sys.excepthook = sys.excepthook, _hook
import signal  # noqa: E402 - the import takes some milliseconds, in which Ctrl-C would print a traceback

sys.excepthook = _before

__all__ = ["SIGNALS", "leave_quietly", "main"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a run: Ctrl-C, a cancelled pipeline job, a closed terminal."""


def leave_quietly() -> None:
    """Let signals end the process quietly, except those that were ignored when it started."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)


def start_quickly() -> None:
    """Leave out what takes a third of the time in which a command starts, and has no use in it."""
    # httpx has a command line of its own, and imports click, pygments and more for it. None means: not installed.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # the import system takes None
    # Imports make many objects that stay; by default, the collector looks at them each time that 700 are new.
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


def main() -> None:
    """Run a command and exit."""
    leave_quietly()
    start_quickly()
    from ringback.cli import main as run

    run()
