"""The load section of the page: what was asked of the deployment, how it answered, what became of every call.

Reads the load section of `verdict.json`; what a scenario did not measure is left out. Pictures are drawn elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ringback.contract.states import FINAL_STATES
from ringback.reporting.html.figures import amount, count, members, milliseconds, number, percent, share
from ringback.reporting.html.limits import LimitRow, limit_rows
from ringback.reporting.model.run import RunReport
from ringback.reporting.model.safe import one_line

__all__ = ["LoadView", "Tile", "load_view"]

_OPERATIONS = ("trigger", "poll")
_COLUMNS = ("p50", "p90", "p95", "p99", "p99_9", "max")
_MOST_KINDS = 20
_FATES = (
    ("lost", "lost", True),
    ("duplicate_ids", "with a duplicate id", True),
    ("wrong_state", "in a wrong state", True),
    ("unfinished", "unfinished", False),
)


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure, large: its name, its value, its unit, a line beneath, and whether it is alarming."""

    name: str
    value: str
    unit: str
    aside: str
    alarming: bool = False


@dataclass(frozen=True, slots=True)
class StateRow:
    """A final state, and how many calls ended so; `bar` in hundredths of the longest bar."""

    state: str
    number: str
    share: str
    bar: float
    documented: bool


@dataclass(frozen=True, slots=True)
class LoadView:
    """What the section says."""

    scenario: str
    profile: str
    tiles: tuple[Tile, ...]
    trouble: tuple[str, ...]
    """Why the figures may not be the deployment's."""
    limits: tuple[LimitRow, ...]
    latency_head: tuple[str, ...]
    latency: tuple[tuple[str, ...], ...]
    errors: tuple[tuple[str, str, str, bool], ...]
    """Request, kind, number, and whether it is the deployment's."""
    states: tuple[StateRow, ...]
    workers: tuple[tuple[str, ...], ...]
    facts: tuple[tuple[str, str], ...]


def load_view(report: RunReport) -> LoadView | None:
    """The section of a run; None if no load was run and no limit was held against it."""
    if report.load is None and not report.limits:
        return None
    load = report.load if report.load is not None else {}
    return LoadView(
        scenario=one_line(str(load.get("scenario") or "nothing is known of it"), 60),
        profile=_profile(load),
        tiles=tuple(_tiles(load)),
        trouble=tuple(_trouble(load)),
        limits=limit_rows(report.limits),
        latency_head=("ms", "p50", "p90", "p95", "p99", "p99.9", "longest", "count"),
        latency=tuple(_latency(load)),
        errors=tuple(_errors(load)),
        states=tuple(_states(load)),
        workers=tuple(_workers(load)),
        facts=tuple(_facts(load)),
    )


def _profile(load: Mapping[str, Any]) -> str:
    profile = members(load, "profile")
    told = [one_line(str(profile["text"]), 200)] if isinstance(profile.get("text"), str) else []
    if isinstance(arrivals := profile.get("arrivals"), str):
        told.append(f"{one_line(arrivals, 40)} arrivals")
    return ", ".join(told)


def _tiles(load: Mapping[str, Any]) -> Iterator[Tile]:
    arrivals = members(load, "arrivals")
    if (sent := number(arrivals.get("sent"))) is not None:
        scheduled, withheld = number(arrivals.get("scheduled")), number(arrivals.get("withheld"))
        aside = f"{count(sent)} of {count(scheduled)} due were sent" if scheduled is not None else f"{count(sent)} sent"
        aside += f", {count(withheld)} withheld after a 429" if withheld else ""
        yield Tile("Arrivals", amount(arrivals.get("rate")), "a second", aside)
    for name in _OPERATIONS:
        yield from _request_tiles(name.capitalize(), members(load, name))
    final = members(load, "time_to_final_ms")
    if number(final.get("p50")) is not None:
        half, most = milliseconds(final.get("p50")), milliseconds(final.get("p99"))
        yield Tile("Trigger to final, p50", half, "ms", f"p99 {most} ms")
    yield from _fate_tiles(members(load, "calls"))
    generator = members(load, "generator")
    if generator:
        limited = generator.get("limited") is True
        lag = milliseconds(members(generator, "lag_ms").get("p99"))
        aside = f"{amount(generator.get('cpu'))} of a core, p99 {lag} ms late"
        yield Tile("Load generator", "was the limit" if limited else "kept up", "", aside, alarming=limited)


def _request_tiles(name: str, measured: Mapping[str, Any]) -> Iterator[Tile]:
    latency = members(measured, "latency_ms")
    if number(latency.get("p99")) is not None:
        half = milliseconds(latency.get("p50"))
        yield Tile(
            f"{name} latency, p99", milliseconds(latency.get("p99")), "ms", f"half within {half} ms of being due"
        )
    if number(measured.get("error_rate")) is not None:
        failed = sum(told for kind in members(measured, "errors").values() if (told := number(kind)) is not None)
        aside = f"{count(failed)} of {count(measured.get('count'))} requests"
        yield Tile(f"{name} errors", percent(measured.get("error_rate")), "", aside, alarming=failed > 0)


