"""Limits on a load run, as the user writes them: a metric of `verdict.json`'s load section against a bound."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Limit"]

_PERCENTILE = r"p(?:\d{1,2}(?:_\d{1,3})?|100)"
_LATENCY = rf"(?:latency_ms|service_ms)\.(?:{_PERCENTILE}|max|mean)"
_METRIC = re.compile(
    rf"(?:trigger|poll)\.(?:count|error_rate|{_LATENCY})"
    rf"|time_to_final_ms\.(?:{_PERCENTILE}|max|mean)"
    r"|calls\.(?:accepted|final|lost|duplicate_ids|wrong_state|unfinished|unasked|undocumented_states|doubtful)"
    r"|arrivals\.(?:scheduled|sent|rate)"
    rf"|generator\.(?:cpu|lag_ms\.(?:{_PERCENTILE}|max|mean))"
)
_BOUND = re.compile(r"\s*(<=|>=|==|<|>)\s*(\d+(?:\.\d+)?)\s*")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: `metric` (dotted path into the load section), `operator`, `bound` (the metric's own unit)."""

    metric: str
    operator: str
    bound: float

    @classmethod
    def parse(cls, metric: str, expression: object) -> Limit:
        """Read a limit such as `"trigger.latency_ms.p99"`, `"< 500"`; ValueError says what is wrong and the mend."""
        if not _METRIC.fullmatch(metric):
            raise ValueError(
                "no such metric; use one such as trigger.latency_ms.p99, trigger.error_rate, poll.service_ms.p50, "
                "time_to_final_ms.p95 or calls.lost"
            )
        match = _BOUND.fullmatch(expression) if isinstance(expression, str) else None
        if match is None:
            raise ValueError('not a limit; write an operator (<, <=, >, >=, ==) and a number, such as "< 500"')
        return cls(metric, match[1], float(match[2]))

    def holds(self, value: float) -> bool:
        """Whether a measured value keeps the limit."""
        match self.operator:
            case "<":
                return value < self.bound
            case "<=":
                return value <= self.bound
            case ">":
                return value > self.bound
            case ">=":
                return value >= self.bound
            case _:
                return value == self.bound

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.bound:g}"
