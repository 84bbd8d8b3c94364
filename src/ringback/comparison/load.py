"""The load figures of two runs, each with its change and whether that change is significant.

Figures that are measured per window are tested on the steady windows, counts as shares of their totals. Other figures
are shown without a test. Windows in which the generator was the bottleneck are left out. If the generator limited a
whole run, nothing is tested.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median
from typing import Any, Final

from ringback.comparison.noise import LEAST_WINDOWS, Shift, block_permutation, fisher_exact, holm
from ringback.rundir.reading import number, value_at
from ringback.rundir.verdict import SavedRun
from ringback.rundir.windows import SavedWindow, SavedWindows

__all__ = ["ALPHA", "LEAST_CHANGE", "LEAST_MILLISECONDS", "LoadComparison", "Metric", "Significance", "compare_load"]

ALPHA: Final = 0.05
"""The probability, over all tests of a comparison, of taking noise for a change."""
LEAST_CHANGE: Final = 0.05
"""The smallest change that counts, as a share of the older figure."""
LEAST_MILLISECONDS: Final = 1.0
"""The smallest change of a latency that counts; smaller ones are within the variation between machines."""
_SHORTENED = 0.99
_MOST = 10**12
"""A larger count is taken for unmeasured."""


class Significance(StrEnum):
    """Whether the change of a metric is beyond noise and large enough to matter."""

    WORSE = "worse"
    """Beyond noise and large enough: a regression."""
    BETTER = "better"
    """Beyond noise and large enough: an improvement."""
    SMALL = "small"
    """Beyond noise, but too small to matter."""
    NOISE = "noise"
    """Within noise."""
    TOO_FEW = "too-few"
    """Too few windows to decide."""
    SHOWN = "shown"
    """Not tested: each run has one figure, so its noise is unknown."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of the load in both runs."""

    name: str
    """A dotted path as limits use it, such as `trigger.latency_ms.p99`; `throughput` is accepted calls per second."""
    unit: str
    old: float | None
    """The median of the steady windows, the share, or the figure in `verdict.json`."""
    new: float | None
    higher_is_worse: bool
    significance: Significance
    test: str
    """`blocks`, `fisher` or the empty text."""
    p: float | None = None
    """Adjusted by Holm's method over all tests of the comparison."""
    samples: tuple[int, int] = (0, 0)
    """Windows of each run, or the totals of the shares."""
    shift: Shift | None = None

    @property
    def change(self) -> float | None:
        """The change as a share of the older figure; None if that is 0 or a figure is missing."""
        if self.old is None or self.new is None:
            return None
        if self.old == self.new:
            return 0.0
        return (self.new - self.old) / abs(self.old) if self.old else None

    @property
    def for_the_worse(self) -> bool:
        """Whether the newer figure is worse, by any amount."""
        if self.old is None or self.new is None:
            return False
        return self.new > self.old if self.higher_is_worse else self.new < self.old


@dataclass(frozen=True, slots=True)
class LoadComparison:
    """The load of two runs."""

    metrics: tuple[Metric, ...]
    not_comparable: str = ""
    """Why nothing was tested; empty if it was."""
    windows: tuple[int, int] = (0, 0)
    """Steady windows of each run that were compared."""
    limited_windows: tuple[int, int] = (0, 0)
    """Windows of each run that were left out because the generator was the bottleneck."""

    @property
    def regressions(self) -> tuple[Metric, ...]:
        """The metrics that got worse, beyond noise."""
        return tuple(metric for metric in self.metrics if metric.significance is Significance.WORSE)

    @property
    def undecided(self) -> str:
        """Why a regression can't be ruled out; empty if it can."""
        if self.not_comparable:
            return self.not_comparable
        few = [metric.name for metric in self.metrics if metric.significance is Significance.TOO_FEW]
        if not few:
            return ""
        return (
            f"too few steady windows to compare {', '.join(few)} ({self.windows[0]} and {self.windows[1]}; each run "
            f"needs at least {LEAST_WINDOWS}, and more if neighbouring windows are correlated)"
        )


_WINDOWED = tuple(
    (f"{part}.latency_ms.{percentile}", part, f"{percentile}_ms")
    for part in ("trigger", "poll")
    for percentile in ("p50", "p95", "p99")
)
_COUNTED = ("lost", "duplicate_ids", "wrong_state", "undocumented_states", "unrequested")
_SHOWN = (
    ("time_to_final_ms.p50", "ms", True),
    ("time_to_final_ms.p99", "ms", True),
    ("capacity.rate", "calls/s", False),
)


def compare_load(old: SavedRun, new: SavedRun, least_change: float = LEAST_CHANGE) -> LoadComparison | None:
    """Compare two loads; None if either run had none. `least_change` is a share, such as 0.05."""
    if old.load is None or new.load is None:
        return None
    steady = _steady(old.windows), _steady(new.windows)
    limited = tuple(sum(window.limited for window in side) for side in steady)
    used = tuple([window for window in side if not window.limited] for side in steady)
    reason = _not_comparable(old, new, used[0], used[1])
    metrics = [*_windowed(*used), *_counted(old.load, new.load), *_shown(old.load, new.load)]
    if reason:
        metrics = [replace(metric, significance=Significance.SHOWN, p=None) for metric in metrics]
    else:
        metrics = _judged(metrics, least_change)
    return LoadComparison(tuple(metrics), reason, (len(used[0]), len(used[1])), (limited[0], limited[1]))