def _fate_tiles(calls: Mapping[str, Any]) -> Iterator[Tile]:
    accepted = number(calls.get("accepted"))
    if accepted is None:
        return
    fates = [(word, number(calls.get(key)) or 0, bad) for key, word, bad in _FATES]
    aside = "; ".join([f"of {count(accepted)} accepted", *(f"{count(told)} {word}" for word, told, _ in fates if told)])
    wrong = any(told for _, told, bad in fates if bad)
    yield Tile("Calls final", percent(share(calls.get("final"), accepted)), "", aside, alarming=wrong)


def _trouble(load: Mapping[str, Any]) -> Iterator[str]:
    generator = members(load, "generator")
    if load.get("reached") is False:
        yield "No request got through to the deployment."
    if generator.get("limited") is True:
        reasons = generator.get("limited_by")
        why = ", ".join(one_line(str(reason), 100) for reason in reasons[:6]) if isinstance(reasons, list) else ""
        yield (
            f"Ringback's own machine was the limit{f' ({why})' if why else ''}: the latencies below are not the"
            " deployment's. Run it again with a lower rate, or with more workers."
        )
    elif bad := number(generator.get("limited_windows")):
        yield (
            f"In {count(bad)} of {count(generator.get('windows'))} windows the load generator was the limit. They are"
            " hatched below, and say nothing of the deployment."
        )
    lost = [worker for worker in _listed(load, "workers") if worker.get("lost") is True]
    if lost:
        yield f"{count(len(lost))} of the load's workers went away; what they would have sent is missing."


def _latency(load: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    rows = [
        (f"{name}, {words}", members(load, name, key), members(load, name).get("count"))
        for name in _OPERATIONS
        for key, words in (("latency_ms", "from due"), ("service_ms", "from sending"))
    ]
    rows.append(("trigger to final state", members(load, "time_to_final_ms"), members(load, "calls").get("final")))
    rows.append(("generator lag", members(load, "generator", "lag_ms"), None))
    for name, measured, counted in rows:
        if any(number(measured.get(column)) is not None for column in _COLUMNS):
            yield (name, *(milliseconds(measured.get(column)) for column in _COLUMNS), count(counted))


def _errors(load: Mapping[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    for name in _OPERATIONS:
        for member, theirs in (("errors", True), ("own_faults", False)):
            kinds = [(kind, told) for kind, value in members(load, name, member).items() if (told := number(value))]
            ranked = sorted(kinds, key=lambda entry: (-entry[1], str(entry[0])))
            for kind, told in ranked[:_MOST_KINDS]:
                yield name, one_line(str(kind), 80), count(told), theirs
            if rest := sum(told for _, told in ranked[_MOST_KINDS:]):
                yield name, f"{count(len(ranked) - _MOST_KINDS)} more kinds", count(rest), theirs
        if limited := number(members(load, name).get("rate_limited")):
            yield name, "answered 429, and waited for", count(limited), False


def _states(load: Mapping[str, Any]) -> Iterator[StateRow]:
    by_state = members(load, "calls", "by_state")
    counted = {str(state): told for state, value in by_state.items() if (told := number(value)) is not None}
    total = sum(counted.values())
    if not total:
        return
    longest = max(counted.values())
    for state, told in sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))[:_MOST_KINDS]:
        bar = round(100 * told / longest, 2)
        yield StateRow(one_line(state, 60), count(told), percent(told / total), bar, state in FINAL_STATES)


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
            "went away" if worker.get("lost") is True else "stayed",
        )


def _facts(load: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    generator = members(load, "generator")
    connections = members(generator, "connections")
    words = (
        ("opened", "opened"),
        ("reused", "reused"),
        ("tls_resumed", "TLS sessions resumed"),
        ("stale", "found stale"),
    )
    told = [f"{count(connections[key])} {word}" for key, word in words if number(connections.get(key)) is not None]
    if told:
        yield "Connections", ", ".join(told)
    if isinstance(dns := generator.get("dns"), str):
        yield "Name resolution", one_line(dns, 200)
    if number(generator.get("open_files")) is not None:
        yield (
            "Open files",
            f"{count(generator.get('open_files'))} of {count(generator.get('open_files_limit'))} allowed",
        )
    calls = members(load, "calls")
    for key, words_of in (
        ("indeterminate", "triggers may have placed a call, though no answer says so"),
        ("unrequested", "results came for ids that were not asked for"),
        ("undocumented_states", "results carried a state that is none of the seven"),
        ("changed_state", "calls changed their final state"),
    ):
        if told_of := number(calls.get(key)):
            yield "Noticed", f"{count(told_of)} {words_of}"


def _listed(load: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    told = load.get(name)
    return [entry for entry in told if isinstance(entry, Mapping)] if isinstance(told, list) else []
