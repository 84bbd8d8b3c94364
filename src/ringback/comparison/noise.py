"""Is a difference more than noise? The statistics of a comparison, in plain Python and without any state.

Two tests:

- `block_permutation` for what is measured window by window (a percentile, a rate). Neighbouring windows resemble each
  other, so single windows are no independent samples. Blocks of windows, long enough to have forgotten each other, are
  exchanged between the two runs instead (a randomization test on blocks: Edgington and Onghena, *Randomization Tests*,
  4th ed. 2007; blocks against autocorrelation as in the method of batch means: Schmeiser, *Operations Research* 30,
  1982).
- `fisher_exact` for counts (errors, lost calls): R. A. Fisher, *Statistical Methods for Research Workers*, 21.02.

`holm` keeps several tests together from finding too much: S. Holm, *Scandinavian Journal of Statistics* 6, 1979.
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
"""Windows of either run without which nothing is concluded."""
LEAST_BLOCK: Final = 3
"""Windows in a block at the least, however little they resemble each other."""
LEAST_BLOCKS: Final = 6
"""Blocks of either run without which nothing is concluded."""
_MOST_BLOCKS = 40
"""Blocks of either run at the most: a longer run has longer blocks, which forget each other all the better."""
_TIMES = 2.0
"""Length of a block in correlation times."""
PERMUTATIONS: Final = 2999
_SEED = 4242
_EQUAL = 1e-9
_MOST_TERMS = 500_000


@dataclass(frozen=True, slots=True)
class Shift:
    """What a test on two series found."""

    p: float | None
    """Chance of a difference at least as large if both came of the same source; None: too few windows to tell."""
    block: int
    """Windows in a block."""
    blocks: tuple[int, int]
    """How many blocks either series has."""


def correlation_time(values: Sequence[float]) -> float:
    """Windows that count as one: the integrated autocorrelation time of the values' ranks; 1 for independent values.

    The autocorrelations are summed up to the first that is within the noise of independent values, `1/sqrt(n)`; ranks
    keep a few outliers from hiding them. (A. Sokal, *Monte Carlo Methods in Statistical Mechanics*, 1997, section 3.)
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
    """Test two series of windows, each in the order of time, for a difference of their levels; two-sided.

    Each series is cut into blocks of the same length: at least `LEAST_BLOCK` windows, at least two correlation times of
    the more correlated series, and so long that there are at most 40 blocks. A remainder is left out at the beginning.
    Compared are the means of the blocks' medians; the blocks' labels are then permuted `PERMUTATIONS` times, from a
    fixed seed. The p-value counts the observed labelling too, so it is never 0 (Phipson and Smyth, 2010).

    Assumes that either run was steady, that blocks are as good as independent, and that *nothing but the deployment*
    differs between the runs: what the network or the machines did differently looks like a difference of deployments.
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
    """The two-sided p-value of Fisher's exact test that both runs share one rate of hits; None if it can't be told.

    Summed are all divisions of the hits between the runs that are no likelier than the observed one. Assumes that hits
    come independently of each other; a burst of errors that share a cause counts as many.
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
    """The p-values of several tests, in their order, adjusted so that all together err as rarely as one would."""
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
    """Ranks from 0; equal values share the mean of theirs."""
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
