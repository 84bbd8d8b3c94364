"""The parts of a load run as tables, which all reports share: steps, lines, tags, and the steps of a capacity search.

A part whose figures are those of the run (the only line, a tag of all triggers) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from ringback.reporting.model.figures import amount, count, milliseconds, percent
from ringback.reporting.model.load import COLUMNS, OPERATIONS, failed
from ringback.reporting.model.safe import one_line
from ringback.rundir.reading import members, number

__all__ = ["HEAD", "PartRow", "PartTable", "SearchStep", "part_tables", "search_steps"]

HEAD: Final = (*COLUMNS.values(), "count", "errors")
"""Headings of `PartRow.cells`."""
_TITLES: Final = {"step": "Steps", "line": "Lines", "tag": "Tags"}
_MOST: Final = 250
"""Parts of one kind that are shown."""


@dataclass(frozen=True, slots=True)
class PartRow:
    """Requests of one kind in one part: latency of successes in milliseconds, the number of requests, and errors."""

    name: str
    cells: tuple[str, ...]
    alarming: bool
    """Whether there were errors."""
    limited: bool
    """Whether the load generator was the bottleneck in this part."""


@dataclass(frozen=True, slots=True)
class PartTable:
    """All parts of one kind."""

    title: str
    rows: tuple[PartRow, ...]


@dataclass(frozen=True, slots=True)
class SearchStep:
    """A step of a capacity search. None for what is not known."""

    rate: float
    """Arrivals a second that were due."""
    arrived: float | None
    """Arrivals a second that took place."""
    held: bool | None
    """Whether the limits held; None if that is undecided."""
    p99_ms: float | None
    error_rate: float | None
    why: str

    @property
    def result(self) -> str:
        """`held`, `did not hold` or `undecided`."""
        return "undecided" if self.held is None else "held" if self.held else "did not hold"

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Rate, result, latency and share of errors, as text."""
        return amount(self.rate), self.result, milliseconds(self.p99_ms), percent(self.error_rate)


def part_tables(load: Mapping[str, Any]) -> list[PartTable]:
    """A table for each kind of part that the run has."""
    tables = [PartTable(title, tuple(_rows(load, kind))) for kind, title in _TITLES.items()]
    return [table for table in tables if table.rows]


def search_steps(load: Mapping[str, Any]) -> list[SearchStep]:
    """The steps of a capacity search in their order; those without a rate are left out."""
    steps = members(load, "capacity").get("steps")
    found = (_searched(step) for step in steps if isinstance(step, Mapping)) if isinstance(steps, list) else ()
    return [step for step in found if step.rate > 0]


def _rows(load: Mapping[str, Any], kind: str) -> Iterator[PartRow]:
    parts = members(load, kind)
    for name in islice(parts, _MOST):
        part = members(parts, name)
        if kind == "tag" and all(_counted(part, each) in {0, _counted(load, each)} for each in OPERATIONS):
            continue
        if kind == "line" and len(parts) == 1:
            continue
        for operation in OPERATIONS:
            measured = members(part, operation)
            if number(measured.get("count")) or (operation == "trigger" and kind != "tag"):
                yield _row(_named(kind, str(name), part, operation), part, measured)


def _counted(section: Mapping[str, Any], operation: str) -> float:
    return number(members(section, operation).get("count")) or 0


def _named(kind: str, name: str, part: Mapping[str, Any], operation: str) -> str:
    words = one_line(name, 40)
    if kind == "step":
        words = f"{words}: {amount(part.get('rate'))}/s"
    return words if operation == "trigger" else f"{words}, polls"


def _row(name: str, part: Mapping[str, Any], measured: Mapping[str, Any]) -> PartRow:
    latency = members(measured, "latency_ms")
    errors = failed(measured)
    return PartRow(
        name=name,
        cells=(*(milliseconds(latency.get(column)) for column in COLUMNS), count(measured.get("count")), count(errors)),
        alarming=errors > 0,
        limited=members(part, "generator").get("limited") is True,
    )


def _searched(step: Mapping[str, Any]) -> SearchStep:
    held = step.get("held")
    return SearchStep(
        rate=number(step.get("rate")) or 0.0,
        arrived=number(step.get("arrived_rate")),
        held=held if isinstance(held, bool) else None,
        p99_ms=number(step.get("p99_ms")),
        error_rate=number(step.get("error_rate")),
        why=one_line(str(step.get("why") or ""), 300),
    )
