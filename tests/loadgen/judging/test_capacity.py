"""The search for capacity, against simulated deployments whose capacity is known."""

from __future__ import annotations

import heapq
import math
import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.config import Limit
from ringback.contract.verdict import LimitResult, Verdict
from ringback.loadgen.judging.capacity import Capacity, CapacitySearch, Step
from ringback.loadgen.judging.limits import evaluate
from ringback.loadgen.judging.sustained import judge_step
from ringback.loadgen.schedule.arrivals import arrivals
from ringback.loadgen.schedule.profiles import constant

CAPACITY = 400.0
"""Calls a second that each simulated deployment can do."""
STEP = 5.0

Server = Callable[[float], float | None]
"""Given when a request arrives: how long its answer takes, in seconds; None: it is refused with an error."""


def queue(workers: int = 1, base: float = 0.001, patience: float = math.inf) -> Server:
    """So many workers behind one queue, `base` seconds of network; a wait longer than the patience is refused."""
    service = workers / CAPACITY
    free = [0.0] * workers

    def serve(at: float) -> float | None:
        begin = max(at, free[0])
        if begin - at > patience:
            return None
        heapq.heapreplace(free, begin + service)
        return begin + service - at + base

    return serve


def freezing(freeze: float = 0.1) -> Server:
    """One worker that stands still for the first `freeze` seconds of each second."""
    share = 1 - freeze
    service, free = share / CAPACITY, 0.0

    def serve(at: float) -> float:
        nonlocal free
        second, into = divmod(at, 1.0)
        free = max(free, second * share + max(0.0, into - freeze)) + service
        whole, rest = divmod(free, share)
        return whole + freeze + rest - at

    return serve


def measured(latencies: Sequence[float | None]) -> dict[str, Any]:
    """The figures of requests with these latencies (seconds), as in a window or section."""
    times = sorted(1000 * latency for latency in latencies if latency is not None)
    at = (
        {key: times[math.ceil(len(times) * part) - 1] for key, part in _RANKS.items()}
        if times
        else dict.fromkeys(_RANKS)
    )
    failed = len(latencies) - len(times)
    return {"count": len(latencies), "errors": failed, **{f"{key}_ms": value for key, value in at.items()}}


_RANKS = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def section_of(latencies: Sequence[float | None]) -> dict[str, Any]:
    """The load section of a step in which the generator did its part."""
    figures = measured(latencies)
    return {
        "reached": True,
        "arrivals": {"scheduled": len(latencies), "sent": len(latencies), "held_back": 0},
        "trigger": {
            "count": len(latencies),
            "error_rate": figures["errors"] / len(latencies) if latencies else None,
            "rate_limited": 0,
            "latency_ms": {key: figures[f"{key}_ms"] for key in _RANKS},
        },
        "poll": {"count": 0, "error_rate": None},
        "calls": {"accepted": len(latencies) - figures["errors"], "lost": 0, "unfinished": 0},
        "generator": {"limited": False},
    }


def run_step(
    serve: Server,
    rate: float,
    start: float,
    process: str,
    seed: int,
    limits: Iterable[Limit] = (),
    seconds: float = STEP,
) -> Step:
    """One step of simulated load from `start` on, judged."""
    rows: list[list[float | None]] = [[] for _ in range(round(seconds))]
    for offset in arrivals(constant(rate, seconds), process, seed):
        rows[min(int(offset), len(rows) - 1)].append(serve(start + offset))
    windows = [
        {"from_s": second, "to_s": second + 1, "scheduled": len(row), "sent": len(row), "trigger": measured(row)}
        for second, row in enumerate(rows)
    ]
    section = section_of([latency for row in rows for latency in row])
    results = tuple(each for each in evaluate(limits, section) if each.metric in {limit.metric for limit in limits})
    return judge_step(windows, section, results, rate)


def search_capacity(
    serve: Server, process: str, seed: int, limits: Iterable[Limit] = (), **options: Any
) -> tuple[Capacity, float, float]:
    """A whole search; also the seconds of load, and the number of arrivals that it took."""
    search = CapacitySearch(**{"start": 50.0, "highest": 10_000.0, **options})
    clock = load = calls = 0.0
    while (rate := search.next_rate()) is not None:
        step = run_step(serve, rate, clock, process, seed * 1000 + len(search.result().steps), limits)
        search.take(step)
        clock += STEP + search.rest_seconds
        load += STEP
        calls += rate * STEP
    return search.result(), load, calls


