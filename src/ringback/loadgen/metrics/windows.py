"""A run in windows, by the instants at which requests were due. Each request costs one cheap call.

What lives here: which window a request belongs to, when windows are packed, and sums. Edges (of the steady part, of the
steps of a schedule) cut windows in two, so each stretch between two edges consists of whole windows. Memory is bounded
however long a run lasts: a window that receives no more requests is packed into a few kilobytes, and when there would
be more than `MOST_WINDOWS`, windows become twice as long and neighbours are merged. What does not: thresholds
(saturation) and the form of the report (section). There is no clock here: instants are seconds since the run's start.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import log
from typing import Any

from ringback.loadgen.metrics.closed_windows import ClosedWindows, Key, paired
from ringback.loadgen.metrics.histogram import OFFSET, SCALE, Histogram
from ringback.loadgen.metrics.measures import Measures
from ringback.loadgen.metrics.saturation import Judgement, Mark, causes, judge
from ringback.loadgen.metrics.window import COUNTERS, LoadWindow, Share
from ringback.loadgen.schedule.origin import Origin

__all__ = ["MOST_WINDOWS", "Part", "PlacedWindow", "Windows"]

MOST_WINDOWS = 1_200
"""Windows of a run, at most."""
_JUST = 1e-6
"""Seconds: a request that is due so shortly before an edge was due at it, but for rounding."""
_MOST_OPEN = 120
"""Windows that wait for late answers. If there are more, the oldest is packed, and unpacked if an answer comes."""
_MERGED_A_TICK = 8
"""Neighbours merged per tick after the length has doubled: merging all 1,200 at once would make requests late."""

_Near = tuple[float, float, Measures, Histogram]


@dataclass(frozen=True, slots=True)
class PlacedWindow:
    """A window with its start and end in seconds, and its phase: `ramp`, `steady`, `cool` (after that) or `drain`."""

    start: float
    end: float
    phase: str
    window: LoadWindow


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a run that figures are taken from, in seconds since its start."""

    start: float
    end: float
    total: LoadWindow
    """Its windows merged."""
    limited: LoadWindow
    """The measures of the windows in which the generator was the limit."""
    judgement: Judgement

    def sound(self, wanted: Origin) -> Measures:
        """The measures of the wanted requests in the windows in which the generator was not the limit."""
        rest = Measures.sum([self.total.of(wanted)])
        rest.subtract(self.limited.of(wanted))
        return rest


