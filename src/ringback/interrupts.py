"""How a run handles signals that end it: Ctrl-C, SIGTERM, SIGHUP.

While Python imports, a signal ends the process quietly (`leave_quietly`). While a command prepares, it raises
`KeyboardInterrupt` (`unwinding`). From the moment a run has a directory until its last report, signals are only counted
(`held`), and parts of the run that can end early react to them (`answering`), so that every report is complete.

A signal that was ignored when the process started (`nohup`, a background job of a script) stays ignored.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import ParamSpec

from ringback.entry import SIGNALS, leave_quietly

__all__ = ["SIGNALS", "answering", "held", "leave_quietly", "unwinding", "unwound"]

P = ParamSpec("P")
_Handler = Callable[[int, FrameType | None], object]


class _State:
    """How many signals have arrived since `held` began, and the function that reacts to them."""

    held = False
    count = 0
    react: Callable[[int], None] | None = None


def _count(_number: int, _frame: FrameType | None) -> None:
    _State.count += 1
    if _State.react is not None:
        _State.react(_State.count)


@contextlib.contextmanager
def _handled_by(handler: _Handler) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    changed = {number: old for number, old in before.items() if old not in {signal.SIG_IGN, None}}
    for number in changed:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in changed.items():
            signal.signal(number, old)


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """Let signals raise `KeyboardInterrupt` within the block. Has no effect outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _handled_by(signal.default_int_handler):
        yield


def unwound(command: Callable[P, int], *args: P.args, **kwargs: P.kwargs) -> int:
    """Run a command, so that a signal raises `KeyboardInterrupt` in it and it can clean up."""
    with unwinding():
        return command(*args, **kwargs)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Count signals within the block instead of raising. Nested blocks act as one."""
    if _State.held or threading.current_thread() is not threading.main_thread():
        yield
        return
    _State.held, _State.count = True, 0
    try:
        with _handled_by(_count):
            yield
    finally:
        _State.held = False


@contextlib.contextmanager
def answering(react: Callable[[int], None]) -> Iterator[None]:
    """Call `react` with the number of signals so far: at each signal within the block, and at once if there were any.

    `react` is called in the main thread, between any two instructions: it may set flags, put into a `SimpleQueue`, or
    raise `KeyboardInterrupt` to leave the block.
    """
    with held():
        before, _State.react = _State.react, react
        try:
            if _State.count:
                react(_State.count)
            yield
        finally:
            _State.react = before
