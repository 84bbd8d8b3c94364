"""Who carries out a load run: this process alone, or workers that a master leads. The controller sees no difference.

What lives here: what the controller asks of either, and the first. The other is in `distributed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import gevent
from locust.env import Environment

from ringback.loadgen.accounting.reconcile import Account
from ringback.loadgen.generator.worker_run import WorkerRun
from ringback.loadgen.metrics.windows import Windows

__all__ = ["LocalRunner", "Runner"]


class Runner(Protocol):
    """One process or several that carry out orders (see `WorkerRun.carry_out`)."""

    @property
    def size(self) -> int:
        """Processes, lost ones included."""

    def order(self, order: Mapping[str, Any]) -> None:
        """Give an order to each process; `at` is an instant of this process's clock."""

    @property
    def head_start(self) -> float:
        """Seconds that an order needs to reach all of them."""

    @property
    def states(self) -> Iterable[str]:
        """The state of each process that is not lost."""

    def parts(self) -> list[dict[str, Any]]:
        """What each reported last."""

    @property
    def lost(self) -> Mapping[str, str]:
        """The processes that were lost, each with its name and when."""

    @property
    def windows(self) -> Windows:
        """What was measured, as far as it is known here."""

    def account(self) -> Account:
        """What became of calls, as far as it is known here; final after `reconcile`."""

    def reconcile(self) -> None:
        """All states are `over`: complete the account and the windows."""

    def close(self) -> None:
        """End the processes, or the users in this one."""


class LocalRunner:
    """This process alone."""

    size = 1
    head_start = 0.0
    lost: Mapping[str, str] = {}

    def __init__(self, run: WorkerRun, environment: Environment, users: int) -> None:
        self._run = run
        self._runner = environment.create_local_runner()
        self._runner.start(users, spawn_rate=users)
        if self._runner.spawning_greenlet is not None:
            self._runner.spawning_greenlet.join()
        while run.run.streams.users < users:
            gevent.sleep(0.005)

    def order(self, order: Mapping[str, Any]) -> None:
        """Carry it out at once."""
        self._run.carry_out(order)

    @property
    def states(self) -> list[str]:
        """One."""
        return [self._run.state]

    def parts(self) -> list[dict[str, Any]]:
        """As of now."""
        return [self._run.parts()]

    @property
    def windows(self) -> Windows:
        """This process's."""
        return self._run.run.windows

    def account(self) -> Account:
        """As of now."""
        return self._run.run.account()

    def reconcile(self) -> None:
        """Close the windows."""
        self.windows.close()

    def close(self) -> None:
        """End the users."""
        self._runner.quit()
