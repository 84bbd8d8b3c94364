"""The load section on a terminal: a line for each fact, and a table of latencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from ringback.reporting.model.figures import count
from ringback.reporting.model.load import COLUMNS, latency_rows, load_rows, scenario
from ringback.reporting.terminal.layout import field, heading, line
from ringback.rundir.reading import members

__all__ = ["print_load"]

_ASIDE = "Times are of requests that succeeded: latency from the due time, service from the sending."
_CLOSED = "Closed model: requesters wait for answers, so a slow deployment gets fewer requests, and looks better."
_NAME = 15
"""Columns of a row's name."""


def print_load(console: Console, load: Mapping[str, Any]) -> None:
    """Print the load section: arrivals, calls, errors, the generator's health, and latency in milliseconds."""
    name = scenario(load)
    closed = members(load, "profile").get("shape") == "closed"
    heading(console, f"Load: {name}" if name else "Load", f"{_CLOSED} {_ASIDE}" if closed else _ASIDE)
    for row in load_rows(load):
        field(console, row.label, Text(row.text, "bold yellow" if row.alarming else ""))
    rows = latency_rows(load)
    if rows:
        line(
            console,
            f"  {'ms':<{_NAME}}" + "".join(f"{title:>9}" for title in COLUMNS.values()) + f"{'count':>9}",
            "dim",
        )
    for latency in rows:
        cells = "".join(f"{cell:>9}" for cell in latency.cells)
        counted = "" if latency.count is None else count(latency.count)
        line(console, f"  {latency.name:<{_NAME}}{cells}{counted:>9}".rstrip())
