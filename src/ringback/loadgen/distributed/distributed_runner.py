"""A load run carried out by workers under this process's Locust master, for `ringback load`.

Locust's own protocol connects workers, starts a user in each, and adds up their statistics; `protocol` has the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner

from ringback import clock
from ringback.config import Config
from ringback.loadgen.accounting.reconcile import Account
from ringback.loadgen.distributed.master import Master
from ringback.loadgen.distributed.protocol import fingerprint
from ringback.loadgen.metrics.windows import Windows
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.task import MasterAddress

__all__ = ["DistributedRunner", "RunnerError"]

_SILENCE = 6.0
"""Seconds without a message after which a worker counts as lost."""
_PINGS = 9
"""Answers from which a worker's clock is known."""
_ROUND = 0.03
"""Seconds between two rounds of pings."""


class RunnerError(Exception):
    """The run can't begin because workers are missing or do not fit: nothing was sent to the deployment."""


class DistributedRunner:
    """Workers under this process's Locust master. Raises `RunnerError` if they do not come in time, or do not fit.

    `spawn_workers` is called with the port of the master, once it listens.
    """

    def __init__(
        self,
        environment: Environment,
        config: Config,
        plan: LoadPlan,
        budget: int | None,
        address: MasterAddress,
        spawn_workers: Callable[[int], None],
    ) -> None:
        self.size = plan.workers
        self._patience = address.patience
        self._runner: MasterRunner = environment.create_master_runner(address.host, address.port)
        self._master = Master(self._runner, config, fingerprint(config), silence=_SILENCE)
        spawn_workers(self._runner.server.port)
        try:
            self._gather(plan, budget)
        except RunnerError as why:
            self._master.leave(f"the run did not begin: {why}")
            self._runner.quit()
            raise

    @property
    def head_start(self) -> float:
        """Longer than a message takes, and than the clocks may be wrong."""
        return 0.5 + 4 * self._master.clock_error

    def order(self, order: Mapping[str, Any]) -> None:
        """Send it to each worker."""
        if order["do"] == "start":
            self._master.started(order["at"])
        self._master.order(order)

    @property
    def states(self) -> list[str]:
        """Of the workers that are not lost."""
        return self._master.states

    @property
    def lost(self) -> Mapping[str, str]:
        """Workers that fell silent."""
        return self._master.lost

    def parts(self) -> list[dict[str, Any]]:
        """What each reported last, lost ones included."""
        return self._master.parts()

    @property
    def windows(self) -> Windows:
        """Of all workers."""
        return self._master.windows

    def account(self) -> Account:
        """Of all workers."""
        return self._master.account()

    def reconcile(self) -> None:
        """Ask the workers for ids that several of them were given."""
        self._master.reconcile()

    def close(self) -> None:
        """Let the workers go."""
        self._master.leave()
        self._runner.quit()

    def _gather(self, plan: LoadPlan, budget: int | None) -> None:
        """Wait for workers, compare clocks, announce the run, and have each worker start its user."""
        master = self._master
        deadline = clock.monotonic() + self._patience
        while len(ready := self._answering(_PINGS)) < self.size:
            if clock.monotonic() > deadline:
                raise self._missing(f"{self.size} were expected")
            master.ping(node for node in master.nodes() if master.clock_of(node).answers < _PINGS)
            gevent.sleep(_ROUND)
        master.begin(plan, ready[: self.size], budget)
        if not master.wait(lambda: len(master.parts()) == self.size, self._patience):
            raise self._missing("not all of them got ready")
        if refusals := [reason for part in master.parts() for reason in part["reasons"]]:
            raise RunnerError(refusals[0])
        self._runner.start(self.size, spawn_rate=self.size)
        if not master.wait(lambda: all(part["users"] for part in master.parts()), self._patience):
            raise self._missing("not all of them got ready")

    def _answering(self, least: int) -> list[str]:
        return [node for node in self._master.nodes() if self._master.clock_of(node).answers >= least]

    def _missing(self, problem: str) -> RunnerError:
        return RunnerError(f"{len(self._answering(1))} of {self.size} workers came: {problem}")
