"""One window of a run: measures of the requests that were due in it, and what was counted in that time.

Each request is measured once, under its origin: its kind, the line that it dials and the tags of its task. The figures
of all triggers, of one line or of one tag are sums over origins, so they can't disagree with each other. Two windows
(of neighbouring seconds, or of the same second in two workers) merge into one exactly.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from ringback.loadgen.metrics.histogram import Histogram
from ringback.loadgen.metrics.measures import Measures
from ringback.loadgen.schedule.origin import Origin, origin

__all__ = ["COUNTERS", "LoadWindow", "Share"]

COUNTERS = ("scheduled", "sent", "accepted", "final", "dropped")
"""What a window counts beside requests."""


@dataclass(slots=True)
class Share:
    """One process's part in a window: seconds of processor and of wall time, and calls in flight at its end."""

    cpu: float = 0.0
    wall: float = 0.0
    at: float = -1.0
    """When `in_flight` was counted, in seconds since the run's start."""
    in_flight: int = 0

    def merge(self, other: Share) -> None:
        """Add the same process's share of another window, or a further part of this one."""
        self.cpu += other.cpu
        self.wall += other.wall
        if other.at >= self.at:
            self.at, self.in_flight = other.at, other.in_flight


class LoadWindow:
    """Measures by origin, how late requests left, and the run's counters, over a stretch of time."""

    __slots__ = ("cells", "counters", "lag", "shares")

    def __init__(self) -> None:
        self.cells: dict[Origin, Measures] = {}
        self.lag = Histogram()
        """Seconds from when a request was due to when it was begun."""
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.shares: dict[str, Share] = {}
        """By the name of the process."""

    def cell(self, at: Origin) -> Measures:
        """The measures of the requests with this origin, to add to."""
        measures = self.cells.get(at)
        if measures is None:
            measures = self.cells[at] = Measures()
        return measures

    def of(self, wanted: Origin) -> Measures:
        """The measures of all requests that are wanted, together; to read only."""
        found = [measures for at, measures in self.cells.items() if wanted.covers(at)]
        return found[0] if len(found) == 1 else Measures.sum(found)

    @property
    def taken(self) -> int:
        """Requests of both kinds, failed ones included."""
        return sum(measures.taken for measures in self.cells.values())

    @property
    def busy(self) -> bool:
        """Whether the generator had anything to send in it."""
        return self.counters["scheduled"] > 0 or self.taken > 0

    @property
    def starved(self) -> int:
        """Requests that failed because open files, ports or memory ran out."""
        return sum(measures.own_faults["generator"] for measures in self.cells.values())

    @property
    def cpu(self) -> float | None:
        """Share of a core that the busiest process used; None if unknown."""
        return max((share.cpu / share.wall for share in self.shares.values() if share.wall > 0), default=None)

    @property
    def wall(self) -> float:
        """The longest wall time of any process, in seconds."""
        return max((share.wall for share in self.shares.values()), default=0.0)

    @property
    def in_flight(self) -> int | None:
        """Calls in flight at the end, in all processes together; None if unknown."""
        return sum(share.in_flight for share in self.shares.values()) if self.shares else None

    def merge(self, other: LoadWindow) -> None:
        """Add all that another window has."""
        for at, measures in other.cells.items():
            self.cell(at).merge(measures)
        self.lag.merge(other.lag)
        for name, count in other.counters.items():
            self.counters[name] += count
        for name, share in other.shares.items():
            self.shares.setdefault(name, Share()).merge(share)

    def subtract(self, other: LoadWindow) -> None:
        """Remove the measures (not the counters) of another window, which was merged before."""
        for at, measures in other.cells.items():
            self.cell(at).subtract(measures)
        self.lag.subtract(other.lag)

    def to_plain(self) -> dict[str, Any]:
        """Lists, mappings and numbers only, for another process or a file."""
        return {
            "cells": [[at.kind, at.line, sorted(at.tags), each.to_plain()] for at, each in self.cells.items()],
            "lag": self.lag.to_plain(),
            "counters": dict(self.counters),
            "shares": {name: [s.cpu, s.wall, s.at, s.in_flight] for name, s in self.shares.items()},
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The window from what `to_plain` gave."""
        window = cls()
        for kind, line, tags, measures in plain["cells"]:
            window.cells[origin(kind, line, frozenset(tags))] = Measures.from_plain(measures)
        window.lag = Histogram.from_plain(plain["lag"])
        window.counters.update(plain["counters"])
        window.shares = {name: Share(*share) for name, share in plain["shares"].items()}
        return window

    def pack(self) -> bytes:
        """The window as a few kilobytes."""
        return zlib.compress(orjson.dumps(self.to_plain()), 1)

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """The window that `pack` packed."""
        return cls.from_plain(orjson.loads(zlib.decompress(packed)))