def unlimited(seed: int, mean: float) -> Server:
    """A deployment without a capacity, whose answers take exponential times."""
    chance = random.Random(seed)
    return lambda at: chance.expovariate(1 / mean)


def thrashing() -> Server:
    """One worker that gets less done the more work waits for it: at half its speed when a second's worth does."""
    free = 0.0

    def serve(at: float) -> float:
        nonlocal free
        waiting = max(0.0, free - at)
        free = max(at, free) + (1 + min(1.0, waiting)) / CAPACITY
        return free - at

    return serve


def stumbling(seed: int) -> Server:
    """One worker that does 400 a second, but stands still for 0.4 seconds about every 12."""
    chance = random.Random(seed)
    stop = chance.expovariate(1 / 12)
    free = 0.0

    def serve(at: float) -> float:
        nonlocal free, stop
        begin = max(at, free)
        while begin >= stop:
            begin = max(begin, stop + 0.4)
            stop += 0.4 + chance.expovariate(1 / 12)
        free = begin + 1 / CAPACITY
        return free - at

    return serve


DEPLOYMENTS: dict[str, Callable[[], Server]] = {
    "one worker": queue,
    "sixteen workers": lambda: queue(16),
    "refuses what would wait": lambda: queue(patience=0.5),
    "freezes 100 ms in every second": freezing,
}


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
@pytest.mark.parametrize("process", ["uniform", "poisson"])
def test_the_capacity_is_found_within_five_percent_whatever_the_seed(deployment: str, process: str) -> None:
    loads = []
    for seed in range(50):
        found, load, calls = search_capacity(DEPLOYMENTS[deployment](), process, seed, start=30 + seed * 0.8)
        assert found.rate == pytest.approx(CAPACITY, rel=0.05), (seed, found.reason)
        assert found.low is not None
        assert found.high is not None
        assert found.low == found.rate
        assert found.low < found.high <= found.low * 1.0201
        assert found.high == pytest.approx(CAPACITY, rel=0.06)
        assert calls < 80_000
        loads.append(load)
    assert statistics.median(loads) < 90


def test_a_search_reports_its_steps() -> None:
    found, load, calls = search_capacity(queue(), "uniform", 1)
    assert [round(step.rate) for step in found.steps] == [50, 100, 200, 400, 800, 406, 406, 400, 400]
    assert [step.held for step in found.steps] == [True] * 4 + [False] * 3 + [True] * 2
    assert found.steps[4].knee
    assert not found.steps[5].knee
    assert (load, round(calls)) == (45.0, 15808)
    assert found.reason == "400 a second held each time, 405.8 did not"
    plain = found.to_plain()
    assert plain["rate"] == plain["low"] == 400.0
    assert plain["steps"][0] == {
        "rate": 50.0, "held": True, "why": "it did not fall behind, and met the limits",
        "p99_ms": pytest.approx(3.5), "error_rate": 0.0, "arrived_rate": 50.0,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
def test_a_deployment_that_slows_down_with_its_backlog_is_measured(seed: int) -> None:
    found, _, _ = search_capacity(thrashing(), "uniform", seed, start=30 + 4 * seed)
    assert found.rate == pytest.approx(CAPACITY, rel=0.05)


@pytest.mark.parametrize("seed", range(10))
def test_occasional_pauses_do_not_decide(seed: int) -> None:
    found, _, _ = search_capacity(stumbling(seed), "uniform", seed)
    assert found.rate is not None
    assert 0.85 * CAPACITY < found.rate < 1.03 * CAPACITY


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("mean", "start", "highest"), [(0.05, 50, 1000), (2.0, 2, 30), (0.0005, 40, 900)])
def test_scattered_latency_is_not_a_backlog(seed: int, mean: float, start: float, highest: float) -> None:
    found, _, _ = search_capacity(unlimited(seed, mean), "poisson", seed, start=start, highest=highest)
    assert (found.rate, found.high) == (highest, None)
    assert found.reason == f"the highest rate that was allowed, {highest:g} a second, held"


