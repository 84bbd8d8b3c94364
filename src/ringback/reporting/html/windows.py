"""The windows of a load run, read from `load_windows.ndjson`: at most 1,200 lines, however long the run was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from ringback.reporting.html.figures import members, number

__all__ = ["WINDOWS_FILE", "Window", "read_windows"]

WINDOWS_FILE: Final = "load_windows.ndjson"
_MOST = 5_000
"""Lines that are read; four times what a run leaves."""
_LONGEST_LINE = 100_000


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a run, and what was due in it."""

    from_s: float
    to_s: float
    phase: str
    """`ramp`, `steady`, `cool` or `drain`."""
    limited: bool
    """Whether the load generator itself was the limit."""
    limited_by: tuple[str, ...]
    figures: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.to_s - self.from_s

    def value(self, *path: str) -> float | None:
        """A figure by its path, such as `trigger`, `p99_ms`; None if it was not measured."""
        return number(members(self.figures, *path[:-1]).get(path[-1]))

    def rate(self, *path: str) -> float | None:
        """A count by its path, a second."""
        counted = self.value(*path)
        return None if counted is None else counted / self.seconds


def read_windows(directory: Path) -> tuple[Window, ...]:
    """The windows of the run in `directory`, in their order; none if it left none. What is unreadable is left out."""
    return tuple(sorted(_windows(directory / WINDOWS_FILE), key=lambda window: window.from_s))


def _windows(path: Path) -> Iterator[Window]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in islice(file, _MOST):
                if len(line) <= _LONGEST_LINE and (window := _window(line)) is not None:
                    yield window
    except OSError:
        return


def _window(line: str) -> Window | None:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    from_s, to_s = number(told.get("from_s")), number(told.get("to_s"))
    if from_s is None or to_s is None or to_s <= from_s:
        return None
    reasons = told.get("limited_by")
    return Window(
        from_s,
        to_s,
        str(told.get("phase") or ""),
        told.get("limited") is True,
        tuple(str(reason) for reason in reasons) if isinstance(reasons, list) else (),
        told,
    )
