"""Limits against a load section."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.config import Limit
from ringback.contract.verdict import LimitResult, Verdict
from ringback.loadgen.limits import DEFAULT_LIMITS, evaluate, percentiles_needed


def section(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "reached": True,
        "trigger": {"error_rate": 0.0, "latency_ms": {"p99": 80.0}},
        "poll": {"error_rate": 0.0},
        "calls": {"accepted": 10, "final": 10, "lost": 0, "duplicate_ids": 0, "wrong_state": 0, "unfinished": 0},
        "generator": {"limited": False, "cpu": 0.5},
    }
    for path, value in changes.items():
        node = whole
        *parents, last = path.split("__")
        for parent in parents:
            node = node[parent]
        node[last] = value
    return whole


def verdict(metric: str, expression: str, told: dict[str, Any]) -> Verdict:
    (result,) = (r for r in evaluate([Limit.parse(metric, expression)], told) if r.metric == metric)
    return result.verdict


def test_a_limit_holds_or_is_broken() -> None:
    assert verdict("trigger.latency_ms.p99", "< 100", section()) is Verdict.PASS
    assert verdict("trigger.latency_ms.p99", "< 80", section()) is Verdict.FAIL


def test_the_contracts_limits_hold_unless_the_user_says_else() -> None:
    results = evaluate([Limit.parse("calls.lost", "<= 3")], section(calls__lost=2))
    assert LimitResult("calls.lost", "<= 3", 2.0, Verdict.PASS) in results
    assert [r.metric for r in results].count("calls.lost") == 1
    assert {r.metric for r in results} == {limit.metric for limit in DEFAULT_LIMITS}
    assert next(r for r in evaluate([], section(calls__lost=2)) if r.metric == "calls.lost").verdict is Verdict.FAIL


def test_a_limited_generator_leaves_times_open_and_nothing_else() -> None:
    told = section(generator__limited=True)
    assert verdict("trigger.latency_ms.p99", "< 1", told) is Verdict.INCONCLUSIVE
    assert verdict("calls.lost", "== 0", told) is Verdict.PASS
    assert verdict("generator.cpu", "< 0.4", told) is Verdict.FAIL


@pytest.mark.parametrize("metric", ["calls.lost", "trigger.error_rate", "trigger.latency_ms.p99"])
def test_nothing_is_decided_about_a_deployment_that_was_never_reached(metric: str) -> None:
    assert verdict(metric, "== 0", section(reached=False, trigger__error_rate=1.0)) is Verdict.INCONCLUSIVE


def test_a_metric_that_was_not_measured_is_open() -> None:
    assert verdict("poll.latency_ms.p50", "< 5", section()) is Verdict.INCONCLUSIVE


def test_unfinished_calls_may_yet_be_lost() -> None:
    assert verdict("calls.lost", "== 0", section(calls__unfinished=3)) is Verdict.INCONCLUSIVE
    assert verdict("calls.lost", "== 0", section(calls__unfinished=3, calls__lost=1)) is Verdict.FAIL


def test_no_call_accepted_is_no_call_kept() -> None:
    assert verdict("calls.lost", "== 0", section(calls__accepted=0)) is Verdict.INCONCLUSIVE


def test_unusual_percentiles_are_asked_for() -> None:
    limits = [Limit.parse("trigger.latency_ms.p99_95", "< 1"), Limit.parse("poll.count", "> 1")]
    assert percentiles_needed(limits) == ("p99_95",)
