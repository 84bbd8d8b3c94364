"""The user's limits held against a load section: pure functions, and the limits that hold unless the user says else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ringback.config import Limit
from ringback.contract.verdict import LimitResult, Verdict

__all__ = ["DEFAULT_LIMITS", "evaluate", "in_force", "percentiles_needed", "value_of"]

DEFAULT_LIMITS = (
    Limit("trigger.error_rate", "<", 0.01),
    Limit("poll.error_rate", "<", 0.01),
    Limit("calls.lost", "==", 0),
    Limit("calls.duplicate_ids", "==", 0),
    Limit("calls.wrong_state", "==", 0),
    Limit("calls.unasked", "==", 0),
)
"""What the contract asks of a deployment under any load. A limit of the user's on the same metric replaces one."""

_TIMES = ("trigger.latency_ms", "trigger.service_ms", "poll.latency_ms", "poll.service_ms", "time_to_final_ms")
_STILL_GROWING = frozenset({"calls.lost", "calls.wrong_state"})
"""Counts to which a call that is unfinished when the run ends may yet belong."""


def in_force(limits: Iterable[Limit]) -> tuple[Limit, ...]:
    """The user's limits, and the default ones on metrics of which the user said nothing."""
    mine = tuple(limits)
    named = {limit.metric for limit in mine}
    return (*mine, *(limit for limit in DEFAULT_LIMITS if limit.metric not in named))


def percentiles_needed(limits: Iterable[Limit]) -> tuple[str, ...]:
    """The percentiles that limits speak of, by key."""
    last = (limit.metric.rpartition(".")[2] for limit in limits)
    return tuple(dict.fromkeys(key for key in last if key[0] == "p" and key[1:2].isdigit()))


def value_of(section: Mapping[str, Any], metric: str) -> float | None:
    """A metric of the section; None where it was not measured."""
    node: Any = section
    for part in metric.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return float(node) if isinstance(node, int | float) and not isinstance(node, bool) else None


def evaluate(limits: Iterable[Limit], section: Mapping[str, Any]) -> tuple[LimitResult, ...]:
    """Each limit in force against the section.

    What can't be decided is inconclusive: a metric that was not measured, times taken by a generator that was itself
    the limit, anything of a deployment that was never reached, and a count of calls kept while calls are unfinished.
    """
    return tuple(_result(limit, section) for limit in in_force(limits))


def _result(limit: Limit, section: Mapping[str, Any]) -> LimitResult:
    value = value_of(section, limit.metric)
    text = f"{limit.operator} {limit.bound:g}"
    if value is None or _undecidable(limit, section):
        return LimitResult(limit.metric, text, value, Verdict.INCONCLUSIVE)
    held = limit.holds(value)
    if held and limit.metric in _STILL_GROWING and value_of(section, "calls.unfinished"):
        return LimitResult(limit.metric, text, value, Verdict.INCONCLUSIVE)
    return LimitResult(limit.metric, text, value, Verdict.PASS if held else Verdict.FAIL)


def _undecidable(limit: Limit, section: Mapping[str, Any]) -> bool:
    if limit.metric.startswith("generator."):
        return False
    if not section.get("reached", True):
        return True
    if limit.metric.startswith("calls.") and not value_of(section, "calls.accepted"):
        return limit.metric != "calls.accepted"
    return limit.metric.startswith(_TIMES) and bool(section.get("generator", {}).get("limited"))
