"""The right answers, against simulations of the servers that they are computed for."""

from __future__ import annotations

import random

import pytest
from benchmarks.load_answers import frozen, lags, latencies, percentile


def waits(lasting: float, every: float, each: float, rate: float = 1000, periods: int = 3) -> list[float]:
    """Latencies at a single server that takes `each` seconds an answer and rests at the end of every period."""
    found, free = [], 0.0
    for number in range(round(rate * every * periods)):
        due = number / rate
        phase = due % every
        start = due + (every - phase) if phase >= every - lasting - 1e-9 else due
        free = max(free, start) + each
        found.append(free - due)
    return found


@pytest.mark.parametrize("lasting,every", [(0.1, 1.0), (2.0, 10.0), (0.5, 1.0)])
@pytest.mark.parametrize("each", [0.0, 5e-6, 1e-4])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99])
def test_percentiles_of_a_server_that_freezes(lasting: float, every: float, each: float, share: float) -> None:
    simulated = percentile(waits(lasting, every, each), share)
    catch_up = each * lasting * 1000
    assert frozen(share, lasting=lasting, every=every, catch_up=catch_up) == pytest.approx(simulated, abs=0.0021)


def test_the_figures_of_the_two_freezes() -> None:
    short = [frozen(share, lasting=0.1, every=1.0) for share in (0.5, 0.95, 0.99)]
    long = [frozen(share, lasting=2.0, every=10.0) for share in (0.5, 0.9, 0.95, 0.99)]
    assert short == pytest.approx([0.0, 0.05, 0.09])
    assert long == pytest.approx([0.0, 1.0, 1.5, 1.9])


def test_a_percentile_is_one_of_the_values() -> None:
    values = random.Random(1).sample(range(1000), 1000)
    assert [percentile(values, share) for share in (0.0, 0.001, 0.5, 0.99, 1.0)] == [0, 0, 499, 989, 999]


def test_lag_is_what_is_left_over_an_even_schedule() -> None:
    late = [0.0, 0.003, 0.0001, 0.0, 0.002]
    arrived = [17.0 + number / 100 + lag for number, lag in enumerate(late)]
    random.Random(1).shuffle(arrived)
    assert lags(arrived, 100) == pytest.approx(late)


def test_a_schedule_that_runs_slow_is_seen() -> None:
    assert max(lags([number / 99 for number in range(100)], 100)) == pytest.approx(99 / 99 - 99 / 100)


def test_latency_counts_from_the_schedule() -> None:
    arrived = [5.0, 5.015, 5.02]
    assert latencies(arrived, [5.001, 5.016, 5.5], 100) == pytest.approx([0.001, 0.006, 0.48])
