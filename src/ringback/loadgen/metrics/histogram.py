"""A histogram of durations in bounded memory: buckets of equal ratio, after HdrHistogram (Gil Tene) and DDSketch.

A bucket is a hundredth of a natural logarithm wide and answers with its middle, so a percentile is within 0.6 % of the
recorded value it stands for, from a microsecond to 10 minutes, in at most 2,023 buckets. Two histograms merge exactly.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import log
from typing import Any

__all__ = ["DISTRIBUTION", "OFFSET", "PERCENTILES", "SCALE", "Histogram", "is_percentile", "percentile_of_key"]

PERCENTILES = ("p50", "p90", "p95", "p99", "p99_9")
"""The percentiles that are always reported, as `verdict.json` names them."""
DISTRIBUTION = (
    0.0,
    *(float(percent) for percent in range(5, 90, 5)),
    *(float(percent) for percent in range(90, 99)),
    *(99 + tenth / 10 for tenth in range(10)),
    99.95,
    99.99,
    100.0,
)
"""The percentages at which a whole distribution is reported: closer together where it matters."""

SCALE = 100.0
"""Buckets to a factor of e."""
OFFSET = 1382.0
"""What makes the number of a microsecond's bucket 0: a duration's bucket is `int(log(seconds) * SCALE + OFFSET)`."""
_LONGEST = 600.0
_LAST_BUCKET = int(log(_LONGEST) * SCALE + OFFSET)


class Histogram:
    """Durations, in seconds. Longer ones than 10 minutes count as 10 minutes; maximum and sum are exact."""

    __slots__ = ("counts", "longest", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        """Bucket -> durations in it."""
        self.total = 0.0
        self.longest = 0.0

    @property
    def count(self) -> int:
        """How many durations were recorded."""
        return sum(self.counts.values())

    def record(self, seconds: float) -> None:
        """Count one duration; a negative one (a clock's quirk) counts as 0."""
        try:
            self.counts[int(log(seconds) * SCALE + OFFSET)] += 1
        except (KeyError, ValueError, OverflowError):
            self.record_first(seconds)
        else:
            self.total += seconds
            if seconds > self.longest:
                self.longest = seconds

    def record_first(self, seconds: float) -> None:
        """`record` for any duration: the first of its bucket, and those that no bucket is made for."""
        if not seconds > 0:
            seconds = 0.0
        elif seconds == math.inf:
            seconds = _LONGEST
        bucket = 0 if seconds < 1e-6 else min(max(int(log(seconds) * SCALE + OFFSET), 0), _LAST_BUCKET)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def merge(self, other: Histogram) -> None:
        """Add all that another histogram counted."""
        counts = self.counts
        for bucket, count in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
        self.total += other.total
        self.longest = max(self.longest, other.longest)

    @classmethod
    def sum(cls, several: Iterable[Histogram]) -> Histogram:
        """A new histogram with all that the given ones counted."""
        total = cls()
        for each in several:
            total.merge(each)
        return total

    def subtract(self, other: Histogram) -> None:
        """Remove what was merged before. Counts stay exact; the maximum is then a bucket's, within 0.6 %."""
        counts = self.counts
        for bucket, count in other.counts.items():
            left = counts.get(bucket, 0) - count
            if left > 0:
                counts[bucket] = left
            else:
                counts.pop(bucket, None)
        self.total = max(self.total - other.total, 0.0) if counts else 0.0
        if not counts:
            self.longest = 0.0
        elif other.longest >= self.longest:
            self.longest = min(self.longest, _middle(max(counts)))

    def above(self, seconds: float) -> int:
        """How many durations were longer, to the bucket that `seconds` falls into, which is not counted."""
        bound = int(log(seconds) * SCALE + OFFSET)
        return sum(count for bucket, count in self.counts.items() if bucket > bound)

    def percentiles(self, percents: Iterable[float]) -> list[float | None]:
        """For each percentage, seconds that so many of the durations do not exceed (nearest rank).

        None throughout when nothing was recorded.
        """
        buckets = sorted(self.counts)
        passed = list(accumulate(self.counts[bucket] for bucket in buckets))
        return [self._at(percent, buckets, passed) for percent in percents]

    def percentile(self, percent: float) -> float | None:
        """One of `percentiles`."""
        return self.percentiles((percent,))[0]

    def distribution(self, percents: Iterable[float] = DISTRIBUTION) -> list[tuple[float, float]]:
        """Pairs of percentage and seconds; empty when nothing was recorded."""
        wanted = tuple(percents)
        return [
            (p, seconds) for p, seconds in zip(wanted, self.percentiles(wanted), strict=True) if seconds is not None
        ]

    def summary_ms(self, keys: Iterable[str] = PERCENTILES) -> dict[str, float | None]:
        """Percentiles by key, maximum and mean, in milliseconds; None throughout when nothing was recorded."""
        names = tuple(keys)
        found = self.percentiles(percentile_of_key(key) for key in names)
        count = self.count
        return {
            **{key: _ms(seconds) for key, seconds in zip(names, found, strict=True)},
            "max": _ms(self.longest if count else None),
            "mean": _ms(self.total / count if count else None),
        }

    def to_plain(self) -> list[Any]:
        """Lists and numbers only, for another process or a file."""
        return [list(self.counts), list(self.counts.values()), self.total, self.longest]

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> Histogram:
        """The histogram from what `to_plain` gave."""
        histogram = cls()
        buckets, counts, histogram.total, histogram.longest = plain
        histogram.counts = dict(zip(buckets, counts, strict=True))
        return histogram

    def _at(self, percent: float, buckets: Sequence[int], passed: Sequence[int]) -> float | None:
        if not passed:
            return None
        rank = max(1, math.ceil(passed[-1] * percent / 100 - 1e-9))
        if rank >= passed[-1]:
            return self.longest
        return min(_middle(buckets[bisect_left(passed, rank)]), self.longest)


def is_percentile(key: str) -> bool:
    """Whether a key names a percentile, such as `p99_9`."""
    return key[:1] == "p" and key[1:2].isdigit()


def percentile_of_key(key: str) -> float:
    """The percentage that a key names: `p99_9` is 99.9."""
    return float(key.removeprefix("p").replace("_", "."))


def _middle(bucket: int) -> float:
    """Seconds in the middle of a bucket; the first holds all that is shorter than a microsecond."""
    return math.exp((bucket + 0.5 - OFFSET) / SCALE) if bucket else 0.0


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 4)
