"""The watch over accepted calls: polls them in batches until the ledger has their end.

One loop hands out batches; each poll runs in a greenlet of its own, so a slow answer delays no other call's poll.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import gevent
from gevent.pool import Pool

from ringback.loadgen.client import PROMISED_BATCH, Door
from ringback.loadgen.ledger import Ledger

__all__ = ["Watch"]

_AT_ONCE = 64
"""Polls on their way at a time; further batches wait, so that a deployment which stalls is not piled upon."""


class Watch:
    """Polls each followed call every `interval` seconds, in batches of at most `batch`."""

    def __init__(
        self, door: Door, ledger: Ledger, *, batch: int, interval: float, on_final: Callable[[float], None]
    ) -> None:
        self._door = door
        self._ledger = ledger
        self._batch = batch
        self._interval = interval
        self._tick = max(0.005, min(interval / 10, 0.25))
        self._on_final = on_final
        self._queue: deque[tuple[float, str]] = deque()
        self._polls = Pool(_AT_ONCE)
        self._loop: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to poll."""
        self._loop = gevent.spawn(self._run)

    def stop(self) -> None:
        """Poll no more; answers on their way are not waited for."""
        if self._loop is not None:
            self._loop.kill()
        self._polls.kill()

    def follow(self, unique_id: str) -> None:
        """Poll this call until it has come to its end."""
        self._queue.append((time.perf_counter() + self._interval, unique_id))

    def _run(self) -> None:
        while True:
            gevent.sleep(self._tick)
            while batch := self._due(time.perf_counter() + self._tick / 2):
                self._polls.spawn(self._poll, batch)

    def _due(self, horizon: float) -> list[str]:
        """The next calls that are due: every call waits for the same interval, so the queue is in order of time."""
        batch: dict[str, None] = {}
        while self._queue and len(batch) < self._batch and self._queue[0][0] <= horizon:
            _, unique_id = self._queue.popleft()
            if self._ledger.follows(unique_id):
                batch[unique_id] = None
        return list(batch)

    def _poll(self, batch: Sequence[str]) -> None:
        polled = self._door.poll(batch)
        if polled.kind is not None:
            if polled.kind == "batch_refused":
                self._batch = PROMISED_BATCH
        else:
            self._take(batch, polled.results, polled.begun)
        for unique_id in batch:
            if self._ledger.follows(unique_id):
                self.follow(unique_id)

    def _take(self, batch: Sequence[str], results: Sequence[tuple[str, str]], begun: float) -> None:
        now = time.perf_counter()
        asked = set(batch)
        for unique_id, state in results:
            if unique_id not in asked:
                self._ledger.unasked += 1
                continue
            seconds = self._ledger.report(unique_id, state, now)
            if seconds is not None:
                self._on_final(seconds)
        for unique_id in batch:
            self._ledger.missed(unique_id, begun)
