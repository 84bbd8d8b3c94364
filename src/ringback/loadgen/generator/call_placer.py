"""What happens when an arrival is due: a call is placed, or placed calls are polled. Counts arrivals.

What lives here: lines in turn, the population of calls to poll again, and when to place no further call. What does not:
when arrivals are due (users), how requests are sent (load client), what becomes of calls (ledger).
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from ringback import clock
from ringback.config import Config
from ringback.deployment.budget import CallBudget
from ringback.deployment.guard import StrangerRefused
from ringback.loadgen.accounting.ledger import Ledger
from ringback.loadgen.generator.call_poller import CallPoller
from ringback.loadgen.generator.result_listener import AwaitedDeliveries
from ringback.loadgen.http.load_client import WITHDRAWN, HeldBack, LoadClient, NoCallsLeft, RequestNotSent, Triggered
from ringback.loadgen.schedule.origin import origin
from ringback.loadgen.schedule.plan import SETUP, LoadPlan
from ringback.loadgen.variables import Rows, RowSource, RowsUsedUp

__all__ = ["BUDGET_SPENT", "CallPlacer", "Population"]

_MOST = 100_000
_NO_CALL_YET = 0.05
"""Seconds until a population without calls is looked at again."""
BUDGET_SPENT = "the budget of calls (load.budget_calls) ended before the planned load did"


class Population:
    """Gives out batches of calls, in turn; beyond 100,000 calls the oldest are forgotten."""

    def __init__(self) -> None:
        self._calls: deque[str] = deque(maxlen=_MOST)

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, unique_id: str) -> None:
        """A call was accepted."""
        self._calls.append(unique_id)

    def next_batch(self, most: int) -> list[str]:
        """The next calls in turn, at most so many, each once; empty if there are none."""
        batch = dict.fromkeys(self._calls.popleft() for _ in range(min(most, len(self._calls))))
        self._calls.extend(batch)
        return list(batch)


class CallPlacer:
    """Places and polls calls for the users in `load/`. `member` is this process's number and how many there are."""

    def __init__(
        self,
        config: Config,
        plan: LoadPlan,
        client: LoadClient,
        ledger: Ledger,
        poller: CallPoller,
        deliveries: AwaitedDeliveries | None,
        budget: CallBudget,
        member: tuple[int, int],
        rows: Rows | None = None,
    ) -> None:
        self.scheduled = self.sent = self.held_back = self.dropped = 0
        self.stopped = Event()
        """Set when no further call shall be placed."""
        self.reasons: list[str] = []
        """Why the run is incomplete."""
        self.chance = random.Random(plan.seed * 1000 + member[0])
        self._scenario = plan.what
        self._client = client
        self._ledger = ledger
        self._poller = poller
        self._deliveries = deliveries
        self._budget = budget
        self._member = member
        self._population = Population()
        self._population_size = config.load.population
        self._preparing: gevent.Greenlet | None = None
        lines = list(enumerate(config.lines.configured))
        self.chance.shuffle(lines)
        self._lines = itertools.cycle(lines)
        self._next_variables: Callable[[], tuple[tuple[str, str], ...]] | None = None
        if rows is not None:
            try:
                self._next_variables = RowSource(rows, config.load.variables_order, member, self.chance).take
            except ValueError as why:
                self.stop(str(why))

    def place_call(
        self,
        due: float,
        then: Callable[[Triggered | None], None] | None,
        *,
        delivered: bool,
        tags: frozenset[str] = frozenset(),
    ) -> None:
        """Trigger a call on the next line, due at `due` (`clock.monotonic` seconds), without waiting for the answer.

        In the closed model, `then` is called when the next call may be placed. `tags` are those of the task.
        """
        self.scheduled += 1
        ended = self._on_triggered if then is None else _both(self._on_triggered, then)
        delivered = delivered and self._deliveries is not None
        try:
            line, name = next(self._lines)
            word = self._client.trigger(
                line, due, ended, at=origin("trigger", name, tags), delivered=delivered,
                next_variables=self._next_variables,
            )  # fmt: skip
        except RowsUsedUp as why:
            self.stop(str(why))
        except StrangerRefused:
            self.stop("the dial guard refused a row of load.variables_file; nothing was sent for it")
        except HeldBack as why:
            self.held_back += 1
            if then is not None:
                gevent.spawn_later(why.seconds, then, None)
        except NoCallsLeft as why:
            self.stop(str(why) if self._budget.in_the_dark else BUDGET_SPENT)
        else:
            self.sent += 1
            if delivered and self._deliveries is not None:
                self._deliveries.expect(word)

    def poll_calls(
        self, due: float, then: Callable[[None], None] | None, *, tags: frozenset[str] = frozenset()
    ) -> None:
        """Poll the next calls of the population; while there are none, nothing is sent."""
        self.scheduled += 1
        calls = self._population.next_batch(self._client.batch)
        try:
            if not calls:
                raise HeldBack(_NO_CALL_YET)
            ended = self._poller.take if then is None else _both(self._poller.take, then)
            self._client.poll(calls, due, ended, at=origin("poll", tags=tags))
        except RequestNotSent as why:
            self.held_back += 1
            if then is not None:
                gevent.spawn_later(why.seconds if isinstance(why, HeldBack) else _NO_CALL_YET, then, None)
        else:
            self.sent += 1

    def prepare(self) -> None:
        """Have the standing population placed, if the scenario has one; a second call does nothing."""
        if self._scenario.stands and self._preparing is None:
            self._preparing = gevent.spawn(self._place_population)

    def drop(self, arrivals: int) -> None:
        """So many arrivals came too late to be sent."""
        self.scheduled += arrivals
        self.dropped += arrivals

    def stop(self, reason: str | None = None, *, alone: bool = False) -> None:
        """Place no further call; `reason`, if there is one, is why the run is incomplete, `alone` the only reason."""
        if alone:
            self.reasons.clear()
        if reason is not None and reason not in self.reasons:
            self.reasons.append(reason)
        self.stopped.set()

    def _place_population(self) -> None:
        """Place this process's share of the standing population, evenly over `SETUP` seconds."""
        number, members = self._member
        whole, begun = self._population_size, clock.monotonic()
        for n in range(number, whole, members):
            gevent.sleep(max(0.0, begun + n / whole * SETUP - clock.monotonic()))
            if self.stopped.is_set():
                return
            self.place_call(clock.monotonic(), None, delivered=False)

    def _on_triggered(self, triggered: Triggered) -> None:
        if triggered.kind == WITHDRAWN:
            self.sent -= 1
            self.held_back += 1
        unique_id = triggered.unique_id
        if unique_id is not None and self._ledger.accept(unique_id, triggered.line, triggered.begun):
            self._poller.follow(unique_id)
            if self._scenario.asks_again:
                self._population.add(unique_id)
        if self._deliveries is not None:
            self._deliveries.answered(triggered.word, unique_id)


def _both(first: Callable[[Any], None], second: Callable[[Any], None]) -> Callable[[Any], None]:
    def call(value: Any) -> None:
        first(value)
        second(value)

    return call
