"""The load section on a terminal: a line for each fact, and tables of latencies, parts, and steps of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from ringback.reporting.model.figures import count
from ringback.reporting.model.load import COLUMNS, latency_rows, load_rows, scenario
from ringback.reporting.model.load_parts import PartTable, SearchStep, part_tables, search_steps
from ringback.reporting.terminal.layout import field, hanging, heading, line
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
    for table in part_tables(load):
        _print_parts(console, table)
    _print_search(console, search_steps(load))


def _print_parts(console: Console, table: PartTable) -> None:
    width = max(_NAME, *(len(row.name) + 1 for row in table.rows))
    columns = zip(table.head, *(row.cells for row in table.rows), strict=True)
    widths = [max(9 if table.unit else 6, *(len(cell) + 2 for cell in column)) for column in columns]
    line(console)
    head = "".join(f"{title:>{wide}}" for title, wide in zip(table.head, widths, strict=True))
    line(console, f"  {table.label:<{width}}{head}", "dim")
    for row in table.rows:
        cells = [f"{cell:>{wide}}" for cell, wide in zip(row.cells, widths, strict=True)]
        text = Text(f"  {row.name:<{width}}{''.join(cells[:-1])}")
        text.append(cells[-1], "bold yellow" if row.alarming else "")
        text.append("  the generator was the bottleneck" if row.limited else "", "bold yellow")
        line(console, text)


def _print_search(console: Console, steps: Sequence[SearchStep]) -> None:
    if not steps:
        return
    line(console)
    line(console, f"  {'a second':<10}{'':<13}{'p99, ms':>9}{'errors':>9}", "dim")
    for step in steps:
        rate, result, p99, errors = step.cells
        lead = Text(f"  {rate:<10}{result:<13}{p99:>9}{errors:>9}  ")
        hanging(console, lead, Text(step.why))