@pytest.mark.parametrize("seed", range(5))
def test_a_limit_on_latency_lowers_the_capacity(seed: int) -> None:
    limit = Limit("trigger.latency_ms.p99", "<", 30)
    found, _, _ = search_capacity(queue(), "poisson", seed, (limit,), max_steps=60)
    # The 99th percentile of the wait in an M/D/1 queue is about ln(100 rho) / (2 (1 - rho)) services (heavy traffic).
    assert found.rate is not None
    assert 0.75 * CAPACITY < found.rate < 0.97 * CAPACITY
    assert any("trigger.latency_ms.p99 was" in step.why and "not < 30" in step.why for step in found.steps)


def test_a_deployment_that_fails_at_the_start_is_tried_at_lower_rates() -> None:
    found, _, _ = search_capacity(queue(), "uniform", 1, start=6000.0)
    assert found.rate == pytest.approx(CAPACITY, rel=0.05)
    assert max(step.rate for step in found.steps[1:]) < 3001


@pytest.mark.parametrize("overload", [1.03, 1.05, 1.1])
@pytest.mark.parametrize("workers", [1, 16])
def test_a_growing_queue_fails_without_limits(overload: float, workers: int) -> None:
    step = run_step(queue(workers), CAPACITY * overload, 0.0, "uniform", 1)
    assert (step.held, step.knee) == (False, False)
    assert step.why.startswith("it fell behind by")
    assert step.sustained == pytest.approx(CAPACITY, rel=0.005)
    assert step.backlog == pytest.approx(STEP * (overload - 1), abs=0.06)


def test_a_growing_backlog_is_found_despite_one_unusual_window() -> None:
    windows = [window(second, 20.0 + (900 if second == 1 else 0)) for second in range(6)]
    assert judge_step(windows, section_of([0.02] * 600), (), 100.0).held
    windows = [window(second, 20.0 + 50 * second - (second == 4) * 150) for second in range(6)]
    assert judge_step(windows, section_of([0.02] * 600), (), 100.0).held is False


def test_a_backlog_by_chance_is_not_the_deployments() -> None:
    late = [window(second, 20.0 + 20 * second, scheduled=105) for second in range(5)]
    assert judge_step(late, section_of([0.02] * 525), (), 100.0).held
    assert judge_step(late, section_of([0.02] * 525), (), 105.0).held is False


def test_late_counts_of_arrivals_do_not_hide_growth() -> None:
    growing = [window(second, 20.0 + 40 * second) for second in range(5)]
    late = [
        {**each, "scheduled": 100 + shift, "sent": 100 + shift}
        for each, shift in zip(growing, (-9, 7, 3, 8, 2), strict=True)
    ]
    assert judge_step(late, section_of([0.02] * 500), (), 100.0).held is False


@pytest.mark.parametrize("seconds", [None, 5.0])
def test_windows_at_the_edges_may_be_partly_filled(seconds: float | None) -> None:
    edges = (window(0, 20.0, 40), *STEADY[1:], window(5, 20.0, 60))
    assert judge_step(edges, section_of([0.02] * 500), (), 100.0, seconds).held
    edges = (window(0, 20.0, 40), *GROWING[1:], window(5, 500.0, 60))
    step = judge_step(edges, section_of([0.02] * 500), (), 100.0, seconds)
    assert step.held is False


def test_a_step_that_was_cut_short_is_undecided() -> None:
    step = judge_step(STEADY[:4], section_of([0.02] * 400), (), 100.0, 5.0)
    assert (step.held, step.why) == (None, "the step was cut short: 400 of 500 arrivals fell due")


def test_the_rate_at_which_requests_arrived_is_counted_by_when_they_were_due() -> None:
    """The counter of arrivals is read once a second, so at both ends of a step a part of it lies outside."""
    windows = [{**each, "scheduled": 75} if each in (STEADY[0], STEADY[-1]) else each for each in STEADY]
    assert judge_step(windows, section_of([0.02] * 500), (), 100.0, 5.0).arrived_rate == 100.0


