"""The user's limits as the page shows them: the measured value, the bound, the margin, and a bar."""

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
    "undocumented_states": "in an undocumented state", "unrequested": "reported without a request",
    "cpu": "CPU", "max": "longest",
}  # fmt: skip
_UNITS = {"latency_ms": "ms", "service_ms": "ms", "time_to_final_ms": "ms", "lag_ms": "ms"}
_BOUNDS = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least", "==": "exactly"}
_HINTS = {
    "latency_ms": "Counted from the due time of each request that succeeded. What it has more than the service time, a "
    "request waited in the load generator. See the times below.",
    "service_ms": "Counted from the sending of each request to the end of its answer.",
    "time_to_final_ms": "From the sending of a trigger to the first poll that reported the final state.",
    "error_rate": "Failed requests as a share of the sent ones. See their kinds and times below.",
    "lost": "The deployment accepted these calls but did not report their final state within the settle time.",
    "duplicate_ids": "The deployment gave these calls the UniqueId of another call.",
    "wrong_state": "These calls did not end in the state that the dialled line produces.",
    "unrequested": "Answers to polls contained results of calls that were not requested.",
    "undocumented_states": "Results had a state that is not one of the seven documented ones.",
    "lag_ms": "How late the load generator sent requests; the deployment does not cause this.",
    "missing": "The calls were final, and no delivery reached our receiver within the delivery time.",
    "late": "The delivery came later than the delivery time after the poll that reported the final state.",
    "contradicting": "A delivery had another state than polls reported, or two deliveries differed.",
    "cpu": "How busy the load generator was; the deployment does not cause this.",
}


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit; `bar` is the measured value and `tick` the bound, in hundredths of the bar's length."""

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
    """What a broken limit means, or where to look; may be empty."""
    why: str
    """Why the limit is undecided, or what is behind its failure; may be empty."""
    bar: float | None
    tick: float | None


def limit_rows(limits: Sequence[LimitResult]) -> tuple[LimitRow, ...]:
    """All limits, broken ones first."""
    ranked = sorted(limits, key=lambda held: _ORDER.index(held.verdict) if held.verdict in _ORDER else len(_ORDER))
    return tuple(_row(held) for held in ranked)


def metric_words(metric: str) -> str:
    """A metric's path in words: `trigger latency, p99.9`."""
    parts = metric.split(".")
    words = [
        _WORDS.get(part, part.replace("_", "." if part[:1] == "p" and part[1:2].isdigit() else " ")) for part in parts
    ]
    text = " ".join(words[:-1]) + (", " if len(words) > 2 or parts[0] == "time_to_final_ms" else " ") + words[-1]
    return one_line(text.strip(), 100)


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
        why=one_line(held.why, 300),
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
