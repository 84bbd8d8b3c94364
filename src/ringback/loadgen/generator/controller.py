"""Conducts a load run: when it starts, what is played, when it is enough, and when all has come to its end.

What lives here: the course of a run, alike for one process and for many. What does not: how orders reach those who play
(crew), what they do with them (player, engine), and what the result means (section, limits, capacity).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.event import Event

from ringback import clock
from ringback.config import Config
from ringback.loadgen.distributed.runners import Crew
from ringback.loadgen.generator.load_run import BUDGET_SPENT
from ringback.loadgen.judging.capacity import Capacity, CapacitySearch
from ringback.loadgen.judging.limits import AbortWatch, evaluate
from ringback.loadgen.judging.snapshot import Gathered
from ringback.loadgen.judging.sustained import judge_step
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.schedule.profiles import constant

__all__ = ["Conductor"]

_LOOK = 0.1
_TELL_EVERY = 0.5
_LIMITS_EVERY = 1.0
_HIGHEST = 100_000.0
_OF_REQUESTS = ("trigger.", "poll.")
"""What a step is held to; calls come to their ends long after it."""
_MARGIN = 0.5
"""Seconds of a step that are left out: the answers to what came last are still on their way."""


class Conductor:
    """Leads a crew through a plan. `tell` is called about twice a second with the figures for a live view."""

    def __init__(
        self,
        config: Config,
        plan: LoadPlan,
        crew: Crew,
        *,
        baseline: Mapping[str, Any] | None,
        tell: Callable[[dict[str, Any], Gathered], None],
    ) -> None:
        self.config = config
        self.plan = plan
        self.interrupted = False
        self._crew = crew
        self._baseline = baseline
        self._tell = tell
        self._abort = AbortWatch(config.limits, baseline)
        self._capacity: Capacity | None = None
        self._reasons: list[str] = []
        self._enough = Event()
        self._phase = "starting"
        self._begun = 0.0
        self._told = self._held = 0.0

    def interrupt(self) -> None:
        """End the run early: what was seen is told, and calls in flight stay unfinished."""
        self.interrupted = True
        self.stop("interrupted")

    def stop(self, reason: str) -> None:
        """Send nothing more; `reason` is why the run cannot be called whole."""
        if reason not in self._reasons:
            self._reasons.append(reason)
        self._enough.set()

    def run(self) -> Gathered:
        """Conduct the run to its end."""
        self._begun = self._crew.clock() + self._crew.head_start
        self._crew.order({"do": "start", "at": self._begun})
        self._phase = "sending"
        if self.plan.what.searches:
            self._search()
        else:
            self._play(self._begun + self.plan.delay, self.plan.profile, self.plan.duration)
        self._crew.order({"do": "stop"})
        self._phase = "draining"
        self._crew.order({"do": "abandon" if self.interrupted else "drain"})
        abandoned = self.interrupted
        while not all(state == "over" for state in self._crew.states):
            self._look()
            if self.interrupted and not abandoned:
                abandoned = True
                self._crew.order({"do": "abandon"})
        self._phase = "over"
        self._crew.windows.close()
        gathered = self.gathered()
        self._crew.close()
        return gathered

    def gathered(self) -> Gathered:
        """All that is known as of now."""
        return Gathered(
            self.config, self.plan, self._crew.parts(), self._crew.account(), self._crew.windows,
            lost=self._crew.lost, reasons=tuple(self._reasons), capacity=self._capacity,
        )  # fmt: skip

    def _play(self, at: float, profile: Mapping[str, Any] | None, duration: float) -> None:
        """Have a schedule played, and return when it has been, or when it is enough."""
        self._crew.order(
            {
                "do": "play", "at": at, "profile": None if profile is None else dict(profile), "duration": duration,
                "process": "uniform" if self.plan.what.searches else self.plan.arrivals, "seed": self.plan.seed,
            }
        )  # fmt: skip
        while not self._enough.is_set():
            self._look()
            states = list(self._crew.states)
            if all(state not in {"playing", "ordered"} for state in states):
                return

    def _look(self) -> None:
        """A moment of waiting, in which what is going on is told and watched."""
        gevent.sleep(_LOOK)
        now = clock.monotonic()
        if now - self._told >= _TELL_EVERY:
            self._told = now
            gathered = self.gathered()
            self._tell({"phase": self._phase, "seconds": max(0.0, self._crew.clock() - self._begun)}, gathered)
            if self._phase == "sending":
                self._watch(gathered, now)

    def _watch(self, gathered: Gathered, now: float) -> None:
        given_up = [part["reasons"] for part in gathered.parts]
        if all(given_up) or any(reason != BUDGET_SPENT for reasons in given_up for reason in reasons):
            self._enough.set()
        if len(gathered.lost) == self._crew.size:
            self.stop("every worker was lost")
        if self.config.load.abort_on_limit and now - self._held >= _LIMITS_EVERY:
            self._held = now
            if self._abort.broken_for_good(gathered.section()) is not None:
                self._enough.set()

    def _search(self) -> None:
        """Look for the highest rate that is sustained: a step for each rate that the search wants to know of."""
        plan = self.plan
        search = CapacitySearch(plan.rate or 1.0, _HIGHEST, max_seconds=plan.duration)
        while (rate := search.next_rate()) is not None and not self._enough.is_set():
            self._rest(search.rest_seconds)
            start = math.ceil(self._crew.clock() + max(self._crew.head_start, 0.05) - self._begun)
            begun = self._begun + start  # a full second of the run's course, where a window begins
            self._play(begun, constant(rate, plan.step).to_plain(), plan.step)
            if self._enough.is_set():
                break
            self._settle_step(begun + plan.step)
            step = self.gathered().between(start, start + plan.step)
            limits = evaluate(self.config.limits, step.section, self._baseline)
            of_requests = [limit for limit in limits if limit.metric.startswith(_OF_REQUESTS)]
            search.tell(judge_step(step.lines, step.section, of_requests, rate, plan.step))
            self._capacity = search.result()
        self._capacity = search.result()

    def _settle_step(self, end: float) -> None:
        """Wait until every trigger of a step has been answered, or has had its time."""
        while not self._enough.is_set():
            self._look()
            waiting = sum(part["on_their_way"] for part in self._crew.parts())
            since = self._crew.clock() - end
            if (not waiting and since > _MARGIN) or since > self.config.timing.request + 2 * _MARGIN:
                return

    def _rest(self, seconds: float) -> None:
        until = clock.monotonic() + seconds
        while clock.monotonic() < until and not self._enough.is_set():
            self._look()