def test_far_beyond_the_limit() -> None:
    step = run_step(queue(), 2 * CAPACITY, 0.0, "poisson", 1)
    assert (step.held, step.knee) == (False, True)
    assert step.sustained == pytest.approx(CAPACITY, rel=0.02)
    refusing = run_step(queue(patience=0.05), 1.2 * CAPACITY, 0.0, "uniform", 1)
    assert refusing.knee
    assert "of the requests failed" in refusing.why
    assert refusing.sustained == pytest.approx(CAPACITY, rel=0.03)


def window(second: float, p50: float | None, scheduled: int = 100, **more: Any) -> dict[str, Any]:
    figures = {"count": scheduled, "errors": 0, "p50_ms": p50, "p90_ms": p50, "p99_ms": p50, "max_ms": p50}
    return {
        "from_s": second,
        "to_s": second + 1,
        "scheduled": scheduled,
        "sent": scheduled,
        "trigger": figures,
        "limited": False,
        **more,
    }


STEADY = [window(second, 20.0) for second in range(5)]
GROWING = [window(second, 20.0 + 100 * second) for second in range(5)]


def changed(part: str, **values: Any) -> dict[str, Any]:
    section = section_of([0.02] * 500)
    return {**section, part: {**section[part], **values}} if isinstance(section[part], dict) else section


@pytest.mark.parametrize(
    ("windows", "section", "why"),
    [
        (STEADY, changed("generator", limited=True, limited_by=["it used 97% of a core"]), "97% of a core"),
        ([*GROWING[:4], {**GROWING[4], "limited": True, "limited_by": ["late"]}], section_of([0.02] * 500), "late"),
        ([*STEADY[:3], *({**each, "limited": True} for each in STEADY[3:])], section_of([0.02] * 500), "generator"),
        (STEADY, changed("trigger", rate_limited=20), "rate limit (429) refused 20 of 500"),
        ([{**STEADY[0], "sent": 0}, *STEADY[1:]], section_of([0.02] * 400), "100 of 500 arrivals were not sent"),
        (STEADY[:2], section_of([0.02] * 200), "too little was measured"),
        ([window(second, 20.0, scheduled=60) for second in range(5)], section_of([0.02] * 300), "cut short"),
        ([window(second, None) for second in range(5)], section_of([0.02] * 500), "too little was measured"),
        (STEADY, {**section_of([0.02] * 500), "reached": False}, "could not be reached"),
        ([], section_of([]), "too little was measured"),
    ],
)
def test_other_causes_than_the_deployment_leave_a_step_undecided(
    windows: list[dict[str, Any]], section: dict[str, Any], why: str
) -> None:
    step = judge_step(windows, section, (), 100.0)
    assert (step.held, step.knee) == (None, False)
    assert why in step.why


def test_one_limited_window_does_not_undo_a_step_that_held() -> None:
    assert judge_step([{**STEADY[0], "limited": True}, *STEADY[1:]], section_of([0.02] * 500), (), 100.0).held


def test_a_deployment_that_dies_is_far_beyond_its_limit() -> None:
    section = changed("trigger", error_rate=0.9)
    step = judge_step([*STEADY[:1], *(window(second, None) for second in range(1, 5))], section, (), 100.0)
    assert (step.held, step.knee) == (False, True)


@pytest.mark.parametrize(
    ("result", "held"),
    [
        (LimitResult("calls.lost", "== 0", 2, Verdict.FAIL), False),
        (LimitResult("calls.lost", "== 0", 0, Verdict.INCONCLUSIVE), True),
        (LimitResult("time_to_final_ms.p95", "< 100", None, Verdict.INCONCLUSIVE), None),
        (LimitResult("capacity.rate", ">= 300", None, Verdict.INCONCLUSIVE), True),
        (LimitResult("trigger.count", "> 10000", 500, Verdict.FAIL), True),
        (LimitResult("calls.accepted", "> 10000", 500, Verdict.FAIL), True),
        (LimitResult("poll.error_rate", "< 0.01", None, Verdict.INCONCLUSIVE), True),
    ],
)
def test_limits_count_if_they_apply_to_a_step(result: LimitResult, held: bool | None) -> None:
    step = judge_step(STEADY, section_of([0.02] * 500), (result,), 100.0)
    assert step.held is held
    assert held or result.metric in step.why


