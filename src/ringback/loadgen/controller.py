"""Controls a load run: when it starts, what is played, when it is enough, and when all calls have come to their end.

What lives here: the phases of a run, the same for one process and for many. What does not: how orders reach other
processes (distributed), what they mean there (worker run), and what the result means (judging).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment

from ringback import clock
from ringback.config import Config
from ringback.loadgen.distributed.master import DistributedRunner
from ringback.loadgen.generator.call_placer import BUDGET_SPENT
from ringback.loadgen.generator.worker_run import WorkerRun
from ringback.loadgen.judging.capacity import Capacity, CapacitySearch
from ringback.loadgen.judging.limits import AbortWatch, evaluate, of_requests
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.judging.sustained import judge_step
from ringback.loadgen.schedule.plan import HIGHEST_RATE, LoadPlan
from ringback.loadgen.variables import ROWS_USED_UP

__all__ = ["LocalRunner", "RunController"]

_LOOK = 0.1
_PROGRESS_EVERY = 0.5
_LIMITS_EVERY = 1.0
_ENDS_ONE_PROCESS = frozenset({BUDGET_SPENT, ROWS_USED_UP})
"""Reasons for which one process places no further call while others go on with their share."""
_MARGIN = 0.5
"""Seconds after a step in which the answers to its last requests may still come."""


class LocalRunner:
    """This process alone."""

    size = 1
    head_start = 0.0

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

    def snapshot(self, plan: LoadPlan) -> LoadSnapshot:
        """As of now."""
        return self._run.run.snapshot(plan)

    def reconcile(self) -> None:
        """Close the windows."""
        self._run.run.windows.close()

    def close(self) -> None:
        """End the users."""
        self._runner.quit()


class RunController:
    """Leads a runner through a plan. `on_progress` is called about twice a second with figures for a live view.

    `cores` are those of the machine, if the run has no other.
    """

    def __init__(
        self,
        config: Config,
        plan: LoadPlan,
        runner: LocalRunner | DistributedRunner,
        *,
        baseline: Mapping[str, Any] | None,
        on_progress: Callable[[dict[str, Any], LoadSnapshot], None],
        cores: int | None = None,
    ) -> None:
        self.config = config
        self.plan = plan
        self.interrupted = False
        self._runner = runner
        self._baseline = baseline
        self._on_progress = on_progress
        self._cores = cores
        self._abort = AbortWatch(config.limits, baseline)
        self._capacity: Capacity | None = None
        self._reasons: list[str] = []
        self._enough = Event()
        self._phase = "starting"
        self._begun = 0.0
        self._reported = self._limits_checked = 0.0

    def interrupt(self) -> None:
        """End the run early and report what was seen; calls in flight stay unfinished."""
        self.interrupted = True
        self.stop("interrupted")

    def stop(self, reason: str) -> None:
        """Send nothing more; `reason` is why the run is incomplete."""
        if reason not in self._reasons:
            self._reasons.append(reason)
        self._enough.set()

    def run(self) -> LoadSnapshot:
        """Lead the run to its end."""
        self._begun = clock.monotonic() + self._runner.head_start
        self._runner.order({"do": "start", "at": self._begun})
        self._phase = "sending"
        if self.plan.what.searches:
            self._search()
        else:
            self._play(self._begun + self.plan.delay, self.plan.duration)
        self._runner.order({"do": "stop"})
        self._phase = "draining"
        self._runner.order({"do": "abandon" if self.interrupted else "drain"})
        abandoned = self.interrupted
        while not all(state == "over" for state in self._runner.states):
            self._look()
            if self.interrupted and not abandoned:
                abandoned = True
                self._runner.order({"do": "abandon"})
        self._phase = "over"
        self._runner.reconcile()
        snapshot = self.snapshot()
        self._runner.close()
        return snapshot

    def snapshot(self) -> LoadSnapshot:
        """All that is known as of now."""
        known = self._runner.snapshot(self.plan)
        return replace(known, reasons=tuple(self._reasons), capacity=self._capacity, cores=self._cores)

    def _play(self, at: float, duration: float, rate: float | None = None) -> None:
        """Have a rate played (default: the plan's schedule); return when it has been, or when it is enough."""
        self._runner.order({"do": "play", "at": at, "duration": duration, "rate": rate})
        while not self._enough.is_set():
            self._look()
            if all(state not in {"playing", "ordered"} for state in self._runner.states):
                return

    def _look(self) -> None:
        """Wait a moment; report progress and check whether it is enough, if that is due."""
        gevent.sleep(_LOOK)
        now = clock.monotonic()
        if now - self._reported >= _PROGRESS_EVERY:
            self._reported = now
            snapshot = self.snapshot()
            self._on_progress({"phase": self._phase, "seconds": max(0.0, now - self._begun)}, snapshot)
            if self._phase == "sending":
                self._check(snapshot, now)

    def _check(self, snapshot: LoadSnapshot, now: float) -> None:
        given_up = [part["reasons"] for part in snapshot.parts]
        if all(given_up) or any(reason not in _ENDS_ONE_PROCESS for reasons in given_up for reason in reasons):
            self._enough.set()
        if len(snapshot.lost) == self._runner.size:
            self.stop("every worker was lost")
        if self.config.load.abort_on_limit and now - self._limits_checked >= _LIMITS_EVERY:
            self._limits_checked = now
            if self._abort.failed_permanently(snapshot.section(live=True)) is not None:
                self._enough.set()

    def _search(self) -> None:
        """Look for the highest rate that is sustained, with a step for each rate that the search asks for."""
        plan = self.plan
        search = CapacitySearch(plan.rate or 1.0, HIGHEST_RATE, max_seconds=plan.duration)
        while (rate := search.next_rate()) is not None and not self._enough.is_set():
            self._rest(search.rest_seconds)
            start = math.ceil(clock.monotonic() + max(self._runner.head_start, 0.05) - self._begun)
            begun = self._begun + start  # a full second, where a window begins
            self._play(begun, plan.step, rate)
            if self._enough.is_set():
                break
            self._settle_step(begun + plan.step)
            section, lines = self.snapshot().between(start, start + plan.step)
            limits = evaluate(self.config.limits, section, self._baseline)
            counting = [limit for limit in limits if of_requests(limit.metric)]  # calls end long after the step
            search.take(judge_step(lines, section, counting, rate, plan.step))
            self._capacity = search.result()
        self._capacity = search.result()

    def _settle_step(self, end: float) -> None:
        """Wait until every trigger of a step has been answered, or has timed out."""
        while not self._enough.is_set():
            self._look()
            waiting = sum(part["on_their_way"] for part in self._runner.parts())
            since = clock.monotonic() - end
            if (not waiting and since > _MARGIN) or since > self.config.timing.request + 2 * _MARGIN:
                return

    def _rest(self, seconds: float) -> None:
        until = clock.monotonic() + seconds
        while clock.monotonic() < until and not self._enough.is_set():
            self._look()
