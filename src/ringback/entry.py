"""Where the command begins: Ctrl-C is as quiet while Python still imports as it is later."""

from __future__ import annotations

import os
import signal
from types import FrameType

__all__ = ["leave_quietly_until_ready", "main"]

_INTERRUPTED = 130


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)


def leave_quietly_until_ready() -> None:
    """Have an interrupt end the process without a word, until somebody else takes care of it."""
    signal.signal(signal.SIGINT, _leave)


def main() -> None:
    """Run a command and exit."""
    leave_quietly_until_ready()
    from ringback.cli import main as run

    run()
