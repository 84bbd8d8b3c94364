"""The one source of time for measuring, waiting and dating, so that tests can set it.

Nothing else in Ringback reads the machine's clocks. In a coroutine, wait with `asyncio.sleep` and `asyncio.timeout`:
an asyncio loop's time is this clock's `monotonic`. A test installs a clock of its own, see `tests/virtual_time.py`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Clock", "Start", "installed", "monotonic", "sleep", "start", "wall"]


class Clock:
    """The machine's clocks. A subclass for tests overrides all three methods."""

    def monotonic(self) -> float:
        """Seconds from a fixed, arbitrary moment: for durations, deadlines and the order of events."""
        return time.monotonic()

    def wall(self) -> datetime:
        """The date and time in UTC, to be shown. Do not compare it: it may jump."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)


_clock = Clock()


def monotonic() -> float:
    """The installed clock's `monotonic`."""
    return _clock.monotonic()


def wall() -> datetime:
    """The installed clock's `wall`."""
    return _clock.wall()


def sleep(seconds: float) -> None:
    """The installed clock's `sleep`."""
    _clock.sleep(seconds)


@dataclass(frozen=True)
class Start:
    """The start of something: its date, to be shown, and the seconds since then, whatever the wall clock does."""

    date: datetime
    reading: float

    def seconds(self) -> float:
        """Seconds from the start until now."""
        return monotonic() - self.reading


def start() -> Start:
    """Something starts now."""
    return Start(wall(), monotonic())


@contextlib.contextmanager
def installed(clock: Clock) -> Iterator[None]:
    """Use this clock in all threads for the length of a block."""
    global _clock  # noqa: PLW0603 - one clock for the whole process
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before
