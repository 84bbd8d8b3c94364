"""What a signal that asks for an end (Ctrl-C, SIGTERM, SIGHUP) does, from moment to moment.

While Python imports, it ends the process without a word (`leave_quietly`). While a command prepares, it raises
`KeyboardInterrupt` (`unwinding`). From the moment a run has a directory to its last report it raises nothing (`held`):
the parts of a run that can end early say how (`answering`), so that no report is cut off in the middle.

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
    """How often an end has been asked for since `held` began, and who wants to know."""

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
    """Signals raise `KeyboardInterrupt` within the block; nothing changes outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _handled_by(signal.default_int_handler):
        yield


def unwound(command: Callable[P, int], *args: P.args, **kwargs: P.kwargs) -> int:
    """Do what a command does once all is imported, so that an interrupt unwinds it and it can tidy up."""
    with unwinding():
        return command(*args, **kwargs)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Signals are counted within the block, and raise nothing. Blocks within one another are one."""
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
    """At each signal within the block, call `react` with how many there have been; at once if there were any before.

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
