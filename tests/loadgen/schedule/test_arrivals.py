"""Arrival processes and the plan's arithmetic."""

from __future__ import annotations

import json
import math
from itertools import islice, pairwise, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.config import ConfigError
from ringback.loadgen.schedule.arrivals import arrivals, uniform
from ringback.loadgen.schedule.plan import LoadPlan, plan_for
from ringback.loadgen.schedule.profiles import PROCESSES, Profile, constant, ramp, spike, steps
from tests.loadgen.deployments import config_for

from .rates import rate_at

levels = st.floats(0.5, 500)
times = st.floats(0.2, 10)
profiles = st.one_of(
    st.builds(lambda rate, up, level: constant(rate, up + level, up), levels, st.just(0.0) | times, times),
    st.builds(ramp, st.just(0.0) | levels, levels, times, st.just(0.0) | times),
    st.builds(ramp, levels, st.just(0.0), times),
    st.builds(steps, st.lists(st.tuples(levels, times), min_size=1, max_size=6)),
)
processes = st.sampled_from(PROCESSES)
VARIED = [
    constant(120, 60),
    constant(120, 60, 30),
    ramp(0, 200, 60),
    ramp(200, 10, 30, 30),
    steps([(50, 20), (0, 10), (200, 20)]),
    spike(50, 400, 20, 10, 60),
]


def area(profile: Profile, until: float) -> float:
    """The integral of the rate, by the midpoint rule in pieces that no jump falls into."""
    total, start = 0.0, 0.0
    for segment in profile.segments:
        width = (min(until, start + segment.seconds) - start) / 8
        if width > 0:
            total += width * math.fsum(rate_at(profile, start + (number + 0.5) * width) for number in range(8))
        start += segment.seconds
    return total


@given(profiles)
def test_uniform_arrivals_are_as_many_as_expected_and_each_is_due_when_the_integral_reaches_it(
    profile: Profile,
) -> None:
    offsets = list(arrivals(profile, "uniform", 1))
    assert len(offsets) == profile.count() == math.ceil(profile.expected() - 1e-9)
    assert offsets[0] == 0.0
    for number in {*range(0, len(offsets), 37), len(offsets) - 1}:
        assert area(profile, offsets[number]) == pytest.approx(number, rel=1e-9, abs=1e-6)


@given(profiles, processes, st.integers(0, 9))
def test_arrivals_rise_up_to_the_end(profile: Profile, process: str, seed: int) -> None:
    offsets = list(arrivals(profile, process, seed))
    assert all(earlier <= later for earlier, later in pairwise(offsets))
    assert all(0 <= offset <= profile.duration * (1 + 1e-12) for offset in offsets)


@given(profiles, processes, st.integers(1, 7), st.integers(0, 9))
def test_the_shares_of_all_workers_make_up_the_whole(profile: Profile, process: str, workers: int, seed: int) -> None:
    whole = list(arrivals(profile, process, seed))
    shares = [list(arrivals(profile, process, seed, (own, workers))) for own in range(workers)]
    assert sorted(offset for share in shares for offset in share) == whole
    for own, share in enumerate(shares):
        assert share == whole[own::workers]


@pytest.mark.parametrize("profile", VARIED, ids=lambda profile: profile.text)
@pytest.mark.parametrize("process", PROCESSES)
def test_each_second_has_as_many_arrivals_as_its_rate(profile: Profile, process: str) -> None:
    counted = [0] * round(profile.duration)
    runs = 1 if process == "uniform" else 40
    for seed in range(runs):
        for offset in arrivals(profile, process, seed):
            counted[min(int(offset), len(counted) - 1)] += 1
    for second, count in enumerate(counted):
        expected = runs * (area(profile, second + 1) - area(profile, second))
        assert abs(count - expected) <= (1 + 1e-6 if process == "uniform" else 4.5 * math.sqrt(expected) + 1)


