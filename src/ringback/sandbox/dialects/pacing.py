"""Dialects of pace: rate limits, slow answers, ring times, channels."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Any

from ringback import clock
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.calls import SandboxCall
from ringback.sandbox.catalogue import dialect
from ringback.sandbox.messages import POLL_PATH, TRIGGER_PATH, Refusal, Request, SandboxAnswer, Send
from ringback.sandbox.settings import SandboxSettings


def _rate_limit(
    name: str, description: str, path: str, per_second: int, retry_after: Callable[[], bytes | None]
) -> None:
    """Register a dialect that answers 429 to POST requests for `path` above a rate and above bursts of as many."""

    @dialect(name, "ROB-03", description=description)
    class RateLimit(SandboxBehaviour):
        def __init__(self, settings: SandboxSettings) -> None:
            super().__init__(settings)
            self.left = float(per_second)
            self.filled_at = clock.monotonic()

        def answer(self, request: Request) -> SandboxAnswer:
            if request.path == path and request.method == "POST":
                now = clock.monotonic()
                self.left = min(per_second, self.left + (now - self.filled_at) * per_second)
                self.filled_at = now
                if self.left < 1:
                    wait = retry_after()
                    headers = [(b"retry-after", wait)] if wait is not None else []
                    return self.refuse(Refusal(429, "too many requests", headers), request)
                self.left -= 1
            return super().answer(request)


def _next_second() -> bytes:
    return formatdate(math.ceil(clock.wall().timestamp()) + 1, usegmt=True).encode()


_rate_limit(
    "rate-limit",
    "Triggers beyond 30 a second are answered 429; Retry-After in seconds.",
    TRIGGER_PATH,
    30,
    lambda: b"1",
)
_rate_limit(
    "rate-limit-date",
    "Triggers beyond 30 a second are answered 429; Retry-After as a date.",
    TRIGGER_PATH,
    30,
    _next_second,
)
_rate_limit(
    "rate-limit-fraction",
    "Triggers beyond 30 a second are answered 429; Retry-After in seconds with a fraction.",
    TRIGGER_PATH,
    30,
    lambda: b"0.5",
)
_rate_limit(
    "rate-limit-bare",
    "Triggers beyond 12 a second are answered 429 without Retry-After.",
    TRIGGER_PATH,
    12,
    lambda: None,
)
_rate_limit(
    "rate-limit-in-words",
    "Triggers beyond 12 a second are answered 429; Retry-After in words.",
    TRIGGER_PATH,
    12,
    lambda: b"in a moment",
)
_rate_limit("poll-rate-limit", "Polls beyond 20 a second are answered 429.", POLL_PATH, 20, lambda: b"1")


def _slow(name: str, description: str, least: float, most: float) -> None:
    """Register a dialect that takes from `least` to `most` seconds for each answer."""

    @dialect(name, "ROB-02", description=description)
    class Slow(SandboxBehaviour):
        async def exchange(self, request: Request, send: Send) -> None:
            await asyncio.sleep(self.random.uniform(least, most))
            await super().exchange(request, send)


_slow("slow-answers", "Answers take 150 ms.", 0.15, 0.15)
_slow("uneven-answers", "Answers take anything from 0 to 300 ms.", 0.0, 0.3)


def _setting(name: str, clauses: str, description: str, **changed: Any) -> None:
    """Register a dialect that changes settings."""

    @dialect(name, *clauses.split(), description=description)
    class Setting(SandboxBehaviour):
        @classmethod
        def adapt(cls, settings: SandboxSettings) -> SandboxSettings:
            return replace(super().adapt(settings), **changed)


_setting("ring-time-zero", "STA-02 STA-05", "Calls are final at once.", ring_seconds=0.0)


@dialect("final-just-in-time", "STA-02")
class _FinalJustInTime(SandboxBehaviour):
    """Every ninth call ends a second before the settle time that clients allow is over."""

    def ring_time(self, call: SandboxCall) -> float | None:
        slow = self.count("rung") % 9 == 0
        return max(0.0, self.settings.settle_limit_seconds - 1.0) if slow else super().ring_time(call)


_setting("one-channel", "STA-02", "One call rings at a time, the others wait.", channels=1)
_setting("eight-channels", "STA-02", "Eight calls ring at a time, the others wait.", channels=8)
