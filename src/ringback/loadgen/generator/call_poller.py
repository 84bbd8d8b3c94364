"""The watch over accepted calls: polls them in batches until the ledger has their end.

These polls are how calls are accounted for; they follow from the calls, so they have no schedule of their own, and a
poll is due when it is sent. (The polling scenario's polls do have one.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import gevent

from ringback import clock
from ringback.loadgen.accounting.ledger import Ledger
from ringback.loadgen.http.load_client import PROMISED_BATCH, HeldBack, LoadClient, Polled, RequestNotSent

__all__ = ["CallPoller"]

_AT_ONCE = 64
"""Polls on their way at a time; further batches wait, so that a deployment which stalls is not piled upon."""
_AFTER_NOTHING = 1.0
"""Seconds to wait after a poll that could not be sent at all."""


class CallPoller:
    """Polls each followed call `first` seconds after it was accepted, then every `interval` seconds.

    `batch` bounds the calls of one poll. Calls wait in the order in which they are due, in lists of one tick each: a
    million of them cost eight bytes each beyond what the ledger keeps.
    """

    def __init__(
        self,
        door: LoadClient,
        ledger: Ledger,
        *,
        batch: int,
        interval: float,
        first: float | None = None,
        on_final: Callable[[str, float], None],
    ) -> None:
        self._door = door
        self._ledger = ledger
        self._batch = batch
        self._interval = interval
        self._first = interval if first is None else first
        self._tick = max(0.005, min(interval / 10, 0.25))
        self._on_final = on_final
        self._new: list[str] = []
        self._unanswered: list[str] = []
        """Calls to ask for again of which no poll has been answered soundly yet."""
        self._old: list[str] = []
        self._first_time: deque[tuple[float, bool, list[str]]] = deque()
        self._again: deque[tuple[float, bool, list[str]]] = deque()
        """When calls are due, whether nothing has been answered of them yet, and which they are."""
        self._ready: deque[tuple[bool, list[str]]] = deque()
        self._on_their_way = 0
        self._quiet_until = 0.0
        self._loop: gevent.Greenlet | None = None
        self._stopped = False
        self.asked_too_late = 0
        """Calls that were asked for the first time after their settle time, and of which nothing was told any more."""

    def start(self) -> None:
        """Begin to poll."""
        self._loop = gevent.spawn(self._run)

    def stop(self) -> None:
        """Poll no more; answers on their way are not waited for."""
        if self._loop is not None:
            self._loop.kill()
        self._stopped = True

    def follow(self, unique_id: str) -> None:
        """Poll this call until it has come to its end."""
        self._new.append(unique_id)

    def hurry(self) -> None:
        """Ask now for the calls that were to be asked for the first time later, and from now on without that delay."""
        self._first = self._interval
        for waiting in (self._first_time, self._again):
            self._ready.extend((new, calls) for _, new, calls in waiting)
            waiting.clear()

    def take(self, polled: Polled) -> None:
        """Tell the ledger what a poll was answered, whoever asked."""
        if polled.kind is not None:
            return
        now = clock.monotonic()
        asked = set(polled.asked)
        for unique_id, state in polled.results:
            if unique_id not in asked:
                self._ledger.unrequested += 1
                continue
            seconds = self._ledger.report(unique_id, state, now)
            if seconds is not None:
                self._on_final(unique_id, seconds)
        for unique_id in polled.asked:
            self._ledger.missed(unique_id, polled.begun)

    def _run(self) -> None:
        while True:
            gevent.sleep(self._tick)
            now = clock.monotonic()
            if self._new:
                self._first_time.append((now + self._first, True, self._new))
            for new, calls in ((True, self._unanswered), (False, self._old)):
                if calls:
                    self._again.append((now + self._interval, new, calls))
            self._new, self._unanswered, self._old = [], [], []
            for waiting in (self._first_time, self._again):
                while waiting and waiting[0][0] <= now + self._tick / 2:
                    self._ready.append(waiting.popleft()[1:])
            self._poll(now)

    def _poll(self, now: float) -> None:
        while self._on_their_way < _AT_ONCE and not self._stopped and now >= self._quiet_until:
            new, batch = self._next_batch()
            if not batch:
                return
            try:
                self._door.poll(batch, clock.monotonic(), self._on_first_poll if new else self._on_poll)
            except RequestNotSent as why:
                self._quiet_until = now + (why.seconds if isinstance(why, HeldBack) else _AFTER_NOTHING)
                (self._unanswered if new else self._old).extend(batch)
            else:
                self._on_their_way += 1

    def _next_batch(self) -> tuple[bool, list[str]]:
        """The next calls that are due and have not ended, each once, and whether nothing has been answered of them."""
        batch: dict[str, None] = {}
        new = bool(self._ready) and self._ready[0][0]
        while self._ready and len(batch) < self._batch and (not batch or self._ready[0][0] == new):
            new, calls = self._ready.popleft()
            room = self._batch - len(batch)
            batch.update((unique_id, None) for unique_id in calls[:room] if self._ledger.follows(unique_id))
            if calls[room:]:
                self._ready.appendleft((new, calls[room:]))
        return new, list(batch)

    def _on_first_poll(self, polled: Polled) -> None:
        """A call that is asked for too late may have had its result, and lost it again: that tells nothing of it."""
        if polled.kind is not None:
            self._on_answer(polled, self._unanswered)
        else:
            told = {unique_id for unique_id, state in polled.results if state}
            late = {each for each in polled.asked if each not in told and self._ledger.overdue(each, polled.begun)}
            if late:
                self.asked_too_late += len(late)
                polled = polled._replace(
                    asked=[unique_id for unique_id in polled.asked if unique_id not in late],
                    results=[result for result in polled.results if result[0] not in late],
                )
            self._on_poll(polled)

    def _on_poll(self, polled: Polled) -> None:
        self._on_answer(polled, self._old)

    def _on_answer(self, polled: Polled, again: list[str]) -> None:
        """Take what a poll was answered; calls that have not ended are put into `again`."""
        self._on_their_way -= 1
        if polled.kind == "batch_refused":
            self._batch = PROMISED_BATCH
        self.take(polled)
        again.extend(unique_id for unique_id in polled.asked if self._ledger.follows(unique_id))
        if self._ready:
            self._poll(clock.monotonic())
