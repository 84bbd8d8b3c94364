"""The load section of `verdict.json` and the lines of `load_windows.ndjson`, made from what was counted.

Pure functions. Section `calls` is passed in, as the ledger has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ringback.config import Limit
from ringback.loadgen.metrics.histogram import DISTRIBUTION, PERCENTILES, Histogram, is_percentile
from ringback.loadgen.metrics.measures import Measures
from ringback.loadgen.metrics.window import LoadWindow
from ringback.loadgen.metrics.windows import Part, PlacedWindow, Windows
from ringback.loadgen.schedule.origin import KINDS, POLL, TRIGGER, Origin, origin
from ringback.loadgen.schedule.plan import LoadPlan, PlannedStep

__all__ = [
    "empty_section",
    "keys_for",
    "lines_of",
    "load_section",
    "no_calls",
    "percentiles_needed",
    "steps_of",
    "tags_of",
    "window_lines",
]

LINE_CALLS = ("accepted", "final", "lost", "duplicate_ids", "unfinished", "wrong_state", "by_state")
"""What is counted of the calls of a line."""
_LINE_KEYS = ("p50", "p90", "p95", "p99")
_LAG_KEYS = ("p50", "p99")


def keys_for(limits: Iterable[Limit]) -> tuple[str, ...]:
    """The percentiles to report: the usual ones, and those that limits use."""
    return tuple(dict.fromkeys((*PERCENTILES, *percentiles_needed(limits))))


def percentiles_needed(limits: Iterable[Limit]) -> tuple[str, ...]:
    """The percentiles that limits use, by key."""
    last = (limit.metric.rpartition(".")[2] for limit in limits)
    return tuple(dict.fromkeys(key for key in last if is_percentile(key)))


def load_section(
    *,
    scenario: str,
    seconds: float,
    reached: bool,
    windows: Windows,
    scheduled: int,
    sent: int,
    held_back: int,
    calls: Mapping[str, Any],
    time_to_final: Histogram,
    part: Part | None = None,
    parts: Mapping[str, Any] | None = None,
    profile: Mapping[str, Any] | None = None,
    seed: int | None = None,
    workers: Sequence[Mapping[str, Any]] = (),
    generator: Mapping[str, Any] | None = None,
    receiver: Mapping[str, Any] | None = None,
    examples: Mapping[str, Mapping[str, str]] | None = None,
    capacity: Mapping[str, Any] | None = None,
    keys: tuple[str, ...] = PERCENTILES,
) -> dict[str, Any]:
    """The section, as of now. Of `scheduled` arrivals, `sent` were sent and `held_back` were not (after a 429).

    `seconds` is how long sending lasted. Figures of triggers and polls are taken from `part` of the windows (default:
    the steady part); `parts` are the members `step`, `line` and `tag`. `reached` says whether any request was sent.
    `generator` has further members of that section (connections, dns, open files). `keys` are the percentiles to
    report.
    """
    part, whole = part or windows.steady_part(), windows.whole
    end = part.end if math.isfinite(part.end) else max(seconds, part.start)
    section: dict[str, Any] = {
        "scenario": scenario,
        "seconds": round(seconds, 3),
        "reached": reached,
        "steady": {"from_s": round(part.start, 3), "to_s": round(end, 3)},
        "workers": [dict(worker) for worker in workers],
        "arrivals": {
            "scheduled": scheduled,
            "sent": sent,
            "held_back": held_back,
            "rate": round(sent / seconds, 3) if seconds > 0 else 0.0,
        },
        "trigger": _operation(TRIGGER, part, whole, keys) | _examples(examples, "trigger"),
        "poll": _operation(POLL, part, whole, keys) | _examples(examples, "poll"),
        "calls": dict(calls),
        "time_to_final_ms": time_to_final.summary_ms(keys),
        "generator": {**_generator(part, whole, keys), **(generator or {})},
    }
    section |= {name: figures for name, figures in (parts or {}).items() if figures}
    optional = {"seed": seed, "profile": profile, "receiver": receiver, "capacity": capacity}
    return section | {name: value for name, value in optional.items() if value is not None}


def no_calls() -> dict[str, Any]:
    """The member `calls` of a run in which none was accepted."""
    names = (
        "accepted", "final", "lost", "duplicate_ids", "wrong_state", "unfinished", "indeterminate", "unrequested",
        "undocumented_states", "changed_state",
    )  # fmt: skip
    return {**dict.fromkeys(names, 0), "by_state": {}, "undocumented": {}}


def empty_section(plan: LoadPlan) -> dict[str, Any]:
    """The section of a run about which nothing is known."""
    return load_section(
        scenario=plan.scenario,
        seconds=0.0,
        reached=False,
        windows=Windows(),
        scheduled=0,
        sent=0,
        held_back=0,
        calls=no_calls(),
        time_to_final=Histogram(),
    )


def window_lines(windows: Windows, start: float = 0.0, end: float = math.inf) -> Iterator[dict[str, Any]]:
    """The windows as lines, in order of time; only those that lie entirely between two instants, if they are given."""
    for span in windows.spans(start, end):
        yield _line(span, tuple(windows.causes(span.window).values()))


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
            "generator": _generator(part, part.total, keys),
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
    none: dict[str, Any] = {name: {} if name == "by_state" else 0 for name in LINE_CALLS}
    return {
        line: {
            "trigger": _requests(origin("trigger", line), part, keys),
            "calls": {**none, **calls.get(line, {})},
            "time_to_final_ms": times_to_final.get(line, Histogram()).summary_ms(keys),
        }
        for line in lines
    }


def tags_of(part: Part, tags: Iterable[str], keys: tuple[str, ...]) -> dict[str, Any]:
    """The member `tag` of the section: the requests that tasks with each tag began, in a part of the run."""
    return {
        tag: {kind.kind: _requests(origin(kind.kind, tags=frozenset({tag})), part, keys) for kind in KINDS}
        for tag in tags
    }


def _operation(kind: Origin, part: Part, whole: LoadWindow, keys: tuple[str, ...]) -> dict[str, Any]:
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


def _examples(examples: Mapping[str, Mapping[str, str]] | None, operation: str) -> dict[str, Any]:
    found = (examples or {}).get(operation)
    return {"examples": dict(sorted(found.items()))} if found else {}


def _distribution(measures: Measures) -> list[list[float]]:
    latency, service = measures.latency.distribution(), measures.service.distribution()
    return [
        [percent, round(waited * 1000, 4), round(served * 1000, 4)]
        for percent, (_, waited), (_, served) in zip(DISTRIBUTION, latency, service, strict=False)
    ]


def _generator(part: Part, whole: LoadWindow, keys: tuple[str, ...]) -> dict[str, Any]:
    cpu = whole.cpu if part.total.cpu is None else part.total.cpu
    return {
        "cpu": None if cpu is None else round(cpu, 4),
        "lag_ms": part.total.lag.summary_ms(keys),
        "limited": part.judgement.limited,
        "windows": part.judgement.windows,
        "limited_windows": part.judgement.limited_windows,
        "limited_by": list(part.judgement.limited_by),
        "uncertain": [figure.to_plain() for figure in part.judgement.uncertain],
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
