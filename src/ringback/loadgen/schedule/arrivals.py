"""When requests are due: arrivals as offsets in seconds from the start. No clock and no request here.

`arrivals` follows a profile and can be shared out among workers; `uniform` and `poisson` are endless streams at one
rate. Each offset is computed from the arrival's place in the count, by the inverse of the profile's integral, so no
error adds up however long a run is.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from itertools import chain, islice
from math import log, sqrt

from ringback.loadgen.schedule.profiles import PROCESSES, CountedSegment, Profile, Segment, whole_arrivals

__all__ = ["ArrivalProcess", "arrivals", "poisson", "uniform"]

ArrivalProcess = Callable[[float, random.Random], Iterator[float]]
"""Given arrivals a second and a source of chance: the offsets, rising, without end."""


def arrivals(profile: Profile, process: str, seed: int, share: tuple[int, int] = (0, 1)) -> Iterator[float]:
    """The offsets of a profile's arrivals, rising; none lies after the profile's end.

    With `"uniform"` the n-th (from 0) is due when the integral of the rate reaches n, so there are `profile.count()`.
    With `"poisson"` it is due when the integral reaches the sum of n + 1 exponential variates of mean 1: callers who
    know nothing of each other, at a rate that the profile gives (Lewis and Shedler 1976, by time-scale transformation).
    Their number varies about `profile.expected()`, and `seed` decides them.

    `share` = (k, n) takes arrivals k, k + n, k + 2n, ... of the same schedule: n workers, each with its own k, make up
    exactly the whole. ValueError if there is no such process or share.
    """
    if process not in PROCESSES:
        raise ValueError(f"no such spread of arrivals: {process}; use one of {', '.join(PROCESSES)}")
    own, workers = share
    if not 0 <= own < workers:
        raise ValueError(f"no share {own} of {workers}; shares are numbered from 0")
    if process == "poisson":
        return islice(_poisson(profile.spans(), random.Random(seed)), own, None, workers)
    if len(profile.segments) == 1 and profile.segments[0].first == profile.segments[0].last:
        rate = profile.segments[0].first
        return (number / rate for number in range(own, profile.count(), workers))
    return chain.from_iterable(_uniform(span, own, workers) for span in profile.spans())


def uniform(rate: float, chance: random.Random | None = None) -> Iterator[float]:
    """Offsets 0, 1/rate, 2/rate, ...: each computed from its number, so that no error adds up."""
    del chance
    return (number / rate for number in itertools.count())


def poisson(rate: float, chance: random.Random) -> Iterator[float]:
    """Offsets whose gaps are exponential with mean 1/rate: independent callers, so bunches and lulls as in life."""
    return itertools.accumulate(chance.expovariate(rate) for _ in itertools.count())


def _uniform(span: CountedSegment, own: int, workers: int) -> Iterator[float]:
    """Those of a worker's arrivals that fall into a span: with `before` <= number < `after`, up to rounding."""
    first, end = whole_arrivals(span.before), whole_arrivals(span.after)
    start, before, into = span.start, span.before, _inverse(span.segment)
    for number in range(first + (own - first) % workers, end, workers):
        yield start + into(number - before)


def _poisson(spans: tuple[CountedSegment, ...], chance: random.Random) -> Iterator[float]:
    uniform_variate = chance.random
    reached = -log(1.0 - uniform_variate())
    for span in spans:
        start, before, after, into = span.start, span.before, span.after, _inverse(span.segment)
        while reached < after:
            yield start + into(reached - before)
            reached -= log(1.0 - uniform_variate())


def _inverse(segment: Segment) -> Callable[[float], float]:
    """How many seconds into the segment a number of arrivals is reached; never less than 0, never past its end.

    On a slope the area under the line is `first * t + slope * t**2 / 2`. Of the two ways to write its root, this one
    neither divides by the slope nor subtracts near equals.
    """
    seconds, first = segment.seconds, segment.first
    if first == segment.last:

        def level(area: float) -> float:
            into = area / first
            return 0.0 if into < 0.0 else min(seconds, into)

        return level
    twice, square = 2.0 * (segment.last - first) / seconds, first * first

    def slope(area: float) -> float:
        if area <= 0.0:
            return 0.0
        under = square + twice * area
        into = 2.0 * area / (first + sqrt(max(0.0, under)))
        return min(seconds, into)

    return slope
