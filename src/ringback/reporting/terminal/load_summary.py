"""A load run in a few lines on a terminal: arrivals, latency, what became of each call.

Reads the load section of `verdict.json` and nothing else; what a scenario did not measure is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from ringback.reporting.model.safe import one_line
from ringback.reporting.terminal.layout import field, heading, joined, line

__all__ = ["print_load"]

_ASIDE = "Latency counts from the instant at which a request was due, not from when it could be sent."
_COLUMNS = (("p50", "p50"), ("p90", "p90"), ("p95", "p95"), ("p99", "p99"), ("p99_9", "p99.9"), ("max", "max"))
_ROWS = (
    ("trigger", ("trigger", "latency_ms"), ("trigger",)),
    ("poll", ("poll", "latency_ms"), ("poll",)),
    ("time to final", ("time_to_final_ms",), ()),
)
_CALLS = (
    ("accepted", "accepted", False),
    ("final", "final", False),
    ("lost", "lost", True),
    ("duplicate_ids", "duplicate ids", True),
    ("wrong_state", "wrong state", True),
    ("unfinished", "unfinished", True),
    ("indeterminate", "that may have been placed without an answer", True),
)
_RARE = {"indeterminate"}
"""Told only where there are any."""


def print_load(console: Console, load: Mapping[str, Any]) -> None:
    """Print the load section: arrivals, latency in milliseconds, calls accounted for, the generator's own health."""
    scenario = load.get("scenario")
    heading(console, f"Load: {one_line(str(scenario), 40)}" if scenario else "Load", _ASIDE)
    if load.get("reached") is False:
        field(console, "reached", Text("no request got through to the deployment", "bold yellow"))
    if arrivals := _members(load, ("arrivals",)):
        field(console, "arrivals", _arrivals(arrivals))
    if calls := _members(load, ("calls",)):
        field(console, "calls", joined([_call(calls, *entry) for entry in _CALLS], ", "))
    _print_latencies(console, load)
    for operation in ("trigger", "poll"):
        errors = _members(load, (operation, "errors"))
        told = [f"{one_line(str(kind), 60)} {_count(errors[kind])}" for kind in sorted(errors, key=str) if errors[kind]]
        if limited := _number(_members(load, (operation,)).get("rate_limited")):
            field(console, "waiting", f"{operation}: answered 429 {_count(limited)} times, and waited for it")
        if told:
            field(console, "errors", Text(f"{operation}: {', '.join(told)}", "red"))
    if capacity := _members(load, ("capacity",)):
        field(console, "capacity", _capacity(capacity))
    if generator := _members(load, ("generator",)):
        field(console, "generator", _generator(generator))


def _arrivals(arrivals: Mapping[str, Any]) -> Text:
    rate = _number(arrivals.get("rate"))
    told = [
        f"{_count(arrivals[name])} {word}"
        for name, word in (("scheduled", "scheduled"), ("sent", "sent"), ("withheld", "withheld after a 429"))
        if _number(arrivals.get(name)) is not None and (name != "withheld" or arrivals[name])
    ]
    return joined([*told, "" if rate is None else f"{rate:,.1f} a second"], ", ")


def _call(calls: Mapping[str, Any], name: str, word: str, bad: bool) -> Text:
    number = _number(calls.get(name))
    if number is None or (name in _RARE and not number):
        return Text()
    return Text(f"{_count(number)} {word}", "red" if bad and number > 0 else "")


def _print_latencies(console: Console, load: Mapping[str, Any]) -> None:
    rows = [
        (name, _members(load, path), _members(load, counted).get("count"))
        for name, path, counted in _ROWS
        if any(_number(value) is not None for value in _members(load, path).values())
    ]
    if not rows:
        return
    head = f"  {'ms':<13}" + "".join(f"{title:>9}" for _, title in _COLUMNS) + f"{'count':>10}"
    line(console, head, "dim")
    for name, measured, count in rows:
        cells = "".join(f"{_milliseconds(measured.get(key)):>9}" for key, _ in _COLUMNS)
        line(console, f"  {name:<13}{cells}{_count(count):>10}".rstrip())


def _generator(generator: Mapping[str, Any]) -> Text:
    cpu = _number(generator.get("cpu"))
    lag = _number(_members(generator, ("lag_ms",)).get("p99"))
    return joined(
        [
            Text("was the bottleneck: latencies above are not the deployment's", "bold yellow")
            if generator.get("limited") is True
            else Text("kept up"),
            "" if cpu is None else f"{cpu:.0%} of a core",
            "" if lag is None else f"99 % of requests sent within {_milliseconds(lag)} ms of their time",
        ],
        ", ",
    )


def _capacity(capacity: Mapping[str, Any]) -> Text:
    rate, low, high = (_number(capacity.get(name)) for name in ("rate", "low", "high"))
    between = f"between {low:,.0f} and {high:,.0f}" if low is not None and high is not None else ""
    return joined(["" if rate is None else f"{rate:,.0f} a second", between], ", ")


def _members(load: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    """The mapping at a path; an empty one if there is none."""
    if not path:
        return {}
    found: Any = load
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _count(value: Any) -> str:
    number = _number(value)
    return "" if number is None else f"{number:,.0f}"


def _milliseconds(value: Any) -> str:
    number = _number(value)
    if number is None:
        return "–"
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 1 else f"{number:.2f}"