def test_polls_are_judged_if_nothing_is_triggered() -> None:
    polled = [{**each, "poll": each["trigger"], "trigger": window(0, None, 0)["trigger"]} for each in GROWING]
    section = {**section_of([]), "poll": {"count": 500, "error_rate": 0.0, "latency_ms": {"p99": 400.0}}}
    step = judge_step(polled, section, (), 100.0)
    assert (step.held, step.p99_ms) == (False, 400.0)


def rates_asked(search: CapacitySearch, *answers: bool | Step | None) -> list[float]:
    """The rates asked for while the answers are given."""
    rates = []
    for answer in answers:
        rate = search.next_rate()
        assert rate is not None
        rates.append(round(rate, 1))
        search.take(answer if isinstance(answer, Step) else Step(rate, answer, "as the test says", seconds=5.0))
    return rates


def test_a_failure_near_the_edge_is_repeated_and_two_of_three_decide() -> None:
    search = CapacitySearch(100, 10_000, tolerance=0.2)
    assert rates_asked(search, True, False) == [100, 200]
    assert rates_asked(search, True, False, True, True) == [141.4, 168.2, 168.2, 168.2]  # the failure was chance
    assert rates_asked(search, False, True) == [
        200,
        168.2,
    ]  # the upper edge is near now: it is repeated, then the lower one
    assert search.next_rate() is None
    found = search.result()
    assert (round(found.rate or 0), round(found.low or 0), found.high) == (168, 168, 200)


def test_an_upper_edge_by_chance_is_exceeded() -> None:
    search = CapacitySearch(100, 10_000, tolerance=0.2)
    assert rates_asked(search, True, False, True, True) == [100, 200, 141.4, 168.2]
    assert rates_asked(search, True, True) == [200, 200]
    assert search.next_rate() == 250.0  # gently: a step has failed


def test_an_edge_that_does_not_hold_again_is_lowered_and_confirmed_again() -> None:
    search = CapacitySearch(100, 10_000, tolerance=0.2)
    assert rates_asked(search, True, False, True, True, False) == [100, 200, 141.4, 168.2, 200]
    assert rates_asked(search, False, False) == [168.2, 168.2]
    assert rates_asked(search, True, True) == [141.4, 141.4]  # it held before, and lies within a tolerance
    found = search.result()
    assert (search.next_rate(), round(found.rate or 0, 1), round(found.high or 0, 1)) == (None, 141.4, 168.2)


def test_below_an_edge_that_does_not_hold_again_the_search_goes_on_one_tolerance_down() -> None:
    search = CapacitySearch(100, 100, tolerance=0.02, confirm=1)
    assert rates_asked(search, True, False, False) == [100, 100, 100]
    assert rates_asked(search, False, False) == [98.0, 98.0]
    assert rates_asked(search, True, False, True) == [96.1, 96.1, 96.1]
    found = search.result()
    assert (search.next_rate(), round(found.rate or 0, 1), round(found.high or 0, 1)) == (None, 96.1, 98.0)


def test_past_the_knee_a_step_is_not_repeated_and_the_rest_lets_the_backlog_drain() -> None:
    search = CapacitySearch(100, 10_000)
    rates_asked(search, True, True)
    assert search.rest_seconds == 0
    rates_asked(search, Step(400, False, "far behind", knee=True, sustained=250.0, backlog=3.0))
    assert search.rest_seconds == 5.0
    assert search.next_rate() == pytest.approx(250 / 1.02**0.5)
    rates_asked(search, True, Step(250 * 1.02**0.5, False, "far behind", knee=True, backlog=100.0))
    assert search.rest_seconds == 30.0
    assert search.next_rate() == pytest.approx(250 * 1.02**0.5)  # the edge itself is repeated at the end


def test_a_misleading_hint_costs_only_a_few_steps() -> None:
    search = CapacitySearch(100, 10_000)
    while (rate := search.next_rate()) is not None:
        held = rate <= 613
        search.take(Step(rate, held, "as the test says", sustained=None if held else 0.3 * rate))
    found = search.result()
    assert found.rate == pytest.approx(613, rel=0.021)
    assert len(found.steps) < 25


