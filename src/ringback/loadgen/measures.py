"""What is counted and timed for one kind of request. Told by the client, read by the load section; judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ringback.loadgen.histogram import Histogram

__all__ = ["OWN_FAULTS", "Measures"]

OWN_FAULTS = frozenset({"guard", "stale", "generator", "batch_refused"})
"""Kinds of failure for which the deployment is not answerable: counted, but neither as requests nor as errors."""
_TIMED = frozenset({"timeout", "malformed", "protocol", "too_large"})


class Measures:
    """Count, errors by kind, latency and service time of the triggers, or of the polls.

    Latency runs from the instant at which a request was due, service time from when it was begun: their difference is
    the generator's own delay. Both are taken of requests that were answered (but for 429) or timed out.
    """

    def __init__(self) -> None:
        self.count = 0
        self.rate_limited = 0
        self.errors: Counter[str] = Counter()
        self.own_faults: Counter[str] = Counter()
        self.latency = Histogram()
        self.service = Histogram()

    def take(self, kind: str | None, latency: float, service: float) -> None:
        """One request came to its end: `kind` is None if all was well. Times are seconds."""
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
        """Requests that the deployment failed to answer as it should."""
        return self.errors.total()

    def section(self, percentiles: Iterable[str]) -> dict[str, Any]:
        """The part of the load section that tells of these requests."""
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
