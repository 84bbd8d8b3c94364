"""The load section of `verdict.json` as rows of text and figures, which all reports share.

What a scenario did not measure is left out. Texts that came from outside are on one line and harmless.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ringback.contract.states import undocumented_reports
from ringback.reporting.model.figures import amount, count, milliseconds, percent
from ringback.reporting.model.safe import one_line
from ringback.rundir.reading import members, number, value_at

__all__ = [
    "COLUMNS",
    "OPERATIONS",
    "PROBLEMS",
    "ErrorKind",
    "LatencyRow",
    "LoadRow",
    "call_problems",
    "error_kinds",
    "failed",
    "latency_rows",
    "load_rows",
    "profile",
    "scenario",
    "sent_of_scheduled",
]

OPERATIONS: Final = ("trigger", "poll")
COLUMNS: Final = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p99_9": "p99.9", "max": "max"}
"""Member of a latency section -> its heading."""
PROBLEMS: Final = {
    "lost": "lost",
    "duplicate_ids": "duplicate ids",
    "wrong_state": "wrong state",
    "undocumented_states": "undocumented states",
    "changed_state": "changed a final state",
    "unrequested": "unrequested results",
    "unfinished": "unfinished",
    "indeterminate": "indeterminate (may have been placed without an answer)",
}
"""Member of `calls` -> its words."""
_ALWAYS_SHOWN = ("lost", "duplicate_ids", "wrong_state", "unfinished")
_NOT_A_DEVIATION = ("unfinished", "indeterminate")
_MOST_KINDS = 8
_DELIVERIES: Final = {
    "expected": "expected",
    "arrived": "arrived in time",
    "late": "late",
    "missing": "missing",
    "contradicting": "contradict polls or each other",
    "unknown": "with an unknown id",
}
"""Member of `calls.deliveries` -> its words."""
_WRONG_DELIVERIES = ("late", "missing", "contradicting")


@dataclass(frozen=True, slots=True)
class LoadRow:
    """One line about a load; `alarming` if a reader must not miss it."""

    label: str
    text: str
    alarming: bool = False


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """Percentiles in milliseconds, by the members of `COLUMNS`."""

    name: str
    percentiles: Mapping[str, Any]
    count: float | None

    @property
    def cells(self) -> tuple[str, ...]:
        """The percentiles as text, in the order of `COLUMNS`."""
        return tuple(milliseconds(self.percentiles.get(column)) for column in COLUMNS)


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """How often one kind of error occurred."""

    operation: str
    kind: str
    count: float
    of_deployment: bool
    """Whether it counts against the deployment."""
    example: str = ""
    """The first answer of this kind; empty if none came."""


def load_rows(load: Mapping[str, Any]) -> list[LoadRow]:
    """Arrivals, calls, errors, capacity and generator, one line each; latency is in `latency_rows`."""
    return [row for row in _rows(load) if row.text]


def _rows(load: Mapping[str, Any]) -> Iterator[LoadRow]:
    if load.get("reached") is False:
        yield LoadRow("reached", "no request got through to the deployment", alarming=True)
    yield LoadRow("arrivals", _arrivals(members(load, "arrivals")))
    calls = members(load, "calls")
    problems = call_problems(calls)
    deliveries = members(calls, "deliveries")
    parts = [f"{count(calls[name])} {name}" for name in ("accepted", "final") if number(calls.get(name)) is not None]
    yield LoadRow("calls", ", ".join([*parts, *(f"{count(problem.count)} {problem.words}" for problem in problems)]))
    if number(deliveries.get("expected")):
        bad = any(number(deliveries.get(name)) for name in _WRONG_DELIVERIES)
        yield LoadRow("deliveries", ", ".join(_delivery_parts(deliveries)), alarming=bad)
    for operation in OPERATIONS:
        if limited := number(members(load, operation).get("rate_limited")):
            yield LoadRow("waiting", f"{operation}: waited {count(limited)} times after an answer 429")
        kinds = [kind for kind in error_kinds(load, _MOST_KINDS) if kind.operation == operation and kind.of_deployment]
        if kinds:
            listed = ", ".join(f"{kind.kind} {count(kind.count)}" for kind in kinds)
            yield LoadRow("errors", f"{operation}: {listed}", alarming=True)
        for kind in kinds:
            if kind.example:
                yield LoadRow("example", f"{operation} {kind.kind}: {kind.example}")
    yield LoadRow("capacity", _capacity(members(load, "capacity")))
    yield _generator(members(load, "generator"))


@dataclass(frozen=True, slots=True)
class CallProblem:
    """A way in which calls went wrong, and how many did."""

    words: str
    count: float
    deviates: bool
    """Whether the deployment deviates if the count is above 0."""


def call_problems(calls: Mapping[str, Any]) -> list[CallProblem]:
    """The counts of `PROBLEMS` that were measured; the rare ones only if they occurred."""
    return [
        CallProblem(
            words + (_undocumented(calls) if name == "lost" and counted else ""), counted, name not in _NOT_A_DEVIATION
        )
        for name, words in PROBLEMS.items()
        if (counted := number(calls.get(name))) is not None and (counted or name in _ALWAYS_SHOWN)
    ]


def _undocumented(calls: Mapping[str, Any]) -> str:
    reports = undocumented_reports([one_line(str(word), 40) for word in members(calls, "undocumented")])
    return f" ({reports})" if reports else ""


def _delivery_parts(deliveries: Mapping[str, Any]) -> Iterator[str]:
    for name, words in _DELIVERIES.items():
        counted = number(deliveries.get(name))
        if counted is not None and (counted or name in {"expected", "arrived"}):
            yield f"{count(counted)} {words}"


def scenario(load: Mapping[str, Any]) -> str:
    """The scenario's name; empty if it is not known."""
    name = load.get("scenario")
    return one_line(str(name), 60) if name else ""