class Windows:
    """The windows of one run. `name` is the process's; `steady` the start and end of the steady part.

    `cuts` are further edges: the instants between which there are other parts of interest. With `relay`, what is new is
    also stored for `drain`.
    """

    def __init__(
        self,
        steady: tuple[float, float] = (0.0, math.inf),
        *,
        cuts: Iterable[float] = (),
        name: str = "",
        relay: bool = False,
    ) -> None:
        start, end = steady
        if not 0 <= start < end:
            raise ValueError("a steady part begins at 0 or later, and ends after its beginning")
        self.steady = (float(start), float(end))
        self._edges = sorted(edge for edge in {0.0, *map(float, (*steady, *cuts))} if edge < math.inf)
        """A stretch of the run begins at each; the last never ends."""
        self.name = name
        self.length = 1.0
        """Seconds that a window lasts."""
        self.sending_ended = math.inf
        """When the last arrival had been sent; windows from there on are the drain."""
        self._nowhere: _Near = (math.inf, -math.inf, Measures(), Histogram())
        self._near: dict[Origin, _Near] = {}
        self._known: dict[tuple[Origin, int], _Near] = {}
        self._open: dict[Key, LoadWindow] = {}
        self._seen: dict[Key, int] = {}
        self._closed = ClosedWindows()
        self._sums = [LoadWindow() for _ in self._edges]
        self._large_sums = {parts: LoadWindow() for parts in (range(len(self._edges)), self._between(*self.steady))}
        """Of the whole run and of the steady part, which are asked for often."""
        self._news: dict[Key, LoadWindow] | None = {} if relay else None
        self._ticked = 0.0
        self._totals = dict.fromkeys((*COUNTERS, "cpu"), 0.0)

    def take(self, at: Origin, due: float, latency: float, service: float, error: str | None = None) -> None:
        """A request of this origin that was due at `due` has ended; `error` is None if it succeeded.

        Latency and service time are seconds from when it was due, and from when it was begun. A request that was due
        when it was begun (in the closed model, or a poll outside any schedule) is not counted in the generator's lag.
        """
        low, high, measures, lags = self._near.get(at, self._nowhere)
        if not low <= due < high:
            low, high, measures, lags = self._turn(at, due)
        if error is not None:
            measures.take(error, latency, service)
            if latency != service:
                lags.record(latency - service)
            return
        # Histogram.record three times, inlined: calls would double the cost per request.
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

    def take_lag(self, at: Origin, due: float, seconds: float) -> None:
        """An answer to a request of this origin that was due at `due` waited for so many seconds before it was read."""
        low, high, _, lags = self._near.get(at, self._nowhere)
        if not low <= due < high:
            _, _, _, lags = self._turn(at, due)
        lags.record(seconds)

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
        cpu: float = 0.0,
    ) -> None:
        """About once a second: take this process's counters and its seconds of processor, from the start until `at`.

        Their increase is spread over the windows since the last tick in proportion (after a decrease, a counter counts
        again from its old maximum). Windows that receive no more requests are packed.
        """
        totals = {
            "scheduled": scheduled, "sent": sent, "accepted": accepted, "final": final, "dropped": dropped, "cpu": cpu
        }  # fmt: skip
        if at > self._ticked:
            totals = {name: max(value, self._totals[name]) for name, value in totals.items()}
            self._spread(at, {name: value - self._totals[name] for name, value in totals.items()}, in_flight)
            self._ticked, self._totals = at, totals
        self._pack_resting(at)
        self._closed.merge_some(_MERGED_A_TICK)

    def close(self) -> None:
        """The run is over: pack open windows and merge what waits to be merged. More may still be taken or merged."""
        for key in list(self._open):
            self._pack(key)
        self._closed.merge_some()

    @property
    def size(self) -> int:
        """Bytes of the packed windows."""
        return self._closed.size

    @property
    def whole(self) -> LoadWindow:
        """All windows merged, as of now."""
        return self._sum(range(len(self._edges)))

    def steady_part(self) -> Part:
        """The stretch that the run's figures are taken from."""
        is_all = self.steady == (0.0, math.inf)
        return self.stretch(*self.steady, None if is_all else self.whole)

    def stretch(self, start: float, end: float, whole: LoadWindow | None = None) -> Part:
        """What lies between two edges, as of now; open windows are in its sum, and are not judged yet.

        `whole` has the arrivals with which the number of dropped ones is compared (default: those of the stretch).
        """
        parts = self._between(start, end)
        total, limited = self._sum(parts), self._closed.limited(parts)
        return Part(start, end, total, limited, judge(self._closed.marks(parts), total, whole or total, limited))

    def part(self, start: float, end: float) -> Part:
        """The windows that lie entirely between two instants. Each is unpacked, so keep the part short."""
        total, limited, marks = LoadWindow(), LoadWindow(), []
        for span in self.spans(start, end):
            found = frozenset(causes(span.window))
            marks.append(Mark(span.window.busy, found))
            total.merge(span.window)
            if found:
                limited.merge(span.window)
        return Part(start, end, total, limited, judge(marks, total, total, limited))

    def spans(self, start: float = 0.0, end: float = math.inf) -> Iterator[PlacedWindow]:
        """The windows that lie entirely between two instants, in order of time, as of now."""
        for key in sorted({*self._closed, *self._open}):
            first, last = self._bounds(key)
            if start <= first and last <= end:
                window = self._closed.window(key)
                if key in self._open:
                    window.merge(self._open[key])
                yield PlacedWindow(first, last, self._phase(first), window)

    def to_plain(self) -> dict[str, Any]:
        """All windows as lists, mappings and numbers, for another process or a file."""
        return self._plain((span.start, span.window) for span in self.spans())

    def drain(self) -> dict[str, Any]:
        """What has been packed since the last call, in the same form. ValueError without `relay`."""
        if self._news is None:
            raise ValueError("these windows were made without relay=True")
        news, self._news = self._news, {}
        return self._plain((self._bounds(key)[0], window) for key, window in sorted(news.items()))

    def merge(self, plain: Mapping[str, Any]) -> None:
        """Add what another process's `to_plain` or `drain` gave, as if it had been measured here.

        Both count seconds since the same start. ValueError if their steady parts differ.
        """
        if plain["edges"] != self._edges or plain["steady"] != self._steady_plain:
            raise ValueError("windows of runs with different steady parts or edges can't be merged")
        while self.length < plain["length"]:
            self._double()
        for start, window in plain["windows"]:
            self._opened(self._key(start)).merge(LoadWindow.from_plain(window))
        for key in [key for key in self._open if self._bounds(key)[1] < self._newest() - self.length]:
            self._pack(key)

    def _turn(self, at: Origin, due: float) -> _Near:
        """Point `take` at the window that `due` lies in."""
        key = self._key(due + _JUST)
        near = self._known.get((at, key[0]), self._nowhere)
        if not near[0] <= due < near[1]:
            window = self._opened(key)
            start, end = self._bounds(key)
            near = (start - _JUST if start > 0 else -math.inf, end - _JUST, window.cell(at), window.lag)
            self._known[at, key[0]] = near
        self._near[at] = near
        return near

    def _forget(self) -> None:
        """Windows were added or removed: `take` has to look them up again."""
        self._near.clear()
        self._known.clear()

    def _key(self, at: float) -> Key:
        at = max(at, 0.0)
        while at >= self.length * (MOST_WINDOWS - len(self._edges)):
            self._double()
        return int(at / self.length), bisect_right(self._edges, at) - 1

    def _bounds(self, key: Key) -> tuple[float, float]:
        number, part = key
        last = self._edges[part + 1] if part + 1 < len(self._edges) else math.inf
        return max(number * self.length, self._edges[part]), min((number + 1) * self.length, last)

    def _phase(self, start: float) -> str:
        if start >= self.sending_ended:
            return "drain"
        return "ramp" if start < self.steady[0] else "steady" if start < self.steady[1] else "cool"

    def _opened(self, key: Key) -> LoadWindow:
        window = self._open.get(key)
        if window is None:
            window = self._open[key] = LoadWindow()
        return window

    def _spread(self, at: float, news: Mapping[str, float], in_flight: int) -> None:
        """Spread what was counted between the last tick and `at` over windows; whole numbers are split without loss."""
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
        """Add an open window to the sums, and pack it."""
        window = self._open.pop(key)
        self._forget()
        for stored in (self._sums[key[1]], *(sums for parts, sums in self._large_sums.items() if key[1] in parts)):
            stored.merge(window)
        if self._news is not None:
            self._news.setdefault(key, LoadWindow()).merge(window)
        self._closed.add(key, window)

    def _double(self) -> None:
        """Make windows twice as long; neighbours are merged gradually, at later ticks."""
        self.length *= 2
        self._forget()
        self._open = paired(self._open)
        self._seen = {}
        if self._news is not None:
            self._news = paired(self._news)
        self._closed.pair()

    def _between(self, start: float, end: float) -> range:
        """The parts that lie between two edges."""
        return range(bisect_left(self._edges, start), bisect_left(self._edges, end))

    def _sum(self, parts: range) -> LoadWindow:
        total = LoadWindow()
        for stored in [self._large_sums[parts]] if parts in self._large_sums else self._sums[parts.start : parts.stop]:
            total.merge(stored)
        for (_, part), window in self._open.items():
            if part in parts:
                total.merge(window)
        return total

    def _newest(self) -> float:
        return max((self._bounds(key)[1] for key in self._open), default=0.0)

    @property
    def _steady_plain(self) -> list[float | None]:
        return [edge if edge < math.inf else None for edge in self.steady]

    def _plain(self, windows: Iterable[tuple[float, LoadWindow]]) -> dict[str, Any]:
        return {
            "length": self.length,
            "steady": self._steady_plain,
            "edges": self._edges,
            "windows": [[at, window.to_plain()] for at, window in windows],
        }
