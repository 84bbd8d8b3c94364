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
    the generator's own delay. Both are measured for requests that were answered (except with 429) or timed out.
    """

    __slots__ = ("count", "errors", "latency", "own_faults", "rate_limited", "service")

    def __init__(self) -> None:
        self.count = 0
        self.rate_limited = 0
        self.errors: Counter[str] = Counter()
        self.own_faults: Counter[str] = Counter()
        self.latency = Histogram()
        self.service = Histogram()

    def take(self, kind: str | None, latency: float, service: float) -> None:
        """One request has ended: `kind` of failure is None if it succeeded. Times are seconds."""
        if kind in OWN_FAULTS:
            self.own_faults[kind] += 1
            return
        self.count += 1
        if kind == "rate_limited":
            self.rate_limited += 1
            return
        if kind is not None:
            self.errors[kind] += 1
        if kind is None or kind in _TIMED or kind.startswith("http_"):
            self.latency.record(latency)
            self.service.record(service)

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
        self.latency.merge(other.latency)
        self.service.merge(other.service)

    def subtract(self, other: Measures) -> None:
        """Remove what was merged before."""
        self.count -= other.count
        self.rate_limited -= other.rate_limited
        self.errors -= other.errors
        self.own_faults -= other.own_faults
        self.latency.subtract(other.latency)
        self.service.subtract(other.service)

    def section(self, percentiles: Iterable[str]) -> dict[str, Any]:
        """The part of the load section that describes these requests."""
        keys = tuple(percentiles)
        return {
            "count": self.count,
            "errors": dict(sorted(self.errors.items())),
            "error_rate": round(self.failed / self.count, 6) if self.count else None,
            "rate_limited": self.rate_limited,
            "own_faults": dict(sorted(self.own_faults.items())),
            "latency_ms": self.latency.summary_ms(keys),
            "service_ms": self.service.summary_ms(keys),
        }

    def to_plain(self) -> dict[str, Any]:
        """The measures as lists, mappings and numbers, for another process or a file."""
        return {
            "count": self.count,
            "rate_limited": self.rate_limited,
            "errors": dict(self.errors),
            "own_faults": dict(self.own_faults),
            "latency": self.latency.to_plain(),
            "service": self.service.to_plain(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Measures:
        """The measures from what `to_plain` gave."""
        measures = cls()
        measures.count, measures.rate_limited = plain["count"], plain["rate_limited"]
        measures.errors.update(plain["errors"])
        measures.own_faults.update(plain["own_faults"])
        measures.latency = Histogram.from_plain(plain["latency"])
        measures.service = Histogram.from_plain(plain["service"])
        return measures
