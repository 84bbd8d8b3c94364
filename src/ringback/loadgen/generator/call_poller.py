"""Polls accepted calls in batches until the ledger has their end.

These polls have no schedule of their own: a poll is due when it is sent. (The polls of the polling scenario have a
schedule.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import gevent

from ringback import clock
from ringback.loadgen.accounting.ledger import Ledger
from ringback.loadgen.http.load_client import HeldBack, LoadClient, Polled, RequestNotSent

__all__ = ["CallPoller"]

_AT_ONCE = 64
"""Polls in flight at a time; further batches wait, so that a stalled deployment gets no more of them."""
_AFTER_REFUSAL = 1.0
"""Seconds to wait after a poll that could not be sent."""


class CallPoller:
    """Polls each followed call `first` seconds after it was accepted, then every `interval` seconds.

    Calls wait in the order in which they are due, in lists of one tick each, so each costs eight bytes beside what the
    ledger stores. `on_final` gets the line of a call that has ended, and the seconds since its trigger.
    """

    def __init__(
        self,
        client: LoadClient,
        ledger: Ledger,
        *,
        interval: float,
        first: float | None = None,
        on_final: Callable[[str, float], None],
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._interval = interval
        self._first = interval if first is None else first
        self._tick = max(0.005, min(interval / 10, 0.25))
        self._on_final = on_final
        self._new: list[str] = []
        self._unanswered: list[str] = []
        """Calls to poll again for which no poll has had a sound answer yet."""
        self._old: list[str] = []
        self._first_time: deque[tuple[float, bool, list[str]]] = deque()
        self._again: deque[tuple[float, bool, list[str]]] = deque()
        """When calls are due, whether they are new (without a sound answer yet), and which they are."""
        self._ready: deque[tuple[bool, list[str]]] = deque()
        self._on_their_way = 0
        self._quiet_until = 0.0
        self._loop: gevent.Greenlet | None = None
        self._stopped = False
        self.asked_too_late = 0
        """Calls that were first polled after their settle time and had no state then."""

    def start(self) -> None:
        """Begin to poll."""
        self._loop = gevent.spawn(self._run)

    def stop(self) -> None:
        """Stop polling; do not wait for answers."""
        if self._loop is not None:
            self._loop.kill()
        self._stopped = True

    def follow(self, unique_id: str) -> None:
        """Poll this call until it has ended."""
        self._new.append(unique_id)

    def hurry(self) -> None:
        """Poll now all calls that wait for their first poll, and from now on without that delay."""
        self._first = self._interval
        for waiting in (self._first_time, self._again):
            self._ready.extend((new, calls) for _, new, calls in waiting)
            waiting.clear()

    def take(self, polled: Polled) -> None:
        """Record the answer to a poll in the ledger, whoever sent the poll."""
        if polled.kind is not None:
            return
        now = clock.monotonic()
        asked = set(polled.asked)
        for unique_id, state in polled.results:
            if unique_id not in asked:
                self._ledger.unrequested()
                continue
            ended = self._ledger.report(unique_id, state, now)
            if ended is not None:
                self._on_final(*ended)
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
                self._client.poll(batch, clock.monotonic(), self._on_first_poll if new else self._on_poll)
            except RequestNotSent as why:
                self._quiet_until = now + (why.seconds if isinstance(why, HeldBack) else _AFTER_REFUSAL)
                (self._unanswered if new else self._old).extend(batch)
            else:
                self._on_their_way += 1

    def _next_batch(self) -> tuple[bool, list[str]]:
        """The next calls that are due and have not ended, each once; and whether they are new."""
        batch: dict[str, None] = {}
        new = bool(self._ready) and self._ready[0][0]
        while self._ready and len(batch) < self._client.batch and (not batch or self._ready[0][0] == new):
            new, calls = self._ready.popleft()
            room = self._client.batch - len(batch)
            batch.update((unique_id, None) for unique_id in calls[:room] if self._ledger.follows(unique_id))
            if calls[room:]:
                self._ready.appendleft((new, calls[room:]))
        return new, list(batch)

    def _on_first_poll(self, polled: Polled) -> None:
        """Leave out calls that were first polled too late: a deployment may have dropped their results already."""
        if polled.kind is not None:
            self._on_answer(polled, self._unanswered)
        else:
            answered = {unique_id for unique_id, state in polled.results if state}
            late = {each for each in polled.asked if each not in answered and self._ledger.overdue(each, polled.begun)}
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
        """Take an answer; calls that have not ended are put into `again`."""
        self._on_their_way -= 1
        self.take(polled)
        again.extend(unique_id for unique_id in polled.asked if self._ledger.follows(unique_id))
        if self._ready:
            self._poll(clock.monotonic())
