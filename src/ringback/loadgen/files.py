"""What a load run leaves in its run directory: its section, and its course in windows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["LOAD_FILE", "WINDOWS_FILE", "write_load"]

LOAD_FILE = "load.json"
"""The load section, as `verdict.json` has it."""
WINDOWS_FILE = "load_windows.ndjson"
"""A line for each window of the run."""


def write_load(directory: Path, section: Mapping[str, Any], lines: Iterable[Mapping[str, Any]] = ()) -> None:
    """Write both files, each at once: there is never half of one."""
    _write(directory / WINDOWS_FILE, "".join(json.dumps(line) + "\n" for line in lines))
    _write(directory / LOAD_FILE, json.dumps(section, indent=2) + "\n")


def _write(target: Path, text: str) -> None:
    unfinished = target.with_name(target.name + ".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(target)
