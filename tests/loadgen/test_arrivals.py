"""Arrival processes and the plan's arithmetic."""

from __future__ import annotations

import random
from itertools import islice, pairwise, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.loadgen.arrivals import poisson, uniform
from ringback.loadgen.plan import LoadPlan


def test_uniform_arrivals_do_not_drift() -> None:
    assert next(islice(uniform(3.0), 3_000_000, None)) == pytest.approx(1_000_000.0, abs=1e-6)


@given(st.floats(0.1, 5000), st.floats(0.01, 2))
def test_as_many_calls_are_expected_as_arrive(rate: float, duration: float) -> None:
    plan = LoadPlan("lifecycle", rate, 1, duration, 0)
    arrive = sum(1 for _ in takewhile(lambda offset: offset < duration, uniform(rate)))
    assert abs((plan.expected_calls() or 0) - arrive) <= (1 if (rate * duration) % 1 < 1e-6 else 0)


def test_poisson_arrivals_have_their_rate_and_scatter() -> None:
    offsets = list(islice(poisson(100.0, random.Random(7)), 20_000))
    gaps = [later - earlier for earlier, later in pairwise(offsets)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert mean == pytest.approx(0.01, rel=0.03)
    assert variance**0.5 == pytest.approx(mean, rel=0.05)
    assert min(gaps) >= 0


def test_the_seed_decides_poisson_arrivals() -> None:
    first, second, other = (list(islice(poisson(5.0, random.Random(seed)), 9)) for seed in (1, 1, 2))
    assert first == second != other


def test_a_closed_model_expects_no_number_of_calls() -> None:
    assert LoadPlan("lifecycle", None, 4, 10, 0).expected_calls() is None


@pytest.mark.parametrize(
    "values",
    [("tempest", 1.0, 1, 1.0), ("lifecycle", 0.0, 1, 1.0), ("lifecycle", 1.0, 0, 1.0), ("lifecycle", 1.0, 1, 0.0)],
)
def test_a_plan_that_makes_no_sense_is_refused(values: tuple[str, float, int, float]) -> None:
    with pytest.raises(ValueError, match=r"scenario|rate|connection|duration"):
        LoadPlan(*values, seed=0)


def test_a_plan_survives_the_way_to_the_child() -> None:
    plan = LoadPlan("lifecycle", 12.5, 3, 1.5, 42)
    assert LoadPlan.from_text(plan.to_text()) == plan
