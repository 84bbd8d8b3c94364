"""The master's side of a run with workers: `Master`, and for `ringback load` a `DistributedRunner`.

Locust's own protocol connects workers, starts a user in each, and adds up their statistics; `protocol` has the rest.

What lives here: sharing out the budget, giving orders, noticing lost workers, and putting together what workers report.
What does not: when a run begins and which orders are given (controller, plain_locust).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner

from ringback import clock
from ringback.config import Config
from ringback.loadgen.accounting.reconcile import Account, IdFate, Reconciler
from ringback.loadgen.distributed.protocol import MESSAGE, ClockOffset, fingerprint, ignore_wall_clock, shares
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.metrics.windows import Windows
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.task import MasterAddress

__all__ = ["DistributedRunner", "Master", "RunnerError"]

_SILENCE = 6.0
"""Seconds without a message after which a worker counts as lost."""
_PINGS = 9
"""Answers from which a worker's clock is known."""
_ROUND = 0.03
"""Seconds between two rounds of pings."""
_ANSWER = 5.0
"""Seconds that a worker has to answer the question for fates."""


class _Worker:
    """What the master knows of a worker in one run."""

    def __init__(self, node: str, share: int | None) -> None:
        self.node = node
        self.name = node
        self.share = share
        """Calls that it may place in this run; None for no limit."""
        self.heard = clock.monotonic()
        self.parts: dict[str, Any] = {}
        self.fates: list[Any] | None = None
        self.carried_out = 0
        """The number of the order that it carried out last."""

    @property
    def over(self) -> bool:
        return self.parts.get("state") == "over"

    def state_after(self, orders: int) -> str:
        """Its state; `ordered` if it has not yet carried out that many orders."""
        if self.over or self.carried_out == orders:
            return str(self.parts.get("state", "ready"))
        return "ordered"

    @property
    def may_have_placed(self) -> int:
        """Calls: as it reported at the end, or its whole share if it never did."""
        if not self.over:
            return self.share or 0
        return int(self.parts["account"]["accepted"]) + int(self.parts["indeterminate"])


