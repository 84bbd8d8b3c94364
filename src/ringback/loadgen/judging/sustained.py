"""Whether a deployment sustained one step of a capacity search: pure functions over what was measured in it."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from ringback.contract.verdict import LimitResult, Verdict
from ringback.loadgen.judging.capacity import Step
from ringback.loadgen.judging.limits import of_requests, split

__all__ = ["judge_step"]

Windows = Sequence[Mapping[str, Any]]

_GROWTH = 0.01
"""Seconds by which the backlog may grow in each second of a step; more means that the deployment fell behind."""
_ERRORS = 0.01
"""Share of requests that may fail."""
_KNEE_GROWTH, _KNEE_ERRORS = 0.2, 0.1
"""If there is more growth, or more errors, the deployment is far beyond its limit."""
_UNSENT = 0.01
"""Share of a step's arrivals that may stay unsent; with more, the step is undecided."""
_LIMITED = 0.1
"""Share of a step's windows in which the generator may be the limit; with more, the step is undecided."""
_FEWEST_WINDOWS = 3
_OF_THE_RUN = re.compile(r"(capacity|arrivals|generator)\.|calls\.(accepted|final|unfinished)$|(trigger|poll)\.count$")
"""Metrics of the whole run: their limits do not apply to a single step."""


def judge_step(
    windows: Windows,
    section: Mapping[str, Any],
    limits: Iterable[LimitResult],
    rate: float,
    seconds: float | None = None,
) -> Step:
    """Whether a deployment sustained `rate` arrivals a second for a step of `seconds` (None: as long as the windows).

    `windows` are the step's lines of `load_windows.ndjson` (the first and the last may be partly outside the step),
    `section` is the load section of the step alone, `limits` the results of the limits for it. The step held if it met
    the limits, fewer than 1 % of the requests failed, and the backlog did not grow by more than 1 % of the time. A
    backlog shows as latency that rises from window to window. Limits on totals of the whole run (calls placed, the
    capacity itself) do not count, nor do inconclusive limits.

    The step is undecided if something else than the deployment decided it: the generator was the limit, arrivals were
    not sent (because of a rate limit, or the budget), or too little was measured.
    """
    kind = "poll" if _figure(section, "poll", "count") and not _figure(section, "trigger", "count") else "trigger"
    whole = windows[1:-1] if seconds is None else windows
    due = rate * (_span(whole) if seconds is None else seconds)
    arrived = _arrived(whole, kind)
    seconds = _span(windows) if seconds is None else seconds
    rates = [_figure(section, each, "error_rate") for each in ("trigger", "poll")]
    errors = max((each for each in rates if each is not None), default=0.0)
    growth = _growth(windows, kind, rate)
    fell_behind = growth is not None and growth > _GROWTH
    counted = [limit for limit in limits if not _OF_THE_RUN.match(split(limit.metric)[2])]
    reasons = [
        f"{each.metric} was {each.value:g}, not {each.limit}" for each in counted if each.verdict is Verdict.FAIL
    ]
    if errors >= _ERRORS:
        reasons.append(f"{errors:.1%} of the requests failed")
    if growth is not None and fell_behind:
        reasons.append(f"it fell behind by {growth:.1%} of the time, at about {rate / (1 + growth):.4g} a second")
    undecided = _undecided(windows, section, failing=bool(reasons))
    if undecided is None and arrived < due - 4 * math.sqrt(due) - 1:  # Poisson arrivals scatter by the root of `due`
        undecided = f"the step was cut short: {arrived:g} of {due:.0f} arrivals fell due"
    if undecided is None and not reasons:
        undecided = _unknown(growth, counted)
    failed = bool(reasons) and undecided is None
    return Step(
        rate=rate,
        held=None if undecided is not None else not failed,
        why=undecided or "; ".join(reasons) or "it did not fall behind, and met the limits",
        knee=failed and (errors > _KNEE_ERRORS or (growth or 0.0) > _KNEE_GROWTH),
        sustained=rate * (1 - errors) / (1 + max(growth or 0.0, 0.0)) if failed and (errors or fell_behind) else None,
        seconds=seconds,
        backlog=_backlog(windows, kind),
        p99_ms=_figure(section, kind, "latency_ms", "p99"),
        error_rate=None if rates == [None, None] else errors,
        arrived_rate=round(_arrived(windows, kind) / seconds, 3) if seconds else None,
    )


