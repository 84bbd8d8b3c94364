"""Limits against a load section."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.config import Limit
from ringback.contract.verdict import LimitResult, Verdict
from ringback.loadgen.judging.limits import DEFAULT_LIMITS, AbortWatch, evaluate, value_of
from ringback.loadgen.metrics.section import percentiles_needed


def section(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "reached": True,
        "trigger": {"count": 500, "error_rate": 0.0, "errors": {"timeout": 2}, "latency_ms": {"p99": 80.0}},
        "poll": {"count": 0, "errors": {}, "error_rate": 0.0},
        "time_to_final_ms": {"p50": 900.0, "p99": 1500.0, "max": 2000.0, "mean": 950.0},
        "calls": {"accepted": 10, "final": 10, "lost": 0, "duplicate_ids": 0, "wrong_state": 0, "unfinished": 0},
        "generator": {"limited": False, "cpu": 0.5, "windows": 50, "limited_windows": 0},
    }
    for path, value in changes.items():
        node = whole
        *parents, last = path.split("__")
        for parent in parents:
            node = node[parent]
        node[last] = value
    return whole


def result(metric: str, expression: str, told: dict[str, Any], baseline: dict[str, Any] | None = None) -> LimitResult:
    (found,) = (r for r in evaluate([Limit.parse(metric, expression)], told, baseline) if r.metric == metric)
    return found


def verdict(metric: str, expression: str, told: dict[str, Any], baseline: dict[str, Any] | None = None) -> Verdict:
    return result(metric, expression, told, baseline).verdict


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


def test_what_did_not_occur_is_0_and_what_was_not_measured_is_open() -> None:
    told = section()
    told["calls"]["by_state"] = {"No Answer": 4}
    assert value_of(told, "trigger.errors.timeout") == 2
    assert value_of(told, "calls.by_state.no_answer") == 4
    assert verdict("trigger.errors.http_500", "== 0", told) is Verdict.PASS
    assert verdict("calls.by_state.busy", "== 0", told) is Verdict.PASS
    assert verdict("poll.errors.http_500", "== 0", told) is Verdict.INCONCLUSIVE
    assert verdict("calls.deliveries.missing", "== 0", told) is Verdict.INCONCLUSIVE
    assert verdict("capacity.rate", "> 100", told) is Verdict.INCONCLUSIVE


def test_a_limit_against_a_baseline_tells_its_own_and_the_computed_bound() -> None:
    told = result("trigger.latency_ms.p99", "< 1.2x baseline", section(), section(trigger__latency_ms={"p99": 70.0}))
    assert told == LimitResult("trigger.latency_ms.p99", "< 1.2x baseline (= 84)", 80.0, Verdict.PASS)
    assert verdict("trigger.latency_ms.p99", "<= 1.1x baseline", section(), section()) is Verdict.PASS
    assert verdict("trigger.latency_ms.p99", "< 0.9x baseline", section(), section()) is Verdict.FAIL
    assert verdict("trigger.count", "> 0.9x baseline", section(trigger__count=400), section()) is Verdict.FAIL


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("< 1.2x baseline", 0, Verdict.PASS),
        ("< 1.2x baseline", 1, Verdict.FAIL),
        ("<= 1.2x baseline", 1, Verdict.FAIL),
        ("== 1x baseline", 0, Verdict.PASS),
        ("> 0.9x baseline", 0, Verdict.PASS),
        ("> 1.1x baseline", 0, Verdict.FAIL),
        ("< 0.9x baseline", 0, Verdict.FAIL),
    ],
)
def test_a_baseline_of_0(expression: str, value: int, expected: Verdict) -> None:
    assert verdict("calls.duplicate_ids", expression, section(calls__duplicate_ids=value), section()) is expected


@pytest.mark.parametrize(
    ("baseline", "why"),
    [
        (None, "(there is no baseline)"),
        (section(trigger__latency_ms={"p99": None}), "(the baseline has no such metric)"),
        ({"scenario": "lifecycle"}, "(the baseline has no such metric)"),
        (section(generator__limited=True), "(the baseline's own figure is inconclusive)"),
    ],
)
def test_without_a_sound_figure_in_the_baseline_a_limit_is_open(baseline: dict[str, Any] | None, why: str) -> None:
    told = result("trigger.latency_ms.p99", "< 1.2x baseline", section(), baseline)
    assert told == LimitResult("trigger.latency_ms.p99", f"< 1.2x baseline {why}", 80.0, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("sound", "expected"), [(79.0, Verdict.FAIL), (12.0, Verdict.INCONCLUSIVE), (None, Verdict.INCONCLUSIVE)]
)
def test_times_broken_while_the_generator_was_the_limit_for_a_while(sound: float | None, expected: Verdict) -> None:
    told = section(generator__limited_windows=2, trigger__sound={"latency_ms": {"p99": sound}})
    assert verdict("trigger.latency_ms.p99", "< 50", told) is expected
    assert verdict("trigger.latency_ms.p99", "< 100", told) is Verdict.PASS
    assert verdict("trigger.count", "< 100", told) is Verdict.FAIL


def test_times_to_final_are_open_where_limited_windows_reach_up_to_the_percentile() -> None:
    told = section(generator__limited_windows=2)
    broken = {key: verdict(f"time_to_final_ms.{key}", "< 1", told) for key in ("p50", "p99", "max", "mean")}
    assert [key for key, each in broken.items() if each is Verdict.FAIL] == ["p50"]


def test_a_count_that_only_grows_ends_a_run_at_once() -> None:
    watch = AbortWatch([Limit.parse("calls.accepted", "> 1000"), Limit.parse("trigger.errors.timeout", "<= 2")])
    assert watch.failed_permanently(section(calls__unfinished=5)) is None
    told = watch.failed_permanently(section(calls__lost=1))
    assert told is not None
    assert (told.metric, told.verdict) == ("calls.lost", Verdict.FAIL)
    told = watch.failed_permanently(section(trigger__errors={"timeout": 3}))
    assert told is not None
    assert told.metric == "trigger.errors.timeout"


def test_what_must_be_equal_and_is_not_yet_may_become_so() -> None:
    watch = AbortWatch([Limit.parse("calls.accepted", "== 12")])
    assert watch.failed_permanently(section(calls__accepted=11)) is None
    assert watch.failed_permanently(section(calls__accepted=13)) is not None


def test_a_percentile_ends_a_run_when_it_is_broken_three_times_in_a_row() -> None:
    watch = AbortWatch([Limit.parse("trigger.latency_ms.p99", "< 1.1x baseline")], section())
    slow, sound = section(trigger__latency_ms={"p99": 500.0}), section()
    seen = [watch.failed_permanently(told) for told in (slow, slow, sound, slow, slow, slow)]
    assert [each is not None for each in seen] == [False] * 5 + [True]


@pytest.mark.parametrize("changed", [{"trigger__count": 99}, {"generator__limited": True}, {"reached": False}])
def test_what_says_little_ends_no_run(changed: dict[str, Any]) -> None:
    watch = AbortWatch([Limit.parse("trigger.latency_ms.p99", "< 1")])
    assert [watch.failed_permanently(section(**changed)) for _ in range(5)] == [None] * 5
