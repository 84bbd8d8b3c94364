"""What a load run leaves in its run directory: its section, and its course in windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ringback.rundir import SINK, write_whole

__all__ = ["LOAD_FILE", "WINDOWS_FILE", "write_load"]

LOAD_FILE = "load.json"
"""The load section, as `verdict.json` has it."""
WINDOWS_FILE = "load_windows.ndjson"
"""A line for each window of the run."""


def write_load(directory: Path, section: Mapping[str, Any], lines: Iterable[Mapping[str, Any]] = ()) -> None:
    """Write both files, each in one step, the section first. Raises OSError."""
    write_whole(directory / LOAD_FILE, SINK.json(section, indent=2))
    write_whole(directory / WINDOWS_FILE, SINK.json_lines(lines))
