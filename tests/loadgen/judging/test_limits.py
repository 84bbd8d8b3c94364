"""Limits against a load section."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.config import Limit
from ringback.contract.verdict import LimitResult, Verdict
from ringback.loadgen.judging.limits import DEFAULT_LIMITS, AbortWatch, evaluate, value_of
from ringback.loadgen.metrics.histogram import PERCENTILES
from ringback.loadgen.metrics.section import keys_for


def section(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "reached": True,
        "trigger": {
            "count": 500,
            "error_rate": 0.0,
            "errors": {"timeout": 2},
            "latency_ms": {"p99": 80.0},
            "service_ms": {"p99": 80.0},
            "failed": {"latency_ms": {"p99": None}},
        },
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


def result(
    metric: str, expression: str, measured: dict[str, Any], baseline: dict[str, Any] | None = None
) -> LimitResult:
    (found,) = (r for r in evaluate([Limit.parse(metric, expression)], measured, baseline) if r.metric == metric)
    return found


def verdict(metric: str, expression: str, measured: dict[str, Any], baseline: dict[str, Any] | None = None) -> Verdict:
    return result(metric, expression, measured, baseline).verdict


@pytest.mark.parametrize(
    ("scenario", "changed", "expected"),
    [("poll", 0, Verdict.PASS), ("mixed", 1, Verdict.FAIL), ("lifecycle", 1, Verdict.FAIL), ("lifecycle", 0, None)],
)
def test_a_final_state_stays_wherever_calls_are_polled_after_their_end(
    scenario: str, changed: int, expected: Verdict | None
) -> None:
    measured = section(scenario=scenario, calls__changed_state=changed)
    verdicts = {each.metric: each.verdict for each in evaluate([], measured)}
    assert verdicts.get("calls.changed_state") is expected


def test_an_undocumented_state_fails_a_run_and_the_reason_says_where_to_declare_it() -> None:
    """A call that shows a word of the deployment's own, and then ends as documented, is not lost."""
    measured = section(calls__undocumented_states=9, calls__undocumented={"Ringing": 9})
    (found,) = (each for each in evaluate([], measured) if each.verdict is Verdict.FAIL)
    assert found.reason == (
        'calls.undocumented_states was 9, not == 0: polls reported undocumented states: "Ringing"; '
        "a word for a call in progress has to be declared in dialect.pending_states"
    )


def test_a_limit_is_met_or_fails() -> None:
    assert verdict("trigger.latency_ms.p99", "< 100", section()) is Verdict.PASS
    assert verdict("trigger.latency_ms.p99", "< 80", section()) is Verdict.FAIL


def test_a_limit_on_a_part_that_has_failed_permanently_ends_the_run() -> None:
    """A count at once; a time after three looks, over at least 100 requests of that part."""

    def seen(requests: int) -> dict[str, Any]:
        slow = {
            "count": requests, "error_rate": 0.0, "errors": {"timeout": 1}, "latency_ms": {"p99": 900.0},
            "service_ms": {"p99": 900.0},
        }  # fmt: skip
        return section() | {"step": {"2": {"trigger": slow, "poll": {}, "generator": {}}}, "line": {}}

    counted = AbortWatch([Limit.parse("step.2.trigger.errors.timeout", "== 0")])
    assert counted.failed_permanently(section()) is None
    ended = counted.failed_permanently(seen(5))
    assert ended is not None
    assert ended.metric == "step.2.trigger.errors.timeout"
    timed = AbortWatch([Limit.parse("step.2.trigger.latency_ms.p99", "< 500")])
    looks = [timed.failed_permanently(seen(requests)) for requests in (90, 101, 102, 103)]
    assert [look is not None for look in looks] == [False, False, False, True]


def test_the_contracts_limits_apply_unless_the_user_replaces_them() -> None:
    results = evaluate([Limit.parse("calls.lost", "<= 3")], section(calls__lost=2))
    assert LimitResult("calls.lost", "<= 3", 2.0, Verdict.PASS) in results
    assert [r.metric for r in results].count("calls.lost") == 1
    defaults = {limit.metric for limit in DEFAULT_LIMITS}
    exercised = {metric for metric in defaults if "deliveries" not in metric} - {
        "calls.changed_state",
        "calls.undocumented_states",
    }
    assert {r.metric for r in results} == exercised
    assert next(r for r in evaluate([], section(calls__lost=2)) if r.metric == "calls.lost").verdict is Verdict.FAIL


def delivered(**counts: int) -> dict[str, Any]:
    names = ("expected", "arrived", "late", "missing", "stated", "contradicting", "unknown")
    return section(calls__deliveries={**dict.fromkeys(names, 0), **counts})


def decided(measured: dict[str, Any]) -> dict[str, Verdict]:
    return {r.metric.rpartition(".")[2]: r.verdict for r in evaluate([], measured) if "deliveries" in r.metric}


