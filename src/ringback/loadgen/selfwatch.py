"""The generator's watch over itself: whether it was fast enough for its figures to be the deployment's."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ringback.loadgen.histogram import Histogram

__all__ = ["CPU_LIMIT", "LAG_LIMIT", "SelfWatch"]

LAG_LIMIT = 0.1
"""Seconds: when 1 % of the requests left later than this after they were due, latencies are no longer trusted."""
CPU_LIMIT = 0.9
"""Share of one core: Python runs on one, and above this, requests wait for the generator."""
_MORE_THAN_A_HICCUP = 3
"""Late requests that a short run must have: 1 % of less than 300 is a single hiccup of the machine, or two."""
_ENOUGH = 2.0
"""Seconds: the processor's share of a shorter run says little, start-up being part of it."""


class SelfWatch:
    """Processor share of this process, and lag: seconds from when a request was due to when it was begun."""

    def __init__(self) -> None:
        self.lag = Histogram()
        self.dropped = 0
        """Arrivals that came so late that the run was over."""
        self.own_faults = 0
        """Requests that failed for want of files, ports or memory."""
        self._late = 0
        self._wall = self._cpu = 0.0
        self._share = 0.0
        self._seconds = 0.0

    def note_lag(self, seconds: float) -> None:
        """A request was begun so long after it was due."""
        self.lag.record(seconds)
        self._late += seconds > LAG_LIMIT

    def start(self) -> None:
        """The sending begins."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """The sending has ended, for now or for good."""
        self._seconds = time.perf_counter() - self._wall
        self._share = (time.process_time() - self._cpu) / self._seconds if self._seconds else 0.0

    def limits(self) -> tuple[str, ...]:
        """In what the generator was the limit; empty if it was not."""
        told = []
        lag = self.lag.percentile(99)
        if lag is not None and lag > LAG_LIMIT and self._late >= _MORE_THAN_A_HICCUP:
            told.append(f"1 % of its requests left {lag * 1000:.0f} ms or more after they were due")
        if self._share > CPU_LIMIT and self._seconds >= _ENOUGH:
            told.append(f"it used {self._share:.0%} of a core")
        if self.dropped:
            told.append(f"{self.dropped} arrivals could not be sent in time")
        if self.own_faults:
            told.append(f"{self.own_faults} requests failed for want of open files, ports or memory")
        return tuple(told)

    def section(self, percentiles: Iterable[str]) -> dict[str, Any]:
        """The part of the load section that tells of the generator."""
        return {
            "cpu": round(self._share, 4),
            "lag_ms": self.lag.summary_ms(percentiles),
            "limited": bool(self.limits()),
        }
