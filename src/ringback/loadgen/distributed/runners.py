"""Who plays a load run: this process alone, or workers under Locust's master. The conductor sees no difference.

Locust's own protocol carries the orders and what workers tell: its master knows its workers, spawns a user in each, and
sums up their statistics. What is ours travels beside that in messages of our own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any, Protocol

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from ringback import clock
from ringback.config import Config
from ringback.loadgen.accounting.reconcile import Account, Fate, Reconciler
from ringback.loadgen.distributed.clocks import ClockOffset
from ringback.loadgen.generator.worker_run import Player
from ringback.loadgen.metrics.windows import Windows

__all__ = ["MESSAGE", "Crew", "CrewError", "LocalCrew", "RemoteCrew", "WorkerSide", "fingerprint"]

MESSAGE = "ringback"
"""The type of our messages in Locust's protocol."""
_TELL_EVERY = 0.5
_SILENT = 6.0
"""Seconds without a word after which a worker counts as lost."""
_FORSAKEN = 20.0
"""Seconds without a word after which a worker gives its master up."""
_ASKED = 5.0
"""Seconds in which a worker answers a question at the end."""


def fingerprint(config: Config) -> str:
    """What workers must agree upon, without telling any of it."""
    deployment = config.deployment
    facts = [
        deployment.base_url, deployment.project, deployment.tenant, deployment.scenario_path,
        deployment.display_number, *config.lines.configured.items(),
    ]  # fmt: skip
    return blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()


class Crew(Protocol):
    """Those who play."""

    size: int

    def order(self, order: Mapping[str, Any]) -> None:
        """Have all do something; `at` is an instant of `clock`."""

    def clock(self) -> float:
        """The clock of orders, in seconds."""

    @property
    def head_start(self) -> float:
        """Seconds that an order needs to reach everybody."""

    @property
    def states(self) -> Iterable[str]:
        """The state of each who is still there."""

    def parts(self) -> list[dict[str, Any]]:
        """What each told last."""

    @property
    def lost(self) -> Mapping[str, str]:
        """Who was lost, and when."""

    @property
    def windows(self) -> Windows:
        """The run's course, so far as it is known here."""

    def account(self) -> Account:
        """What became of calls, so far as it is known here; for good, once all states are `over`."""

    def close(self) -> None:
        """Let everybody go."""


class LocalCrew:
    """This process alone."""

    size = 1
    head_start = 0.0
    lost: Mapping[str, str] = {}

    def __init__(self, player: Player, environment: Environment, users: int) -> None:
        self._player = player
        self._runner = environment.create_local_runner()
        self._runner.start(users, spawn_rate=users)
        if self._runner.spawning_greenlet is not None:
            self._runner.spawning_greenlet.join()
        while player.run.users < users:
            gevent.sleep(0.005)

    def clock(self) -> float:
        """This process's."""
        return clock.monotonic()

    def order(self, order: Mapping[str, Any]) -> None:
        """Done at once."""
        self._player.carry_out(order)

    @property
    def states(self) -> list[str]:
        """One."""
        return [self._player.state]

    def parts(self) -> list[dict[str, Any]]:
        """As of now."""
        return [self._player.parts()]

    @property
    def windows(self) -> Windows:
        """This process's."""
        return self._player.run.windows

    def account(self) -> Account:
        """As of now."""
        return self._player.run.account()

    def close(self) -> None:
        """End the users."""
        self._runner.quit()