@given(
    st.floats(1.0, 5000), st.floats(1.5, 5000), st.sampled_from([0.01, 0.02, 0.1]), st.integers(0, 3), st.floats(0.2, 3)
)
def test_a_deployment_with_a_sharp_edge_is_bracketed(
    start: float, edge: float, tolerance: float, confirm: int, hint: float
) -> None:
    search = CapacitySearch(start, 20_000, tolerance=tolerance, confirm=confirm, max_steps=100)
    while (rate := search.next_rate()) is not None:
        search.take(Step(rate, rate <= edge, "", sustained=None if rate <= edge else edge * hint))
    found = search.result()
    assert found.low is not None
    assert found.high is not None
    assert found.rate == found.low <= edge < found.high <= found.low * (1 + tolerance) * 1.000001
    assert sum(step.rate == found.low for step in found.steps) >= 1 + confirm


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=60), st.booleans())
def test_any_search_ends_with_an_interval(answers: list[bool | None], knee: bool) -> None:
    search = CapacitySearch(100, 3000, max_steps=50)
    for answer in answers:
        if (rate := search.next_rate()) is None:
            break
        assert 1.0 <= rate <= 3000
        search.take(Step(rate, answer, "as the test says", knee=knee and answer is False))
    found = search.result()
    assert len(found.steps) <= 50
    assert found.reason
    if found.low is not None and found.high is not None:
        assert found.low < found.high
    if found.rate is not None:
        assert found.rate == found.low
        assert sum(step.rate == found.rate and bool(step.held) for step in found.steps) >= 3


def test_an_undecided_step_is_repeated_and_the_fourth_ends_the_search() -> None:
    search = CapacitySearch(100, 10_000)
    assert rates_asked(search, True, None, True, None) == [100, 200, 200, 400]
    assert rates_asked(search, None, None, Step(400, None, "the load generator was the limit")) == [400] * 3
    found = search.result()
    assert (search.next_rate(), found.rate, found.low, found.high) == (None, None, 200, None)
    assert found.reason == "4 steps at 400 a second were undecided: the load generator was the limit"


def test_if_no_rate_holds_there_is_no_capacity() -> None:
    search = CapacitySearch(10, 100, lowest=4)
    assert rates_asked(search, False, False, False) == [10, 5, 4]
    found = search.result()
    assert (search.next_rate(), found.rate, found.low, found.high) == (None, None, None, 4)
    assert found.reason == "the lowest rate, 4 a second, failed"


def test_a_search_has_a_budget_of_steps_and_of_time() -> None:
    search = CapacitySearch(1, 10_000, max_steps=3)
    rates_asked(search, True, True, True)
    assert search.next_rate() is None
    assert search.result().shortfall == (
        "the capacity is at least 4 a second: the search has used its 3 steps; begin nearer to the capacity (--rate)"
    )
    search = CapacitySearch(1, 10_000, max_seconds=12)
    rates_asked(search, True, True, True)
    assert search.next_rate() is None
    found = search.result()
    assert (found.rate, found.low, found.high) == (None, 4, None)
    assert found.shortfall == (
        "the capacity is at least 4 a second: the search has used its 12 seconds; raise --duration"
    )


def test_a_search_without_a_confirmed_rate_says_what_it_has_seen() -> None:
    search = CapacitySearch(10, 1000)
    assert search.result().shortfall == "no capacity was found: the search was cut short"
    rates_asked(search, True, True, False)
    found = search.result().shortfall
    assert found == "the capacity is at least 20 a second, and less than 40: the search was cut short"


def test_a_search_that_confirmed_a_rate_falls_short_of_nothing() -> None:
    search = CapacitySearch(10, 10)
    rates_asked(search, True, True, True)
    assert (search.result().rate, search.result().shortfall) == (10, None)


def test_an_unfinished_search_was_cut_short() -> None:
    search = CapacitySearch(10, 100)
    rates_asked(search, True)
    assert search.result().reason == "the search was cut short"


def test_only_the_step_that_was_asked_for_is_taken() -> None:
    search = CapacitySearch(10, 100)
    with pytest.raises(ValueError, match="the step was at 11, but 10 was asked for"):
        search.take(Step(11, True, ""))


@pytest.mark.parametrize(
    "options",
    [{"start": 0}, {"start": 200}, {"highest": math.inf}, {"tolerance": 0}, {"confirm": -1}, {"max_steps": 0}],
)
def test_wrong_options_of_a_search_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"start|tolerance|at least 1 step"):
        CapacitySearch(**{"start": 10, "highest": 100, **options})
