"""What a reading means in the words of metric systems: families of counters, gauges and histograms. Pure.

Labels have values from fixed sets only: no number, id or token can become one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from math import exp, log
from operator import getitem
from typing import Any, Literal

from ringback.config import LINE_STATES
from ringback.loadgen.live.reading import OK
from ringback.loadgen.metrics.histogram import OFFSET, SCALE
from ringback.loadgen.schedule.scenarios import SCENARIOS

__all__ = ["COARSE", "FINE", "Bounds", "Distribution", "Families", "Family", "Point", "Role"]

Role = Literal["alone", "master", "worker"]
Kind = Literal["counter", "gauge", "histogram"]
_OTHER = "other"
_HTTP = re.compile(r"http_[1-5][0-9]{2}")
_RESULTS = frozenset({
    OK, "rate_limited", "timeout", "connect", "tls", "connection_lost", "protocol", "too_large", "malformed",
    "content_type", "guard", "stale", "generator", "batch_refused",
})  # fmt: skip


class Bounds:
    """Fixed upper bounds of buckets from 100 µs to 100 s, each `every` hundredths of a natural logarithm wide.

    They are bounds of `Histogram`'s own buckets, so no duration changes its bucket.
    """

    def __init__(self, every: int) -> None:
        first, last = (int(log(seconds) * SCALE + OFFSET) for seconds in (1e-4, 100.0))
        self.buckets: Sequence[int] = range(first, last + 1, every)
        """Durations in `Histogram`'s buckets below each of these are below the bound at the same place."""
        self.seconds = [exp((bucket - OFFSET) / SCALE) for bucket in self.buckets]


FINE, COARSE = Bounds(1), Bounds(5)
"""Buckets 1 % wide, for latency and service time; and 5 % wide."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Durations in buckets: `counts` has one more than the bounds, for what is above the last; `total` in seconds."""

    bounds: Bounds
    counts: Sequence[int]
    total: float

    @classmethod
    def of(cls, plain: Sequence[Any], bounds: Bounds) -> Distribution:
        """From what `Histogram.to_plain` gave."""
        counts = [0] * (len(bounds.buckets) + 1)
        for bucket, count in zip(plain[0], plain[1], strict=True):
            counts[bisect_left(bounds.buckets, bucket + 1)] += count
        return cls(bounds, counts, plain[2])

    @property
    def count(self) -> int:
        """How many durations there are."""
        return sum(self.counts)

    def cumulative(self) -> list[int]:
        """How many are below each bound; the last number is of all."""
        return list(accumulate(self.counts))


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a family."""

    labels: Mapping[str, str]
    value: float | Distribution


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name with dots, as OpenTelemetry writes it, its unit (`s` or none) and its points."""

    name: str
    kind: Kind
    unit: str
    about: str
    points: tuple[Point, ...]


class Families:
    """Turns the readings of one process into families. A counter never decreases.

    Counters can be corrected downwards in a reading: by a request that was withdrawn, or an id that two workers had.
    When another run begins in the process, they begin at 0 again.
    """

    def __init__(self, role: Role) -> None:
        self._role: Role = role
        self._highest: dict[tuple[str, tuple[str, ...]], float] = {}
        self._seconds = 0.0

    def of(self, reading: Mapping[str, Any]) -> list[Family]:
        """The families of a reading."""
        if reading["seconds"] < self._seconds:
            self._highest.clear()
        self._seconds = reading["seconds"]
        scenario = reading["scenario"] if reading["scenario"] in SCENARIOS else _OTHER
        common = {"role": self._role, "scenario": scenario}
        families = []
        for name, kind, unit, about, values in _FAMILIES:
            points = []
            for labels, value in values(reading):
                if kind == "counter":
                    key = name, tuple(labels.values())
                    value = self._highest[key] = max(value, self._highest.get(key, 0))
                points.append(Point({**common, **labels}, value))
            if points:
                families.append(Family(f"ringback.{name}", kind, unit, about, tuple(points)))
        return families


def _known(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by result; those of no known name under one name."""
    known: dict[str, int] = dict.fromkeys((OK,), 0)
    for name, count in counts.items():
        label = name if name in _RESULTS or _HTTP.fullmatch(name) else _OTHER
        known[label] = known.get(label, 0) + count
    return known


_Values = Callable[[Mapping[str, Any]], list[tuple[dict[str, str], Any]]]
"""From a reading: labels and value of each point."""


def _one(*path: str) -> _Values:
    """One point, without labels of its own."""
    return lambda reading: [({}, reduce(getitem, path, reading))]


def _by(label: str, member: str) -> _Values:
    """A point for each count; none if there are no counts."""
    return lambda reading: [({label: name}, count) for name, count in (reading[member] or {}).items()]


def _times(member: str) -> _Values:
    return lambda reading: [
        ({"request": kind}, Distribution.of(measured[member], FINE)) for kind, measured in reading["requests"].items()
    ]


def _in_all(member: str) -> _Values:
    return lambda reading: [({}, Distribution.of(reading[member], COARSE))]


def _results(reading: Mapping[str, Any]) -> list[tuple[dict[str, str], Any]]:
    return [
        ({"request": kind, "result": result}, count)
        for kind, measured in reading["requests"].items()
        for result, count in _known(measured["results"]).items()
    ]


_FAMILIES: tuple[tuple[str, Kind, str, str, _Values], ...] = (
    ("arrivals.due", "counter", "", "Arrivals that were due.", _one("arrivals", "due")),
    ("arrivals.sent", "counter", "", "Arrivals that were sent.", _one("arrivals", "sent")),
    ("arrivals.held_back", "counter", "",
     "Arrivals that were not sent because of a pause that the deployment asked for (429).",
     _one("arrivals", "held_back")),
    ("arrivals.dropped", "counter", "", "Arrivals that were not sent because the generator was too late.",
     _one("arrivals", "dropped")),
    ("requests", "counter", "", "Requests that ended, by kind and result.", _results),
    ("request.latency", "histogram", "s", "Seconds from when a request was due to its answer.", _times("latency")),
    ("request.service", "histogram", "s", "Seconds from when a request was begun to its answer.", _times("service")),
    ("triggers.in_flight", "gauge", "", "Triggers that have not been answered yet.", _one("on_their_way")),
    ("calls.accepted", "counter", "", "Calls that the deployment accepted.", _one("accepted")),
    ("calls.final", "counter", "", "Calls by final state.",
     lambda reading: [({"state": state}, reading["final"].get(state, 0)) for state in sorted(LINE_STATES.values())]),
    ("call.time_to_final", "histogram", "s",
     "Seconds from a trigger to the poll that reported the call's final state.", _in_all("time_to_final")),
    ("ledger.calls", "gauge", "", "What the ledger has beside final calls.", _by("column", "ledger")),
    ("ledger.deliveries", "gauge", "", "What became of results sent to ResultDestination.",
     _by("column", "deliveries")),
    ("generator.lag", "histogram", "s", "Seconds from when a request was due to when it was begun.", _in_all("lag")),
    ("generator.cpu", "counter", "s", "Seconds of processor that the run used.", _one("cpu")),
)  # fmt: skip
