"""A worker's side of a run: it reports what it knows twice a second, and carries out its master's orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import WorkerRunner

from ringback import clock
from ringback.config import Config
from ringback.deployment.access import dial_guard
from ringback.deployment.budget import CallBudget
from ringback.loadgen.distributed.protocol import MESSAGE, REPORT_EVERY, ignore_wall_clock
from ringback.loadgen.generator.load_run import LoadRun
from ringback.loadgen.generator.worker_run import WorkerRun
from ringback.loadgen.schedule.plan import LoadPlan

__all__ = ["Worker"]

_CHECK_EVERY = 0.05
"""Seconds between two checks whether the state has changed."""
_MASTER_SILENT = 20.0
"""Seconds without a heartbeat after which a worker considers its master lost."""


class Worker:
    """A worker's end of the messages.

    `on_begin` is called when the master announces a run, `on_over` when a run is over here.
    """

    def __init__(
        self,
        runner: WorkerRunner,
        *,
        on_begin: Callable[[Mapping[str, Any]], None] | None = None,
        on_over: Callable[[LoadRun], None] | None = None,
    ) -> None:
        self.announced: Mapping[str, Any] | None = None
        """What the master sent to announce a run; `new_run` uses it up, so that a budget is never used twice."""
        self.dismissed = Event()
        """Set when the master has let this worker go."""
        self.dismissed_because: str | None = None
        """Why, if the run did not begin."""
        self._on_begin = on_begin
        self._on_over = on_over
        self._run: WorkerRun | None = None
        self._run_number = 0
        self._carried_out = 0
        self._runner = runner
        ignore_wall_clock()
        runner.register_message(MESSAGE, self._on_message)

    @property
    def master_lost(self) -> bool:
        """Whether the master has fallen silent."""
        heartbeat = self._runner.last_heartbeat_timestamp
        return heartbeat is not None and clock.monotonic() - heartbeat > _MASTER_SILENT

    def new_run(self, config: Config, fingerprint: str, name: str, *, scheduled: bool) -> WorkerRun:
        """The run that the master announced, in this process: from now on, orders and reports are about it.

        A worker that does not fit its master's run, or connected after it had begun, takes part but places no calls.
        """
        announced, self.announced = self.announced or {}, None
        ours = announced.get("fingerprint") == fingerprint
        plan = LoadPlan.from_plain(announced["plan"]) if announced else LoadPlan("lifecycle", None, 1, 1.0, 0)
        number, members = announced.get("member", (0, 1))
        run = LoadRun(
            config, dial_guard(config), self._runner.environment, plan, CallBudget(announced["budget"] if ours else 0),
            member=(number, members), name=name, scheduled=scheduled, relay=True,
        )  # fmt: skip
        if not announced:
            run.stop("a worker connected after the test had begun; it has placed no calls")
        elif not ours:
            run.stop(
                f"worker {name} is configured for another deployment, other lines or variables; it placed no calls"
            )
        self._run_number, self._carried_out = int(announced.get("run", 0)), 0
        self._run = worker_run = WorkerRun(run)
        worker_run.on_over = self._end
        gevent.spawn(self._report_on, worker_run)
        return worker_run

    def _end(self) -> None:
        self._report()
        if self._on_over is not None and self._run is not None:
            self._on_over(self._run.run)

    def _report_on(self, run: WorkerRun) -> None:
        """Report regularly, and soon after the state has changed: the master waits for that."""
        while run is self._run and (state := run.state) != "over":
            self._report()
            due = clock.monotonic() + REPORT_EVERY
            while run.state == state and clock.monotonic() < due:
                gevent.sleep(_CHECK_EVERY)

    def _report(self) -> None:
        if self._run is not None:
            news = self._run.run.news()
            parts = self._run.parts()
            self._say(what="parts", run=self._run_number, parts=parts, carried_out=self._carried_out, **news)

    def _say(self, **data: Any) -> None:
        self._runner.send_message(MESSAGE, data)

    def _on_message(self, environment: Environment, msg: Any, **_: Any) -> None:
        del environment
        data = msg.data
        match data["do"]:
            case "ping":
                self._say(what="pong", sent=data["sent"], clock=clock.monotonic())
            case "begin":
                self.announced = data
                if self._on_begin is not None:
                    self._on_begin(data)
            case "order" if self._run is not None:
                self._run.carry_out(data["order"])
                self._carried_out = data["number"]
                self._report()
            case "fates" if self._run is not None:
                self._say(what="fates", fates=self._run.run.fates(data["digests"], data["offset"]))
            case "leave":
                self.dismissed_because = data["why"]
                self.dismissed.set()
