"""A run's course in windows, by the instants at which requests were due: told in one cheap call per request.

What lives here: which window a request belongs to, what is kept of windows that are over, and sums over the steady
part and the whole. Memory is bounded however long a run lasts: a window that rests is packed into a few kilobytes, and
when there would be more than `MOST_WINDOWS`, windows become twice as long and neighbours are merged. What does not:
thresholds (selfwatch), and how figures are told (section). It has no clock: instants are seconds of the run's course.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import log
from typing import Any

from ringback.loadgen.metrics.closed_windows import Key, Shelf, paired
from ringback.loadgen.metrics.histogram import OFFSET, SCALE, Histogram
from ringback.loadgen.metrics.measures import Measures
from ringback.loadgen.metrics.saturation import Judgement, Mark, causes, judge
from ringback.loadgen.metrics.window import COUNTERS, POLL, TRIGGER, Share, Window

__all__ = ["MOST_WINDOWS", "POLL", "TRIGGER", "Part", "Span", "Windows"]

MOST_WINDOWS = 1_200
"""Lines that a run's course is told in at most."""
_CUTS = 2
"""Windows that the edges of the steady part may add, by cutting one in two."""
_MOST_OPEN = 120
"""Windows that wait for late answers; beyond, the eldest is packed, to be unpacked again should one come."""
_MERGED_A_TICK = 8
"""Neighbours merged at once after the length has doubled: all 1,200 together would make requests late."""
_BEFORE, _STEADY, _AFTER = 0, 1, 2

_Near = tuple[float, float, Measures, Histogram]


