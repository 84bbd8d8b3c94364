"""Builders of reports, with the verdicts and findings that a test needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ringback.contract.clauses import CLAUSES, Level
from ringback.contract.verdict import Evidence, Finding, LimitResult, Verdict, conclude, judge_all
from ringback.reporting import RunReport

TRIGGER = 'POST https://ivr.example.com:22222/v2/call\nHost: ivr.example.com\nContent-Type: application/json\n\n{"a":1}'
LOAD: dict[str, Any] = {
    "scenario": "lifecycle",
    "arrivals": {"scheduled": 600, "sent": 599, "rate": 19.97},
    "trigger": {
        "count": 599,
        "errors": {"timeout": 1, "http_500": 2},
        "latency_ms": {"p50": 2.13, "p90": 4.4, "p95": 6.1, "p99": 512.3, "p99_9": 1893.0, "max": 1902.1, "mean": 9.3},
        "service_ms": {"p50": 2.0},
    },
    "poll": {"count": 1834, "errors": {}, "latency_ms": {"p50": 1.1, "max": 14}},
    "calls": {"accepted": 597, "final": 595, "lost": 2, "duplicate_ids": 0, "wrong_state": 0, "unfinished": 0},
    "time_to_final_ms": {"p50": 412.0, "max": 1200.0},
    "generator": {"cpu": 0.34, "lag_ms": {"p99": 1.42}, "limited": False},
    "capacity": {"rate": 812.0, "low": 800, "high": 850},
}
LIMITS = (
    LimitResult("trigger.latency_ms.p99", "< 500", 512.3, Verdict.FAIL),
    LimitResult("trigger.error_rate", "< 0.01", 0.005, Verdict.PASS),
    LimitResult("poll.latency_ms.p99_9", "< 100", None, Verdict.INCONCLUSIVE),
)


def finding(clause: str, verdict: Verdict, text: str = "", *, shown: bool = True) -> Finding:
    evidence = Evidence(17, TRIGGER, f'HTTP 200\n\n{{"said": "{text}"}}', f"curl --request POST 'https://x/{text}'")
    message = text or f"what happened to {clause}"
    if verdict is Verdict.FAIL:
        return Finding(
            clause, verdict, f"test of {clause} {text}", message, "", message, (evidence,) if shown else (), 0.25
        )
    return Finding(clause, verdict, f"test of {clause}", "" if verdict is Verdict.PASS else message, seconds=0.5)


@pytest.fixture(scope="session")
def make_report() -> Callable[..., RunReport]:
    """Builds a report in which all clauses pass except the given ones."""

    def make(
        verdicts: Mapping[str, Verdict] | None = None,
        *,
        text: str = "",
        findings: Iterable[Finding] = (),
        waivers: Mapping[str, str] | None = None,
        limits: tuple[LimitResult, ...] = (),
        load: Mapping[str, Any] | None = None,
        interrupted: bool = False,
        clauses: Iterable[str] = CLAUSES,
        **changed: Any,
    ) -> RunReport:
        wanted = list(clauses)
        given = list(findings)
        taken = {f.clause for f in given}
        given += [
            finding(c, (verdicts or {}).get(c, Verdict.PASS), text, shown=c != "ACK-04")
            for c in wanted
            if c not in taken
        ]
        results = tuple(judge_all(given, wanted, waivers=waivers))
        facts: dict[str, Any] = {
            "command": "check" if load is None else "gate",
            "started": datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC),
            "seconds": 12.3456,
            "base_url": "https://ivr.example.com:22222",
            "embedded": False,
            "seed": 4242,
            "level": Level.SHOULD,
            "calls_accepted": 53,
            "calls_budget": 60,
            "calls_may_have_dialled": 0,
        }
        return RunReport(
            **{**facts, **changed},
            results=results,
            limits=limits,
            conclusion=conclude(results, limits, interrupted=interrupted),
            load=load,
        )

    return make


@pytest.fixture(scope="session")
def of_every_kind(make_report: Callable[..., RunReport]) -> Callable[..., RunReport]:
    """Builds a report with each verdict at least once, and with `text` wherever a deployment provides text."""

    def make(text: str = "", **changed: Any) -> RunReport:
        verdicts = {
            "ACK-03": Verdict.FAIL,  # fails
            "RES-04": Verdict.FAIL,  # waived
            "ACK-04": Verdict.FAIL,  # advisory: warns, and has no evidence
            "STA-02": Verdict.INCONCLUSIVE,
            "DST-01": Verdict.NOT_EXERCISED,
            "DST-02": Verdict.NOT_EXERCISED,
            "DST-03": Verdict.NOT_EXERCISED,
        }
        facts: dict[str, Any] = {
            "waivers": {"RES-04": text or "vendor ticket 4711"},
            "limits": LIMITS,
            "load": {**LOAD, "trigger": {**LOAD["trigger"], "errors": {text: 3}}} if text else LOAD,
            "notes": (text or "17 triggers waited for a rate limit",),
        }
        return make_report(verdicts, text=text, **{**facts, **changed})

    return make
