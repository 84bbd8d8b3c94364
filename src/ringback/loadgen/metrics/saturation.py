"""Whether the load generator was fast enough for its figures to describe the deployment.

What lives here: when the generator was the limit in a window and in a run, and the advice to the user. Windows are
judged by their figures alone, so any process can judge them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ringback.loadgen.metrics.histogram import Histogram
from ringback.loadgen.metrics.window import LoadWindow
from ringback.loadgen.schedule.origin import KINDS

__all__ = ["CPU_LIMIT", "LAG_LIMIT", "Judgement", "Mark", "UncertainFigure", "causes", "judge", "open_question"]

LAG_LIMIT = 0.1
"""Seconds: if 1 % of the requests left later than this after they were due, latencies are not trusted."""
CPU_LIMIT = 0.9
"""Share of one core: Python runs on one, and above this, requests wait for the generator."""
_MOST = 0.5
"""Share of a run's windows; if the generator was the limit in more of them, it was the limit of the run."""
_TYPICAL = ("p50", "p90", "p95")
"""Percentiles that describe a run as a whole. A limit on a rarer one is judged by itself (see `judging.limits`)."""
_NOTABLE = 0.1
_NEGLIGIBLE = 5.0
"""Share of a figure, and milliseconds, by which it may be off."""
_LOST = 0.01
"""Share of arrivals or requests; if the generator failed to send more of them, it was the limit of the run."""
_MORE_THAN_A_HICCUP = 3
"""Fewer late requests are forgiven: in a run of less than 300, 1 % is one or two hiccups of the machine."""
_ENOUGH = 2.0
"""Seconds: the processor's share is not used for a shorter run, because it includes start-up."""
_HALF = 0.5
"""Seconds: nor for a shorter window, which the edge of the steady part may have cut."""

_LATE, _CPU, _DROPPED, _STARVED = "late", "cpu", "dropped", "starved"
_MORE_WORKERS = frozenset({_LATE, _CPU, _DROPPED})
"""Causes against which more workers help."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is stored of a window: whether there was anything to send, and why the generator was the limit, if so."""

    busy: bool
    causes: frozenset[str]

    @classmethod
    def joined(cls, marks: Iterable[Mark]) -> Mark:
        """The mark of windows that are merged into one."""
        given = tuple(marks)
        return cls(any(mark.busy for mark in given), frozenset().union(*(mark.causes for mark in given)))


@dataclass(frozen=True, slots=True)
class UncertainFigure:
    """A latency that is notably shorter without the generator's lateness in the windows in which it was the limit."""

    metric: str
    measured_ms: float
    """Milliseconds."""
    least_ms: float
    """Milliseconds, if the service time counts in those windows."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the generator was the limit: in `limited_windows` of `windows` with requests, for reasons in words."""

    limited: bool
    windows: int
    limited_windows: int
    limited_by: tuple[str, ...]
    kinds: frozenset[str] = frozenset()
    """The kinds of those reasons."""
    uncertain: tuple[UncertainFigure, ...] = ()
    """The figures that may be off, if that is why the generator was the limit."""


def causes(window: LoadWindow) -> dict[str, str]:
    """Why the generator was the limit in a window, in words, by kind of cause; empty if it was not."""
    found = {}
    lag = window.lag.percentile(99)
    if lag is not None and lag > LAG_LIMIT:
        found[_LATE] = f"1 % of its requests left {lag * 1000:.0f} ms or more after they were due"
    cpu = window.cpu
    if cpu is not None and cpu > CPU_LIMIT and window.wall >= _HALF:
        found[_CPU] = f"it used {cpu:.0%} of a core"
    if dropped := window.counters["dropped"]:
        found[_DROPPED] = f"{dropped} arrivals could not be sent in time"
    if window.starved:
        found[_STARVED] = f"{window.starved} requests failed because open files, ports or memory ran out"
    return found


