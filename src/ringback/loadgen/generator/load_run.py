"""One process's part in a load run: door, ledger, watch and windows, put together for Locust's users to drive.

What lives here: a run's life in one process (start, play schedules, drain, stop) and what it knows at any moment. What
does not: when calls are placed (users, arrivals), who says what is played (conductor), and what is made of the result
(account, section, limits).
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from gevent.event import Event
from gevent.queue import Queue
from locust.env import Environment

from ringback import clock
from ringback.config import LINE_STATES, Config
from ringback.deployment.budget import CallBudget
from ringback.deployment.guard import DialGuard
from ringback.deployment.transport import client_ssl_context
from ringback.loadgen.accounting.ledger import Ledger
from ringback.loadgen.accounting.reconcile import Account
from ringback.loadgen.generator.call_poller import Watch
from ringback.loadgen.generator.locust_statistics import LocustStatistics
from ringback.loadgen.generator.population import Population
from ringback.loadgen.generator.result_listener import ResultListener
from ringback.loadgen.http.load_client import WITHDRAWN, BudgetSpent, Door, NotSent, Triggered, Withheld
from ringback.loadgen.http.machine import connections_allowed, open_files
from ringback.loadgen.http.pool import ConnectionPool
from ringback.loadgen.http.wire import RequestWriter
from ringback.loadgen.metrics.histogram import Histogram
from ringback.loadgen.metrics.windows import POLL, TRIGGER, Windows
from ringback.loadgen.schedule.plan import SETUP
from ringback.loadgen.schedule.scenarios import Scenario
from ringback.loadgen.schedule.streams import Stream, both

__all__ = ["LoadRun"]

_RUNS: WeakKeyDictionary[Environment, LoadRun] = WeakKeyDictionary()
_GOLDEN = (5**0.5 - 1) / 2
_LAST_ANSWERS = 1.5
"""Seconds that an interrupted run waits for answers, for each may tell of one more call that was placed."""
_TICK = 1.0
"""Seconds between two looks at counters and processor."""
_NOBODY_YET = 0.05
"""Seconds after which a population is looked at again that has no call yet."""
_TOLD_UNFINISHED = 20
_LATE_BATCH = 100
"""Calls that are asked for at a time where polls are to weigh little; a deployment may refuse so many."""
BUDGET_SPENT = "the budget of calls (load.budget_calls) ended before the planned load did"


class LoadRun:
    """A run's state in this process. Users place calls through it; `parts` tells what came of them.

    `member` is this process's number and how many there are; `budget` its share of the calls, for all its runs.
    """

    def __init__(
        self,
        config: Config,
        guard: DialGuard,
        environment: Environment,
        *,
        scenario: Scenario,
        seed: int,
        budget: CallBudget,
        member: tuple[int, int] = (0, 1),
        name: str = "generator",
        steady: tuple[float, float] = (0.0, math.inf),
        relay: bool = False,
    ) -> None:
        self.config = config
        self.scenario = scenario
        self.name = name
        self.member = member
        self.chance = random.Random(seed * 1000 + member[0])
        self.stopped = Event()
        """Set when no further call shall be placed."""
        self.scheduled = self.sent = self.withheld = self.dropped = 0
        self.reasons: list[str] = []
        """Why the run cannot be called whole."""
        self._queues: list[Queue[Any]] | None = None
        self._playing = 0
        self._users = 0
        self._budget, self._dialled_before = budget, budget.may_have_dialled
        self._results = ResultListener(config, member) if scenario.delivers(config) else None
        lines = [LINE_STATES[line] for line in config.lines.configured]
        self._ledger = Ledger(config.timing.settle, lines, config.dialect.pending_states)
        self._time_to_final = Histogram()
        self.windows = Windows(steady, name=name, relay=relay)
        self._statistics = LocustStatistics(environment)
        self._files_allowed = connections_allowed()
        self._pool = ConnectionPool(
            config.deployment.base_url, client_ssl_context(config), config.timing.request, self._files_allowed
        )
        writer = RequestWriter(config, guard, delivered_to=self._results.url if self._results else None)
        self._door = Door(config, writer, self._budget, self._pool, self)
        self._watch = Watch(
            self._door, self._ledger, batch=config.load.poll_batch, interval=config.load.poll_interval,
            first=config.timing.settle if scenario.asks_late else None, on_final=self._on_final,
        )  # fmt: skip
        self._population = Population(config.load.poll_batch)
        self._lines = self._endless_lines(len(lines))
        self._tick: gevent.Greenlet | None = None
        self._setting_up: gevent.Greenlet | None = None
        self._awaited: dict[bytes, str | None] = {}
        self._early: dict[bytes, list[tuple[str | None, str | None, float]]] = {}  # before the triggers' answers
        self._processor = 0.0
        self._begun = 0.0
        self._ended = 0.0
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
        return clock.monotonic() - self._begun if self._begun else 0.0

    def subscribe(self) -> Iterator[Stream] | None:
        """The schedules for one more user to play, as they come; None where Locust alone says how long users run."""
        if self._queues is None:
            return None
        queue: Queue[Any] = Queue()
        self._queues.append(queue)
        return iter(queue.get, None)

    @property
    def playing(self) -> bool:
        """Whether a schedule is being played."""
        return self._playing > 0

    @property
    def in_flight(self) -> int:
        """Accepted calls that have not come to their end."""
        return self._ledger.in_flight

    @property
    def on_their_way(self) -> int:
        """Triggers that have not been answered."""
        return self._door.on_their_way

    def expect_streams(self) -> None:
        """Have users wait for what `play` gives them."""
        self._queues = []

    @property
    def users(self) -> int:
        """Users that wait for schedules."""
        return len(self._queues or ())

    def start(self, begun: float | None = None) -> None:
        """The clock starts at `begun` (default: now), and with it the watch over accepted calls."""
        self._begun = clock.monotonic() if begun is None else begun
        self._processor = time.process_time()
        self._pool.look_up()
        self._statistics.start()
        self._watch.start()
        if self._results is not None:
            self._results.on_result = self._on_result
        self._tick = gevent.spawn(self._tick_on)

    def play(self, stream: Callable[[], Stream]) -> None:
        """Have each waiting user play a schedule; `playing` until all have."""
        queues = self._queues or []
        self._playing += len(queues)
        for queue in queues:
            queue.put(stream())

    def played(self) -> None:
        """A user has played its schedule."""
        self._playing -= 1

    def next_phase(self) -> float:
        """Where between two arrivals of the first user the next user's fall: 0, then far from all others.

        Multiples of the golden ratio's fraction spread evenly whatever their number (Weyl, Steinhaus).
        """
        phase = self._users * _GOLDEN % 1.0
        self._users += 1
        return phase

    def place_call(self, due: float, then: Callable[[Triggered | None], None] | None, *, delivered: bool) -> None:
        """Trigger a call on the next line, due at `due` (`clock.monotonic` seconds), without waiting for the answer.

        `then` is told when another may be placed in its stead, in the closed model.
        """
        self.scheduled += 1
        ended = self._on_triggered if then is None else both(self._on_triggered, then)
        delivered = delivered and self._results is not None
        try:
            word = self._door.trigger(next(self._lines), due, ended, delivered=delivered)
        except Withheld as why:
            self.withheld += 1
            if then is not None:
                gevent.spawn_later(why.seconds, then, None)
        except BudgetSpent as why:
            self.stop(str(why) if self._budget.in_the_dark else BUDGET_SPENT)
        else:
            self.sent += 1
            if delivered:
                self._awaited[word] = None

    def poll_calls(self, due: float, then: Callable[[None], None] | None) -> None:
        """Ask for the next calls of the population; where there are none yet, nothing is sent."""
        self.scheduled += 1
        calls = self._population.next_batch()
        try:
            if not calls:
                raise Withheld(_NOBODY_YET)
            self._door.poll(calls, due, self._watch.take if then is None else both(self._watch.take, then))
        except NotSent as why:
            self.withheld += 1
            if then is not None:
                gevent.spawn_later(why.seconds if isinstance(why, Withheld) else _NOBODY_YET, then, None)
        else:
            self.sent += 1

    def prepare(self) -> None:
        """Have the standing population placed, if the scenario has one; a second call does nothing."""
        if self.scenario.stands and self._setting_up is None:
            self._setting_up = gevent.spawn(self._place_population)

    def _place_population(self) -> None:
        """Place this process's share of the standing population, evenly over `SETUP` seconds."""
        number, members = self.member
        whole, begun = self.config.load.population, clock.monotonic()
        for n in range(number, whole, members):
            gevent.sleep(max(0.0, begun + n / whole * SETUP - clock.monotonic()))
            if self.stopped.is_set():
                return
            self.place_call(clock.monotonic(), None, delivered=False)

    def drop(self, arrivals: int) -> None:
        """So many arrivals came too late to be sent."""
        self.scheduled += arrivals
        self.dropped += arrivals

    def stop(self, reason: str | None = None) -> None:
        """Place no further call; `reason`, if there is one, is why the run cannot be called whole."""
        if reason is not None and reason not in self.reasons:
            self.reasons.append(reason)
        self.stopped.set()

    def drain(self) -> None:
        """Wait until every accepted call has come to its end, as long as it has settle time; then all stops."""
        self.end_sending()
        timing = self.config.timing
        self._wait(lambda: not self._door.on_their_way, clock.monotonic() + 2 * timing.request)
        self._watch.hurry()
        last_poll = 2 * self.config.load.poll_interval + timing.request
        self._wait(lambda: not self._ledger.in_flight, lambda: self._ledger.last_deadline + last_poll)
        if self._results is not None:
            self._wait(lambda: not self._awaited, clock.monotonic() + timing.delivery)
        self.close()

    def abandon(self) -> None:
        """Wait for the answers to triggers on their way, a moment only; then all stops, and calls stay unfinished."""
        self.end_sending()
        self._wait(lambda: not self._door.on_their_way, clock.monotonic() + _LAST_ANSWERS)
        self.close()

    def end_sending(self) -> None:
        """No further call is placed: the time of sending is over."""
        self.stopped.set()
        if not self._ended and self._begun:
            self._ended = self.windows.sending_ended = self.seconds

    def close(self) -> None:
        """Stop at once: nothing is sent or listened for after this."""
        self.end_sending()
        self._watch.stop()
        self._pool.close()
        if self._results is not None:
            self._results.stop()
            self._ledger.close_deliveries(clock.monotonic(), self.config.timing.delivery)
        if self._tick is not None:
            self._tick.kill()
            self._tick_once()
            self.windows.close()
        self._statistics.stop()

    def take(self, name: str, due: float, begun: float, now: float, received: int, kind: str | None) -> None:
        """The door tells of a request that ended."""
        self.windows.take(TRIGGER if name == "trigger" else POLL, due - self._begun, now - due, now - begun, kind)
        self._statistics.take(name, now - due, received, kind)
        if kind is not None and self._door.unreachable:
            self.stop(self.unreached)

    def account(self) -> Account:
        """What became of this process's calls, as of now."""
        return self._ledger.account()

    def fates(self, digests: Iterable[int], offset: float) -> list[list[Any]]:
        """What became of ids that another process was given, too; `offset` leads from this clock to the common one."""
        return [fate.to_list() for fate in self._ledger.fates(digests, offset)]

    def news(self) -> dict[str, Any]:
        """What a master is told once: windows that are over, and digests of ids that were accepted since."""
        return {"windows": self.windows.drain(), "digests": self._ledger.drain_digests()}

    def parts(self) -> dict[str, Any]:
        """All else that is known here as of now, in plain values."""
        return {
            "name": self.name,
            "users": self.users,
            "seconds": self._ended or self.seconds,
            "scheduled": self.scheduled,
            "sent": self.sent,
            "withheld": self.withheld,
            "dropped": self.dropped,
            "on_their_way": self._door.on_their_way,
            "reached": self._door.reached,
            "indeterminate": self._budget.indeterminate - self._dialled_before,
            "refused_polls": self._door.refused_polls,
            "asked_too_late": self._watch.asked_too_late,
            "reasons": list(self.reasons),
            "account": self._ledger.account().to_dict(),
            "unfinished_ids": self._ledger.unfinished_ids(_TOLD_UNFINISHED),
            "time_to_final": self._time_to_final.to_plain(),
            "connections": self._pool.told(),
            "dns": self._pool.lookup,
            "open_files": open_files(),
            "open_files_limit": self._files_allowed,
        }

    @property
    def unreached(self) -> str:
        """Said of a deployment that no request got through to."""
        return f"the deployment could not be reached at {self.config.deployment.base_url}: no request could be sent"

    def _on_triggered(self, triggered: Triggered) -> None:
        if triggered.kind == WITHDRAWN:
            self.sent -= 1
            self.withheld += 1
        unique_id = triggered.unique_id
        if unique_id is None:
            self._awaited.pop(triggered.word, None)
            self._early.pop(triggered.word, None)
            return
        if self._ledger.accept(unique_id, triggered.line, triggered.begun):
            self._watch.follow(unique_id)
            if self.scenario.asks_again:
                self._population.add(unique_id)
        if triggered.word in self._awaited:
            self._awaited[triggered.word] = unique_id
            self._ledger.expect_delivery(unique_id)
            for named, state, at in self._early.pop(triggered.word, ()):
                if named is None:
                    self._ledger.delivered(unique_id, state, at)
                self._awaited.pop(triggered.word, None)

    def _on_final(self, _unique_id: str, seconds: float) -> None:
        if not self.scenario.asks_late:
            self._time_to_final.record(seconds)

    def _on_result(self, word: bytes, unique_id: str | None, state: str | None, at: float) -> None:
        """A result was delivered; where it names no id, the address to which it came tells for which call it was."""
        named = unique_id or self._awaited.get(word)
        if named is not None:
            self._ledger.delivered(named, state, at)
        if word in self._awaited and self._awaited[word] is None:
            self._early.setdefault(word, []).append((unique_id, state, at))
        else:
            self._awaited.pop(word, None)

    def _tick_on(self) -> None:
        while True:
            gevent.sleep(_TICK)
            self._tick_once()

    def _tick_once(self) -> None:
        self.windows.tick(
            self.seconds, scheduled=self.scheduled, sent=self.sent, dropped=self.dropped,
            accepted=self._ledger.accepted, final=self._ledger.final, in_flight=self._ledger.in_flight,
            cpu=time.process_time() - self._processor,
        )  # fmt: skip

    def _wait(self, condition: Callable[[], bool], deadline: float | Callable[[], float]) -> None:
        while not condition() and clock.monotonic() < (deadline() if callable(deadline) else deadline):
            gevent.sleep(0.02)

    def _endless_lines(self, count: int) -> Iterator[int]:
        lines = list(range(count))
        self.chance.shuffle(lines)
        return itertools.cycle(lines)
