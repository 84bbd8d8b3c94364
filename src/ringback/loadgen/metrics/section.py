"""Parts of `verdict.json`'s load section, and the lines of `load_windows.ndjson`, made from what was measured.

Pure functions. `judging.snapshot` puts the section together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ringback.config import Limit
from ringback.loadgen.metrics.histogram import DISTRIBUTION, PERCENTILES, Histogram, is_percentile
from ringback.loadgen.metrics.measures import Measures
from ringback.loadgen.metrics.saturation import causes
from ringback.loadgen.metrics.window import LoadWindow
from ringback.loadgen.metrics.windows import Part, PlacedWindow, Windows
from ringback.loadgen.schedule.origin import KINDS, POLL, TRIGGER, Origin, origin
from ringback.loadgen.schedule.plan import PlannedStep

__all__ = ["generator_health", "keys_for", "lines_of", "operation", "steps_of", "tags_of", "window_lines"]

_LINE_KEYS = ("p50", "p90", "p95", "p99")
_LAG_KEYS = ("p50", "p99")


def keys_for(limits: Iterable[Limit]) -> tuple[str, ...]:
    """The percentiles to report: the usual ones, and those that limits use."""
    last = (limit.metric.rpartition(".")[2] for limit in limits)
    return tuple(dict.fromkeys((*PERCENTILES, *(key for key in last if is_percentile(key)))))


def window_lines(windows: Windows, start: float = 0.0, end: float = math.inf) -> Iterator[dict[str, Any]]:
    """The windows as lines, in order of time; only those that lie entirely between two instants, if they are given."""
    for span in windows.spans(start, end):
        yield _line(span, tuple(causes(span.window).values()))


def steps_of(windows: Windows, steps: Iterable[tuple[str, PlannedStep]], keys: tuple[str, ...]) -> dict[str, Any]:
    """The member `step` of the section: the figures of the planned steps, by their numbers."""
    found = {}
    for number, (rate, start, end) in steps:
        part = windows.stretch(start, end)
        found[number] = {
            "rate": rate,
            "from_s": round(start, 3),
            "to_s": round(end, 3),
            "trigger": _requests(TRIGGER, part, keys),
            "poll": _requests(POLL, part, keys),
            "generator": generator_health(part, part.total, keys),
        }
    return found


def lines_of(
    part: Part,
    lines: Iterable[str],
    keys: tuple[str, ...],
    calls: Mapping[str, Mapping[str, Any]],
    times_to_final: Mapping[str, Histogram],
) -> dict[str, Any]:
    """The member `line` of the section: the triggers that dialled each line, in a part of the run, and all its calls.

    `calls` and `times_to_final` are those of each line, over the whole run.
    """
    return {
        line: {
            "trigger": _requests(origin("trigger", line), part, keys),
            "calls": calls[line],
            "time_to_final_ms": times_to_final[line].summary_ms(keys),
        }
        for line in lines
    }


def tags_of(part: Part, tags: Iterable[str], keys: tuple[str, ...]) -> dict[str, Any]:
    """The member `tag` of the section: the requests that tasks with each tag began, in a part of the run."""
    return {
        tag: {kind.kind: _requests(origin(kind.kind, tags=frozenset({tag})), part, keys) for kind in KINDS}
        for tag in tags
    }


def operation(kind: Origin, part: Part, whole: LoadWindow, keys: tuple[str, ...]) -> dict[str, Any]:
    """The member `trigger` or `poll` of the section: its figures in a part of the run, and its counts in all of it."""
    all_measures = whole.of(kind)
    return _requests(kind, part, keys) | {
        "distribution": _distribution(part.total.of(kind)),
        "whole": {"count": all_measures.count, "errors": dict(sorted(all_measures.errors.items()))},
    }


def _requests(wanted: Origin, part: Part, keys: tuple[str, ...]) -> dict[str, Any]:
    """The figures of all requests that are wanted, in a part of the run."""
    section = part.total.of(wanted).section(keys)
    if part.judgement.limited_windows and not part.judgement.limited:
        sound = part.sound(wanted)
        section["sound"] = {"count": sound.count, **sound.times(keys)}
    return section


def _distribution(measures: Measures) -> list[list[float]]:
    latency, service = measures.latency.distribution(), measures.service.distribution()
    return [
        [percent, round(waited * 1000, 4), round(served * 1000, 4)]
        for percent, (_, waited), (_, served) in zip(DISTRIBUTION, latency, service, strict=False)
    ]


def generator_health(part: Part, whole: LoadWindow, keys: tuple[str, ...]) -> dict[str, Any]:
    """The member `generator` of the section, as far as it is measured in windows."""
    cpu = whole.cpu if part.total.cpu is None else part.total.cpu
    return {
        "cpu": None if cpu is None else round(cpu, 4),
        "lag_ms": part.total.lag.summary_ms(keys),
        "limited": part.judgement.limited,
        "windows": part.judgement.windows,
        "limited_windows": part.judgement.limited_windows,
        "limited_by": list(part.judgement.limited_by),
        "uncertain": [asdict(figure) for figure in part.judgement.uncertain],
    }


def _line(span: PlacedWindow, limited_by: tuple[str, ...]) -> dict[str, Any]:
    window = span.window
    return {
        "from_s": round(span.start, 3),
        "to_s": round(span.end, 3),
        "phase": span.phase,
        **{name: window.counters[name] for name in ("scheduled", "sent", "accepted", "final", "dropped")},
        "in_flight": window.in_flight,
        "trigger": _figures(window.of(TRIGGER)),
        "poll": _figures(window.of(POLL)),
        "lag_ms": {key: value for key, value in window.lag.summary_ms(_LAG_KEYS).items() if key != "mean"},
        "cpu": None if window.cpu is None else round(window.cpu, 4),
        "limited": bool(limited_by),
        "limited_by": list(limited_by),
    }


def _figures(measures: Measures) -> dict[str, Any]:
    latency, service = measures.latency.summary_ms(_LINE_KEYS), measures.service.summary_ms(("p50", "p99"))
    return {
        "count": measures.count,
        "errors": measures.failed,
        "rate_limited": measures.rate_limited,
        **{f"{key}_ms": value for key, value in latency.items()},
        "service_p50_ms": service["p50"],
        "service_p99_ms": service["p99"],
    }