@dataclass(frozen=True, slots=True)
class Span:
    """A window with its place: from and to in seconds, and `ramp`, `steady`, `cool` (no longer) or `drain`."""

    start: float
    end: float
    phase: str
    window: Window


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a run that figures are taken from, in seconds of its course."""

    start: float
    end: float
    total: Window
    """Its windows in one."""
    limited: Window
    """The measures of those in which the generator was the limit."""
    judgement: Judgement

    def sound(self) -> Window:
        """The measures of all but those."""
        rest = Window()
        rest.merge(self.total)
        rest.subtract(self.limited)
        return rest


class Windows:
    """The windows of one run. `name` is the process's; `steady` is from and to, in seconds of the run's course.

    `most_backlog` bounds the results that may wait in the receiver. With `relay`, what is new is kept for `drain`.
    """

    def __init__(
        self,
        steady: tuple[float, float] = (0.0, math.inf),
        *,
        name: str = "",
        most_backlog: int | None = None,
        relay: bool = False,
    ) -> None:
        start, end = steady
        if not 0 <= start < end:
            raise ValueError("a steady part begins at 0 or later, and ends after that")
        self.steady = (float(start), float(end))
        self.name = name
        self.length = 1.0
        """Seconds that a window lasts."""
        self.sending_ended = math.inf
        """When the last arrival had been sent; windows from there on are the drain."""
        self._most_backlog = most_backlog
        self._nowhere: _Near = (math.inf, -math.inf, Measures(), Histogram())
        self._near: list[_Near] = [self._nowhere, self._nowhere]
        self._known: tuple[dict[int, _Near], dict[int, _Near]] = ({}, {})
        self._open: dict[Key, Window] = {}
        self._seen: dict[Key, int] = {}
        self._shelf = Shelf(self.causes)
        self._sums = (Window(), Window(), Window())
        self._news: dict[Key, Window] | None = {} if relay else None
        self._ticked = 0.0
        self._told = dict.fromkeys((*COUNTERS, "cpu"), 0.0)

    def take(self, kind: int, due: float, latency: float, service: float, error: str | None = None) -> None:
        """A request (`TRIGGER` or `POLL`) came to its end that was due at `due`; `error` is None if all was well.

        Latency and service time are seconds from when it was due, and from when it was begun. A request that was due
        when it was begun (a closed model's, a poll outside any schedule) tells nothing of the generator's lag.
        """
        low, high, measures, lags = self._near[kind]
        if not low <= due < high:
            low, high, measures, lags = self._turn(kind, due)
        if error is not None:
            measures.take(error, latency, service)
            if latency != service:
                lags.record(latency - service)
            return
        # Histogram.record three times over, spelled out: calls would double the cost of what each request pays.
        measures.count += 1
        histogram = measures.latency
        try:
            histogram.counts[int(log(latency) * SCALE + OFFSET)] += 1
        except (KeyError, ValueError, OverflowError):
            histogram.record_first(latency)
        else:
            histogram.total += latency
            if latency > histogram.longest:
                histogram.longest = latency
        histogram = measures.service
        try:
            histogram.counts[int(log(service) * SCALE + OFFSET)] += 1
        except (KeyError, ValueError, OverflowError):
            histogram.record_first(service)
        else:
            histogram.total += service
            if service > histogram.longest:
                histogram.longest = service
        lag = latency - service
        if lag:
            try:
                lags.counts[int(log(lag) * SCALE + OFFSET)] += 1
            except (KeyError, ValueError, OverflowError):
                lags.record_first(lag)
            else:
                lags.total += lag
                if lag > lags.longest:
                    lags.longest = lag

    def tick(
        self,
        at: float,
        *,
        scheduled: int = 0,
        sent: int = 0,
        accepted: int = 0,
        final: int = 0,
        in_flight: int = 0,
        dropped: int = 0,
        backlog: int = 0,
        cpu: float = 0.0,
    ) -> None:
        """About once a second: this process's counters, and its seconds of processor, from the start until `at`.

        What is new of them goes to the windows since the last tick, each in proportion (a counter that was taken back
        counts on where it had been). Windows that rest are packed.
        """
        told = {
            "scheduled": scheduled, "sent": sent, "accepted": accepted, "final": final, "dropped": dropped, "cpu": cpu
        }  # fmt: skip
        if at > self._ticked:
            told = {name: max(value, self._told[name]) for name, value in told.items()}
            self._spread(at, {name: value - self._told[name] for name, value in told.items()}, in_flight, backlog)
            self._ticked, self._told = at, told
        self._pack_resting(at)
        self._shelf.merge_some(_MERGED_A_TICK)

    def close(self) -> None:
        """The run is over: pack what is open and merge what waits to be merged. More may still be taken or merged."""
        for key in list(self._open):
            self._pack(key)
        self._shelf.merge_some()

    @property
    def size(self) -> int:
        """Bytes in which windows that rest are kept."""
        return self._shelf.size

    @property
    def whole(self) -> Window:
        """All windows in one, as of now."""
        return self._sum((_BEFORE, _STEADY, _AFTER))

    def steady_part(self) -> Part:
        """The steady part, as of now; windows that are still open are in its sum, and are not judged yet."""
        total = self._sum((_STEADY,))
        judgement = judge(self._shelf.marks(_STEADY), total, self.whole, self._most_backlog)
        return Part(*self.steady, total, self._shelf.limited(_STEADY), judgement)

    def part(self, start: float, end: float) -> Part:
        """The windows that lie wholly between two instants: a step, say. Each is unpacked, so not for long ones."""
        total, limited, marks = Window(), Window(), []
        for span in self.spans(start, end):
            found = frozenset(self.causes(span.window))
            marks.append(Mark(span.window.busy, found))
            total.merge(span.window)
            if found:
                limited.merge(span.window)
        return Part(start, end, total, limited, judge(marks, total, total, self._most_backlog))

    def causes(self, window: Window) -> dict[str, str]:
        """In what the generator was the limit in a window of this run, by the kind of cause."""
        return causes(window, self._most_backlog)

    def spans(self, start: float = 0.0, end: float = math.inf) -> Iterator[Span]:
        """The windows that lie wholly between two instants, in order of time, as of now."""
        for key in sorted({*self._shelf, *self._open}):
            first, last = self._bounds(key)
            if start <= first and last <= end:
                window = self._shelf.window(key)
                if key in self._open:
                    window.merge(self._open[key])
                yield Span(first, last, self._phase(key, first), window)

    def to_plain(self) -> dict[str, Any]:
        """All there is, as lists, mappings and numbers only: for another process or a file."""
        return self._plain((span.start, span.window) for span in self.spans())

    def drain(self, *, open_too: bool = False) -> dict[str, Any]:
        """What has been packed since the last call, likewise; with `open_too`, what is still open is packed first.

        ValueError without `relay`.
        """
        if self._news is None:
            raise ValueError("these windows were not made to be relayed")
        if open_too:
            for key in list(self._open):
                self._pack(key)
        news, self._news = self._news, {}
        return self._plain((self._bounds(key)[0], window) for key, window in sorted(news.items()))

    def merge(self, plain: Mapping[str, Any]) -> None:
        """Add what another process's windows told by `to_plain` or `drain`: as if all had been told here.

        Seconds of their run's course count as seconds of this one's. ValueError if their steady part is another.
        """
        if _steady_of(plain) != self.steady:
            raise ValueError("windows of runs with different steady parts don't add up")
        while self.length < plain["length"]:
            self._double()
        for start, told in plain["windows"]:
            self._opened(self._key(start)).merge(Window.from_plain(told))
        for key in [key for key in self._open if self._bounds(key)[1] < self._newest() - self.length]:
            self._pack(key)

    def _turn(self, kind: int, due: float) -> _Near:
        """Have `take` look at the window that `due` lies in."""
        number = int(due / self.length)
        near = self._known[kind].get(number, self._nowhere)
        if not near[0] <= due < near[1]:
            key = self._key(due)
            window = self._opened(key)
            start, end = self._bounds(key)
            near = (start if start > 0 else -math.inf, end, window.kinds[kind], window.lag)
            self._known[kind][number] = near
        self._near[kind] = near
        return near

    def _forget(self) -> None:
        """Windows have come or gone: `take` has to look anew."""
        self._near = [self._nowhere, self._nowhere]
        for known in self._known:
            known.clear()

    def _part(self, at: float) -> int:
        start, end = self.steady
        return _BEFORE if at < start else _STEADY if at < end else _AFTER

    def _key(self, at: float) -> Key:
        at = max(at, 0.0)
        while at >= self.length * (MOST_WINDOWS - _CUTS):
            self._double()
        return int(at / self.length), self._part(at)

    def _bounds(self, key: Key) -> tuple[float, float]:
        number, part = key
        start, end = number * self.length, (number + 1) * self.length
        first, last = self.steady
        if part == _BEFORE:
            return start, min(end, first)
        if part == _STEADY:
            return max(start, first), min(end, last)
        return max(start, last), end

    def _phase(self, key: Key, start: float) -> str:
        if start >= self.sending_ended:
            return "drain"
        return ("ramp", "steady", "cool")[key[1]]

    def _opened(self, key: Key) -> Window:
        window = self._open.get(key)
        if window is None:
            window = self._open[key] = Window()
        return window

    def _spread(self, at: float, news: Mapping[str, float], in_flight: int, backlog: int) -> None:
        """Give out what was counted between the last tick and `at`; parts of whole numbers add up to the whole."""
        since, gone = at - self._ticked, 0.0
        given = dict.fromkeys(COUNTERS, 0)
        here = self._ticked
        while here < at:
            key = self._key(here)
            there = min(self._bounds(key)[1], at)
            window, gone = self._opened(key), there - self._ticked
            for name in COUNTERS:
                until = round(news[name] * (gone / since)) if there < at else round(news[name])
                window.counters[name] += until - given[name]
                given[name] = until
            cpu = news["cpu"] * (there - here) / since
            window.shares.setdefault(self.name, Share()).merge(Share(cpu, there - here, there, in_flight))
            window.backlog = max(window.backlog, backlog)
            here = there

    def _pack_resting(self, at: float) -> None:
        resting = [
            key
            for key, window in self._open.items()
            if self._bounds(key)[1] <= at - self.length and self._seen.get(key) == window.taken
        ]
        for key in resting:
            self._pack(key)
        for key in sorted(self._open)[: max(0, len(self._open) - _MOST_OPEN)]:
            self._pack(key)
        self._seen = {key: window.taken for key, window in self._open.items()}

    def _pack(self, key: Key) -> None:
        """Add an open window to the sums, and to what is kept of it, which is packed."""
        window = self._open.pop(key)
        self._forget()
        self._sums[key[1]].merge(window)
        if self._news is not None:
            self._news.setdefault(key, Window()).merge(window)
        self._shelf.add(key, window)

    def _double(self) -> None:
        """Windows last twice as long from here on; neighbours are merged bit by bit, at later ticks."""
        self.length *= 2
        self._forget()
        self._open = paired(self._open)
        self._seen = {}
        if self._news is not None:
            self._news = paired(self._news)
        self._shelf.pair()

    def _sum(self, parts: tuple[int, ...]) -> Window:
        total = Window()
        for part in parts:
            total.merge(self._sums[part])
        for (_, part), window in self._open.items():
            if part in parts:
                total.merge(window)
        return total

    def _newest(self) -> float:
        return max((self._bounds(key)[1] for key in self._open), default=0.0)

    def _plain(self, told: Iterable[tuple[float, Window]]) -> dict[str, Any]:
        start, end = self.steady
        return {
            "length": self.length,
            "steady": [start, None if end == math.inf else end],
            "windows": [[at, window.to_plain()] for at, window in told],
        }


def _steady_of(plain: Mapping[str, Any]) -> tuple[float, float]:
    start, end = plain["steady"]
    return float(start), math.inf if end is None else float(end)