@pytest.mark.parametrize("profile", VARIED, ids=lambda profile: profile.text)
def test_poisson_gaps_are_exponential_where_time_is_measured_in_expected_arrivals(profile: Profile) -> None:
    reached = [0.0, *(area(profile, offset) for offset in arrivals(profile, "poisson", 5))]
    gaps = sorted(later - earlier for earlier, later in pairwise(reached))
    distance = max(
        max((rank + 1) / len(gaps) - (1 - math.exp(-gap)), (1 - math.exp(-gap)) - rank / len(gaps))
        for rank, gap in enumerate(gaps)
    )
    # Kolmogorov and Smirnov: 1.36 / sqrt(n) is passed by 1 in 20 of truly exponential samples; the seed is one that is
    # not, and a spread that is not exponential misses by far.
    assert distance < 1.36 / math.sqrt(len(gaps))
    assert len(gaps) == pytest.approx(profile.expected(), abs=4 * math.sqrt(profile.expected()))


def test_the_seed_decides_the_arrivals_of_a_profile() -> None:
    first, second, other = (list(arrivals(constant(50, 10), "poisson", seed)) for seed in (1, 1, 2))
    assert first == second != other


def test_arrivals_at_one_rate_are_the_same_as_the_endless_stream() -> None:
    assert list(arrivals(constant(33.3, 7), "uniform", 0)) == list(islice(uniform(33.3), math.ceil(33.3 * 7)))


def test_arrivals_of_a_long_run_do_not_drift() -> None:
    day = steps([(30, 43_200), (60, 43_200)])
    offsets = arrivals(day, "uniform", 0)
    assert next(islice(offsets, 2_000_000, None)) == 43_200 + (2_000_000 - 30 * 43_200) / 60


def test_a_pause_has_no_arrivals() -> None:
    pausing = list(arrivals(steps([(2, 5), (0, 5), (2, 5)]), "uniform", 0))
    assert pausing == [number / 2 for number in range(10)] + [10 + number / 2 for number in range(10)]


@pytest.mark.parametrize(
    ("process", "share", "problem"),
    [("bursts", (0, 1), "no such spread"), ("uniform", (2, 2), "no share 2 of 2"), ("poisson", (-1, 2), "no share -1")],
)
def test_wrong_processes_and_shares_are_refused(process: str, share: tuple[int, int], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        arrivals(constant(5, 5), process, 0, share)


def test_uniform_arrivals_do_not_drift() -> None:
    assert next(islice(uniform(3.0), 3_000_000, None)) == pytest.approx(1_000_000.0, abs=1e-6)


@given(st.floats(0.1, 5000), st.floats(0.01, 2))
def test_as_many_calls_are_expected_as_arrive(rate: float, duration: float) -> None:
    plan = LoadPlan("lifecycle", rate, 1, duration, 0, profile=constant(rate, duration))
    arrive = sum(1 for _ in takewhile(lambda offset: offset < duration, uniform(rate)))
    assert abs((plan.expected_calls(0) or 0) - arrive) <= (1 if (rate * duration) % 1 < 1e-6 else 0)


def test_poisson_arrivals_have_their_rate_and_scatter() -> None:
    offsets = list(arrivals(constant(100, 200), "poisson", 7))
    gaps = [later - earlier for earlier, later in pairwise(offsets)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert mean == pytest.approx(0.01, rel=0.03)
    assert variance**0.5 == pytest.approx(mean, rel=0.05)
    assert min(gaps) >= 0


def test_the_seed_decides_poisson_arrivals() -> None:
    first, second, other = (list(arrivals(constant(5, 20), "poisson", seed)) for seed in (1, 1, 2))
    assert first == second != other


def test_a_closed_model_expects_no_number_of_calls() -> None:
    assert LoadPlan("lifecycle", None, 4, 10, 0).expected_calls(0) is None


def test_each_worker_of_the_closed_model_has_a_connection() -> None:
    config = config_for("http://127.0.0.1:1")

    def plan(connections: int) -> LoadPlan:
        return plan_for(
            config, scenario="lifecycle", rate=None, connections=connections, duration=1, seed=0, workers=3, closed=True
        )

    assert plan(3).connections == 3
    with pytest.raises(ConfigError, match="each worker needs a connection"):
        plan(2)


def test_a_plan_is_sent_to_the_child_unchanged() -> None:
    for plan in (
        LoadPlan("lifecycle", 12.5, 3, 1.5, 42),
        *(LoadPlan("trigger", 1, 1, 1, 0, 2, each) for each in VARIED),
    ):
        assert LoadPlan.from_plain(json.loads(json.dumps(plan.to_plain()))) == plan