class Master:
    """Leads the workers of one run after another. A worker counts as lost after `silence` seconds without a message."""

    def __init__(self, runner: MasterRunner, config: Config, fingerprint: str, *, silence: float) -> None:
        self.windows = Windows()
        """What was measured in the current run, as far as workers have reported it."""
        self._runner = runner
        self.config = config
        self._fingerprint = fingerprint
        self._silence = silence
        self._clocks: dict[str, ClockOffset] = {}
        self._workers: dict[str, _Worker] = {}
        self._lost: dict[str, str] = {}
        self._reconciler = Reconciler(config.timing.settle)
        self._run = self._orders = self._spent = 0
        self._begun: float | None = None
        self._listener: object = None
        ignore_wall_clock()
        runner.register_message(MESSAGE, self._on_message)

    @property
    def size(self) -> int:
        """Workers of the current run, lost ones included."""
        return len(self._workers)

    @property
    def in_listener(self) -> bool:
        """Whether the caller is the greenlet that receives messages: it would wait for them without end."""
        return gevent.getcurrent() is self._listener

    def nodes(self) -> list[str]:
        """The workers that are connected, by Locust's id."""
        return [client.id for client in self._runner.clients.all]

    def clock_of(self, node: str) -> ClockOffset:
        """What pings have shown of a worker's clock."""
        return self._clocks.setdefault(node, ClockOffset())

    def ping(self, nodes: Iterable[str]) -> None:
        """Compare clocks; the answers come later."""
        for node in nodes:
            self._send(node, do="ping", sent=clock.monotonic())

    def begin(self, plan: LoadPlan, nodes: list[str], budget: int | None) -> None:
        """A run begins on these workers. They share what earlier runs have left of `budget` (calls; None: no limit)."""
        self._spent += sum(worker.may_have_placed for worker in self._workers.values())
        self.windows, self._reconciler = Windows(plan.steady, cuts=plan.cuts), Reconciler(self.config.timing.settle)
        self._run += 1
        self._orders, self._begun = 0, None
        self._workers, self._lost = {}, {}
        left = None if budget is None else max(0, budget - self._spent)
        for number, (node, share) in enumerate(zip(nodes, shares(left, len(nodes)), strict=True)):
            self._workers[node] = _Worker(node, share)
            self._send(
                node, do="begin", run=self._run, plan=plan.to_plain(), member=[number, len(nodes)], budget=share,
                fingerprint=self._fingerprint,
            )  # fmt: skip

    def started(self, at: float) -> None:
        """The run's clock started at `at`; from now on, silent workers are lost."""
        self._begun = at

    def order(self, order: Mapping[str, Any]) -> None:
        """Send an order to each worker, with `at`, if it has one, translated to the worker's clock."""
        self._orders += 1
        for node in self._workers:  # to lost ones as well: one that is alive after all must stop with the others
            translated = {**order, "at": order["at"] + self.clock_of(node).offset} if "at" in order else dict(order)
            self._send(node, do="order", order=translated, number=self._orders)

    @property
    def states(self) -> list[str]:
        """Of the workers that are not lost: as `WorkerRun.state`, or `ordered` until the last order is carried out."""
        return [worker.state_after(self._orders) for worker in self._here()]

    @property
    def lost(self) -> Mapping[str, str]:
        """Workers that fell silent before they were over, each with its name and when it was heard last."""
        self._here()
        return self._lost

    def parts(self) -> list[dict[str, Any]]:
        """What each worker reported last, lost ones included."""
        lost = self.lost
        return [
            {**worker.parts, "lost": worker.node in lost, "clock_offset_ms": self.clock_of(worker.node).offset * 1000}
            for worker in self._workers.values()
            if worker.parts
        ]

    def account(self) -> Account:
        """What became of the calls of all workers, as far as it is known; final after `reconcile`."""
        accounts = {w.node: Account.from_dict(w.parts["account"]) for w in self._workers.values() if w.parts}
        fates = {w.node: [IdFate.from_plain(fate) for fate in w.fates or ()] for w in self._workers.values()}
        return self._reconciler.merge(accounts, fates)

    def snapshot(self, plan: LoadPlan) -> LoadSnapshot:
        """All that is known of the current run; `plan` says how it is described."""
        return LoadSnapshot(self.config, plan, self.parts(), self.account(), self.windows, lost=self.lost)

    def reconcile(self) -> None:
        """Ask the workers, once all are over, what became of ids that more than one of them was given."""
        asked = [worker for worker in self._here() if worker.fates is None]
        for worker in asked:
            shared = self._reconciler.shared(worker.node)
            self._send(worker.node, do="fates", digests=shared, offset=-self.clock_of(worker.node).offset)
        self.wait(lambda: all(worker.fates is not None for worker in asked), _ANSWER)
        self.windows.close()

    def leave(self, why: str | None = None) -> None:
        """Let all connected workers go; `why` is the reason if the run did not begin."""
        for node in {*self.nodes(), *self._workers}:
            self._send(node, do="leave", why=why)

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until the condition holds, at most so long; whether it holds."""
        deadline = clock.monotonic() + seconds
        while not condition():
            if clock.monotonic() >= deadline:
                return False
            gevent.sleep(0.02)
        return True

    def _here(self) -> list[_Worker]:
        now = clock.monotonic()
        for worker in self._workers.values():
            silent = self._begun is not None and not worker.over and now - worker.heard > self._silence
            if silent and worker.node not in self._lost:
                seconds = max(0.0, worker.heard - (self._begun or 0.0))
                self._lost[worker.node] = f"{worker.name}, {seconds:.0f} s into the run"
        return [worker for worker in self._workers.values() if worker.node not in self._lost]

    def _send(self, node: str, **data: Any) -> None:
        self._runner.send_message(MESSAGE, data, node)

    def _on_message(self, environment: Environment, msg: Any, **_: Any) -> None:
        del environment
        self._listener = gevent.getcurrent()
        now, data = clock.monotonic(), msg.data
        if data["what"] == "pong":
            self.clock_of(msg.node_id).take(data["sent"], data["clock"], now)
        worker = self._workers.get(msg.node_id)
        if worker is None:
            return
        worker.heard = now
        match data["what"]:
            case "parts" if data["run"] == self._run:
                worker.parts, worker.carried_out = data["parts"], data["carried_out"]
                worker.name = worker.parts["name"]
                self._reconciler.take(worker.node, data["digests"])
                self.windows.merge(data["windows"])
            case "fates":
                worker.fates = data["fates"]


class RunnerError(Exception):
    """The run can't begin because workers are missing or do not fit: nothing was sent to the deployment."""


