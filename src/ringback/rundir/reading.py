"""Reading JSON that may come from anywhere: another version, an interrupted run, a hostile deployment.

A member that is missing or of the wrong type reads as "not known"; nothing here raises for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["json_objects", "members", "number", "text", "value_at"]

_LARGEST = 1e18
_MOST_LINES = 200_000
_LONGEST_LINE = 4 * 1024 * 1024
"""Bytes of a line; a run writes no longer ones."""


def json_objects(path: Path, *, most: int = _MOST_LINES) -> Iterator[dict[str, Any] | None]:
    """The objects in the first `most` lines of an NDJSON file; None for a line that is not a JSON object.

    Yields nothing if the file is missing or unreadable. Blank lines are skipped; a line over 4 MiB counts as no object.
    """
    try:
        with path.open("rb") as file:
            for _ in range(most):
                line = file.readline(_LONGEST_LINE)
                if not line:
                    return
                whole = line.endswith(b"\n") or len(line) < _LONGEST_LINE
                while not line.endswith(b"\n") and len(line) == _LONGEST_LINE:
                    line = file.readline(_LONGEST_LINE)
                if whole and not line.strip():
                    continue
                yield _object(line) if whole else None
    except OSError:
        return


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def members(value: Any, *path: str) -> Mapping[str, Any]:
    """The mapping at a path of member names; an empty one if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def value_at(value: Any, path: str) -> Any:
    """The value at a dotted path of member names, such as `generator.lag_ms.p99`; None if there is none."""
    *outer, name = path.split(".")
    return members(value, *outer).get(name)


def number(value: Any) -> float | None:
    """The value if it is a number between -1e18 and 1e18, None if it is anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) <= _LARGEST else None


def text(value: Any) -> str:
    """The value if it is text, an empty text if it is anything else."""
    return value if isinstance(value, str) else ""
