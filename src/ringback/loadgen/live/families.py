"""What a reading means in the words of metric systems: families of counters, gauges and histograms. Pure.

Labels have values from fixed sets only: no number, id or token can become one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, log
from typing import Any, Literal

from ringback.config import LINE_STATES
from ringback.loadgen.live.reading import OK
from ringback.loadgen.metrics.histogram import OFFSET, SCALE
from ringback.loadgen.schedule.scenarios import SCENARIOS

__all__ = ["COARSE", "FINE", "Bounds", "Distribution", "Families", "Family", "Point", "Role"]

Role = Literal["alone", "master", "worker"]
_OTHER = "other"
_HTTP = re.compile(r"http_[1-5][0-9]{2}")
_RESULTS = frozenset({
    OK, "rate_limited", "timeout", "connect", "tls", "connection_lost", "protocol", "too_large", "malformed",
    "content_type", "guard", "stale", "generator", "batch_refused",
})  # fmt: skip
_STATES = frozenset(LINE_STATES.values())


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
    kind: Literal["counter", "gauge", "histogram"]
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
        self._common = {"role": self._role, "scenario": scenario}
        return list(self._families(reading))

    def _families(self, reading: Mapping[str, Any]) -> Iterator[Family]:
        for name, about in (
            ("due", "Arrivals that were due."),
            ("sent", "Arrivals that were sent."),
            ("held_back", "Arrivals that were not sent because of a pause that the deployment asked for (429)."),
            ("dropped", "Arrivals that were not sent because the generator was too late."),
        ):
            yield self._counter(f"arrivals.{name}", about, [({}, reading["arrivals"][name])])
        requests = reading["requests"]
        yield self._counter(
            "requests", "Requests that ended, by kind and result.",
            [
                ({"request": kind, "result": result}, count)
                for kind, measured in requests.items()
                for result, count in _known(measured["results"], _RESULTS).items()
            ],
        )  # fmt: skip
        for name, about in (
            ("latency", "Seconds from when a request was due to its answer."),
            ("service", "Seconds from when a request was begun to its answer."),
        ):
            yield self._histogram(
                f"request.{name}",
                about,
                [({"request": kind}, measured[name]) for kind, measured in requests.items()],
                FINE,
            )
        yield self._gauge(
            "triggers.in_flight", "Triggers that have not been answered yet.", [({}, reading["on_their_way"])]
        )
        yield self._counter("calls.accepted", "Calls that the deployment accepted.", [({}, reading["accepted"])])
        final = dict.fromkeys(_STATES, 0) | {s: n for s, n in reading["final"].items() if s in _STATES}
        yield self._counter("calls.final", "Calls by final state.", [({"state": s}, final[s]) for s in sorted(final)])
        yield self._histogram(
            "call.time_to_final", "Seconds from a trigger to the poll that reported the call's final state.",
            [({}, reading["time_to_final"])], COARSE,
        )  # fmt: skip
        yield self._gauge(
            "ledger.calls", "What the ledger has beside final calls.",
            [({"column": column}, count) for column, count in reading["ledger"].items()],
        )  # fmt: skip
        if reading["deliveries"] is not None:
            yield self._gauge(
                "ledger.deliveries", "What became of results sent to ResultDestination.",
                [({"column": column}, count) for column, count in reading["deliveries"].items()],
            )  # fmt: skip
        yield self._histogram(
            "generator.lag", "Seconds from when a request was due to when it was begun.", [({}, reading["lag"])], COARSE
        )
        yield self._counter("generator.cpu", "Seconds of processor that the run used.", [({}, reading["cpu"])], "s")

    def _counter(self, name: str, about: str, values: list[tuple[dict[str, str], float]], unit: str = "") -> Family:
        points = []
        for labels, value in values:
            key = name, tuple(labels.values())
            value = self._highest[key] = max(value, self._highest.get(key, 0))
            points.append(Point({**self._common, **labels}, value))
        return Family(f"ringback.{name}", "counter", unit, about, tuple(points))

    def _gauge(self, name: str, about: str, values: list[tuple[dict[str, str], float]]) -> Family:
        points = (Point({**self._common, **labels}, value) for labels, value in values)
        return Family(f"ringback.{name}", "gauge", "", about, tuple(points))

    def _histogram(
        self, name: str, about: str, values: list[tuple[dict[str, str], Sequence[Any]]], bounds: Bounds
    ) -> Family:
        points = (Point({**self._common, **labels}, Distribution.of(plain, bounds)) for labels, plain in values)
        return Family(f"ringback.{name}", "histogram", "s", about, tuple(points))


def _known(counts: Mapping[str, int], names: frozenset[str]) -> dict[str, int]:
    """Counts by result; those of no known name under one name."""
    known: dict[str, int] = dict.fromkeys((OK,), 0)
    for name, count in counts.items():
        label = name if name in names or _HTTP.fullmatch(name) else _OTHER
        known[label] = known.get(label, 0) + count
    return known
