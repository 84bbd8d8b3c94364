"""Is a difference more than noise? The statistical tests of a comparison, as pure functions.

- `block_permutation` is for figures that are measured per window (a percentile, a rate). Neighbouring windows are
  correlated, so single windows are not independent samples. The test exchanges blocks of windows that are long enough
  to be nearly independent (a randomization test: Edgington and Onghena, *Randomization Tests*, 4th ed. 2007; blocks
  against autocorrelation as in the method of batch means: Schmeiser, *Operations Research* 30, 1982).
- `fisher_exact` is for counts (errors, lost calls): R. A. Fisher, *Statistical Methods for Research Workers*, 21.02.
- `holm` adjusts the p-values of several tests: S. Holm, *Scandinavian Journal of Statistics* 6, 1979.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

__all__ = [
    "LEAST_BLOCK",
    "LEAST_BLOCKS",
    "LEAST_WINDOWS",
    "PERMUTATIONS",
    "Shift",
    "block_permutation",
    "correlation_time",
    "fisher_exact",
    "holm",
]

LEAST_WINDOWS: Final = 24
"""The fewest windows of each run for a conclusion."""
LEAST_BLOCK: Final = 3
"""The fewest windows in a block, even if they are not correlated."""
LEAST_BLOCKS: Final = 6
"""The fewest blocks of each run for a conclusion."""
_MOST_BLOCKS = 40
"""The most blocks of each run; longer runs have longer, less correlated blocks."""
_TIMES = 2.0
"""Length of a block in correlation times."""
PERMUTATIONS: Final = 2999
_SEED = 4242
_EQUAL = 1e-9
_MOST_TERMS = 500_000


@dataclass(frozen=True, slots=True)
class Shift:
    """The result of a test on two series."""

    p: float | None
    """The probability of a difference at least as large if both series have the same source; None: too few windows."""
    block: int
    """Windows in a block."""
    blocks: tuple[int, int]
    """Blocks of each series."""


def correlation_time(values: Sequence[float]) -> float:
    """The integrated autocorrelation time of the values' ranks, in windows; 1 for independent values.

    The autocorrelations are summed up to the first within the noise of independent values, `1/sqrt(n)`. Ranks limit the
    effect of outliers. (A. Sokal, *Monte Carlo Methods in Statistical Mechanics*, 1997, section 3.)
    """
    n = len(values)
    ranked = _ranks(values)
    middle = fmean(ranked) if n else 0.0
    centred = [rank - middle for rank in ranked]
    variance = sum(value * value for value in centred)
    if n < 2 or variance <= 0:
        return 1.0
    total = 1.0
    for lag in range(1, max(2, n // 3)):
        rho = sum(a * b for a, b in zip(centred, centred[lag:], strict=False)) / variance
        if rho <= 1 / math.sqrt(n):
            break
        total += 2 * rho
    return total


def block_permutation(old: Sequence[float], new: Sequence[float]) -> Shift:
    """Two-sided test of two series of windows, each in the order of time, for a difference of their levels.

    Each series is cut into blocks of the same length: at least `LEAST_BLOCK` windows, at least two correlation times of
    the more correlated series, and long enough for at most 40 blocks. A remainder at the beginning is left out. The
    test statistic is the difference between the means of the blocks' medians. The blocks' labels are permuted
    `PERMUTATIONS` times, from a fixed seed. The p-value includes the observed labelling, so it is above 0 (Phipson and
    Smyth, 2010).

    Assumes that each run was steady, that blocks are nearly independent, and that only the deployment differs between
    the runs: a difference of network or machines looks like a difference of deployments.
    """
    least = min(len(old), len(new))
    time = max(correlation_time(old), correlation_time(new))
    block = max(LEAST_BLOCK, math.ceil(_TIMES * time), math.ceil(max(len(old), len(new)) / _MOST_BLOCKS))
    first, second = _block_medians(old, block), _block_medians(new, block)
    sizes = (len(first), len(second))
    if least < LEAST_WINDOWS or min(sizes) < LEAST_BLOCKS:
        return Shift(None, block, sizes)
    pooled, count = first + second, len(first)
    total, others = math.fsum(pooled), len(second)
    observed = abs(fmean(first) - fmean(second))
    tolerance = _EQUAL * max(map(abs, pooled))
    draw = random.Random(_SEED)
    extreme = 0
    for _ in range(PERMUTATIONS):
        chosen = math.fsum(draw.sample(pooled, count))
        extreme += abs(chosen / count - (total - chosen) / others) >= observed - tolerance
    return Shift((1 + extreme) / (1 + PERMUTATIONS), block, sizes)


def fisher_exact(old_hits: int, old_total: int, new_hits: int, new_total: int) -> float | None:
    """The two-sided p-value of Fisher's exact test that both runs have the same rate of hits; None without totals.

    It sums the probabilities of all divisions of the hits that are at most as likely as the observed one. Assumes that
    hits are independent: a burst of errors with one cause counts as many.
    """
    if not (0 <= old_hits <= old_total and 0 <= new_hits <= new_total) or not old_total or not new_total:
        return None
    hits, total = old_hits + new_hits, old_total + new_total
    low, high = max(0, hits - new_total), min(hits, old_total)
    if high - low > _MOST_TERMS:
        return None

    def chance(k: int) -> float:
        return _choices(old_total, k) + _choices(new_total, hits - k) - _choices(total, hits)

    observed = chance(old_hits)
    return min(1.0, math.fsum(math.exp(c) for k in range(low, high + 1) if (c := chance(k)) <= observed + 1e-7))


def holm(ps: Sequence[float]) -> list[float]:
    """The p-values of several tests, in their order, adjusted to the error rate of a single test."""
    adjusted = [1.0] * len(ps)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = highest
    return adjusted


def _block_medians(values: Sequence[float], block: int) -> list[float]:
    start = len(values) % block
    return [median(values[at : at + block]) for at in range(start, len(values), block)]


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 0; equal values have the mean of their ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    at = 0
    while at < len(order):
        end = at
        while end + 1 < len(order) and values[order[end + 1]] == values[order[at]]:
            end += 1
        for index in order[at : end + 1]:
            ranks[index] = (at + end) / 2
        at = end + 1
    return ranks


def _choices(n: int, k: int) -> float:
    """The logarithm of n over k."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
