"""`load_windows.ndjson` read back: the measurements of a load run, one window of time after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringback.rundir.names import WINDOWS_FILE
from ringback.rundir.reading import json_objects, members, number, text

__all__ = ["SavedWindow", "SavedWindows", "read_windows"]

_MOST = 10_000
"""Lines that are read; a run writes at most 1,200."""


@dataclass(frozen=True, slots=True)
class SavedWindow:
    """One window of a load run: the requests that were due in it."""

    figures: Mapping[str, Any]
    """The line as it was written."""

    @property
    def from_s(self) -> float:
        """Its start, in seconds since the load began; 0 if unknown."""
        return number(self.figures.get("from_s")) or 0.0

    @property
    def to_s(self) -> float:
        """Its end, in seconds since the load began; 0 if unknown."""
        return number(self.figures.get("to_s")) or 0.0

    @property
    def seconds(self) -> float:
        """Its length; 0 if start or end is unknown."""
        known = number(self.figures.get("from_s")) is not None
        return max(0.0, self.to_s - self.from_s) if known else 0.0

    @property
    def phase(self) -> str:
        """`ramp`, `steady`, `cool` or `drain`."""
        return text(self.figures.get("phase"))

    @property
    def limited(self) -> bool:
        """Whether the load generator was the bottleneck."""
        return self.figures.get("limited") is True

    @property
    def limited_by(self) -> tuple[str, ...]:
        """What limited the load generator."""
        reasons = self.figures.get("limited_by")
        return tuple(reason for reason in reasons if isinstance(reason, str)) if isinstance(reasons, list) else ()

    def value(self, *path: str) -> float | None:
        """The number at a path, such as `trigger`, `p99_ms`; None if it was not measured."""
        return number(members(self.figures, *path[:-1]).get(path[-1]))

    def rate(self, *path: str) -> float | None:
        """The count at a path, per second; None if it was not measured."""
        counted = self.value(*path)
        return counted / self.seconds if counted is not None and self.seconds else None


@dataclass(frozen=True, slots=True)
class SavedWindows:
    """The windows of a run, in the order of the file."""

    windows: tuple[SavedWindow, ...] = ()
    unreadable: int = 0
    """Lines that hold no window."""

    def timed(self) -> tuple[SavedWindow, ...]:
        """The windows whose start and end are known, in the order of time."""
        return tuple(sorted((w for w in self.windows if w.seconds > 0), key=lambda window: window.from_s))


def read_windows(directory: Path) -> SavedWindows:
    """The windows of the run in `directory`; none if it has no `load_windows.ndjson`."""
    lines = list(json_objects(directory / WINDOWS_FILE, most=_MOST))
    found = tuple(SavedWindow(line) for line in lines if line is not None)
    return SavedWindows(found, len(lines) - len(found))
