"""One process's part in a load run: client, ledger, poller and windows, put together for Locust's users.

What lives here: a run's life in one process (start, drain, stop) and what it knows at any moment. What does not: what
happens when an arrival is due (call placer), orders (worker run), and what the result means (judging).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from locust.env import Environment

from ringback import clock
from ringback.config import LINE_STATES, Config
from ringback.config.token import TokenError
from ringback.deployment.access import redactor_for
from ringback.deployment.budget import CallBudget
from ringback.deployment.causes import Cause, diagnose
from ringback.deployment.connections import client_ssl_context
from ringback.deployment.guard import DialGuard
from ringback.deployment.port import look_at
from ringback.intake import MAX_CONNECTIONS
from ringback.loadgen.accounting.ledger import Ledger
from ringback.loadgen.accounting.reconcile import Account, IdFate
from ringback.loadgen.generator.call_placer import CallPlacer
from ringback.loadgen.generator.call_poller import CallPoller
from ringback.loadgen.generator.locust_statistics import LocustStatistics
from ringback.loadgen.generator.result_listener import AwaitedDeliveries, ResultListener
from ringback.loadgen.generator.streams import UserStreams
from ringback.loadgen.http.load_client import LoadClient
from ringback.loadgen.http.pool import ConnectionPool, connections_allowed, open_files
from ringback.loadgen.http.wire import RequestWriter
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.metrics.histogram import Histogram
from ringback.loadgen.metrics.saturation import LAG_LIMIT
from ringback.loadgen.metrics.windows import Windows
from ringback.loadgen.schedule.origin import Origin
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.variables import PersonalValues, read_rows
from ringback.rundir import SINK

__all__ = ["LoadRun"]

_RUNS: WeakKeyDictionary[Environment, LoadRun] = WeakKeyDictionary()
_LAST_ANSWERS = 1.5
"""Seconds that an interrupted run waits for answers: each may show one more call that was placed."""
_TICK = 1.0
"""Seconds between two readings of counters and processor."""
_UNFINISHED_IDS = 20
"""Unfinished calls that are reported by their ids, at most."""


class LoadRun:
    """A run's state in this process. Users place calls by `placer` when `streams` say so.

    `member` is this process's number and how many there are; `budget` its share of the calls, for all its runs. With
    `scheduled`, users wait for streams; else Locust decides how long they run. With `relay`, there is `news` to send.
    """

    def __init__(
        self,
        config: Config,
        guard: DialGuard,
        environment: Environment,
        plan: LoadPlan,
        budget: CallBudget,
        *,
        member: tuple[int, int] = (0, 1),
        name: str = "generator",
        scheduled: bool = False,
        relay: bool = False,
    ) -> None:
        self.config = config
        self.plan = plan
        self.name = name
        self.member = member
        self.streams = UserStreams(scheduled=scheduled)
        self.windows = Windows(plan.steady, cuts=plan.cuts, name=name, relay=relay)
        self._budget, self._indeterminate_before = budget, budget.may_have_dialled
        scenario, lines = plan.what, [LINE_STATES[line] for line in config.lines.configured]
        self._ledger = Ledger(config.timing.settle, lines, config.dialect.pending_states)
        self._files_allowed = connections_allowed()
        self._results = (
            ResultListener(config, member, max(self._files_allowed // 4, MAX_CONNECTIONS))
            if scenario.delivers(config)
            else None
        )
        self._deliveries = AwaitedDeliveries(self._ledger, self._results.intake) if self._results else None
        self._time_to_final = {line: Histogram() for line in config.lines.configured}
        self._statistics = LocustStatistics(environment)
        self._pool = ConnectionPool(
            config.deployment.base_url, client_ssl_context(config), config.timing.request, self._files_allowed,
            config.deployment.proxy,
        )  # fmt: skip
        self._writer = writer = RequestWriter(config, guard, delivered_to=self._results.url if self._results else None)
        self._client = LoadClient(config, writer, budget, self._pool, self)
        self._poller = CallPoller(
            self._client, self._ledger, interval=config.load.poll_interval,
            first=_just_in_time(config.timing.settle, config.load.poll_interval) if scenario.asks_late else None,
            on_final=(lambda *_: None) if scenario.asks_late else self._is_final,
        )  # fmt: skip
        rows = None if config.load.variables_file is None else read_rows(config.load.variables_file)
        self._personal = PersonalValues(rows)
        self.placer = CallPlacer(
            config, plan, self._client, self._ledger, self._poller, self._deliveries, budget, member, rows
        )
        self._tick: gevent.Greenlet | None = None
        self._renewal: gevent.Greenlet | None = None
        self._examining: gevent.Greenlet | None = None
        self._cause: Cause | None = None
        """Why no trigger is accepted."""
        self._processor = 0.0
        self._begun = 0.0
        self._ended = 0.0
        self._unreachable: str | None = None
        _RUNS[environment] = self

    @classmethod
    def of(cls, environment: Environment) -> LoadRun:
        """The current run in a Locust environment; LookupError if there is none."""
        try:
            return _RUNS[environment]
        except KeyError:
            raise LookupError("no load run has been started in this Locust environment") from None

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return clock.monotonic() - self._begun if self._begun else 0.0

    def start(self, begun: float | None = None) -> None:
        """Start the run's clock at `begun` (default: now), and the polls of accepted calls."""
        self._begun = clock.monotonic() if begun is None else begun
        self._processor = time.process_time()
        self._pool.look_up()
        self._statistics.start()
        self._poller.start()
        if self._results is not None and self._deliveries is not None:
            self._results.on_result = self._deliveries.arrived
        self._tick = gevent.spawn(self._tick_on)
        self._renewal = gevent.spawn(self._renew_token)

    def stop(self, reason: str | None = None) -> None:
        """Place no further call; `reason`, if there is one, is why the run is incomplete."""
        self.placer.stop(reason)

    def drain(self) -> None:
        """Follow every accepted call to its end, within its settle time; then stop everything."""
        self._end_sending()
        timing = self.config.timing
        self._wait(lambda: not self._client.on_their_way, clock.monotonic() + 2 * timing.request)
        self._poller.hurry()
        last_poll = 2 * self.config.load.poll_interval + timing.request
        self._wait(lambda: not self._ledger.in_flight, lambda: self._ledger.last_deadline + last_poll)
        if self._deliveries is not None:
            deliveries = self._deliveries
            self._wait(lambda: not deliveries.open, clock.monotonic() + timing.delivery + 2 * LAG_LIMIT)
        self._close()

    def abandon(self) -> None:
        """Wait a moment for answers to triggers on their way; then stop everything. Calls stay unfinished."""
        self._end_sending()
        self._wait(lambda: not self._client.on_their_way, clock.monotonic() + _LAST_ANSWERS)
        self._close()

    def take(self, at: Origin, due: float, begun: float, now: float, received: int, kind: str | None) -> None:
        """A request ended (see `load_client.Listener`)."""
        self.windows.take(at, due - self._begun, now - due, now - begun, kind)
        self._statistics.take(at.kind, now - due, received, kind)
        if self._examining is None and self._client.nothing_works:
            self._examining = gevent.spawn(self._examine)
        if kind is not None and self._client.unreachable and self._cause is None:
            proxy = self.config.deployment.proxy
            through = "" if proxy is None else f" through the proxy {proxy.where}"
            self.stop(
                f"the deployment could not be reached at {self.config.deployment.base_url}{through}: "
                "no request could be sent"
            )

    def _examine(self) -> None:
        """Find out why the first few triggers were not accepted; if it is certain, place no further call."""
        symptoms = self._client.symptoms or []
        port = look_at(self.config) if any(symptom.status is None for symptom in symptoms) else None
        cause = diagnose(symptoms, self.config.deployment, port, redactor_for(self.config).clean)
        if cause is not None and self._client.symptoms is not None:
            self._cause = cause
            if cause.certain:
                self.placer.stop(cause.sentence, alone=True)

    def read_late(self, at: Origin, due: float, seconds: float) -> None:
        """An answer waited here before it was read (see `load_client.Listener`)."""
        self.windows.take_lag(at, due - self._begun, seconds)

    def account(self) -> Account:
        """What became of this process's calls, as of now."""
        return self._ledger.account()

    def snapshot(self, plan: LoadPlan) -> LoadSnapshot:
        """This process's part as of now, as if it were the whole run; `plan` says how it is described."""
        return LoadSnapshot(self.config, plan, [self.parts()], self.account(), self.windows, lost={})

    def fates(self, digests: Iterable[int], offset: float) -> list[IdFate]:
        """What became of ids that another process was given, too; `offset` leads from this clock to the common one."""
        return self._ledger.fates(digests, offset)

    def news(self) -> dict[str, Any]:
        """What a master is sent once: windows that are over, and digests of ids that were accepted since."""
        return {"windows": self.windows.drain(), "digests": self._ledger.drain_digests()}

    def parts(self) -> dict[str, Any]:
        """All else that is known here as of now, in plain values."""
        placer = self.placer
        return {
            "name": self.name,
            "users": self.streams.users,
            "seconds": self._ended or self.seconds,
            "scheduled": placer.scheduled,
            "sent": placer.sent,
            "held_back": placer.held_back,
            "dropped": placer.dropped,
            "on_their_way": self._client.on_their_way,
            "reached": self._client.reached,
            "unusable": self._cause.sentence if self._cause is not None and self._cause.ours else None,
            "indeterminate": self._budget.indeterminate - self._indeterminate_before,
            "refused_polls": self._client.refused_polls,
            "asked_too_late": self._poller.asked_too_late,
            # A worker's access tokens are its own: its master could not recognise them.
            "reasons": SINK.values(placer.reasons),
            "account": asdict(self._ledger.account()),
            "unfinished_ids": SINK.values(
                [self._personal.clean(each) for each in self._ledger.unfinished_ids(_UNFINISHED_IDS)]
            ),
            "time_to_final": {line: times.to_plain() for line, times in self._time_to_final.items()},
            "connections": self._pool.counts(),
            "dns": self._pool.lookup,
            "examples": self._client.examples.found,
            "receiver": self._receiver(),
            "open_files": open_files(),
            "open_files_limit": self._files_allowed,
        }

    def _is_final(self, line: str, seconds: float) -> None:
        self._time_to_final[line].record(seconds)

    def _end_sending(self) -> None:
        self.placer.stopped.set()
        if self._examining is not None:
            self._examining.join()
        if self._cause is not None and self._client.symptoms is not None:
            self.placer.stop(self._cause.sentence)
        if not self._ended and self._begun:
            self._ended = self.windows.sending_ended = self.seconds

    def _close(self) -> None:
        self._poller.stop()
        self._pool.close()
        if self._results is not None:
            self._unreachable = self._results.unreachable() if self._deliveries_due else None
            self._results.stop()
            self._ledger.close_deliveries(clock.monotonic(), self.config.timing.delivery + LAG_LIMIT)
        if self._renewal is not None:
            self._renewal.kill()
        if self._tick is not None:
            self._tick.kill()
            self._tick_once()
            self.windows.close()
        self._statistics.stop()

    def _renew_token(self) -> None:
        """Renew the access token whenever that is due; end the sending if it is too old."""
        token = self.config.deployment.access_token
        while (seconds := token.due_in) is not None:
            if seconds:
                gevent.sleep(seconds)
                continue
            try:
                token.renew()
            except TokenError as why:
                if token.too_old:
                    self.stop(f"the access token is too old, and access_token_command gives no other: {why}")
                    return
            else:
                self._writer.use_current_token()

    @property
    def _deliveries_due(self) -> bool:
        counts = self._ledger.deliveries()
        return counts is not None and counts.expected > 0

    def _receiver(self) -> dict[str, Any] | None:
        if self._results is None:
            return None
        return {
            "requests": self._results.requests,
            "unreachable": self._unreachable,
            "dropped": self._results.intake.dropped,
        }

    def _tick_on(self) -> None:
        while True:
            gevent.sleep(_TICK)
            self._tick_once()

    def _tick_once(self) -> None:
        placer, counts = self.placer, self._ledger.counts
        self.windows.tick(
            self.seconds, scheduled=placer.scheduled, sent=placer.sent, dropped=placer.dropped,
            accepted=counts.accepted, final=counts.final, in_flight=self._ledger.in_flight,
            cpu=time.process_time() - self._processor,
        )  # fmt: skip

    def _wait(self, condition: Callable[[], bool], deadline: float | Callable[[], float]) -> None:
        while not condition() and clock.monotonic() < (deadline() if callable(deadline) else deadline):
            gevent.sleep(0.02)


def _just_in_time(settle: float, interval: float) -> float:
    """When to poll a call first if polls shall hardly add to the load: while it is early enough to see a lost call.

    A call whose first poll comes after its settle time is not judged, because its result may be gone by then.
    """
    return max(settle - 2 * interval, settle / 2)
