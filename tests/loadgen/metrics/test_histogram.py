"""Histogram: errors are bounded, merging is exact."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.loadgen.metrics.histogram import DISTRIBUTION, Histogram, percentile_of_key

durations = st.lists(st.floats(min_value=1e-6, max_value=600.0), min_size=1, max_size=60)
percents = st.sampled_from([0.0, 1.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0])


def recorded(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(durations, percents)
def test_a_percentile_is_within_one_percent_of_the_value_at_its_rank(values: list[float], percent: float) -> None:
    rank = max(1, math.ceil(len(values) * percent / 100 - 1e-9))
    true = sorted(values)[rank - 1]
    assert recorded(values).percentile(percent) == pytest.approx(true, rel=0.006, abs=1.1e-6)


@given(durations, durations)
@settings(max_examples=40)
def test_merging_equals_recording_all(ours: list[float], theirs: list[float]) -> None:
    merged = recorded(ours)
    merged.merge(recorded(theirs))
    both = recorded(ours + theirs)
    assert merged.counts == both.counts
    assert (merged.count, merged.longest) == (both.count, both.longest)
    assert merged.total == pytest.approx(both.total)


@given(durations, durations)
@settings(max_examples=40)
def test_subtracting_reverses_merging(ours: list[float], theirs: list[float]) -> None:
    mixed = recorded(ours + theirs)
    mixed.subtract(recorded(theirs))
    assert mixed.counts == recorded(ours).counts
    assert mixed.total == pytest.approx(math.fsum(ours), abs=1e-6)
    assert mixed.longest == pytest.approx(max(ours), rel=0.006, abs=1.1e-6)


def test_nothing_is_left_when_all_is_subtracted() -> None:
    histogram = recorded([0.5])
    histogram.subtract(recorded([0.5]))
    assert histogram.summary_ms(("p50",)) == {"p50": None, "max": None, "mean": None}


@given(durations)
@settings(max_examples=40)
def test_a_histogram_is_sent_unchanged(values: list[float]) -> None:
    histogram = recorded(values)
    again = Histogram.from_plain(json.loads(json.dumps(histogram.to_plain())))
    assert (again.counts, again.total, again.longest) == (histogram.counts, histogram.total, histogram.longest)


def test_values_out_of_range_count_at_the_edge() -> None:
    histogram = recorded([-1.0, 0.0, math.nan, 1e-9, 601.0, 10_000.0, math.inf])
    assert histogram.count == 7
    assert histogram.percentile(1) == histogram.percentile(57) == 0.0
    assert histogram.percentile(80) == pytest.approx(600, rel=0.01)
    assert histogram.percentile(100) == 10_000.0


def test_an_empty_histogram_has_no_figures() -> None:
    assert Histogram().summary_ms(("p50",)) == {"p50": None, "max": None, "mean": None}
    assert Histogram().distribution() == []


def test_a_distribution_runs_from_the_shortest_to_the_longest() -> None:
    distribution = recorded([i / 1000 for i in range(1, 10_001)]).distribution()
    assert [percent for percent, _ in distribution] == list(DISTRIBUTION)
    assert 35 <= len(DISTRIBUTION) <= 45
    assert [distribution[0][1], distribution[-1]] == [pytest.approx(0.001, rel=0.01), (100.0, 10.0)]
    assert all(seconds == pytest.approx(percent / 10, rel=0.01) for percent, seconds in distribution[1:])


def test_longer_ones_are_counted() -> None:
    histogram = recorded([0.05] * 7 + [0.1] * 5 + [0.25] * 3)
    assert [histogram.above(0.1), histogram.above(0.01), histogram.above(1)] == [3, 15, 0]


def test_keys_are_percentages() -> None:
    assert [percentile_of_key(key) for key in ("p50", "p99_9", "p99_99", "p100")] == [50.0, 99.9, 99.99, 100.0]


def test_memory_does_not_grow() -> None:
    histogram = recorded([1e-6 * 1.0005**i for i in range(60_000)])
    assert len(histogram.counts) <= 2_023
