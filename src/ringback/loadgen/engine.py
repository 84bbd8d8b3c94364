"""One load run inside a process: door, ledger, watch and measures, put together for Locust's users to drive.

What lives here: the run's life (start, place calls, drain, stop) and what it knows at any moment. What does not: when
calls are placed (users, arrivals), and what is made of the result (limits, reports).
"""

from __future__ import annotations

import itertools
import random
import resource
import time
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from gevent.event import Event
from gevent.pool import Group
from locust.env import Environment

from ringback.config import LINE_STATES, Config
from ringback.deployment.transport import client_ssl_context
from ringback.loadgen.budget import CallBudget
from ringback.loadgen.client import BudgetSpent, Door, Guard, Refused, Withheld
from ringback.loadgen.connection import ConnectionPool
from ringback.loadgen.histogram import Histogram
from ringback.loadgen.ledger import Ledger
from ringback.loadgen.section import keys_for, load_section
from ringback.loadgen.selfwatch import SelfWatch
from ringback.loadgen.watch import Watch

__all__ = ["LoadRun", "RequestFailed"]

_RUNS: WeakKeyDictionary[Environment, LoadRun] = WeakKeyDictionary()
_SPARE_FILES = 128
_MOST_CONNECTIONS = 50_000
_GOLDEN = (5**0.5 - 1) / 2
_DOMINANT = 0.1
"""The share of arrivals beyond which a rate limit decides what is measured."""


_LAST_ANSWERS = 1.5
"""Seconds that an interrupted run waits for answers, for each may tell of one more call that was placed."""


class RequestFailed(Exception):
    """How Locust's statistics are told of a failed request: the message is the kind of failure."""


