"""From a reading to counters, gauges and histograms."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ringback.config import LINE_STATES
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.live.families import COARSE, FINE, Bounds, Distribution, Families, Family
from ringback.loadgen.live.reading import reading
from ringback.loadgen.metrics.histogram import Histogram
from ringback.loadgen.schedule.plan import plan_for
from tests.loadgen.deployments import config_for


def a_reading(**changed: Any) -> dict[str, Any]:
    config = config_for("http://127.0.0.1:1")
    plan = plan_for(config, scenario="lifecycle", rate=10, connections=4, duration=1, seed=1)
    return {**reading(LoadSnapshot.empty(config, plan)), **changed}


def numbers(families: list[Family], name: str) -> dict[tuple[str, ...], Any]:
    (family,) = [family for family in families if family.name == name]
    return {
        tuple(value for key, value in point.labels.items() if key not in {"role", "scenario"}): point.value
        for point in family.points
    }


def test_before_a_run_all_is_there_and_zero() -> None:
    families = Families("alone").of(a_reading())
    assert numbers(families, "ringback.arrivals.due") == {(): 0}
    assert numbers(families, "ringback.requests") == {
        ("trigger", "ok"): 0, ("trigger", "rate_limited"): 0, ("poll", "ok"): 0, ("poll", "rate_limited"): 0,
    }  # fmt: skip
    assert set(numbers(families, "ringback.calls.final")) == {(state,) for state in LINE_STATES.values()}
    assert numbers(families, "ringback.request.latency")["trigger",].count == 0


def test_a_counter_never_decreases_within_a_run_and_begins_again_with_the_next() -> None:
    families = Families("alone")
    assert numbers(families.of(a_reading(accepted=7, seconds=5.0)), "ringback.calls.accepted") == {(): 7}
    assert numbers(families.of(a_reading(accepted=6, seconds=5.5)), "ringback.calls.accepted") == {(): 7}
    assert numbers(families.of(a_reading(accepted=0, seconds=0.1)), "ringback.calls.accepted") == {(): 0}


@pytest.mark.parametrize("said", ["+15550001", "http_5550001", "HTTP_500", "id-4711", "a token", ""])
def test_no_label_has_what_a_deployment_or_a_mistake_could_put_there(said: str) -> None:
    requests = {
        kind: {
            "results": {said: 3, "http_503": 2},
            "latency": Histogram().to_plain(),
            "service": Histogram().to_plain(),
        }
        for kind in ("trigger", "poll")
    }
    families = Families("alone").of(a_reading(requests=requests, final={said: 4, "Busy": 1}, scenario=said))
    labels = {value for family in families for point in family.points for value in point.labels.values()}
    assert said not in labels
    found = numbers(families, "ringback.requests")
    assert (found["trigger", "other"], found["trigger", "http_503"]) == (3, 2)


@pytest.mark.parametrize(("bounds", "share"), [(FINE, 0.0101), (COARSE, 0.0515)])
def test_buckets_are_as_narrow_as_promised(bounds: Bounds, share: float) -> None:
    assert bounds.seconds[0] < 1.001e-4 and bounds.seconds[-1] > 95
    for lower, upper in zip(bounds.seconds, bounds.seconds[1:], strict=False):
        assert upper / lower - 1 < share


@pytest.mark.parametrize("bounds", [FINE, COARSE])
def test_each_duration_is_counted_below_each_bound_that_it_is_shorter_than(bounds: Bounds) -> None:
    chance, histogram = random.Random(4), Histogram()
    durations = [10 ** chance.uniform(-7, 3) for _ in range(2000)]
    for seconds in durations:
        histogram.record(seconds)
    found = Distribution.of(histogram.to_plain(), bounds)
    assert found.count == 2000
    assert found.total == pytest.approx(sum(durations))
    below = [sum(seconds < bound for seconds in durations) for bound in bounds.seconds]
    assert found.cumulative() == [*below, 2000]
