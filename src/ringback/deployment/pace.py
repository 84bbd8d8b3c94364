"""How fast triggers may be sent, how long a run waits when the deployment answers 429, and what it spends on answers.

An answer that comes whole and is of usual length costs nothing, however slow it is. A clause that is judged by failed
answers (ROB-02) fails by those that were seen; what was not sent after that proves nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from ringback import clock
from ringback.deployment.errors import NotSent, RateLimited, Unreachable

__all__ = ["BYTES_READ", "AnswerBounds", "RetryAllowance", "TimeLimit", "TriggerRate", "retry_after"]

BYTES_READ = 64 * 1024 * 1024
"""Bytes of long answers that a run reads."""
_FREE = 64 * 1024
"""Bytes of each answer that do not count."""
_LARGE = 1024 * 1024
"""Bytes from which on a failed answer is costly; so is one that took half the request timeout."""
_IN_A_ROW = 3
"""Costly answers of the same failed kind in a row from one endpoint, after which requests to it are held back."""
_SILENT_AFTER = 5
"""Requests in a row, to any endpoint, of which no answer even began, after which all are held back."""
_HELD_BACK = 3
"""How long they are held back, in request timeouts; then one request is sent again."""
_TIMEOUTS = 40
"""Seconds that a run spends on failed answers, in request timeouts."""

FIRST_PAUSE = 1.0
"""Seconds to wait after a 429 whose Retry-After is absent or cannot be read; a check doubles it each time."""
_FIRST_GAP = 0.05
_LONGEST_GAP = 0.25
"""Seconds between two requests to an endpoint that has answered 429: doubled by a 429 that comes in spite of them."""
_STEP = 0.05
"""Seconds between two looks at the clock, and at most a twentieth of the request timeout."""
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
    """The seconds that a whole run may wait for 429; when they are spent, a 429 raises `RateLimited`.

    After a pause, requests to the endpoint are spaced: a gateway that counts would refuse most of a crowd again. Only
    those that must be sent at once are not (`spaced` is False).
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.left = seconds
        self.answers = 0
        """429 answers seen."""
        self.spaced = 0.0
        """Seconds of the gaps between requests, together."""
        self._until: defaultdict[str, float] = defaultdict(float)
        self._gap: defaultdict[str, float] = defaultdict(float)
        self._next: defaultdict[str, float] = defaultdict(float)
        """When the next spaced request to an endpoint may be sent."""

    async def open(self, endpoint: str, *, spaced: bool = True) -> None:
        """Wait until the pause for this endpoint is over, and the gap behind the last spaced request."""
        while True:
            opens = max(self._until[endpoint], self._next[endpoint] if spaced else 0.0)
            if (pause := opens - clock.monotonic()) <= 0:
                break
            await asyncio.sleep(pause)
        if spaced:
            self._next[endpoint] = clock.monotonic() + self._gap[endpoint]
            self.spaced += self._gap[endpoint]

    def note(self, endpoint: str, asked: float | None, attempt: int, *, spaced: bool = True) -> None:
        """Record a 429 that requests a pause in seconds (None: not stated); raises `RateLimited` if it is too long."""
        self.answers += 1
        now = clock.monotonic()
        if now >= self._until[endpoint]:
            wider = 2 * self._gap[endpoint] if spaced else self._gap[endpoint]
            self._gap[endpoint] = min(max(wider, _FIRST_GAP), _LONGEST_GAP)
        pause = FIRST_PAUSE * 2 ** min(attempt, 20) if asked is None else max(asked, self._gap[endpoint])
        until = max(self._until[endpoint], now + pause)
        extra = until - max(self._until[endpoint], now)
        if extra > self.left:
            waited = f"a run waits {self.seconds:.0f} s in all for 429, and has waited {self.seconds - self.left:.0f} s"
            raise RateLimited(
                f"the deployment answers 429 and asks for {pause:.0f} s more; {waited}"
                if asked is not None
                else f"the deployment still answers 429 after all pauses; {waited}"
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


@dataclass(slots=True)
class _Row:
    """Failures of one kind in a row."""

    kind: str = ""
    times: int = 0
    last: float = 0.0

    def add(self, kind: str, began: float) -> None:
        """Count one that began at that instant, unless it was sent at once with the last: these count as one."""
        if kind != self.kind:
            self.times = 0
        if not self.times or began >= self.last:
            self.times += 1
        self.kind, self.last = kind, clock.monotonic()


class AnswerBounds:
    """The bounds of one run. `timeout` is the request timeout in seconds."""

    def __init__(self, timeout: float) -> None:
        self.waited = 0.0
        """Seconds from requests to their whole answers, over all requests."""
        self._bytes_left = BYTES_READ
        self._timeout = timeout
        self._seconds_left = _TIMEOUTS * timeout
        self._failures = 0
        self._silence = _Row()
        self._answered = -1.0
        """When a whole answer came last."""
        self._costly: defaultdict[str, _Row] = defaultdict(_Row)

    def check(self, endpoint: str) -> None:
        """Raise `ExchangeError` if a request to this endpoint would cost more than the run spends."""
        if self._bytes_left <= 0:
            raise NotSent(f"not sent: the run has read {BYTES_READ // 2**20} MB of long answers, and reads no more")
        if self._seconds_left <= 0:
            spent = f"{_TIMEOUTS * self._timeout:g} s"
            raise NotSent(f"not sent: {self._failures} answers failed and took {spent} together (see ROB-02)")
        if self._silence.times >= _SILENT_AFTER and self._holds(self._silence):
            times = self._silence.times
            raise Unreachable(f"the deployment has stopped answering: {times} requests in a row timed out")
        row = self._costly[endpoint]
        if row.times >= _IN_A_ROW and self._holds(row):
            raise NotSent(f"not sent: the last {row.times} answers failed in the same way: {row.kind} (see ROB-02)")

    def _holds(self, row: _Row) -> bool:
        return clock.monotonic() - row.last < _HELD_BACK * self._timeout

    def came(self, endpoint: str, seconds: float, size: int) -> None:
        """A whole answer of this many bytes came after these seconds."""
        self.waited += seconds
        self._silence, self._answered = _Row(), clock.monotonic()
        self._costly[endpoint] = _Row()
        self._bytes_left -= max(0, size - _FREE)

    def failed(self, endpoint: str, kind: str, seconds: float, size: int, *, begun: bool) -> None:
        """An answer failed after these seconds and bytes. `begun`: its status had come."""
        self._failures += 1
        self._seconds_left -= seconds
        self._bytes_left -= max(0, size - _FREE)
        began = clock.monotonic() - seconds
        if kind == "timeout" and not begun and self._answered < began:
            self._silence.add(kind, clock.monotonic())  # nothing came while it waited: each one counts
            return
        self._silence = _Row()
        if size >= _LARGE or seconds >= self._timeout / 2:
            self._costly[endpoint].add(kind, began)


class TimeLimit:
    """The time that one exchange has: twice the request timeout to be sent, then the request timeout for its answer.

    It is counted in turns of the event loop, and a turn as twice its planned length at most. So time in which this
    process gets no processor does not count: an answer that arrives meanwhile is read in the next turn.
    """

    def __init__(self, seconds: float, deadline: asyncio.Timeout) -> None:
        self._sending, self._answering = 2 * seconds, seconds
        self._step = min(_STEP, seconds / 20)
        self._deadline = deadline

    async def watch(self, sent_at: Callable[[], float | None]) -> None:
        """Run beside the exchange until its time is over, then end it; `sent_at` is when it was sent, if it was."""
        before = clock.monotonic()
        while min(self._sending, self._answering) > 0:
            await asyncio.sleep(min(self._step, self._sending, self._answering))
            now, sent = clock.monotonic(), sent_at()
            passed = min(now - before, 2 * self._step)
            if sent is None:
                self._sending -= passed
            else:
                self._answering -= min(passed, now - sent)
            before = now
        self.end()

    def end(self) -> None:
        """End the exchange now."""
        if not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time())
