"""Plain Locust's master and workers: each worker keeps a ledger of its own, the master makes one account of them all.

What lives here: what travels beside Locust's own messages, and who waits for whom at the end of a test. What does not:
what becomes of an account (plain).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from ringback import clock
from ringback.config import Config
from ringback.loadgen.accounting.reconcile import Account, Fate, Reconciler
from ringback.loadgen.distributed.clocks import ClockOffset
from ringback.loadgen.distributed.runners import MESSAGE
from ringback.loadgen.generator.load_run import LoadRun
from ringback.loadgen.judging.snapshot import Gathered
from ringback.loadgen.metrics.windows import Windows
from ringback.loadgen.schedule.plan import LoadPlan

__all__ = ["Order", "PlainMaster", "PlainWorker"]

_TELL_EVERY = 0.5
_SILENT = 10.0
"""Seconds without a word after which a worker counts as lost."""
_ASKED = 5.0
"""Seconds in which a worker answers a question, or tells in a hurry what it saw."""
_PINGS = 8

Order = Mapping[str, Any]
"""What a master tells a worker before a test: `scenario`, `member` (which of how many), `budget`, `fingerprint`."""


class _Hand:
    """What the master knows of a worker in one test."""

    def __init__(self, node: str, share: int | None) -> None:
        self.node = node
        self.name = node
        self.share = share
        """Calls that it may place in this test; None for no limit."""
        self.clock = ClockOffset()
        self.heard = clock.monotonic()
        self.parts: dict[str, Any] = {}
        self.over = False
        self.fates: list[Any] | None = None
        self.lost = False

    @property
    def spent(self) -> int:
        """Calls that it may have placed: as it said at the end, or all that it was allowed if it never did."""
        if not self.over:
            return self.share or 0
        return int(self.parts["account"]["accepted"]) + int(self.parts["indeterminate"])


class PlainMaster:
    """The master's side. A test is begun, watched and finished; workers that join later place no calls."""

    def __init__(self, environment: Environment, config: Config, fingerprint: str) -> None:
        runner = environment.runner
        assert isinstance(runner, MasterRunner)  # noqa: S101 - the caller looked
        self._runner = runner
        self._config = config
        self._fingerprint = fingerprint
        self._listener: object = None
        self._begun = 0.0
        self._hands: dict[str, _Hand] = {}
        self._scenario = ""
        self._spent = 0
        """Calls that earlier tests may have placed."""
        self._windows = Windows()
        self._reconciler = Reconciler(config.timing.settle)
        runner.register_message(MESSAGE, self._on_message)

    def begin(self, scenario: str, budget: int | None) -> None:
        """A test begins: share out what earlier tests left of the budget among the workers that are there."""
        self._spent += sum(hand.spent for hand in self._hands.values())
        self._scenario, self._begun = scenario, clock.monotonic()
        self._windows, self._reconciler = Windows(), Reconciler(self._config.timing.settle)
        nodes = [client.id for client in self._runner.clients.all]
        left = None if budget is None else max(0, budget - self._spent)
        self._hands = {}
        for number, node in enumerate(nodes):
            share = None if left is None else left // len(nodes) + (number < left % len(nodes))
            self._hands[node] = _Hand(node, share)
            self._send(
                node, do="begin", scenario=scenario, member=[number, len(nodes)], budget=share,
                fingerprint=self._fingerprint,
            )  # fmt: skip
        for _ in range(_PINGS):
            for node in nodes:
                self._send(node, do="ping", sent=clock.monotonic())

    def finish(self, *, hurry: bool) -> None:
        """Have the workers follow their calls to the end (in a hurry: not), and return when all have, or are lost."""
        if gevent.getcurrent() is self._listener:
            return  # the last worker has left, and what it had to tell came before that; none could be heard meanwhile
        for hand in self._hands.values():
            if not hand.over:
                self._send(hand.node, do="finish", hurry=hurry)
        timing = self._config.timing
        course = timing.settle + timing.delivery + 4 * timing.request + 2 * self._config.load.poll_interval
        self._wait(lambda: all(hand.over for hand in self._here()), _ASKED if hurry else course + _ASKED)
        asked = self._here()
        for hand in asked:
            shared = self._reconciler.shared(hand.node)
            self._send(hand.node, do="fates", digests=shared, offset=-hand.clock.offset)
        self._wait(lambda: all(hand.fates is not None for hand in asked), _ASKED)
        self._windows.close()

    def gathered(self) -> Gathered | None:
        """All that is known of the test that was begun last; None if there was none, or nobody told anything yet."""
        hands = [hand for hand in self._hands.values() if hand.parts]
        if not hands:
            return None
        self._here()
        accounts = {hand.node: Account.from_dict(hand.parts["account"]) for hand in hands}
        fates = {hand.node: [Fate.from_list(fate) for fate in hand.fates or ()] for hand in hands}
        parts = [
            {**hand.parts, "lost": hand.lost, "clock_offset_ms": hand.clock.offset * 1000 if hand.clock.error else 0.0}
            for hand in hands
        ]
        seconds = max(1.0, *(float(part["seconds"]) for part in parts), 1.0)
        plan = LoadPlan(self._scenario, None, len(self._hands), seconds, 0, workers=len(self._hands))
        lost = {
            hand.node: f"{hand.name}, {max(0.0, hand.heard - self._begun):.0f} s into the run"
            for hand in self._hands.values()
            if hand.lost
        }
        return Gathered(
            self._config, plan, parts, self._reconciler.merge(accounts, fates), self._windows, lost=lost
        )  # fmt: skip

    def _here(self) -> list[_Hand]:
        now = clock.monotonic()
        for hand in self._hands.values():
            hand.lost = hand.lost or (not hand.over and now - hand.heard > _SILENT)
        return [hand for hand in self._hands.values() if not hand.lost]

    def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = clock.monotonic() + seconds
        while not condition() and clock.monotonic() < deadline:
            gevent.sleep(0.02)

    def _send(self, node: str, **data: Any) -> None:
        self._runner.send_message(MESSAGE, data, node)

    def _on_message(self, environment: Environment, msg: Any, **_: Any) -> None:
        del environment
        self._listener = gevent.getcurrent()
        now, data = clock.monotonic(), msg.data
        hand = self._hands.get(msg.node_id)
        if hand is None:
            return
        hand.heard = now
        match data["what"]:
            case "pong":
                hand.clock.take(data["sent"], data["clock"], now)
            case "parts":
                hand.parts, hand.over = data["parts"], data["over"]
                hand.name = hand.parts["name"]
                self._reconciler.take(hand.node, data["digests"])
                self._windows.merge(data["windows"])
            case "fates":
                hand.fates = data["fates"]


