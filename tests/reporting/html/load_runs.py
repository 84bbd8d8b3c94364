"""Invented load runs: the files of a run, without a run.

The deployment of these answers in a millisecond or two, but for a stretch in which it answers nothing (a freeze): what
was due then is answered when it ends, so that latency from the due instant falls in a straight line, as in life.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATES = {
    "Answered": 0.46, "Busy": 0.2, "No Answer": 0.16, "Rejected": 0.08, "Invalid Number": 0.05, "Error": 0.03,
    "Temporarily Unavailable": 0.02,
}  # fmt: skip


@dataclass(frozen=True)
class MadeUp:
    """An invented run. Times are in seconds, the rate in arrivals per second."""

    seconds: float = 60.0
    rate: float = 50.0
    window: float = 1.0
    ramp: float = 5.0
    drain: float = 4.0
    freeze: tuple[float, float] | None = None
    limited: tuple[float, float] | None = None
    errors: tuple[float, float] | None = None
    lost: int = 0
    duplicates: int = 0
    wrong_state: int = 0
    capacity: bool = False
    receiver: bool = True
    workers: int = 0


def write_load_run(directory: Path, run: MadeUp = MadeUp(), *, seed: int = 1) -> dict[str, Any]:
    """Write `load_windows.ndjson` into the directory; returns the matching load section."""
    windows = list(_windows(run, random.Random(seed)))
    directory.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(window) + "\n" for window in windows)
    (directory / "load_windows.ndjson").write_text(lines, encoding="utf-8")
    return _section(run, windows)


def _windows(run: MadeUp, chance: random.Random) -> Sequence[dict[str, Any]]:
    found = []
    in_flight = 0
    steps = math.ceil((run.seconds + run.drain) / run.window)
    for step in range(steps):
        from_s, to_s = step * run.window, (step + 1) * run.window
        draining = from_s >= run.seconds
        share = 0.0 if draining else min(1.0, (from_s + run.window) / run.ramp) if run.ramp else 1.0
        due = round(run.rate * share * run.window)
        limited = run.limited is not None and run.limited[0] <= from_s < run.limited[1]
        sent = round(due * 0.8) if limited else due
        stuck = 0.0
        if run.freeze and run.freeze[0] <= from_s < run.freeze[1]:
            stuck = 1000 * (run.freeze[1] - from_s)
        failing = run.errors is not None and run.errors[0] <= from_s < run.errors[1]
        errors = round(sent * 0.2) if failing else 0
        accepted = sent - errors
        final = 0 if stuck else round(in_flight * chance.uniform(0.4, 0.6)) if in_flight else 0
        if draining and from_s + run.window >= run.seconds + run.drain - run.window:
            final = in_flight
        in_flight += accepted - final
        base = chance.uniform(0.95, 1.1)
        lag = 40 * chance.uniform(0.8, 1.3) if limited else chance.uniform(0.2, 0.5)
        found.append(
            {
                "from_s": from_s,
                "to_s": to_s,
                "phase": "drain" if draining else "ramp" if from_s < run.ramp else "steady",
                "scheduled": due,
                "sent": sent,
                "accepted": accepted,
                "final": final,
                "in_flight": in_flight,
                "trigger": _operation(sent, errors, 1.2 * base, stuck, run, lag),
                "poll": _operation(sent, 0, 0.8 * base, stuck, run, lag),
                "lag_ms": {"p50": lag / 3, "p99": lag, "max": lag * 1.6},
                "cpu": 0.98 if limited else 0.31 * base,
                "limited": limited,
                "limited_by": ["cpu at 98 % of a core"] if limited else [],
            }
        )
    return found


def _operation(number: int, errors: int, base: float, stuck: float, run: MadeUp, lag: float) -> dict[str, Any]:
    keys = ("p50", "p90", "p95", "p99", "max", "mean")
    if not number:
        return {
            "count": 0,
            "errors": 0,
            **{f"{key}_ms": None for key in keys},
            "service_p50_ms": None,
            "service_p99_ms": None,
        }
    spread = dict(zip(keys, (1.0, 1.6, 1.9, 2.8, 4.2, 1.2), strict=True))
    # In a window of the freeze, the first due request waits longest.
    waits = dict(zip(keys, (0.5, 0.1, 0.05, 0.01, 0.0, 0.5), strict=True))
    shown = {
        f"{key}_ms": base * spread[key] + lag / 3 + max(0.0, stuck - waits[key] * run.window * 1000 if stuck else 0.0)
        for key in keys
    }
    return {
        "count": number,
        "errors": errors,
        **shown,
        "service_p50_ms": base,
        "service_p99_ms": base * 2.6 if not stuck else stuck / 8,
    }


def _section(run: MadeUp, windows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    scheduled, sent, accepted = (sum(window[name] for window in windows) for name in ("scheduled", "sent", "accepted"))
    limited = sum(window["limited"] for window in windows)
    final = accepted - run.lost - run.duplicates
    section: dict[str, Any] = {
        "scenario": "lifecycle",
        "seconds": run.seconds,
        "reached": True,
        "seed": 7,
        "profile": {
            "shape": "constant", "text": f"{run.rate:g} a second for {run.seconds:g} s", "arrivals": "poisson",
            "expected": round(run.rate * run.seconds),
        },
        "steady": {"from_s": run.ramp, "to_s": run.seconds},
        "workers": [
            {"name": f"worker-{n + 1}", "share": 1 / run.workers, "accepted": accepted // run.workers,
             "sent": sent // run.workers, "cpu": 0.4, "lost": n == 2, "clock_offset_ms": 0.1 * n}
            for n in range(run.workers)
        ],
        "arrivals": {"scheduled": scheduled, "sent": sent, "held_back": 0, "rate": sent / run.seconds},
        "trigger": _requests(run, windows, "trigger"),
        "poll": _requests(run, windows, "poll"),
        "calls": {
            "accepted": accepted, "final": final, "lost": run.lost, "duplicate_ids": run.duplicates,
            "wrong_state": run.wrong_state, "unfinished": 0, "indeterminate": 0, "unrequested": 0,
            "undocumented_states": 0, "changed_state": 0, "by_state": _by_state(final),
        },
        "time_to_final_ms": {"p50": 1020.0, "p90": 1400.0, "p95": 1610.0, "p99": 2210.0, "p99_9": 2500.0, "max": 2780},
        "generator": {
            "cpu": 0.34, "lag_ms": {"p50": 0.1, "p90": 0.3, "p95": 0.4, "p99": 0.6, "p99_9": 1.9, "max": 4.0},
            "limited": limited > len(windows) / 2, "limited_windows": limited, "windows": len(windows),
            "limited_by": ["cpu at 98 % of a core"] if limited else [],
            "connections": {"opened": 32, "reused": sent, "tls_resumed": 28, "stale": 1},
            "dns": "resolved once: 127.0.0.1", "open_files": 61, "open_files_limit": 1024,
        },
    }  # fmt: skip
    if run.receiver:
        section["calls"]["deliveries"] = {
            "expected": final, "arrived": final - run.lost, "missing": run.lost, "contradicting": 0, "unknown": 0,
        }  # fmt: skip
    if run.capacity:
        section["capacity"] = _capacity()
    return section


def _requests(run: MadeUp, windows: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    count = sum(window[name]["count"] for window in windows)
    errors = sum(window[name]["errors"] for window in windows)
    due: Callable[[float], float] = _curve(1.1, run.freeze, run.seconds)
    service: Callable[[float], float] = _curve(1.0, None, run.seconds)
    percentiles = [
        0,
        *range(10, 90, 10),
        90,
        92,
        94,
        95,
        96,
        97,
        98,
        98.5,
        99,
        99.3,
        99.5,
        99.7,
        99.9,
        99.95,
        99.99,
        100,
    ]
    keys = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99_9": 99.9, "max": 100.0, "mean": 60.0}
    return {
        "count": count,
        "errors": {"http_503": errors - errors // 3, "timeout": errors // 3} if errors else {},
        "error_rate": errors / count if count else None,
        "rate_limited": 0,
        "own_faults": {},
        "latency_ms": {key: due(at) for key, at in keys.items()},
        "service_ms": {key: service(at) for key, at in keys.items()},
        "distribution": [[at, due(at), service(at)] for at in percentiles],
    }


def _curve(base: float, freeze: tuple[float, float] | None, seconds: float) -> Callable[[float], float]:
    def latency(percentile: float) -> float:
        tail = -math.log10(max(1 - percentile / 100, 1e-5))
        shown = base * (0.7 + 0.6 * tail)
        if freeze is not None:
            frozen = (freeze[1] - freeze[0]) / seconds
            into = (percentile / 100 - (1 - frozen)) / frozen
            shown += max(0.0, into) * 1000 * (freeze[1] - freeze[0])
        return shown

    return latency


def _by_state(final: int) -> dict[str, int]:
    shown = {state: int(final * share) for state, share in STATES.items()}
    shown["Answered"] += final - sum(shown.values())
    return shown


def _capacity() -> dict[str, Any]:
    steps = [
        {"rate": rate, "held": held, "why": why, "p99_ms": p99, "error_rate": errors, "arrived_rate": arrived}
        for rate, held, why, p99, errors, arrived in (
            (50, True, "", 2.1, 0.0, 50.0),
            (100, True, "", 2.3, 0.0, 100.0),
            (200, True, "", 3.4, 0.0, 199.8),
            (400, True, "", 9.8, 0.0, 399.1),
            (800, False, "trigger.latency_ms.p99 < 500 broke: 2,310", 2310.0, 0.021, 512.0),
            (600, False, "trigger.latency_ms.p99 < 500 broke: 812", 812.0, 0.004, 498.0),
            (500, True, "", 48.0, 0.0, 497.5),
            (550, None, "the generator was the bottleneck in 7 of 20 windows", 120.0, 0.0, 520.0),
        )
    ]
    return {"rate": 500.0, "low": 500.0, "high": 600.0, "steps": steps}
