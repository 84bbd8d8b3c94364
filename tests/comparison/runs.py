"""Invented finished runs, as files on disk."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ringback.contract.clauses import CLAUSES


def clause(name: str, verdict: str, summary: str = "") -> dict[str, Any]:
    return {
        "id": name,
        "level": CLAUSES[name].level.value,
        "verdict": verdict,
        "title": CLAUSES[name].title,
        "section": name[:3],
        "summary": summary,
        "waiver": "known" if verdict == "waived" else None,
        "evidence": [],
    }


def document(
    clauses: Mapping[str, str] | None = None,
    *,
    load: Mapping[str, Any] | None = None,
    limits: Sequence[Mapping[str, Any]] = (),
    **members: Any,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "schema": "ringback/verdict/1",
        "verdict": "pass",
        "exit_code": 0,
        "reasons": [],
        "command": "gate" if load else "check",
        "ringback": "0.1.0",
        "started": "2026-03-01T12:00:00.250Z",
        "seconds": 12.5,
        "deployment": {"base_url": "https://ivr.example.com:22222", "embedded": False, "faults": [], "dialects": []},
        "seed": 4242,
        "level": "should",
        "calls": {"accepted": 50, "budget": 60},
        "counts": {},
        "clauses": [clause(name, verdict) for name, verdict in (clauses or {}).items()],
        "limits": list(limits),
        "notes": [],
    }
    if load is not None:
        found["load"] = dict(load)
    return found | members


def load(**members: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "scenario": "lifecycle",
        "seconds": 65.0,
        "profile": {"shape": "constant", "text": "50 a second for 60 s", "arrivals": "uniform", "expected": 3000},
        "arrivals": {"scheduled": 3000, "sent": 3000, "held_back": 0, "rate": 50.0},
        "trigger": {"count": 3000, "errors": {}, "error_rate": 0.0, "latency_ms": {"p50": 20.0, "p99": 40.0}},
        "poll": {"count": 600, "errors": {}, "error_rate": 0.0, "latency_ms": {"p50": 10.0, "p99": 20.0}},
        "calls": {"accepted": 3000, "final": 3000, "lost": 0, "duplicate_ids": 0, "wrong_state": 0},
        "time_to_final_ms": {"p50": 900.0, "p99": 1000.0},
        "generator": {"cpu": 0.3, "limited": False},
    }
    return found | members


def windows(
    count: int = 60, *, seed: int = 1, trigger: float = 20.0, poll: float = 10.0, rate: float = 50.0, rho: float = 0.3
) -> list[dict[str, Any]]:
    """Steady windows of a second with about these latencies (ms), correlated with coefficient `rho`."""
    draw = random.Random(seed)
    found = []
    value = draw.gauss(0, 1)
    for n in range(count):
        value = rho * value + math.sqrt(1 - rho * rho) * draw.gauss(0, 1)
        times = math.exp(0.1 * value)
        parts = {
            name: {
                "count": 50,
                "errors": 0,
                "p50_ms": middle * times,
                "p95_ms": 1.5 * middle * times * math.exp(draw.gauss(0, 0.1)),
                "p99_ms": 2 * middle * times * math.exp(draw.gauss(0, 0.2)),
            }
            for name, middle in (("trigger", trigger), ("poll", poll))
        }
        found.append(
            {
                "from_s": float(n + 5),
                "to_s": float(n + 6),
                "phase": "steady",
                "scheduled": 50,
                "accepted": round(rate * math.exp(draw.gauss(0, 0.02))),
                "limited": False,
                **parts,
            }
        )
    return found


def saved(folder: Path, shown: Mapping[str, Any], lines: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write a run's directory."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdict.json").write_text(json.dumps(shown))
    if lines:
        (folder / "load_windows.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
