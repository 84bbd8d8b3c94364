"""When requests are due: arrival processes, as offsets in seconds from the start. No clock and no request here."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

__all__ = ["ArrivalProcess", "poisson", "uniform"]

ArrivalProcess = Callable[[float, random.Random], Iterator[float]]
"""Given arrivals a second and a source of chance: the offsets, rising, without end."""


def uniform(rate: float, chance: random.Random | None = None) -> Iterator[float]:
    """Offsets 0, 1/rate, 2/rate, ...: each computed from its number, so that no error adds up."""
    del chance
    return (number / rate for number in itertools.count())


def poisson(rate: float, chance: random.Random) -> Iterator[float]:
    """Offsets whose gaps are exponential with mean 1/rate: independent callers, so bunches and lulls as in life."""
    return itertools.accumulate(chance.expovariate(rate) for _ in itertools.count())
