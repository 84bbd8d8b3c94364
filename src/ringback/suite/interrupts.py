"""Ctrl-C in a contract run: nothing more is sent, and what was recorded is judged; a second one ends it at once.

What lives here: the signals, and the rule by which a test that ran on after an interrupt may still have passed.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from ringback.contract.verdict import Finding, Verdict
from ringback.suite.plan import probes_of
from ringback.suite.session import Session

__all__ = ["ending_early", "judged_early", "needs_more_calls"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WHOLE_RUN = ("burst", "identical", "pool", "after_final", "at_end", "looks_back_on", "generates")
"""Markers of tests that look at more than the answers to their own probes: such a test passes on a whole run only."""


@contextlib.contextmanager
def ending_early(interrupt: Callable[[], None]) -> Iterator[None]:
    """Have the first signal that asks for an end call `interrupt`; the second ends the run at once, as ever."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        restore()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        interrupt()

    for number in _SIGNALS:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        restore()


def needs_more_calls(item: pytest.Item) -> bool:
    """Whether a test does nothing but send: after an interrupt it need not begin."""
    return item.get_closest_marker("generates") is not None


def judged_early(finding: Finding, item: pytest.Item, session: Session) -> Finding:
    """What a finding is worth that was made after an interrupt: a pass needs an answer to each of the test's probes."""
    if finding.verdict is not Verdict.PASS:
        return finding
    probes = probes_of(item)
    whole_run = any(item.get_closest_marker(marker) for marker in _WHOLE_RUN)
    if probes and not whole_run and all(session.was_answered(probe) for probe in probes):
        return finding
    return Finding(finding.clause, Verdict.INCONCLUSIVE, finding.test, "interrupted", seconds=finding.seconds)
