"""The calls of a sandbox: queued for a channel, ringing, final, forgotten.

One timer serves all calls: those that end within the same few milliseconds share a bucket, so that a
million calls in flight cost a million small objects and no tasks. What polls and deliveries report is decided in
`behaviour`.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable

TICK_SECONDS = 0.005
MAX_IN_FLIGHT = 2_000_000
"""The largest number of calls that are queued or ring at once; further triggers are refused."""


class SandboxCall:
    """One accepted call. `state` is "" until the call is final; `outcome` is the final state that it will have."""

    __slots__ = ("destination", "finished_at", "immediate", "outcome", "state", "unique_id")

    def __init__(self, unique_id: str, outcome: str, destination: str | None, immediate: bool) -> None:
        self.unique_id = unique_id
        self.outcome = outcome
        self.destination = destination
        self.immediate = immediate
        self.state = ""
        self.finished_at = 0.0


class CallTable:
    """All calls; ends each at its time.

    `ring_time(call)` gives seconds, or None for a call that never ends; `on_final(call)` is called once
    a call has its final state.
    """

    def __init__(
        self,
        *,
        channels: int,
        keep_seconds: float,
        keep_calls: int,
        ring_time: Callable[[SandboxCall], float | None],
        on_final: Callable[[SandboxCall], None],
    ) -> None:
        self._free_channels = channels
        self._keep_seconds = keep_seconds
        self._keep_calls = keep_calls
        self._ring_time = ring_time
        self._on_final = on_final
        self._calls: dict[str, SandboxCall] = {}
        self._in_flight = 0
        self._waiting: deque[SandboxCall] = deque()
        self._finished: deque[SandboxCall] = deque()
        self._buckets: dict[int, list[SandboxCall]] = {}
        self._ticks: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_tick = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def in_flight(self) -> int:
        """Calls that are queued or ringing."""
        return self._in_flight

    @property
    def full(self) -> bool:
        """Whether no more calls are accepted."""
        return self._in_flight >= MAX_IN_FLIGHT

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that ends the calls."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def find(self, unique_id: str) -> SandboxCall | None:
        """Return the call with that id, or None."""
        return self._calls.get(unique_id)

    def calls(self) -> list[SandboxCall]:
        """Return all calls that are still known, oldest first."""
        return list(self._calls.values())

    def place(self, call: SandboxCall) -> None:
        """Add a call: it rings now if a channel is free, otherwise as soon as one is."""
        self._calls[call.unique_id] = call
        self._in_flight += 1
        if self._free_channels > 0:
            self._free_channels -= 1
            self._ring(call)
        else:
            self._waiting.append(call)

    def forget_old(self) -> None:
        """Drop finished calls that are too old or too many."""
        finished = self._finished
        oldest = self.loop.time() - self._keep_seconds
        while finished and (len(finished) > self._keep_calls or finished[0].finished_at < oldest):
            call = finished.popleft()
            if self._calls.get(call.unique_id) is call:
                del self._calls[call.unique_id]

    def release_channel(self) -> None:
        """Use a free channel for the call that has waited longest, if any call waits."""
        if self._waiting:
            # A direct call would recurse once for each waiting call where the ring time is zero.
            self.loop.call_soon(self._ring, self._waiting.popleft())
        else:
            self._free_channels += 1

    def close(self) -> None:
        """Stop the timer, so that no more calls end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self, call: SandboxCall) -> None:
        seconds = self._ring_time(call)
        if seconds is None:
            return
        if seconds <= 0:
            self._finish(call)
            return
        tick = int((self.loop.time() + seconds) / TICK_SECONDS) + 1
        bucket = self._buckets.get(tick)
        if bucket is None:
            self._buckets[tick] = [call]
            heapq.heappush(self._ticks, tick)
            if self._timer is None or tick < self._timer_tick:
                self._set_timer()
        else:
            bucket.append(call)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ticks:
            self._timer_tick = self._ticks[0]
            self._timer = self.loop.call_at(self._timer_tick * TICK_SECONDS, self._end_due_calls)

    def _end_due_calls(self) -> None:
        self._timer = None
        now = self.loop.time()
        while self._ticks and self._ticks[0] * TICK_SECONDS <= now + TICK_SECONDS / 2:
            for call in self._buckets.pop(heapq.heappop(self._ticks)):
                self._finish(call)
        self._set_timer()

    def _finish(self, call: SandboxCall) -> None:
        call.state = call.outcome
        call.finished_at = self.loop.time()
        self._finished.append(call)
        self._in_flight -= 1
        self._on_final(call)
        self.forget_old()
        self.release_channel()


def jittered(seconds: float, fraction: float, source: random.Random) -> float:
    """Return `seconds`, varied evenly by up to `fraction` of it up or down."""
    return seconds * (1 + fraction * (2 * source.random() - 1))
