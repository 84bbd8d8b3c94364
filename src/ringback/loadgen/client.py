"""The one door through which every request of a load run leaves: dial guard, call budget, rate limits, one sending.

What lives here: the order of those, and what an outcome means for the budget. What does not: who sends when (users,
watch), and what becomes of accepted calls (ledger).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gevent import sleep

from ringback.config import Config
from ringback.deployment.guard import StrangerRefused
from ringback.deployment.pace import retry_after
from ringback.loadgen.budget import CallBudget
from ringback.loadgen.connection import ConnectionPool, Failed
from ringback.loadgen.http_answer import HttpAnswer
from ringback.loadgen.measures import Measures
from ringback.loadgen.wire import Endpoint, RequestWriter, read_poll, read_trigger, refuses

__all__ = ["BudgetSpent", "Door", "Guard", "Listener", "NotSent", "Polled", "Refused", "Triggered", "Withheld"]

UNREACHABLE_AFTER = 20
"""So many attempts in a row, from the first, that end without a connection: the deployment can't be reached."""
PROMISED_BATCH = 20
"""Every deployment takes polls for so many calls; for more it may refuse, and that is no error."""
_LONGEST_PAUSE = 60.0
"""Seconds that a 429 is obeyed at most; after that, asking again is fair."""
_PAUSE = 1.0
"""Seconds to pause after a 429 that names no time."""


class Guard(Protocol):
    """What looks at each outgoing request; raises to refuse it."""

    def check(self, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Return if the request may be sent."""


Listener = Callable[[str, float, int, str | None], None]
"""Told of each request that ended: its name, latency in seconds, size of the answer in bytes, kind of error or None."""


class NotSent(Exception):
    """A trigger was not sent."""


class BudgetSpent(NotSent):
    """No call is left in the budget."""


class Refused(NotSent):
    """The dial guard saw a number in it that is not a configured line."""


class Withheld(NotSent):
    """The deployment asked for a pause (429) that is not over."""


@dataclass(frozen=True, slots=True)
class Triggered:
    """How a trigger ended: the UniqueId if a call was accepted, when it was begun (perf_counter seconds)."""

    unique_id: str | None
    begun: float


@dataclass(frozen=True, slots=True)
class Polled:
    """How a poll ended: what it reported, if it was answered soundly (`kind` None), and when it was begun."""

    results: Sequence[tuple[str, str]]
    kind: str | None
    begun: float


class Door:
    """Sends triggers, each once at most, and polls; counts and times them."""

    def __init__(
        self,
        config: Config,
        guard: Guard,
        budget: CallBudget,
        pool: ConnectionPool,
        on_request: Listener,
        on_lag: Callable[[float], None],
    ) -> None:
        self.trigger_measures = Measures()
        self.poll_measures = Measures()
        self.budget = budget
        self.unreachable = False
        self.reached = False
        self._writer = RequestWriter(config)
        self._guard = guard
        self._pool = pool
        self._on_request = on_request
        self._on_lag = on_lag
        self._pause_until = {"trigger": 0.0, "poll": 0.0}
        self._unconnected = 0

    def trigger(self, number: str, due: float) -> Triggered:
        """Place a call to `number` that was due at `due`; never sent again, whatever comes. Raises `NotSent`."""
        if time.perf_counter() < self._pause_until["trigger"]:
            raise Withheld
        endpoint, body = self._writer.trigger_endpoint, self._writer.trigger(number)
        if not self._passes(endpoint, body):
            self.trigger_measures.take("guard", 0.0, 0.0)
            raise Refused
        if not self.budget.reserve():
            raise BudgetSpent
        settle = self.budget.doubt
        try:
            self._pool.wait_for_place()
            begun = time.perf_counter()
            self._on_lag(begun - due)
            outcome = self._exchange("trigger", endpoint, body)
            unique_id = None
            if isinstance(outcome, Failed):
                kind: str | None = outcome.kind
                if not outcome.sent:
                    settle = self.budget.release
            else:
                unique_id, kind = read_trigger(outcome.status, outcome.body)
                if unique_id is not None:
                    settle = self.budget.accept
                elif refuses(outcome.status, outcome.body):
                    settle = self.budget.release
        finally:
            settle()
        self._told("trigger", outcome, kind, due, begun)
        return Triggered(unique_id, begun)

    def poll(self, unique_ids: Sequence[str]) -> Polled:
        """Ask for the states of calls; waits out a pause that the deployment asked for."""
        while (pause := self._pause_until["poll"] - time.perf_counter()) > 0:
            sleep(pause)
        endpoint, body = self._writer.poll_endpoint, self._writer.poll(unique_ids)
        if not self._passes(endpoint, body):
            self.poll_measures.take("guard", 0.0, 0.0)
            return Polled((), "guard", time.perf_counter())
        self._pool.wait_for_place()
        begun = time.perf_counter()
        outcome = self._exchange("poll", endpoint, body)
        if isinstance(outcome, Failed) and outcome.kind == "stale":
            self.poll_measures.take("stale", 0.0, 0.0)
            self._pool.wait_for_place()
            begun = time.perf_counter()
            outcome = self._exchange("poll", endpoint, body, fresh=True)
        results: list[tuple[str, str]] = []
        if isinstance(outcome, Failed):
            kind: str | None = outcome.kind
        else:
            results, kind = read_poll(outcome.status, outcome.body)
            if kind is not None and kind.startswith("http_4") and len(unique_ids) > PROMISED_BATCH:
                kind = "batch_refused"
        self._told("poll", outcome, kind, begun, begun)
        return Polled(results, kind, begun)

    def _passes(self, endpoint: Endpoint, body: bytes) -> bool:
        try:
            self._guard.check(endpoint.url, endpoint.headers, body)
        except StrangerRefused:
            return False
        return True

    def _exchange(self, name: str, endpoint: Endpoint, body: bytes, *, fresh: bool = False) -> HttpAnswer | Failed:
        """Send once. The caller has taken a place in the pool; the pool gives it back."""
        try:
            answer = self._pool.exchange(endpoint.request(body), fresh=fresh)
        except Failed as failed:
            self._connected(yes=failed.sent, ours=failed.kind == "generator")
            return failed
        self._connected(yes=True)
        if answer.status == 429:
            self._pause(name, answer)
        return answer

    def _told(self, name: str, outcome: HttpAnswer | Failed, kind: str | None, due: float, begun: float) -> None:
        now = time.perf_counter()
        measures = self.trigger_measures if name == "trigger" else self.poll_measures
        measures.take(kind, now - due, now - begun)
        self._on_request(name, now - due, 0 if isinstance(outcome, Failed) else outcome.received, kind)

    def _pause(self, name: str, answer: HttpAnswer) -> None:
        asked = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"))
        pause = _PAUSE if asked is None else min(max(asked, 0.05), _LONGEST_PAUSE)
        self._pause_until[name] = max(self._pause_until[name], time.perf_counter() + pause)

    def _connected(self, *, yes: bool, ours: bool = False) -> None:
        if yes:
            self.reached = True
        elif not ours and not self.reached:
            self._unconnected += 1
            self.unreachable = self._unconnected >= UNREACHABLE_AFTER