class _Worker:
    """What the master knows of a worker."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.name = node.rpartition("_")[0] or node
        self.number = 0
        self.clock = ClockOffset()
        self.heard = clock.monotonic()
        self.parts: dict[str, Any] = {}
        self.fates: list[Any] | None = None
        self.fingerprint = ""
        self.carried_out = 0
        """The number of the order that it carried out last."""


class RemoteCrew:
    """Workers that have joined this process's Locust master. Raises `CrewError` if they don't come, or don't fit."""

    def __init__(
        self, environment: Environment, host: str, port: int, size: int, join: Callable[[int], Mapping[str, Any]],
        fingerprint: str, *, windows: Windows, settle: float, patience: float,
        summon: Callable[[int], None],
    ) -> None:  # fmt: skip
        self.size = size
        self.windows = windows
        self._fingerprint = fingerprint
        self._workers: dict[str, _Worker] = {}
        self._lost: dict[str, str] = {}
        self._begun: float | None = None
        self._orders = 0
        self._reconciler = Reconciler(settle)
        self._runner: MasterRunner = environment.create_master_runner(host, port)
        self._runner.register_message(MESSAGE, self._on_message)
        summon(self._runner.server.port)
        try:
            self._meet(join, patience)
        except CrewError as why:
            for worker in self._workers.values():
                self._send(worker, {"do": "go home", "why": f"the run did not begin: {why}"})
            self._runner.quit()
            raise

    def _meet(self, join: Callable[[int], Mapping[str, Any]], patience: float) -> None:
        self._gather(patience)
        self._synchronise()
        for number, worker in enumerate(self._workers.values()):
            worker.number = number
            self._send(worker, {"do": "join", "order": dict(join(number))})
        self._until(lambda: all(worker.parts for worker in self._workers.values()), patience, "did not get ready")
        self._runner.start(self.size, spawn_rate=self.size)
        self._until(
            lambda: all(worker.parts.get("users") for worker in self._workers.values()), patience, "did not get ready"
        )

    @property
    def head_start(self) -> float:
        """Longer than a message takes, and than the clocks may be wrong."""
        return 0.5 + 4 * max((worker.clock.error for worker in self._workers.values()), default=0.0)

    def clock(self) -> float:
        """The master's."""
        return clock.monotonic()

    def order(self, order: Mapping[str, Any]) -> None:
        """Sent to each worker, with instants translated to its clock."""
        if order["do"] == "start":
            self._begun = order["at"]
        self._orders += 1
        for worker in self._workers.values():  # a lost one that is alive after all shall not go on by itself
            told = dict(order)
            if "at" in told:
                told["at"] += worker.clock.offset
            self._send(worker, {"do": "carry out", "order": told, "number": self._orders})

    @property
    def states(self) -> list[str]:
        """Of the workers that are there: `ordered`, if one has not yet told how it is since the last order."""
        return [
            str(worker.parts.get("state", "ready")) if worker.carried_out == self._orders else "ordered"
            for worker in self._here()
        ]

    @property
    def lost(self) -> Mapping[str, str]:
        """Workers that fell silent, with when."""
        self._here()
        return self._lost

    def parts(self) -> list[dict[str, Any]]:
        """What each told last, lost ones included."""
        return [
            {**worker.parts, "lost": worker.node in self._lost, "clock_offset_ms": worker.clock.offset * 1000}
            for worker in self._workers.values()
            if worker.parts
        ]

    def account(self) -> Account:
        """Merged; once all is over, the workers are asked what became of ids that more than one of them was given."""
        here = self._here()
        if here and all(state == "over" for state in self.states):
            self._ask_for_fates(here)
        accounts = {w.node: Account.from_dict(w.parts["account"]) for w in self._workers.values() if w.parts}
        fates = {w.node: [Fate.from_list(fate) for fate in w.fates or ()] for w in self._workers.values()}
        return self._reconciler.merge(accounts, fates)

    def close(self) -> None:
        """Send the workers home."""
        for worker in self._workers.values():
            self._send(worker, {"do": "go home"})
        self._runner.quit()

    def _ask_for_fates(self, workers: list[_Worker]) -> None:
        asked = [worker for worker in workers if worker.fates is None]
        for worker in asked:
            shared = self._reconciler.shared(worker.node)
            self._send(worker, {"do": "fates", "digests": shared, "offset": -worker.clock.offset})
        deadline = clock.monotonic() + _ASKED
        while any(worker.fates is None for worker in asked) and clock.monotonic() < deadline:
            gevent.sleep(0.02)

    def _gather(self, patience: float) -> None:
        self._until(lambda: len(self._workers) >= self.size, patience, f"{self.size} were expected")
        for worker in self._workers.values():
            if worker.fingerprint != self._fingerprint:
                raise CrewError(f"worker {worker.name} is configured for another deployment, or other lines")

    def _synchronise(self) -> None:
        for _ in range(9):
            for worker in self._workers.values():
                self._send(worker, {"do": "ping", "sent": clock.monotonic()})
            gevent.sleep(0.03)
        self._until(
            lambda: all(worker.clock.error < _ASKED for worker in self._workers.values()), _ASKED, "did not answer"
        )

    def _until(self, condition: Callable[[], bool], patience: float, otherwise: str) -> None:
        deadline = clock.monotonic() + patience
        while not condition():
            if clock.monotonic() > deadline:
                raise CrewError(f"{len(self._workers)} of {self.size} workers came: {otherwise}")
            gevent.sleep(0.02)

    def _here(self) -> list[_Worker]:
        now = clock.monotonic()
        for worker in self._workers.values():
            if worker.node not in self._lost and self._begun is not None and now - worker.heard > _SILENT:
                self._lost[worker.node] = f"{worker.name}, {max(0.0, worker.heard - self._begun):.0f} s into the run"
        return [worker for worker in self._workers.values() if worker.node not in self._lost]

    def _send(self, worker: _Worker, data: Mapping[str, Any]) -> None:
        self._runner.send_message(MESSAGE, dict(data), worker.node)

    def _on_message(self, environment: Environment, msg: Any, **_: Any) -> None:
        del environment
        now, data = clock.monotonic(), msg.data
        worker = self._workers.get(msg.node_id)
        if worker is None:
            if data["what"] != "hello" or len(self._workers) >= self.size:
                return
            worker = self._workers[msg.node_id] = _Worker(msg.node_id)
        worker.heard = now
        match data["what"]:
            case "hello":
                worker.fingerprint = data["fingerprint"]
                worker.name = data["name"]
            case "pong":
                worker.clock.take(data["sent"], data["clock"], now)
            case "parts":
                worker.parts, worker.carried_out = data["parts"], data["carried_out"]
                self._reconciler.take(worker.node, data["digests"])
                self.windows.merge(data["windows"])
            case "fates":
                worker.fates = data["fates"]