def judge(marks: Iterable[Mark], part: LoadWindow, whole: LoadWindow, limited: LoadWindow) -> Judgement:
    """Whether the generator was the limit of a run, by the marks of the windows that figures are taken from.

    `part` is those windows merged, `limited` those of them in which the generator was the limit, `whole` all windows of
    the run merged. It was the limit of the run if more than 1 % of all arrivals or requests were dropped or starved, if
    it was so in more than half of the windows with anything to send, or if a latency that describes the run as a whole
    (p50, p90, p95) may be off by more than 10 % and 5 ms: by so much it is shorter if service time counts in place of
    latency in those windows. A single hiccup in a short run is forgiven: fewer than three late requests, one late
    window in which less than 1 % of all requests were late, and the processor's share of less than two seconds.
    """
    busy = [mark for mark in marks if mark.busy]
    often = Counter(cause for mark in busy for cause in mark.causes)
    late, all_sent = part.lag.above(LAG_LIMIT), part.lag.count
    forgiven = set()
    if late < _MORE_THAN_A_HICCUP or (often[_LATE] == 1 and late < _LOST * all_sent):
        forgiven.add(_LATE)
    if part.wall < _ENOUGH:
        forgiven.add(_CPU)
    counting = sum(1 for mark in busy if mark.causes - forgiven)
    mostly = counting > _MOST * len(busy)
    uncertain = _uncertain(part, limited) if counting and not mostly else ()
    arrivals, dropped = whole.counters["scheduled"], whole.counters["dropped"]
    lost = dropped > _LOST * arrivals or whole.starved > _LOST * whole.taken
    clauses = {
        _LATE: f"1 % of its requests left more than {LAG_LIMIT * 1000:.0f} ms after they were due",
        _CPU: f"it used more than {CPU_LIMIT:.0%} of a core",
        _DROPPED: f"{dropped} arrivals could not be sent in time",
        _STARVED: f"{whole.starved} requests failed because open files, ports or memory ran out",
    }
    if dropped and lost:
        often.setdefault(_DROPPED, 0)
    if whole.starved and lost:
        often.setdefault(_STARVED, 0)
    return Judgement(
        limited=lost or mostly or bool(uncertain),
        windows=len(busy),
        limited_windows=sum(1 for mark in busy if mark.causes),
        limited_by=tuple(
            clause + (f" ({often[kind]} of {len(busy)} windows)" if often[kind] else "")
            for kind, clause in clauses.items()
            if kind in often
        ),
        kinds=frozenset(often),
        uncertain=() if lost else uncertain,
    )


def _uncertain(part: LoadWindow, limited: LoadWindow) -> tuple[UncertainFigure, ...]:
    """The latencies of a run that are notably shorter with the service time in place of latency in limited windows."""
    found = []
    for kind in KINDS:
        all_of_it, bad = part.of(kind), limited.of(kind)
        least = Histogram()
        least.merge(all_of_it.latency)
        least.subtract(bad.latency)
        least.merge(bad.service)
        measured, at_least = all_of_it.latency.summary_ms(_TYPICAL), least.summary_ms(_TYPICAL)
        for key in _TYPICAL:
            one, other = measured[key], at_least[key]
            if one is not None and other is not None and one - other > max(_NOTABLE * other, _NEGLIGIBLE):
                found.append(UncertainFigure(f"{kind.kind}.latency_ms.{key}", one, other))
    return tuple(found)


def open_question(judgement: Judgement, workers: int = 1, cores: int | None = None) -> str | None:
    """Why a run is inconclusive if the generator was its limit, and the fix; None if it was not.

    `cores` are those of the machine if all workers run on it: more workers do not help it.
    """
    if not judgement.limited:
        return None
    if judgement.uncertain:
        worst = max(judgement.uncertain, key=lambda figure: figure.measured_ms - figure.least_ms)
        return (
            f"{worst.metric} may be off by {worst.measured_ms - worst.least_ms:.3g} ms: it is "
            f"{worst.measured_ms:.4g} ms, and {worst.least_ms:.4g} ms without the load generator's lateness in "
            f"{judgement.limited_windows} of {judgement.windows} windows; repeat the run on a machine with less other "
            "work, or let it last longer"
        )
    fixes = []
    if judgement.kinds & _MORE_WORKERS:
        fixes += [_more_workers(workers, cores), "lower the rate"]
    if _STARVED in judgement.kinds:
        fixes.append("raise the limit of open files (ulimit -n), or use more machines")
    return (
        f"the load generator was the limit: {'; '.join(judgement.limited_by)}; its times are not the deployment's: "
        + ", or ".join(fixes)
    )


def _more_workers(workers: int, cores: int | None) -> str:
    """The advice to share the load among more processes, if there are cores for them."""
    if cores is None or 2 * workers < cores:
        return f"use --workers {2 * workers} (or more)"
    if workers < cores:
        return f"use --workers {cores}"
    return "use more machines (--role), because more workers than cores do not help"
