"""Counts and times of one kind of request. It judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ringback.loadgen.metrics.histogram import Histogram

__all__ = ["OWN_FAULTS", "Measures"]

OWN_FAULTS = frozenset({"guard", "stale", "generator", "batch_refused", "proxy"})
"""Kinds of failure that are not the deployment's: counted, but neither as requests nor as errors."""
_TIMED = frozenset({"timeout", "malformed", "content_type", "protocol", "too_large"})


class Measures:
    """Count, errors by kind, latency and service time of the triggers, or of the polls.

    Latency runs from the instant at which a request was due, service time from when it was begun; their difference is
    the generator's own delay. Both are measured for requests that succeeded, and apart from them for those that failed
    (answered, but not with 429, or timed out): quick refusals must not make a slow deployment look quick.
    """

    __slots__ = (
        "count", "errors", "failed_latency", "failed_service", "latency", "own_faults", "rate_limited", "service",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = 0
        self.rate_limited = 0
        self.errors: Counter[str] = Counter()
        self.own_faults: Counter[str] = Counter()
        self.latency = Histogram()
        self.service = Histogram()
        self.failed_latency = Histogram()
        self.failed_service = Histogram()

    def take(self, kind: str | None, latency: float, service: float) -> None:
        """One request has ended: `kind` of failure is None if it succeeded. Times are seconds."""
        if kind in OWN_FAULTS:
            self.own_faults[kind] += 1
            return
        self.count += 1
        if kind == "rate_limited":
            self.rate_limited += 1
            return
        if kind is None:
            self.latency.record(latency)
            self.service.record(service)
            return
        self.errors[kind] += 1
        if kind in _TIMED or kind.startswith("http_"):
            self.failed_latency.record(latency)
            self.failed_service.record(service)

    @property
    def failed(self) -> int:
        """Requests to which the deployment's answer was wrong or missing."""
        return self.errors.total()

    @property
    def taken(self) -> int:
        """All requests, our own faults included."""
        return self.count + self.own_faults.total()

    def merge(self, other: Measures) -> None:
        """Add all that was counted there."""
        self.count += other.count
        self.rate_limited += other.rate_limited
        self.errors.update(other.errors)
        self.own_faults.update(other.own_faults)
        for mine, theirs in zip(self._histograms, other._histograms, strict=True):
            mine.merge(theirs)

    @classmethod
    def sum(cls, several: Iterable[Measures]) -> Measures:
        """New measures with all that the given ones counted."""
        total = cls()
        for each in several:
            total.merge(each)
        return total

    def subtract(self, other: Measures) -> None:
        """Remove what was merged before."""
        self.count -= other.count
        self.rate_limited -= other.rate_limited
        self.errors -= other.errors
        self.own_faults -= other.own_faults
        for mine, theirs in zip(self._histograms, other._histograms, strict=True):
            mine.subtract(theirs)

    def section(self, percentiles: Iterable[str]) -> dict[str, Any]:
        """The part of the load section that describes these requests."""
        return {
            "count": self.count,
            "errors": dict(sorted(self.errors.items())),
            "error_rate": round(self.failed / self.count, 6) if self.count else None,
            "rate_limited": self.rate_limited,
            "own_faults": dict(sorted(self.own_faults.items())),
            **self.times(percentiles),
        }

    def times(self, percentiles: Iterable[str]) -> dict[str, Any]:
        """The times of requests that succeeded, and under `failed` of those that failed, in milliseconds."""
        keys = tuple(percentiles)
        latency, service, failed_latency, failed_service = (each.summary_ms(keys) for each in self._histograms)
        failed = {"latency_ms": failed_latency, "service_ms": failed_service}
        return {"latency_ms": latency, "service_ms": service, "failed": failed}

    def to_plain(self) -> dict[str, Any]:
        """The measures as lists, mappings and numbers, for another process or a file."""
        return {
            "count": self.count,
            "rate_limited": self.rate_limited,
            "errors": dict(self.errors),
            "own_faults": dict(self.own_faults),
            "times": [each.to_plain() for each in self._histograms],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Measures:
        """The measures from what `to_plain` gave."""
        measures = cls()
        measures.count, measures.rate_limited = plain["count"], plain["rate_limited"]
        measures.errors.update(plain["errors"])
        measures.own_faults.update(plain["own_faults"])
        for mine, theirs in zip(measures._histograms, plain["times"], strict=True):
            mine.merge(Histogram.from_plain(theirs))
        return measures

    @property
    def _histograms(self) -> tuple[Histogram, Histogram, Histogram, Histogram]:
        return self.latency, self.service, self.failed_latency, self.failed_service
