"""Histogram: errors are bounded, merging is exact."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.loadgen.histogram import Histogram, percentile_of_key

durations = st.lists(st.floats(min_value=10e-6, max_value=600.0), min_size=1, max_size=60)
percents = st.sampled_from([1.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0])


def recorded(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(durations, percents)
def test_a_percentile_is_within_one_percent_of_the_value_at_its_rank(values: list[float], percent: float) -> None:
    rank = max(1, math.ceil(len(values) * percent / 100 - 1e-9))
    true = sorted(values)[rank - 1]
    assert recorded(values).percentile(percent) == pytest.approx(true, rel=0.01)


@given(durations, durations)
@settings(max_examples=40)
def test_merging_is_as_if_one_had_recorded_all(ours: list[float], theirs: list[float]) -> None:
    merged = recorded(ours)
    merged.merge(recorded(theirs))
    both = recorded(ours + theirs)
    assert merged._counts == both._counts
    assert (merged.count, merged.longest, merged.shortest) == (both.count, both.longest, both.shortest)
    assert merged.total == pytest.approx(both.total)


def test_what_is_out_of_range_is_counted_at_its_edge() -> None:
    histogram = recorded([-1.0, 0.0, 10_000.0])
    assert histogram.count == 3
    assert histogram.percentile(1) == pytest.approx(0, abs=1e-7)
    assert histogram.percentile(100) == 10_000.0


def test_nothing_recorded_is_told_as_nothing() -> None:
    assert Histogram().summary_ms(("p50",)) == {"p50": None, "max": None, "mean": None}


def test_keys_are_percentages() -> None:
    assert [percentile_of_key(key) for key in ("p50", "p99_9", "p99_99", "p100")] == [50.0, 99.9, 99.99, 100.0]


def test_memory_does_not_grow() -> None:
    histogram = recorded([i / 1000 for i in range(5000)])
    assert len(histogram._counts) == len(Histogram()._counts) < 4500
