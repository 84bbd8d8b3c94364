"""A load run carried out by workers under this process's Locust master, for `ringback load`.

Locust's own protocol connects workers, starts a user in each, and adds up their statistics; `protocol` has the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gevent
from locust.env import Environment

from ringback import clock
from ringback.config import Config
from ringback.loadgen.distributed.master import Master
from ringback.loadgen.distributed.protocol import fingerprint
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
