"""A histogram of durations in constant memory, after HdrHistogram (Gil Tene): log-linear buckets.

Each power of two is cut into 128 equal buckets and a bucket answers with its middle, so a percentile is within 0.5 %
of the recorded value it stands for, from 10 microseconds to 10 minutes. Two histograms merge exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["PERCENTILES", "Histogram", "percentile_of_key"]

PERCENTILES = ("p50", "p90", "p95", "p99", "p99_9")
"""The percentiles that are always told, as `verdict.json` names them."""

_TICKS = 10_000_000
"""Ticks a second: 100 ns, a hundredth of the shortest duration that must be told apart."""
_SUB_BITS = 7
_SUB = 1 << _SUB_BITS
_LONGEST = 600 * _TICKS
_BUCKETS = ((_LONGEST.bit_length() - _SUB_BITS) + 1) * _SUB


class Histogram:
    """Durations, in seconds. Longer ones than 10 minutes count as 10 minutes; minimum, maximum and sum are exact."""

    __slots__ = ("_counts", "count", "longest", "shortest", "total")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.total = 0.0
        self.longest = 0.0
        self.shortest = math.inf

    def record(self, seconds: float) -> None:
        """Count one duration; a negative one (a clock's quirk) counts as 0."""
        seconds = max(seconds, 0.0)
        self._counts[_index(min(int(seconds * _TICKS), _LONGEST))] += 1
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)
        self.shortest = min(self.shortest, seconds)

    def merge(self, other: Histogram) -> None:
        """Add all that another histogram counted: as if both had recorded here."""
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]
        self.count += other.count
        self.total += other.total
        self.longest = max(self.longest, other.longest)
        self.shortest = min(self.shortest, other.shortest)

    def percentile(self, percent: float) -> float | None:
        """Seconds that `percent` of the durations do not exceed (nearest rank); None when nothing was recorded."""
        if not self.count:
            return None
        rank = max(1, math.ceil(self.count * percent / 100 - 1e-9))
        if rank == self.count:
            return self.longest
        passed = 0
        for index, count in enumerate(self._counts):
            passed += count
            if passed >= rank:
                return min(max(_middle(index), self.shortest), self.longest)
        return self.longest

    def summary_ms(self, keys: Iterable[str] = PERCENTILES) -> dict[str, float | None]:
        """Percentiles by key, maximum and mean, in milliseconds; None throughout when nothing was recorded."""
        told = {key: _ms(self.percentile(percentile_of_key(key))) for key in keys}
        return {
            **told,
            "max": _ms(self.longest if self.count else None),
            "mean": _ms(self.total / self.count if self.count else None),
        }


def percentile_of_key(key: str) -> float:
    """The percentage that a key names: `p99_9` is 99.9."""
    return float(key.removeprefix("p").replace("_", "."))


def _index(ticks: int) -> int:
    shift = max(0, ticks.bit_length() - _SUB_BITS - 1)
    return (shift << _SUB_BITS) + (ticks >> shift)


def _middle(index: int) -> float:
    """Seconds in the middle of a bucket."""
    shift = max(0, (index >> _SUB_BITS) - 1)
    lowest = (index - (shift << _SUB_BITS)) << shift
    return (lowest + (1 << shift) / 2) / _TICKS


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 4)
