"""The search for capacity: the highest arrival rate that a deployment sustains within the limits.

What lives here: `CapacitySearch`, which chooses the next rate. What does not: whether the deployment sustained a rate
(`sustained`). The caller asks for a rate, runs a step at it, passes the result to the search, and rests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Capacity", "CapacitySearch", "Step"]


_NEAR = 1.25
"""A step that fails at less than this factor times a rate that held may have failed by chance."""
_LONGEST_REST = 30.0
_HINTS = 3
_TRIES = 4
"""Undecided steps at one rate that end the search."""


@dataclass(frozen=True, slots=True)
class Step:
    """The result of one step at one rate (arrivals a second)."""

    rate: float
    held: bool | None
    """None: undecided, for a reason that is not the deployment's."""
    why: str
    knee: bool = False
    """Whether the deployment is far beyond its limit."""
    sustained: float | None = None
    """If the deployment fell behind: the rate at which it worked off requests."""
    seconds: float = 0.0
    """How long it lasted."""
    backlog: float = 0.0
    """Seconds of work that were left at its end."""
    p99_ms: float | None = None
    error_rate: float | None = None
    arrived_rate: float | None = None

    def to_plain(self) -> dict[str, Any]:
        """The step as `verdict.json` shows it."""
        return {
            "rate": round(self.rate, 3), "held": self.held, "why": self.why, "p99_ms": self.p99_ms,
            "error_rate": self.error_rate, "arrived_rate": self.arrived_rate,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a search found. The capacity lies from `low` to `high`, as far as that is known."""

    rate: float | None
    """The highest rate that held, and held again whenever it was confirmed; None: no rate was confirmed."""
    low: float | None
    """The highest rate that held; None: none did."""
    high: float | None
    """The lowest rate that did not hold; None: none was found."""
    steps: tuple[Step, ...]
    reason: str
    """Why the search ended, in words."""

    @property
    def shortfall(self) -> str | None:
        """What a search that confirmed no rate has nevertheless shown, and why it ended; None if it confirmed one."""
        if self.rate is not None:
            return None
        if self.low is None:
            return f"no capacity was found: {self.reason}"
        below = "" if self.high is None else f", and less than {self.high:.4g}"
        return f"the capacity is at least {self.low:.4g} a second{below}: {self.reason}"

    def to_plain(self) -> dict[str, Any]:
        """The member `capacity` of `verdict.json`'s load section."""
        rate, low, high = (None if value is None else round(value, 3) for value in (self.rate, self.low, self.high))
        steps = [step.to_plain() for step in self.steps]
        return {"rate": rate, "low": low, "high": high, "reason": self.reason, "steps": steps}


@dataclass(slots=True)
class _Votes:
    """How often a rate held, failed and was undecided."""

    held: int = 0
    failed: int = 0
    open: int = 0

    @property
    def verdict(self) -> bool | None:
        """One step decides until another contradicts it; then two of three decide, and later the second failure."""
        if self.failed >= 2 or (self.failed and not self.held):
            return False
        return True if self.held > self.failed else None


class CapacitySearch:
    """Chooses the next rate: doubling, then bisection, then confirmation. Rates are arrivals a second.

    From `start`, rates double until one fails or `highest` holds; if `start` itself fails, they are halved, down to
    `lowest`. Between the highest rate that held and the lowest that failed, the search first tries the rate at which
    the deployment worked in a failed step, then the geometric middle, until the two are within `tolerance`. A failure
    near a rate that held is repeated, and counts if two of three steps fail. At the end the lower rate must hold
    `confirm` more times; if it does not, the search goes down by one tolerance and confirms again.

    An undecided step (because of a hiccup of this machine, say) is repeated; the fourth ends the search. So do
    `max_steps`, and `max_seconds` of steps and rests. ValueError if a value is out of range.
    """

    def __init__(
        self,
        start: float,
        highest: float,
        *,
        lowest: float = 1.0,
        tolerance: float = 0.02,
        confirm: int = 2,
        max_steps: int = 40,
        max_seconds: float | None = None,
    ) -> None:
        if not 0 < start <= highest < math.inf:
            raise ValueError("a search starts above 0 and not above its highest rate; correct start or highest")
        if not 0 < tolerance < 1:
            raise ValueError("a tolerance lies between 0 and 1; use one such as 0.02")
        if confirm < 0 or max_steps < 1 or not lowest > 0:
            raise ValueError("a search needs at least 1 step, 0 or more confirmations and a lowest rate above 0")
        self._highest, self._lowest = highest, min(lowest, start)
        self._tolerance, self._confirm = tolerance, confirm
        self._max_steps, self._max_seconds = max_steps, max_seconds
        self._next: float | None = start
        self._steps: list[Step] = []
        self._votes: dict[float, _Votes] = {}
        self._hint: float | None = None
        self._hints_left = _HINTS
        self._spent = 0.0
        self._confirmed = False
        self._reason = "the search was cut short"

    @property
    def rest_seconds(self) -> float:
        """Seconds to send nothing before the next step, so that the deployment can work off its backlog."""
        if not self._steps or self._steps[-1].held:
            return 0.0
        return min(_LONGEST_REST, 0.5 + 1.5 * self._steps[-1].backlog)

    def next_rate(self) -> float | None:
        """The rate of the next step, the same until `take`; None when the search has ended."""
        return self._next

    def take(self, step: Step) -> None:
        """Take the result of the step at `next_rate()`; ValueError if it is of another rate, or none was asked for."""
        if self._next is None or not math.isclose(step.rate, self._next):
            raise ValueError(f"the step was at {step.rate:g}, but {self._next} was asked for; run that one")
        rate = self._next
        self._steps.append(step)
        votes = self._votes.setdefault(rate, _Votes())
        votes.open += step.held is None
        votes.held += step.held is True
        votes.failed += step.held is False
        self._take_hint(step)
        self._spent += step.seconds + self.rest_seconds
        self._next = self._choose(rate, step)

    def result(self) -> Capacity:
        """What has been found so far; final when `next_rate()` is None."""
        low = self._low
        return Capacity(low if self._confirmed else None, low, self._high, tuple(self._steps), self._reason)

    @property
    def _high(self) -> float | None:
        return min((rate for rate, votes in self._votes.items() if votes.verdict is False), default=None)

    @property
    def _low(self) -> float | None:
        high = self._high or math.inf
        return max((rate for rate, votes in self._votes.items() if votes.verdict and rate < high), default=None)

    @property
    def _best_seen(self) -> float:
        return max((rate for rate, votes in self._votes.items() if votes.held), default=0.0)

    def _choose(self, rate: float, step: Step) -> float | None:
        """The next rate; None if the search ends, and the reason is set."""
        votes = self._votes[rate]
        if step.held is None and votes.open >= _TRIES:
            self._reason = f"{_TRIES} steps at {rate:.4g} a second were undecided: {step.why}"
            return None
        again = self._again(rate, step)
        next_rate = rate if again else self._further()
        if next_rate is None:
            return None
        if len(self._steps) >= self._max_steps:
            self._reason = f"the search has used its {self._max_steps} steps; begin nearer to the capacity (--rate)"
            return None
        if self._max_seconds is not None and self._spent >= self._max_seconds:
            self._reason = f"the search has used its {self._max_seconds:g} seconds; raise --duration"
            return None
        return next_rate

    def _again(self, rate: float, step: Step) -> bool:
        """Whether to repeat the step."""
        votes = self._votes[rate]
        if step.held is None or votes.verdict is None:
            return True
        near = rate <= _NEAR * self._best_seen
        return not step.held and not step.knee and near and votes.failed < 2

    def _further(self) -> float | None:
        low, high = self._low, self._high
        if high is None:
            assert low is not None  # noqa: S101 - a step that was judged either held or failed
            if low < self._highest:
                failed_once = any(votes.failed for votes in self._votes.values())
                return min(low * (_NEAR if failed_once else 2.0), self._highest)
        elif low is None:
            return self._down(high)
        elif high / low > (1 + self._tolerance) * (1 + 1e-9):
            return self._between(low, high)
        elif self._votes[high].failed < 2:
            return high
        if self._votes[low].held - 1 < self._confirm:
            return low
        self._confirmed = True
        top = f"the highest rate that was allowed, {low:.4g} a second, held"
        self._reason = top if high is None else f"{low:.4g} a second held each time, {high:.4g} did not"
        return None

    def _down(self, high: float) -> float | None:
        if high <= self._lowest:
            self._reason = f"the lowest rate, {high:.4g} a second, failed"
            return None
        if self._best_seen >= high:
            return max(high / (1 + self._tolerance), self._lowest)
        if self._hint is not None and self._lowest <= self._hint < high / (1 + self._tolerance):
            return self._hint / (1 + self._tolerance)
        return max(high / 2, self._lowest)

    def _between(self, low: float, high: float) -> float:
        """A rate in the gap: one tolerance below an upper edge that once held, or near the hint, or the middle."""
        if self._best_seen >= high:
            return max(high / (1 + self._tolerance), math.sqrt(low * high))
        if self._hint is not None:
            half, least = math.sqrt(1 + self._tolerance), 1 + self._tolerance / 4
            for aim in (self._hint / half, self._hint * half):
                if low * least < aim < high / least:
                    return aim
        return math.sqrt(low * high)

    def _take_hint(self, step: Step) -> None:
        """The rate at which a deployment works while it falls behind is near its capacity. Few hints are taken."""
        if step.held is not False or step.sustained is None or not self._hints_left:
            return
        low, high = self._low or 0.0, self._high or math.inf
        if self._hint is None or not low <= self._hint <= high:
            self._hint = step.sustained
            self._hints_left -= 1
