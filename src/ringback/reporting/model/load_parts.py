"""The parts of a load run as tables, which all reports share: steps, lines, tags, and the steps of a capacity search.

A part whose figures are those of the run (the only line, a tag of all triggers) is left out. Another table has what
became of the calls of each line, and the times to their final states.
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

__all__ = ["PartRow", "PartTable", "SearchStep", "part_tables", "search_steps"]

_TIMES: Final = (*COLUMNS.values(), "count", "errors")
_CALLS: Final = {
    "accepted": "accepted", "final": "final", "lost": "lost", "duplicate_ids": "duplicate", "wrong_state": "wrong",
    "unfinished": "unfinished",
}  # fmt: skip
"""Member of a line's `calls` -> its heading."""
_FINAL: Final = {"p50": "to final, p50 ms", "p95": "p95", "p99": "p99"}
"""Percentile of a line's `time_to_final_ms` -> its heading."""
_DEVIATIONS: Final = ("lost", "duplicate_ids", "wrong_state")
_TITLES: Final = {"step": "Steps", "line": "Lines", "tag": "Tags"}
_MOST: Final = 250
"""Parts of one kind that are shown."""


@dataclass(frozen=True, slots=True)
class PartRow:
    """Figures of one part. Of requests: latency of successes in milliseconds, the number of requests, and errors."""

    name: str
    cells: tuple[str, ...]
    alarming: bool
    """Whether there were errors, or calls that did not end as they should."""
    limited: bool = False
    """Whether the load generator was the bottleneck in this part."""


@dataclass(frozen=True, slots=True)
class PartTable:
    """All parts of one kind."""

    title: str
    unit: str
    """Of the times in it; empty if it has none."""
    head: tuple[str, ...]
    """Headings of the rows' cells."""
    rows: tuple[PartRow, ...]

    @property
    def label(self) -> str:
        """The title with the unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


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
    """A table for each kind of part that the run has, and one for the calls of its lines."""
    tables = [PartTable(title, "ms", _TIMES, tuple(_rows(load, kind))) for kind, title in _TITLES.items()]
    tables.insert(
        2, PartTable("Calls by line", "", (*_CALLS.values(), *_FINAL.values(), "states"), tuple(_calls(load)))
    )
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


def _calls(load: Mapping[str, Any]) -> Iterator[PartRow]:
    lines = members(load, "line")
    for name in islice(lines if len(lines) > 1 else (), _MOST):
        calls = members(lines, name, "calls")
        if not number(calls.get("accepted")):
            continue
        states = members(calls, "by_state")
        shown = ", ".join(f"{one_line(str(state), 40)} {count(states[state])}" for state in islice(states, 7))
        final = members(lines, name, "time_to_final_ms")
        times = (milliseconds(final.get(column)) for column in _FINAL)
        cells = (*(count(calls.get(column)) for column in _CALLS), *times, shown or "–")
        yield PartRow(one_line(str(name), 40), cells, alarming=any(number(calls.get(each)) for each in _DEVIATIONS))


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