class PlainWorker:
    """A worker's side: it tells twice a second what it knows, and once more when its calls have come to their end."""

    def __init__(self, environment: Environment, told: Callable[[LoadRun], None]) -> None:
        runner = environment.runner
        assert isinstance(runner, WorkerRunner)  # noqa: S101 - the caller looked
        self._runner = runner
        self._told = told
        self.order: Order | None = None
        """What the master said of the test that is about to begin, or is on."""
        self._run: LoadRun | None = None
        self._teller: gevent.Greenlet | None = None
        self._ending: gevent.Greenlet | None = None
        runner.register_message(MESSAGE, self._on_message)

    def begin(self, run: LoadRun) -> None:
        """A test begins."""
        self._run, self._ending = run, None
        self._teller = gevent.spawn(self._tell_on)

    def finish(self, *, hurry: bool) -> gevent.Greenlet | None:
        """Begin to follow calls to their end, or to break that off in a hurry; None if no test is on."""
        if self._run is None:
            return None
        if self._ending is None:
            self._ending = gevent.spawn(self._end, self._run, hurry)
        elif hurry and not self._ending.dead:
            self._ending.kill()
            self._ending = gevent.spawn(self._end, self._run, hurry)
        return self._ending

    def _end(self, run: LoadRun, hurry: bool) -> None:
        run.stop("interrupted" if hurry else None)
        if hurry:
            run.abandon()
        else:
            run.drain()
        if self._teller is not None:
            self._teller.kill()
        self._tell(run, over=True)
        self._told(run)

    def _tell_on(self) -> None:
        while self._run is not None:
            gevent.sleep(_TELL_EVERY)
            self._tell(self._run, over=False)

    def _tell(self, run: LoadRun, *, over: bool) -> None:
        self._say(what="parts", parts=run.parts(), over=over, **run.news())

    def _say(self, **data: Any) -> None:
        self._runner.send_message(MESSAGE, data)

    def _on_message(self, environment: Environment, msg: Any, **_: Any) -> None:
        del environment
        data = msg.data
        match data["do"]:
            case "ping":
                self._say(what="pong", sent=data["sent"], clock=clock.monotonic())
            case "begin":
                self.order = data
            case "finish":
                self.finish(hurry=data["hurry"])
            case "fates" if self._run is not None and math.isfinite(data["offset"]):
                self._say(what="fates", fates=self._run.fates(data["digests"], data["offset"]))