class CrewError(Exception):
    """The run can't begin, for want of workers: nothing was sent to the deployment."""


class WorkerSide:
    """A worker's end of the messages: it says hello until it is asked to join, then carries out orders and tells."""

    def __init__(
        self, environment: Environment, host: str, port: int, *, name: str, fingerprint: str,
        join: Callable[[Mapping[str, Any]], Player],
    ) -> None:  # fmt: skip
        self._join = join
        self._player: Player | None = None
        self._carried_out = 0
        self._name = name
        self._fingerprint = fingerprint
        self.over = Event()
        """Set when the worker has been sent home."""
        self.sent_home_for: str | None = None
        """Why, if the run did not begin."""
        self._runner: WorkerRunner = environment.create_worker_runner(host, port)
        self._runner.register_message(MESSAGE, self._on_message)
        self._heartbeat: float | None = None
        self._heard = clock.monotonic()
        self._teller = gevent.spawn(self._tell)

    @property
    def forsaken(self) -> bool:
        """Whether the master has fallen silent."""
        # Locust dates its heartbeats by the wall clock, which may jump: what counts is when the date last changed.
        heartbeat, now = self._runner.last_heartbeat_timestamp, clock.monotonic()
        if heartbeat != self._heartbeat:
            self._heartbeat, self._heard = heartbeat, now
        return heartbeat is not None and now - self._heard > _FORSAKEN

    def _on_message(self, environment: Environment, msg: Any, **_: Any) -> None:
        del environment
        data = msg.data
        match data["do"]:
            case "ping":
                self._say({"what": "pong", "sent": data["sent"], "clock": clock.monotonic()})
            case "join":
                self._player = self._join(data["order"])
                self._tell_parts(self._player)
            case "carry out" if self._player is not None:
                self._player.carry_out(data["order"])
                self._carried_out = data["number"]
                self._tell_parts(self._player)
            case "go home":
                self.sent_home_for = data.get("why")
                self._teller.kill()
                self.over.set()
            case "fates" if self._player is not None:
                self._say({"what": "fates", "fates": self._player.run.fates(data["digests"], data["offset"])})

    def _tell(self) -> None:
        while True:
            if self._player is None:
                self._say({"what": "hello", "name": self._name, "fingerprint": self._fingerprint})
            else:
                self._tell_parts(self._player)
            gevent.sleep(_TELL_EVERY)

    def _tell_parts(self, player: Player) -> None:
        self._say({"what": "parts", "parts": player.parts(), "carried_out": self._carried_out, **player.run.news()})

    def _say(self, data: Mapping[str, Any]) -> None:
        self._runner.send_message(MESSAGE, dict(data))