class LoadRun:
    """A run's state. Users place calls through it; `section` and `open_questions` tell what came of them."""

    def __init__(
        self, config: Config, guard: Guard, environment: Environment, *, scenario: str, seed: int, budget: int | None
    ) -> None:
        self.config = config
        self.scenario = scenario
        self.chance = random.Random(seed)
        self.stopped = Event()
        """Set when no further call shall be placed."""
        self.scheduled = self.sent = self.withheld = 0
        self._users = 0
        self._reasons: list[str] = []
        self._environment = environment
        self._budget = CallBudget(budget)
        self._ledger = Ledger(config.timing.settle, config.dialect.pending_states)
        self._time_to_final = Histogram()
        self._generator = SelfWatch()
        self._pool = ConnectionPool(
            config.deployment.base_url, client_ssl_context(config), config.timing.request, _connections_allowed()
        )
        self._door = Door(config, guard, self._budget, self._pool, self._on_request, self._generator.note_lag)
        self._watch = Watch(
            self._door, self._ledger, batch=config.load.poll_batch, interval=config.load.poll_interval,
            on_final=self._time_to_final.record,
        )  # fmt: skip
        self._lines = self._endless_lines()
        self._triggers = Group()
        self._begun = 0.0
        self._seconds = 0.0
        _RUNS[environment] = self

    @classmethod
    def of(cls, environment: Environment) -> LoadRun:
        """The run that is on in a Locust environment; LookupError if there is none."""
        try:
            return _RUNS[environment]
        except KeyError:
            raise LookupError("no load run has been started in this Locust environment") from None

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._begun if self._begun else 0.0

    def start(self) -> None:
        """The clock starts, and so does the watch over accepted calls."""
        self._begun = time.perf_counter()
        self._generator.start()
        self._watch.start()

    def next_phase(self) -> float:
        """Where between two arrivals of the first user the next user's fall: 0, then far from all others.

        Multiples of the golden ratio's fraction spread evenly whatever their number (Weyl, Steinhaus).
        """
        phase = self._users * _GOLDEN % 1.0
        self._users += 1
        return phase

    def place_call(self, due: float) -> gevent.Greenlet:
        """Trigger a call on the next line, due at `due` (perf_counter seconds), without waiting for the answer."""
        self.scheduled += 1
        name, number = next(self._lines)
        return self._triggers.spawn(self._place, due, number, LINE_STATES[name])

    def drop(self, arrivals: int) -> None:
        """So many arrivals fell due and came too late to be sent."""
        self.scheduled += arrivals
        self._generator.dropped += arrivals

    def stop(self, reason: str | None = None) -> None:
        """Place no further call; `reason`, if there is one, is why the run cannot be called whole."""
        if reason is not None and reason not in self._reasons:
            self._reasons.append(reason)
        self.stopped.set()

    def drain(self) -> None:
        """Wait until every accepted call has come to its end, as long as it has settle time; then all stops."""
        self._end_sending()
        self._triggers.join(timeout=2 * self.config.timing.request)
        last_poll = 2 * self.config.load.poll_interval + self.config.timing.request
        while self._ledger.in_flight and time.perf_counter() < self._ledger.last_deadline + last_poll:
            gevent.sleep(0.02)
        self.close()

    def abandon(self) -> None:
        """Wait for the answers to triggers on their way, a moment only; then all stops, and calls stay unfinished."""
        self._end_sending()
        self._triggers.join(timeout=_LAST_ANSWERS)
        self.close()

    def close(self) -> None:
        """Stop at once: nothing is sent or listened for after this."""
        self.stopped.set()
        self._end_sending()
        self._triggers.kill()
        self._watch.stop()
        self._pool.close()

    def section(self) -> dict[str, Any]:
        """The load section as of now; calls that are being followed count as unfinished."""
        if not self._seconds:
            self._generator.stop()
        self._generator.own_faults = sum(m.own_faults["generator"] for m in (self._trigger, self._poll))
        return load_section(
            scenario=self.scenario, scheduled=self.scheduled, sent=self.sent, withheld=self.withheld,
            seconds=self._seconds or self.seconds, trigger=self._trigger, poll=self._poll, ledger=self._ledger,
            budget=self._budget, time_to_final=self._time_to_final, generator=self._generator,
            reached=self._door.reached, keys=keys_for(self.config.limits),
        )  # fmt: skip

    def progress(self) -> dict[str, Any]:
        """A few figures for a progress line."""
        p99, lag = self._trigger.latency.percentile(99), self._generator.lag.percentile(99)
        return {
            "seconds": round(self.seconds, 2),
            "scheduled": self.scheduled,
            "sent": self.sent,
            "accepted": self._ledger.accepted,
            "final": self._ledger.final,
            "in_flight": self._ledger.in_flight,
            "errors": self._trigger.failed + self._poll.failed,
            "rate_limited": self._trigger.rate_limited + self._poll.rate_limited,
            "p99_ms": None if p99 is None else round(p99 * 1000, 2),
            "lag_p99_ms": None if lag is None else round(lag * 1000, 2),
        }

    def open_questions(self) -> tuple[str, ...]:
        """Why the run cannot be called passed, whatever its figures say."""
        told = list(self._reasons)
        if not self._door.reached and not any("reach" in reason for reason in told):
            told.append(self._unreached())
        if limits := self._generator.limits():
            told.append(
                f"the load generator was itself the limit: {'; '.join(limits)}; times are not the deployment's: "
                "lower the rate, or run it on a faster or less busy machine"
            )
        held_back = self.withheld + self._trigger.rate_limited
        if self.scheduled and held_back / self.scheduled > _DOMINANT:
            told.append(
                f"the deployment's rate limit (429) decided the load: {held_back} of {self.scheduled} arrivals; "
                "lower the rate, or have the limit lifted for the test"
            )
        stale = self._trigger.own_faults["stale"]
        if self.scheduled and stale / self.scheduled > _DOMINANT:
            told.append(
                f"{stale} triggers crossed the closing of an idle connection; whether they arrived is not known"
            )
        if refused := self._trigger.own_faults["guard"] + self._poll.own_faults["guard"]:
            told.append(f"the dial guard refused {refused} requests; nothing was sent for them")
        if left := self._ledger.in_flight:
            told.append(f"{left} accepted calls were unfinished when the run ended")
        return tuple(told)

    @property
    def _trigger(self) -> Any:
        return self._door.trigger_measures

    @property
    def _poll(self) -> Any:
        return self._door.poll_measures

    def _place(self, due: float, number: str, state: str) -> None:
        try:
            self.sent += 1
            triggered = self._door.trigger(number, due)
        except Withheld:
            self.sent -= 1
            self.withheld += 1
            return
        except BudgetSpent:
            self.sent -= 1
            self.stop(f"the budget of {self._budget.limit} calls (load.budget_calls) ended before the planned load did")
            return
        except Refused:
            self.sent -= 1
            return
        if triggered.unique_id is not None and self._ledger.accept(triggered.unique_id, state, triggered.begun):
            self._watch.follow(triggered.unique_id)
        if self._door.unreachable:
            self.stop(self._unreached())

    def _unreached(self) -> str:
        return f"the deployment could not be reached at {self.config.deployment.base_url}: no request could be sent"

    def _end_sending(self) -> None:
        if not self._seconds and self._begun:
            self._seconds = self.seconds
            self._generator.stop()

    def _endless_lines(self) -> Iterator[tuple[str, str]]:
        lines = list(self.config.lines.configured.items())
        self.chance.shuffle(lines)
        return itertools.cycle(lines)

    def _on_request(self, name: str, seconds: float, received: int, kind: str | None) -> None:
        self._environment.events.request.fire(
            request_type="POST", name=name, response_time=seconds * 1000, response_length=received,
            exception=None if kind is None else RequestFailed(kind), context={}, start_time=time.time() - seconds,
            url=None, response=None,
        )  # fmt: skip


def _connections_allowed() -> int:
    """As many as this process may open files, once it has asked for all that it can get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):
            pass
    allowed = _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else soft - _SPARE_FILES
    return max(16, min(allowed, _MOST_CONNECTIONS))