def profile(load: Mapping[str, Any]) -> str:
    """How requests arrived, in words: `50 a second for 60 s, uniform arrivals`."""
    found = members(load, "profile")
    parts = [one_line(found["text"], 200)] if isinstance(found.get("text"), str) else []
    if isinstance(arrivals := found.get("arrivals"), str):
        parts.append(f"{one_line(arrivals, 40)} arrivals")
    return ", ".join(parts)


def latency_rows(load: Mapping[str, Any]) -> list[LatencyRow]:
    """The times of each operation, those to the final state, and the generator's lag; without empty rows.

    An operation has latency (from the due time) and service time (from sending) of successes, and latency of failures.
    """
    rows = []
    for operation in OPERATIONS:
        measured = members(load, operation)
        failures = failed(measured)
        counted = number(measured.get("count"))
        succeeded = None if counted is None else counted - failures - (number(measured.get("rate_limited")) or 0)
        rows += [
            LatencyRow(operation, members(measured, "latency_ms"), succeeded),
            LatencyRow(f"{operation} service", members(measured, "service_ms"), succeeded),
            LatencyRow(f"{operation} failed", members(measured, "failed", "latency_ms"), failures),
        ]
    rows.append(LatencyRow("time to final", members(load, "time_to_final_ms"), number(value_at(load, "calls.final"))))
    rows.append(LatencyRow("generator lag", members(load, "generator", "lag_ms"), None))
    return [row for row in rows if any(number(row.percentiles.get(column)) is not None for column in COLUMNS)]


def failed(measured: Mapping[str, Any]) -> float:
    """How many requests of an operation failed, over all kinds of errors."""
    return sum(found for kind in members(measured, "errors").values() if (found := number(kind)) is not None)


def error_kinds(load: Mapping[str, Any], most: int) -> Iterator[ErrorKind]:
    """Errors by operation and kind, the most frequent first, at most `most` kinds each; the rest is one entry."""
    for operation in OPERATIONS:
        for member, of_deployment in (("errors", True), ("own_faults", False)):
            entries = members(load, operation, member).items()
            counted = [(str(kind), found) for kind, value in entries if (found := number(value))]
            ranked = sorted(counted, key=lambda entry: (-entry[1], entry[0]))
            for kind, found in ranked[:most]:
                example = members(load, operation, "examples").get(kind)
                shown = one_line(example, 200) if isinstance(example, str) else ""
                yield ErrorKind(operation, one_line(kind, 80), found, of_deployment, shown)
            if rest := sum(found for _, found in ranked[most:]):
                yield ErrorKind(operation, f"{count(len(ranked) - most)} more kinds", rest, of_deployment)


def sent_of_scheduled(arrivals: Mapping[str, Any]) -> str:
    """How many requests were due and how many were sent."""
    parts = [
        f"{count(arrivals[name])} {name}" for name in ("scheduled", "sent") if number(arrivals.get(name)) is not None
    ]
    if held_back := number(arrivals.get("held_back")):
        parts.append(f"{count(held_back)} held back by rate limit")
    return ", ".join(parts)


def _arrivals(arrivals: Mapping[str, Any]) -> str:
    rate = number(arrivals.get("rate"))
    return ", ".join(filter(None, [sent_of_scheduled(arrivals), "" if rate is None else f"{amount(rate)} a second"]))


def _capacity(capacity: Mapping[str, Any]) -> str:
    rate, low, high = (number(capacity.get(name)) for name in ("rate", "low", "high"))
    if rate is None and (low is None) != (high is None):
        return f"less than {count(high)} a second" if low is None else f"at least {count(low)} a second"
    between = f"between {count(low)} and {count(high)}" if low is not None and high is not None else ""
    return ", ".join(filter(None, ["" if rate is None else f"{count(rate)} a second", between]))


def _generator(generator: Mapping[str, Any]) -> LoadRow:
    if not generator:
        return LoadRow("generator", "")
    limited = generator.get("limited") is True
    windows, late = number(generator.get("windows")), number(generator.get("limited_windows"))
    kept_up = "kept up" if not late else f"kept up but for {count(late)} of {count(windows)} windows"
    parts = ["was the bottleneck: the latencies are not the deployment's" if limited else kept_up]
    if (cpu := number(generator.get("cpu"))) is not None:
        parts.append(f"{percent(cpu)} of a core")
    if (lag := number(members(generator, "lag_ms").get("p99"))) is not None:
        parts.append(f"99 % of requests sent within {milliseconds(lag)} ms of their due time")
    return LoadRow("generator", ", ".join(parts), limited)
