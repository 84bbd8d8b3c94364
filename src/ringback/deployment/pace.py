"""How fast triggers may be sent, and how long a run waits when the deployment answers 429."""

from __future__ import annotations

import asyncio
import re
from email.utils import parsedate_to_datetime

from ringback import clock
from ringback.deployment.errors import RateLimited

__all__ = ["FIRST_PAUSE", "RetryAllowance", "TriggerRate", "retry_after"]

FIRST_PAUSE = 1.0
"""Seconds to wait after a 429 whose Retry-After is absent or cannot be read; a check doubles it each time."""
_SECONDS = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")


class TriggerRate:
    """A token bucket that holds the triggers of one second. Use it in one event loop."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self.burst = max(1, int(per_second))
        """The largest number of triggers that may be sent at once."""
        self._tokens = float(self.burst)
        self._read = clock.monotonic()
        self._turn = asyncio.Lock()

    async def wait(self, count: int = 1) -> None:
        """Return when `count` triggers (at most `burst`) may be sent at once. Callers wait in line."""
        if count > self.burst:
            raise ValueError(f"{count} triggers can't be sent at once at {self.per_second:g} a second")
        async with self._turn:
            while (missing := count - self._refilled()) > 0:
                await asyncio.sleep(missing / self.per_second)
            self._tokens -= count

    def _refilled(self) -> float:
        now = clock.monotonic()
        self._tokens = min(float(self.burst), self._tokens + (now - self._read) * self.per_second)
        self._read = now
        return self._tokens


class RetryAllowance:
    """The seconds that a whole run may wait for 429; when they are spent, a 429 raises `RateLimited`."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self.answers = 0
        """429 answers seen."""
        self._until: dict[str, float] = {}

    async def open(self, endpoint: str) -> None:
        """Wait until the pause that the deployment requested for this endpoint is over."""
        while (pause := self._until.get(endpoint, 0.0) - clock.monotonic()) > 0:
            await asyncio.sleep(pause)

    def note(self, endpoint: str, asked: float | None, attempt: int) -> None:
        """Record a 429 that requests a pause in seconds (None: not stated); raises `RateLimited` if it is too long."""
        self.answers += 1
        pause = FIRST_PAUSE * 2 ** min(attempt, 20) if asked is None else max(asked, 0.05)
        now = clock.monotonic()
        until = max(self._until.get(endpoint, 0.0), now + pause)
        extra = until - max(self._until.get(endpoint, 0.0), now)
        if extra > self.left:
            raise RateLimited(
                f"the deployment answers 429 and asks for {pause:.0f} s more, longer than a run waits"
                if asked is not None
                else "the deployment still answers 429 after all pauses"
            )
        self.left -= extra
        self._until[endpoint] = until


def retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds that a `Retry-After` header requests, counted from `Date` if it is a date; None if unreadable.

    RFC 9110, 10.2.3, has whole seconds; a fraction is read too, since deployments send it.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), 1e8)
    try:
        then = parsedate_to_datetime(text)
        now = parsedate_to_datetime(date) if date else clock.wall()
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
