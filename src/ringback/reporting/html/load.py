"""The load section of the page: arrivals, latency, errors, and the outcome of every call.

What a scenario did not measure is left out. Pictures are in `pictures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ringback.contract.states import FINAL_STATES
from ringback.reporting.model.figures import amount, count, milliseconds, percent, share
from ringback.reporting.model.load import (
    COLUMNS,
    OPERATIONS,
    ErrorKind,
    call_problems,
    error_kinds,
    failed,
    latency_rows,
    profile,
    scenario,
    sent_of_scheduled,
)
from ringback.reporting.model.load_parts import part_tables
from ringback.reporting.model.safe import one_line
from ringback.reporting.model.verdicts import plural
from ringback.rundir.reading import members, number
from ringback.rundir.run import RunReport

__all__ = ["Tile", "load_view"]

_MOST_KINDS = 20


@dataclass(frozen=True, slots=True)
class Tile:
    """One large figure with its name, unit and a line below it; `alarming` ones are highlighted."""

    name: str
    value: str
    unit: str
    aside: str
    alarming: bool = False


@dataclass(frozen=True, slots=True)
class StateRow:
    """A final state and its number of calls; `bar` is their share of all calls, in percent."""

    state: str
    number: str
    share: str
    bar: float
    documented: bool


def load_view(report: RunReport) -> dict[str, Any] | None:
    """What the template of the section needs; None if the run has neither a load nor limits."""
    if report.load is None and not report.limits:
        return None
    load = report.load if report.load is not None else {}
    return {
        "scenario": scenario(load) or "unknown",
        "profile": profile(load),
        "tiles": list(_tiles(load)),
        "problems": list(_problems(load)),
        "latency_head": ("ms", *COLUMNS.values(), "count"),
        "latency": [(row.name, *row.cells, count(row.count)) for row in latency_rows(load)],
        "parts": part_tables(load),
        "errors": [*error_kinds(load, _MOST_KINDS), *_waited(load)],
        "states": list(_states(load)),
        "workers": list(_workers(load)),
        "facts": list(_facts(load)),
    }


def _tiles(load: Mapping[str, Any]) -> Iterator[Tile]:
    arrivals = members(load, "arrivals")
    if number(arrivals.get("sent")) is not None:
        yield Tile("Arrivals", amount(arrivals.get("rate")), "a second", sent_of_scheduled(arrivals))
    for name in OPERATIONS:
        yield from _request_tiles(name.capitalize(), members(load, name))
    final = members(load, "time_to_final_ms")
    if number(final.get("p50")) is not None:
        half, most = milliseconds(final.get("p50")), milliseconds(final.get("p99"))
        yield Tile("Trigger to final, p50", half, "ms", f"p99 {most} ms")
    yield from _call_tiles(members(load, "calls"))
    generator = members(load, "generator")
    if generator:
        limited = generator.get("limited") is True
        lag = milliseconds(members(generator, "lag_ms").get("p99"))
        aside = f"{percent(generator.get('cpu'))} of a core, lag p99 {lag} ms"
        yield Tile("Load generator", "bottleneck" if limited else "kept up", "", aside, alarming=limited)


def _request_tiles(name: str, measured: Mapping[str, Any]) -> Iterator[Tile]:
    latency = members(measured, "latency_ms")
    if number(latency.get("p99")) is not None:
        half = milliseconds(latency.get("p50"))
        yield Tile(f"{name} latency, p99", milliseconds(latency.get("p99")), "ms", f"p50 {half} ms")
    if number(measured.get("error_rate")) is not None:
        errors = failed(measured)
        aside = f"{count(errors)} of {count(measured.get('count'))} requests"
        yield Tile(f"{name} errors", percent(measured.get("error_rate")), "", aside, alarming=errors > 0)


def _call_tiles(calls: Mapping[str, Any]) -> Iterator[Tile]:
    accepted = number(calls.get("accepted"))
    if accepted is None:
        return
    problems = [problem for problem in call_problems(calls) if problem.count]
    aside = "; ".join([f"of {count(accepted)} accepted", *(f"{count(one.count)} {one.words}" for one in problems)])
    alarming = any(problem.deviates for problem in problems)
    yield Tile("Calls final", percent(share(calls.get("final"), accepted)), "", aside, alarming=alarming)


def _problems(load: Mapping[str, Any]) -> Iterator[str]:
    generator = members(load, "generator")
    if load.get("reached") is False:
        yield "No request reached the deployment."
    uncertain = _listed(generator, "uncertain")
    if uncertain:
        figures = ", ".join(
            f"{one_line(str(each.get('metric')), 60)} is {milliseconds(each.get('measured_ms'))} ms, and "
            f"{milliseconds(each.get('least_ms'))} ms without its lateness"
            for each in uncertain[:6]
        )
        yield (
            f"In {count(generator.get('limited_windows'))} of {count(generator.get('windows'))} windows the load"
            f" generator was the bottleneck, and latencies may be off: {figures}. Repeat the run on a machine with"
            " less other work, or let it last longer."
        )
    elif generator.get("limited") is True:
        reasons = generator.get("limited_by")
        why = ", ".join(one_line(str(reason), 100) for reason in reasons[:6]) if isinstance(reasons, list) else ""
        yield (
            f"Ringback's machine was the bottleneck{f' ({why})' if why else ''}: the latencies below are not the"
            " deployment's. Repeat the run with a lower rate or more workers."
        )
    elif bad := number(generator.get("limited_windows")):
        yield (
            f"In {count(bad)} of {count(generator.get('windows'))} windows the load generator was the bottleneck. They"
            " are hatched below and do not describe the deployment."
        )
    lost = [worker for worker in _listed(load, "workers") if worker.get("lost") is True]
    if lost:
        yield f"{plural(len(lost), 'worker')} stopped during the run; the rest of their requests is missing."


def _waited(load: Mapping[str, Any]) -> Iterator[ErrorKind]:
    """Answers 429, after which Ringback waited; they do not count against the deployment."""
    for operation in OPERATIONS:
        if limited := number(members(load, operation).get("rate_limited")):
            yield ErrorKind(operation, "answered 429; Ringback waited", limited, of_deployment=False)


def _states(load: Mapping[str, Any]) -> Iterator[StateRow]:
    by_state = members(load, "calls", "by_state")
    counted = {str(state): calls for state, value in by_state.items() if (calls := number(value)) is not None}
    total = sum(counted.values())
    if not total:
        return
    for state, calls in sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))[:_MOST_KINDS]:
        bar = round(100 * calls / total, 2)
        yield StateRow(one_line(state, 60), count(calls), percent(calls / total), bar, state in FINAL_STATES)


def _workers(load: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    workers = _listed(load, "workers")
    for worker in workers if len(workers) > 1 else []:
        yield (
            one_line(str(worker.get("name") or "?"), 60),
            percent(worker.get("share")),
            count(worker.get("sent")),
            count(worker.get("accepted")),
            amount(worker.get("cpu")),
            amount(worker.get("clock_offset_ms")),
            "lost" if worker.get("lost") is True else "running",
        )


def _facts(load: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    generator = members(load, "generator")
    connections = members(generator, "connections")
    words = (
        ("opened", "opened"),
        ("reused", "reused"),
        ("tls_resumed", "TLS sessions resumed"),
        ("stale", "stale"),
    )
    parts = [f"{count(connections[key])} {word}" for key, word in words if number(connections.get(key)) is not None]
    if parts:
        yield "Connections", ", ".join(parts)
    if isinstance(dns := generator.get("dns"), str):
        yield "Name resolution", one_line(dns, 200)
    if number(generator.get("open_files")) is not None:
        yield (
            "Open files",
            f"{count(generator.get('open_files'))} of {count(generator.get('open_files_limit'))} allowed",
        )
    if indeterminate := number(members(load, "calls").get("indeterminate")):
        yield "Indeterminate", f"{count(indeterminate)} triggers may have placed a call, although no answer confirms it"


def _listed(load: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = load.get(name)
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