class DistributedRunner(Master):
    """Workers under a Locust master that this creates. Raises `RunnerError` if they do not come in time, or do not fit.

    `spawn_workers` is called with the port of the master, once it listens; `on_waiting` with who came so far.
    """

    def __init__(
        self,
        environment: Environment,
        config: Config,
        plan: LoadPlan,
        budget: int | None,
        address: MasterAddress,
        spawn_workers: Callable[[int], None],
        on_waiting: Callable[[str], None] = lambda _: None,
    ) -> None:
        runner = environment.create_master_runner(address.host, address.port)
        super().__init__(runner, config, fingerprint(config), silence=_SILENCE)
        self._expected = plan.workers
        self._patience = address.patience
        self._on_waiting = on_waiting
        spawn_workers(runner.server.port)
        try:
            self._gather(plan, budget)
        except RunnerError as why:
            self.close(f"the run did not begin: {why}")
            raise

    @property
    def head_start(self) -> float:
        """Longer than a message takes, and than the clocks may be wrong."""
        return 0.5 + 4 * max((self.clock_of(node).error for node in self._workers), default=0.0)

    def order(self, order: Mapping[str, Any]) -> None:
        """Send an order to each worker."""
        if order["do"] == "start":
            self.started(order["at"])
        super().order(order)

    def close(self, why: str | None = None) -> None:
        """Let the workers go; `why` is the reason if the run did not begin."""
        self.leave(why)
        self._runner.quit()

    def _gather(self, plan: LoadPlan, budget: int | None) -> None:
        """Wait for workers, compare clocks, announce the run, and have each worker start its user."""
        deadline = clock.monotonic() + self._patience
        said = ""
        while len(ready := self._answering(_PINGS)) < self._expected:
            if clock.monotonic() > deadline:
                raise self._missing(f"waited {self._patience:g} s (--wait)")
            if (came := self._came()) != said:
                said = came
                self._on_waiting(came)
            self.ping(node for node in self.nodes() if self.clock_of(node).answers < _PINGS)
            gevent.sleep(_ROUND)
        self.begin(plan, ready[: self._expected], budget)
        if not self.wait(lambda: len(self.parts()) == self.size, self._patience):
            raise self._missing("not all of them got ready")
        if refusals := [reason for part in self.parts() for reason in part["reasons"]]:
            raise RunnerError(refusals[0])
        users = plan.connections if plan.rate is None else self.size
        self._runner.start(users, spawn_rate=users)
        if not self.wait(lambda: sum(part["users"] for part in self.parts()) >= users, self._patience):
            raise self._missing("not all of them got ready")

    def _answering(self, least: int) -> list[str]:
        return [node for node in self.nodes() if self.clock_of(node).answers >= least]

    def _missing(self, problem: str) -> RunnerError:
        return RunnerError(f"{self._came()}; {problem}")

    def _came(self) -> str:
        """How many workers came, and which: Locust's ids begin with the name of the host."""
        came = self._answering(1)
        names = ", ".join(sorted(node.rpartition("_")[0] or node for node in came))
        return f"{len(came)} of {self._expected} workers came{f' ({names})' if names else ''}"
