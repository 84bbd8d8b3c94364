"""A load run as labelled lines of plain text, for pages that are no terminal.

Reads the load section of `verdict.json` and nothing else; what a scenario did not measure is left out. Kinds of errors
and names come from outside: whoever shows a line makes it inert.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringback.reporting.model.digest import members, number
from ringback.reporting.model.safe import one_line

__all__ = ["load_rows"]

_LATENCIES = (
    ("trigger, ms", ("trigger", "latency_ms")),
    ("poll, ms", ("poll", "latency_ms")),
    ("time to final, ms", ("time_to_final_ms",)),
)
_PERCENTILES = (("p50", "p50"), ("p95", "p95"), ("p99", "p99"), ("p99_9", "p99.9"), ("max", "max"))
_ALWAYS = ("accepted", "final", "lost")
_IF_ANY = {
    "duplicate_ids": "duplicate ids",
    "wrong_state": "in a wrong state",
    "unfinished": "unfinished",
    "indeterminate": "perhaps placed, unanswered",
    "unrequested": "never asked about",
    "undocumented_states": "in undocumented states",
    "changed_state": "that changed a final state",
}
_MOST_KINDS = 8


def load_rows(load: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and text of each line: arrivals, calls, latency in milliseconds from the due instant, errors, generator."""
    rows = [
        ("scenario", _scenario(load)),
        ("arrivals", _arrivals(members(load, "arrivals"))),
        ("calls", _calls(members(load, "calls"))),
        *((label, _latency(members(load, *path))) for label, path in _LATENCIES),
        *((f"{operation} errors", _errors(members(load, operation))) for operation in ("trigger", "poll")),
        ("capacity", _capacity(members(load, "capacity"))),
        ("generator", _generator(members(load, "generator"))),
    ]
    return [(label, text) for label, text in rows if text]


def _scenario(load: Mapping[str, Any]) -> str:
    name, text = load.get("scenario"), members(load, "profile").get("text")
    told = [part for part in (name, text) if isinstance(part, str) and part]
    return ", ".join([*told, *(["no request got through"] if load.get("reached") is False else [])])


def _arrivals(arrivals: Mapping[str, Any]) -> str:
    rate = number(arrivals.get("rate"))
    told = [
        f"{count:,.0f} {name}" for name in ("scheduled", "sent") if (count := number(arrivals.get(name))) is not None
    ]
    return ", ".join([*told, *([f"{rate:,.1f} a second"] if rate is not None else [])])


def _calls(calls: Mapping[str, Any]) -> str:
    told = [f"{count:,.0f} {name}" for name in _ALWAYS if (count := number(calls.get(name))) is not None]
    return ", ".join(
        [*told, *(f"{count:,.0f} {word}" for name, word in _IF_ANY.items() if (count := number(calls.get(name))))]
    )


def _latency(measured: Mapping[str, Any]) -> str:
    told = [
        f"{title} {value:,.4g}" for name, title in _PERCENTILES if (value := number(measured.get(name))) is not None
    ]
    return ", ".join(told)


def _errors(operation: Mapping[str, Any]) -> str:
    kinds = {str(kind): count for kind, value in members(operation, "errors").items() if (count := number(value))}
    told = [
        f"{one_line(kind, 60)} {kinds[kind]:,.0f}"
        for kind in sorted(kinds, key=lambda kind: -kinds[kind])[:_MOST_KINDS]
    ]
    if len(kinds) > _MOST_KINDS:
        told.append(f"and {len(kinds) - _MOST_KINDS} more kinds")
    if limited := number(operation.get("rate_limited")):
        told.append(f"429 (waited for) {limited:,.0f}")
    return ", ".join(told)


def _capacity(capacity: Mapping[str, Any]) -> str:
    rate, low, high = (number(capacity.get(name)) for name in ("rate", "low", "high"))
    between = f", between {low:,.0f} and {high:,.0f}" if low is not None and high is not None else ""
    return f"{rate:,.0f} a second{between}" if rate is not None else between.removeprefix(", ")


def _generator(generator: Mapping[str, Any]) -> str:
    if generator.get("limited") is True:
        return "was the bottleneck: the latencies are not the deployment's"
    return "kept up" if generator else ""
