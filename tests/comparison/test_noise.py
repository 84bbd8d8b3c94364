"""The statistics, against known values and by simulation."""

from __future__ import annotations

import math
import random

import pytest

from ringback.comparison import noise
from ringback.comparison.noise import (
    LEAST_BLOCK,
    LEAST_WINDOWS,
    block_permutation,
    correlation_time,
    fisher_exact,
    holm,
)


def resembling(draw: random.Random, n: int, rho: float, scale: float = 1.0) -> list[float]:
    """Lognormal latencies of n consecutive windows, with autocorrelation `rho` (an AR(1) process)."""
    value, found = draw.gauss(0, 1), []
    for _ in range(n):
        found.append(scale * math.exp(0.3 * value))
        value = rho * value + math.sqrt(1 - rho * rho) * draw.gauss(0, 1)
    return found


@pytest.mark.parametrize(
    ("table", "p"),
    [
        ((3, 4, 1, 4), 0.4857142857),  # the lady tasting tea
        ((8, 10, 1, 6), 0.0349650350),  # 8 and 2 beside 1 and 5
        ((0, 1000, 0, 1000), 1.0),
        ((0, 3000, 1, 3000), 1.0),
        ((0, 3000, 8, 3000), 2 * math.comb(3000, 8) / math.comb(6000, 8)),
        ((5, 5, 0, 5), 2 / math.comb(10, 5)),
    ],
)
def test_fishers_exact_test_knows_its_tables(table: tuple[int, int, int, int], p: float) -> None:
    assert fisher_exact(*table) == pytest.approx(p, rel=1e-6)
    a, m, b, n = table
    assert fisher_exact(b, n, a, m) == pytest.approx(p, rel=1e-6), "which run is the older does not matter"


def test_fishers_exact_test_agrees_with_counting() -> None:
    for a, m, b, n in ((2, 7, 5, 9), (1, 12, 6, 11), (4, 30, 9, 25)):
        ways = {k: math.comb(m, k) * math.comb(n, a + b - k) for k in range(a + b + 1)}
        rare = sum(w for w in ways.values() if w <= ways[a])
        assert fisher_exact(a, m, b, n) == pytest.approx(rare / sum(ways.values()), rel=1e-9)


@pytest.mark.parametrize("table", [(0, 0, 0, 10), (5, 4, 0, 10), (-1, 4, 0, 10)])
def test_impossible_counts_have_no_p_value(table: tuple[int, int, int, int]) -> None:
    assert fisher_exact(*table) is None


def test_holm_knows_its_table() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_correlation_time_of_known_processes() -> None:
    draw = random.Random(7)
    assert correlation_time([5.0] * 50) == 1.0
    assert correlation_time([1.0]) == correlation_time([]) == 1.0
    assert correlation_time(resembling(draw, 4000, 0.0)) == pytest.approx(1.0, abs=0.3)
    # Of an AR(1) process it is (1 + rho) / (1 - rho).
    assert correlation_time(resembling(draw, 4000, 0.5)) == pytest.approx(3.0, rel=0.3)
    assert correlation_time(resembling(draw, 4000, 0.8)) == pytest.approx(9.0, rel=0.35)


def test_too_few_windows_have_no_p_value() -> None:
    few = LEAST_WINDOWS - 1
    assert block_permutation([1.0] * few, [9.0] * 100).p is None
    assert block_permutation([], []).p is None
    assert block_permutation([1.0] * LEAST_WINDOWS, [9.0] * LEAST_WINDOWS).p is not None


def test_windows_that_hang_together_are_few_even_when_they_are_many() -> None:
    drifting = [float(n) for n in range(60)]
    shift = block_permutation(drifting, [value + 1000 for value in drifting])
    assert shift.p is None
    assert shift.block > LEAST_BLOCK


def test_runs_that_are_alike_are_alike() -> None:
    assert block_permutation([3.0] * 50, [3.0] * 50).p == 1.0
    draw = random.Random(1)
    run = resembling(draw, 60, 0.0)
    assert block_permutation(run, run).p == 1.0


def test_the_same_windows_give_the_same_answer() -> None:
    draw = random.Random(2)
    old, new = resembling(draw, 60, 0.3), resembling(draw, 80, 0.3)
    first = block_permutation(old, new)
    assert block_permutation(old, new) == first
    assert first.p is not None
    assert 0 < first.p <= 1


@pytest.mark.parametrize(("n", "rho"), [(30, 0.0), (60, 0.3), (60, 0.7), (300, 0.6)])
def test_noise_is_seldom_called_a_change(n: int, rho: float) -> None:
    """Simulation without a difference: about 5 of 100 comparisons at most find a regression."""
    draw, worse, runs = random.Random(11), 0, 150
    for _ in range(runs):
        old, new = resembling(draw, n, rho), resembling(draw, n, rho)
        shift = block_permutation(old, new)
        worse += shift.p is not None and shift.p < 0.05 and sum(new) > sum(old)
    # 13 or more of 150 would come by chance once in 25 times at exactly 5 %.
    assert worse <= 12


@pytest.mark.parametrize(("n", "rho", "least"), [(60, 0.0, 0.95), (120, 0.3, 0.95), (300, 0.6, 0.9)])
def test_a_true_change_is_found(n: int, rho: float, least: float) -> None:
    """Power: latencies that are 30 % higher, with windows that vary by as much."""
    draw, found, runs = random.Random(5), 0, 40
    for _ in range(runs):
        shift = block_permutation(resembling(draw, n, rho), resembling(draw, n, rho, scale=1.3))
        found += shift.p is not None and shift.p < 0.05
    assert found >= least * runs


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.8, 0.9])
@pytest.mark.parametrize("n", [24, 55, 120, 300])
def test_the_rate_of_false_alarms(monkeypatch: pytest.MonkeyPatch, n: int, rho: float) -> None:
    monkeypatch.setattr(noise, "PERMUTATIONS", 399)  # enough for 5 %
    draw, worse, runs = random.Random(n), 0, 600
    for _ in range(runs):
        old, new = resembling(draw, n, rho), resembling(draw, n, rho)
        shift = block_permutation(old, new)
        worse += shift.p is not None and shift.p < 0.05 and sum(new) > sum(old)
    print(f"{n} windows, each like the one before by {rho}: {worse / runs:.1%} false alarms")
    # At exactly 5 %, 43 or more of 600 have a probability of 1 %.
    assert worse <= 42