def _steady(windows: SavedWindows) -> list[SavedWindow]:
    """The steady windows of full length, in the order of time."""
    steady = [window for window in windows.timed() if window.phase == "steady"]
    usual = median([window.seconds for window in steady]) if steady else 0.0
    return [window for window in steady if window.seconds >= _SHORTENED * usual]


def _not_comparable(old: SavedRun, new: SavedRun, before: Sequence[SavedWindow], after: Sequence[SavedWindow]) -> str:
    assert old.load is not None and new.load is not None  # noqa: S101 - checked by the caller
    limited = [
        name for name, run in (("older", old), ("newer", new)) if value_at(run.load, "generator.limited") is True
    ]
    if limited:
        return f"Ringback's own machine was the bottleneck in the {' and the '.join(limited)} run"
    kinds = [str(run.load.get("scenario")) for run in (old, new) if run.load is not None]
    if kinds[0] != kinds[1]:
        return f"the loads differ: {kinds[0]} and {kinds[1]}"
    profiles = [_profile(old.load), _profile(new.load)]
    if profiles[0] != profiles[1]:
        return f"the loads differ: {profiles[0]}, and {profiles[1]}"
    if before and after and not math.isclose(before[0].seconds, after[0].seconds, rel_tol=0.02):
        return f"their windows differ: {before[0].seconds:g} s and {after[0].seconds:g} s long"
    return ""


def _profile(load: Mapping[str, Any]) -> str:
    """The arrivals in words, without the duration if the rate is constant."""
    text, shape = value_at(load, "profile.text"), value_at(load, "profile.shape")
    if not isinstance(text, str):
        scheduled, seconds = number(value_at(load, "arrivals.scheduled")), number(load.get("seconds"))
        return f"about {float(f'{scheduled / seconds:.1g}'):g} a second" if scheduled and seconds else "an unknown rate"
    steady = text.partition(" for ")[0] if shape in {"constant", "closed"} else text
    arrivals = value_at(load, "profile.arrivals")
    return f"{steady}, {arrivals}" if isinstance(arrivals, str) else steady


def _windowed(old: Sequence[SavedWindow], new: Sequence[SavedWindow]) -> Iterator[Metric]:
    for name, part, member in _WINDOWED:
        sides = [[v for window in side if (v := window.value(part, member)) is not None] for side in (old, new)]
        if metric := _of_windows(name, "ms", sides, higher_is_worse=True):
            yield metric
    sides = [[rate for window in side if (rate := window.rate("accepted")) is not None] for side in (old, new)]
    if metric := _of_windows("throughput", "calls/s", sides, higher_is_worse=False):
        yield metric


def _of_windows(name: str, unit: str, sides: Sequence[Sequence[float]], *, higher_is_worse: bool) -> Metric | None:
    before, after = sides
    if not before and not after:
        return None
    shift = block_permutation(before, after)
    return Metric(
        name, unit,
        median(before) if before else None, median(after) if after else None,
        higher_is_worse, Significance.TOO_FEW if shift.p is None else Significance.NOISE, "blocks",
        p=shift.p, samples=(len(before), len(after)), shift=shift,
    )  # fmt: skip


def _counted(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Metric]:
    pairs = [(f"{part}.error_rate", f"{part}.errors", f"{part}.count") for part in ("trigger", "poll")]
    pairs += [(f"calls.{name}", f"calls.{name}", "calls.accepted") for name in _COUNTED]
    pairs.append(("calls.deliveries.missing", "calls.deliveries.missing", "calls.deliveries.expected"))
    for name, hits, total in pairs:
        counts = [(_count(value_at(load, hits)), _count(value_at(load, total))) for load in (old, new)]
        (old_hits, old_total), (new_hits, new_total) = counts
        if old_hits is None or new_hits is None or not old_total or not new_total:
            continue
        # Without any hit there is nothing to test, and the other tests need no stricter adjustment.
        none = not old_hits and not new_hits
        p = None if none else fisher_exact(old_hits, old_total, new_hits, new_total)
        yield Metric(
            name, "share", old_hits / old_total, new_hits / new_total, higher_is_worse=True,
            significance=Significance.NOISE if none or p is not None else Significance.SHOWN,
            test="" if p is None else "fisher",
            p=p, samples=(old_total, new_total),
        )  # fmt: skip


def _shown(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Metric]:
    for name, unit, higher_is_worse in _SHOWN:
        before, after = number(value_at(old, name)), number(value_at(new, name))
        if before is not None or after is not None:
            yield Metric(name, unit, before, after, higher_is_worse, Significance.SHOWN, "")


def _judged(metrics: Sequence[Metric], least_change: float) -> list[Metric]:
    tested = [metric for metric in metrics if metric.p is not None]
    adjusted = iter(holm([metric.p for metric in tested if metric.p is not None]))
    return [_stands(replace(m, p=next(adjusted)), least_change) if m.p is not None else m for m in metrics]


def _stands(metric: Metric, least_change: float) -> Metric:
    if metric.p is None or metric.p >= ALPHA or metric.old is None or metric.new is None:
        return metric
    difference = abs(metric.new - metric.old)
    large = difference > 0 and difference >= least_change * abs(metric.old)
    if metric.unit == "ms":
        large = large and difference >= LEAST_MILLISECONDS
    if not large:
        return replace(metric, significance=Significance.SMALL)
    return replace(metric, significance=Significance.WORSE if metric.for_the_worse else Significance.BETTER)


def _count(value: object) -> int | None:
    """A count, or the sum of counts by kind."""
    if isinstance(value, Mapping):
        counts = [_count(one) for one in value.values()]
        return sum(count for count in counts if count is not None)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None
