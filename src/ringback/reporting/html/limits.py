"""The user's limits as the page shows them: what was measured, the bound, the margin between, and a bar of both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ringback.contract.verdict import LimitResult, Verdict
from ringback.reporting.model.figures import amount
from ringback.reporting.model.safe import one_line
from ringback.reporting.model.verdicts import MARKS

__all__ = ["LimitRow", "limit_rows", "metric_words"]

_BOUND = re.compile(r"\s*(<=|>=|==|<|>)\s*(\d{1,15}(?:\.\d{1,9})?)\s*")
_ORDER = (Verdict.FAIL, Verdict.INCONCLUSIVE)
_WORDS = {
    "trigger": "trigger", "poll": "poll", "latency_ms": "latency", "service_ms": "service time",
    "time_to_final_ms": "time to final", "error_rate": "error rate", "calls": "calls", "arrivals": "arrivals",
    "generator": "generator", "lag_ms": "lag", "duplicate_ids": "with a duplicate id",
    "wrong_state": "in a wrong state",
    "undocumented_states": "in an undocumented state", "unrequested": "unrequested", "cpu": "CPU", "max": "longest",
}  # fmt: skip
_UNITS = {"latency_ms": "ms", "service_ms": "ms", "time_to_final_ms": "ms", "lag_ms": "ms"}
_BOUNDS = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least", "==": "exactly"}
_HINTS = {
    "latency_ms": "Counted from the instant at which each request was due. Where the time from the sending is short, "
    "the deployment stalled or took no more requests, and those due meanwhile had to wait: see when, below.",
    "service_ms": "Counted from the sending of each request to the end of its answer.",
    "time_to_final_ms": "From a trigger's acceptance to the first poll that told how the call ended.",
    "error_rate": "Requests that failed, by those that were sent: see their kinds and the stretch of time below.",
    "lost": "The deployment accepted these calls, and never told how they ended within the time allowed.",
    "duplicate_ids": "The deployment gave these calls a UniqueId that another call had already.",
    "wrong_state": "These calls ended in another state than the dialled line is known to produce.",
    "unrequested": "Polls were answered with results of calls that they had not asked for.",
    "undocumented_states": "Results carried a state that is none of the seven documented ones.",
    "lag_ms": "How late the load generator itself was; that is no fault of the deployment.",
    "cpu": "How busy the load generator itself was; that is no fault of the deployment.",
}


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit; `bar` is what was measured and `tick` the bound, in hundredths of the bar's length."""

    metric: str
    words: str
    limit: str
    unit: str
    measured: str
    verdict: str
    word: str
    mark: str
    margin: str
    hint: str
    """What it means that the limit does not hold, or where to look; empty if the metric says it."""
    bar: float | None
    tick: float | None


def limit_rows(limits: Sequence[LimitResult]) -> tuple[LimitRow, ...]:
    """All limits, those that do not hold first."""
    ranked = sorted(limits, key=lambda held: _ORDER.index(held.verdict) if held.verdict in _ORDER else len(_ORDER))
    return tuple(_row(held) for held in ranked)


def metric_words(metric: str) -> str:
    """A metric's path in words: `trigger latency, p99.9`."""
    parts = metric.split(".")
    words = [
        _WORDS.get(part, part.replace("_", "." if part[:1] == "p" and part[1:2].isdigit() else " ")) for part in parts
    ]
    told = " ".join(words[:-1]) + (", " if len(words) > 2 or parts[0] == "time_to_final_ms" else " ") + words[-1]
    return one_line(told.strip(), 100)


def _row(held: LimitResult) -> LimitRow:
    match = _BOUND.fullmatch(held.limit)
    bound = float(match[2]) if match else None
    unit = next((unit for part, unit in _UNITS.items() if part in held.metric.split(".")), "")
    bar = tick = None
    if held.value is not None and bound is not None:
        furthest = max(held.value, bound) * 1.15
        if furthest > 0:
            bar, tick = round(100 * max(held.value, 0) / furthest, 2), round(100 * bound / furthest, 2)
    return LimitRow(
        metric=one_line(held.metric, 100),
        words=metric_words(held.metric),
        limit=_asked(held.limit, match, unit),
        unit=unit if held.value is not None else "",
        measured="not measured" if held.value is None else amount(held.value),
        verdict=held.verdict.value,
        word={Verdict.PASS: "holds", Verdict.FAIL: "broken"}.get(held.verdict, "undecided"),
        mark=MARKS[held.verdict],
        margin=_margin(held.value, match[1] if match else "", bound),
        hint=next((hint for part, hint in _HINTS.items() if part in held.metric.split(".")), ""),
        bar=bar,
        tick=tick,
    )


def _asked(limit: str, match: re.Match[str] | None, unit: str) -> str:
    """A bound in words: `less than 500 ms`."""
    if match is None:
        return one_line(limit, 60)
    return f"{_BOUNDS[match[1]]} {amount(float(match[2]))}{f' {unit}' if unit else ''}"


def _margin(value: float | None, operator: str, bound: float | None) -> str:
    """How far the measured value is from the bound, in words."""
    if value is None or bound is None:
        return "–"
    if value == bound:
        return "exactly" if operator == "==" else "at the limit"
    side = "below" if value < bound else "above"
    if operator == "==" or bound == 0:
        return f"{amount(abs(value - bound))} {side}"
    apart = abs(value - bound) / bound
    if apart >= 10:
        return f"{amount(value / bound)} times the limit"
    return f"{amount(round(apart * 100, 1))} % {side}"
