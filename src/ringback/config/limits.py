"""Limits on a load run: a metric of `verdict.json`'s load section, an operator and a bound."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

__all__ = ["Limit", "check_baseline"]

_PERCENTILE = r"p(?:\d{1,2}(?:_\d{1,3})?|100)"
_TIMES = rf"(?:{_PERCENTILE}|max|mean)"
_WORD = r"[a-z][a-z0-9_]*"
_REQUESTS = (
    rf"(?:count|error_rate|rate_limited|errors\.{_WORD}|own_faults\.{_WORD}"
    rf"|(?:failed\.)?(?:latency_ms|service_ms)\.{_TIMES})"
)
_METRIC = re.compile(
    rf"(?:trigger|poll)\.(?:{_REQUESTS}|whole\.(?:count|errors\.{_WORD}))"
    rf"|(?:step\.[1-9]\d{{0,2}}|tag\.[A-Za-z0-9_-]+)\.(?:trigger|poll)\.{_REQUESTS}"
    rf"|(?:line\.{_WORD}\.)?(?:time_to_final_ms\.{_TIMES}"
    rf"|calls\.(?:accepted|final|lost|duplicate_ids|wrong_state|unfinished|by_state\.{_WORD}))"
    rf"|line\.{_WORD}\.trigger\.{_REQUESTS}"
    r"|calls\.(?:unrequested|undocumented_states|indeterminate"
    r"|changed_state|deliveries\.(?:expected|arrived|late|missing|stated|contradicting|unknown))"
    r"|arrivals\.(?:scheduled|sent|held_back|rate)"
    rf"|generator\.(?:cpu|limited_windows|windows|open_files|ports|lag_ms\.{_TIMES}"
    r"|connections\.(?:opened|reused|tls_resumed|stale))"
    r"|capacity\.(?:rate|low|high)"
)
_BOUND = re.compile(r"\s*(<=|>=|==|<|>)\s*(\d+(?:\.\d+)?)(\s*x\s+baseline)?\s*")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: `metric` (dotted path into the load section), `operator`, `bound`.

    The bound is in the metric's unit. If `relative`, it is a factor for the baseline run's figure.
    """

    metric: str
    operator: str
    bound: float
    relative: bool = False

    @classmethod
    def parse(cls, metric: str, expression: object) -> Limit:
        """Read a limit: `"trigger.latency_ms.p99"`, `"< 500"` or `"< 1.2x baseline"`.

        Raises ValueError with the problem and its fix.
        """
        if not _METRIC.fullmatch(metric):
            raise ValueError(
                "no such metric; use one such as trigger.latency_ms.p99, time_to_final_ms.p95, calls.lost, "
                "step.2.trigger.error_rate or line.busy.trigger.count; docs/metrics.md lists all"
            )
        match = _BOUND.fullmatch(expression) if isinstance(expression, str) else None
        if match is None:
            raise ValueError(
                'not a limit; write an operator (<, <=, >, >=, ==) and a number, such as "< 500", or a factor of a '
                'baseline run, such as "< 1.2x baseline"'
            )
        return cls(metric, match[1], float(match[2]), match[3] is not None)

    @property
    def expression(self) -> str:
        """The limit without its metric, as `parse` reads it."""
        number = format(Decimal(repr(self.bound)), "f")
        return f"{self.operator} {number}x baseline" if self.relative else f"{self.operator} {number}"

    def holds(self, value: float, baseline: float | None = None) -> bool:
        """Whether a measured value meets the limit. ValueError if a relative limit has no baseline.

        Any factor of a baseline of 0 is 0. A value of 0 then meets every limit that leaves room on its side (`< 1.2x`,
        `> 0.9x`).
        """
        if not self.relative:
            return self._holds(value, self.bound)
        if baseline is None:
            raise ValueError("a relative limit needs a baseline")
        if value == 0 == baseline and self._leaves_room:
            return True
        return self._holds(value, self.bound * baseline)

    @property
    def _leaves_room(self) -> bool:
        return self.bound > 1 if self.operator == "<" else self.bound < 1 if self.operator == ">" else True

    def _holds(self, value: float, bound: float) -> bool:
        match self.operator:
            case "<":
                return value < bound
            case "<=":
                return value <= bound
            case ">":
                return value > bound
            case ">=":
                return value >= bound
            case _:
                return value == bound

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.bound:g}{'x baseline' if self.relative else ''}"


def check_baseline(limits: Iterable[Limit], *, named: bool) -> None:
    """Raises ValueError if a limit is relative and no baseline is `named` (`load.baseline`)."""
    relative = next((limit for limit in limits if limit.relative), None)
    if relative is not None and not named:
        raise ValueError(
            f'load.baseline|missing, but limits."{relative.metric}" is relative to a baseline; '
            "name the directory of the run to compare with, or write an absolute bound"
        )