def _undecided(windows: Windows, section: Mapping[str, Any], *, failing: bool) -> str | None:
    """Why the step is undecided; None if the deployment decided it."""
    if not section.get("reached", True) or "unusable" in section:
        return str(section.get("unusable", "the deployment could not be reached"))
    limited = sum(1 for window in windows if window.get("limited"))
    often = limited > max(1, _LIMITED * len(windows))
    if _figure(section, "generator", "limited") or often or (limited and failing):
        causes = (section.get("generator") or {}).get("limited_by") or []
        causes = causes or [text for window in windows for text in window.get("limited_by") or []]
        return "; ".join(("the load generator was the limit", *dict.fromkeys(causes)))
    scheduled, sent = _total(windows, "scheduled"), _total(windows, "sent")
    refused = _figure(section, "trigger", "rate_limited") or 0.0
    if refused > _UNSENT * scheduled:
        return f"a rate limit (429) refused {refused:g} of {scheduled:g} requests"
    if scheduled - sent > _UNSENT * scheduled:
        return f"{scheduled - sent:g} of {scheduled:g} arrivals were not sent"
    return None


def _unknown(growth: float | None, limits: Iterable[LimitResult]) -> str | None:
    """Why a step without failures is nevertheless undecided; None if it held."""
    if growth is None:
        return "too little was measured to know whether the deployment fell behind; let steps last longer"
    given = list(limits)
    if unclear := [
        each
        for each in given
        if each.verdict is Verdict.INCONCLUSIVE and each.value is not None and of_requests(each.metric)
    ]:
        return f"{unclear[0].metric}: {unclear[0].why}"
    unmeasured = [each.metric for each in given if each.verdict is Verdict.INCONCLUSIVE and each.value is None]
    unmeasured = [metric for metric in unmeasured if not metric.endswith(".error_rate")]  # no requests, no errors
    return f"{unmeasured[0]} was not measured; let steps last longer" if unmeasured else None


def _growth(windows: Windows, kind: str, rate: float) -> float | None:
    """Seconds by which the backlog grows in each second at `rate`; None if too little was measured.

    It is the median of the slopes between the windows' median latencies (Theil 1950, Sen 1968), so that one unusual
    window does not decide, less two standard errors. While a queue never empties, requests that arrive in `t` seconds
    leave in `t * (1 + slope)`. This gives the rate at which the queue is worked off, however many requests happened to
    arrive. So a queue that grew only because more arrived than `rate` predicts is not counted as falling behind.
    """
    measured = [(window, window[kind]) for window in windows if (window.get(kind) or {}).get("p50_ms") is not None]
    if len(measured) < _FEWEST_WINDOWS:
        return None
    points = [((window["from_s"] + window["to_s"]) / 2, figures["p50_ms"] / 1000) for window, figures in measured]
    slope: float = statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2))
    middle = statistics.fmean(at for at, _ in points)
    variance = statistics.fmean(_variance_of_median(figures) for _, figures in measured)
    slope -= 2 * math.sqrt(variance / math.fsum((at - middle) ** 2 for at, _ in points))
    if kind != "trigger":
        return slope
    counts = [figures["count"] for _, figures in measured]  # by due times; `scheduled` is counted when the clock ticks
    arrived = math.fsum(counts) - (counts[0] + counts[-1]) / 2
    due = rate * (points[-1][0] - points[0][0])
    return float(min(slope, (1 + slope) * due / arrived - 1)) if arrived else slope


def _variance_of_median(figures: Mapping[str, Any]) -> float:
    """The variance of a window's median latency, in square seconds, if latencies are normal: pi/2 of the mean's."""
    spread = max(0.0, (figures.get("p90_ms") or figures["p50_ms"]) - figures["p50_ms"]) / 1000 / 1.2816
    return float(math.pi / 2 * spread**2 / max(1, figures.get("count") or 1))


def _backlog(windows: Windows, kind: str) -> float:
    """The longest latency of the last requests, in seconds."""
    measured = [figures for window in windows if (figures := window.get(kind) or {}).get("p50_ms") is not None]
    return float(measured[-1].get("max_ms") or measured[-1]["p50_ms"]) / 1000 if measured else 0.0


def _arrived(windows: Windows, kind: str) -> float:
    """Arrivals that fell due. `scheduled` is read once a second, so part of it is spread beyond the step's edges."""
    return max(_total(windows, kind, "count"), _total(windows, "scheduled"))


def _total(windows: Windows, *path: str) -> float:
    return math.fsum(_figure(window, *path) or 0.0 for window in windows)


def _span(windows: Windows) -> float:
    return math.fsum(window["to_s"] - window["from_s"] for window in windows)


def _figure(section: Mapping[str, Any], *path: str) -> float | None:
    node: Any = section
    for part in path:
        node = node.get(part) if isinstance(node, Mapping) else None
    return float(node) if isinstance(node, int | float) else None