def test_deliveries_that_are_missing_late_or_contradict_polls_fail_by_default() -> None:
    fail, met = Verdict.FAIL, Verdict.PASS
    assert decided(delivered(expected=9, arrived=9, stated=9)) == {"missing": met, "late": met, "contradicting": met}
    wrong = delivered(expected=9, arrived=4, late=2, missing=3, stated=4, contradicting=1)
    assert decided(wrong) == {"missing": fail, "late": fail, "contradicting": fail}


def test_deliveries_that_nobody_awaits_or_that_carry_no_state_are_not_judged() -> None:
    assert decided(section()) == {}
    assert decided(delivered()) == {}
    assert decided(delivered(expected=9, arrived=9)).keys() == {"missing", "late"}
    asked = Limit.parse("calls.deliveries.contradicting", "== 0")
    (found,) = (r for r in evaluate([asked], delivered(expected=9, arrived=9)) if r.metric == asked.metric)
    assert (found.verdict, found.why) == (Verdict.INCONCLUSIVE, "no delivery carried a state")


def test_deliveries_that_are_still_due_are_undecided_unless_their_calls_were_lost() -> None:
    assert decided(delivered(expected=9, arrived=8))["missing"] is Verdict.INCONCLUSIVE
    assert decided(delivered(expected=9, arrived=8) | {"receiver": {"unreachable": None}})["late"] is not Verdict.PASS
    lost = delivered(expected=9, arrived=8)
    lost["calls"]["lost"] = 1
    assert decided(lost)["missing"] is Verdict.PASS


def test_our_own_receiver_is_never_the_deployments_failure() -> None:
    wrong = delivered(expected=9, arrived=4, late=2, missing=3)
    unreachable = wrong | {"receiver": {"requests": 0, "unreachable": "nobody can reach it"}}
    assert set(decided(unreachable).values()) == {Verdict.INCONCLUSIVE}
    busy = wrong | {"generator": {"limited": True}}
    assert set(decided(busy).values()) == {Verdict.INCONCLUSIVE}
    for_a_while = wrong | {"generator": {"limited": False, "limited_windows": 1}}
    assert decided(for_a_while) == {"missing": Verdict.FAIL, "late": Verdict.INCONCLUSIVE}


def late(latency: float, service: float) -> dict[str, Any]:
    return section(trigger__latency_ms={"p99": latency}, trigger__service_ms={"p99": service})


def test_the_generators_own_lateness_breaks_no_limit() -> None:
    found = result("trigger.latency_ms.p99", "< 12", late(latency=19, service=5))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "service time (5 ms)" in found.why
    assert "set the limit on service_ms" in found.why
    assert verdict("trigger.latency_ms.p99", "< 12", late(latency=19, service=13)) is Verdict.FAIL
    assert verdict("trigger.latency_ms.p99", "< 20", late(latency=19, service=5)) is Verdict.PASS
    assert verdict("trigger.latency_ms.p99", "< 1.2x baseline", late(19, 5), late(10, 9)) is Verdict.INCONCLUSIVE
    assert verdict("trigger.latency_ms.p99", "< 1.2x baseline", late(19, 18), late(10, 9)) is Verdict.FAIL


def test_lost_calls_with_misspelt_states_are_named_as_such() -> None:
    lost = section(calls__lost=9, calls__undocumented={"ANSWERED": 5, "no_answer": 3})
    assert result("calls.lost", "== 0", lost).why == 'polls reported misspelt states: "ANSWERED", "no_answer"'
    odd = section(calls__lost=9, calls__undocumented={"Ringing": 8})
    assert "undocumented states" in result("calls.lost", "== 0", odd).why
    assert result("calls.lost", "== 0", section(calls__lost=9)).why == ""


def test_without_a_success_or_a_failure_there_is_no_time_to_judge() -> None:
    assert result("trigger.failed.latency_ms.p99", "< 5", section()).why == "no trigger failed"
    assert result("trigger.latency_ms.p99", "< 5", section(trigger__latency_ms={"p99": None})).why == (
        "no trigger succeeded"
    )


def test_a_limited_generator_makes_only_times_inconclusive() -> None:
    measured = section(generator__limited=True)
    assert verdict("trigger.latency_ms.p99", "< 1", measured) is Verdict.INCONCLUSIVE
    assert verdict("calls.lost", "== 0", measured) is Verdict.PASS
    assert verdict("generator.cpu", "< 0.4", measured) is Verdict.FAIL


@pytest.mark.parametrize("metric", ["calls.lost", "trigger.error_rate", "trigger.latency_ms.p99"])
def test_nothing_is_decided_about_a_deployment_that_was_never_reached(metric: str) -> None:
    assert verdict(metric, "== 0", section(reached=False, trigger__error_rate=1.0)) is Verdict.INCONCLUSIVE


def test_a_metric_that_was_not_measured_is_inconclusive() -> None:
    assert verdict("poll.latency_ms.p50", "< 5", section()) is Verdict.INCONCLUSIVE


def test_unfinished_calls_may_yet_be_lost() -> None:
    assert verdict("calls.lost", "== 0", section(calls__unfinished=3)) is Verdict.INCONCLUSIVE
    assert verdict("calls.lost", "== 0", section(calls__unfinished=3, calls__lost=1)) is Verdict.FAIL


def test_without_accepted_calls_limits_on_calls_are_inconclusive() -> None:
    assert verdict("calls.lost", "== 0", section(calls__accepted=0)) is Verdict.INCONCLUSIVE


def test_unusual_percentiles_are_needed() -> None:
    limits = [Limit.parse("trigger.latency_ms.p99_95", "< 1"), Limit.parse("poll.count", "> 1")]
    assert keys_for(limits) == (*PERCENTILES, "p99_95")


def test_missing_errors_are_0_and_missing_measurements_are_inconclusive() -> None:
    measured = section()
    measured["calls"]["by_state"] = {"No Answer": 4}
    assert value_of(measured, "trigger.errors.timeout") == 2
    assert value_of(measured, "calls.by_state.no_answer") == 4
    assert verdict("trigger.errors.http_500", "== 0", measured) is Verdict.PASS
    assert verdict("calls.by_state.busy", "== 0", measured) is Verdict.PASS
    assert verdict("poll.errors.http_500", "== 0", measured) is Verdict.INCONCLUSIVE
    assert verdict("calls.deliveries.missing", "== 0", measured) is Verdict.INCONCLUSIVE
    assert verdict("capacity.rate", "> 100", measured) is Verdict.INCONCLUSIVE


def test_a_relative_limit_shows_its_factor_and_the_computed_bound() -> None:
    found = result("trigger.latency_ms.p99", "< 1.2x baseline", section(), section(trigger__latency_ms={"p99": 70.0}))
    assert found == LimitResult("trigger.latency_ms.p99", "< 1.2x baseline (= 84)", 80.0, Verdict.PASS)
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
def test_without_a_figure_in_the_baseline_a_limit_is_inconclusive(baseline: dict[str, Any] | None, why: str) -> None:
    found = result("trigger.latency_ms.p99", "< 1.2x baseline", section(), baseline)
    assert (found.limit, found.value, found.verdict) == (f"< 1.2x baseline {why}", 80.0, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("sound", "expected"), [(79.0, Verdict.FAIL), (12.0, Verdict.INCONCLUSIVE), (None, Verdict.INCONCLUSIVE)]
)
def test_failed_times_while_the_generator_was_sometimes_the_limit(sound: float | None, expected: Verdict) -> None:
    measured = section(generator__limited_windows=2, trigger__sound={"latency_ms": {"p99": sound}})
    assert verdict("trigger.latency_ms.p99", "< 50", measured) is expected
    assert verdict("trigger.latency_ms.p99", "< 100", measured) is Verdict.PASS
    assert verdict("trigger.count", "< 100", measured) is Verdict.FAIL


def test_times_to_final_are_inconclusive_if_limited_windows_reach_the_percentile() -> None:
    measured = section(generator__limited_windows=2)
    broken = {key: verdict(f"time_to_final_ms.{key}", "< 1", measured) for key in ("p50", "p99", "max", "mean")}
    assert [key for key, each in broken.items() if each is Verdict.FAIL] == ["p50"]


def test_a_count_that_never_falls_ends_a_run_at_once() -> None:
    watch = AbortWatch([Limit.parse("calls.accepted", "> 1000"), Limit.parse("trigger.errors.timeout", "<= 2")])
    assert watch.failed_permanently(section(calls__unfinished=5)) is None
    failed = watch.failed_permanently(section(calls__lost=1))
    assert failed is not None
    assert (failed.metric, failed.verdict) == ("calls.lost", Verdict.FAIL)
    failed = watch.failed_permanently(section(trigger__errors={"timeout": 3}))
    assert failed is not None
    assert failed.metric == "trigger.errors.timeout"


def test_an_equality_that_may_still_be_met_does_not_end_a_run() -> None:
    watch = AbortWatch([Limit.parse("calls.accepted", "== 12")])
    assert watch.failed_permanently(section(calls__accepted=11)) is None
    assert watch.failed_permanently(section(calls__accepted=13)) is not None


def test_a_percentile_ends_a_run_if_it_fails_three_times_in_a_row() -> None:
    watch = AbortWatch([Limit.parse("trigger.latency_ms.p99", "< 1.1x baseline")], section())
    slow, sound = late(latency=500, service=500), section()
    seen = [watch.failed_permanently(measured) for measured in (slow, slow, sound, slow, slow, slow)]
    assert [each is not None for each in seen] == [False] * 5 + [True]


@pytest.mark.parametrize("changed", [{"trigger__count": 99}, {"generator__limited": True}, {"reached": False}])
def test_few_requests_or_unstable_metrics_do_not_end_a_run(changed: dict[str, Any]) -> None:
    watch = AbortWatch([Limit.parse("trigger.latency_ms.p99", "< 1")])
    assert [watch.failed_permanently(section(**changed)) for _ in range(5)] == [None] * 5
