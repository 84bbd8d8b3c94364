"""When requests are due: arrivals as offsets in seconds from the start. No clock and no request here.

`arrivals` follows a profile and can be divided among workers; `uniform` is an endless stream at one rate.
Each offset is computed from the arrival's number, by the inverse of the profile's integral, so errors do not add up.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from itertools import chain, islice
from math import log, sqrt

from ringback.loadgen.schedule.profiles import PROCESSES, CountedSegment, Profile, Segment, whole_arrivals

__all__ = ["arrivals", "uniform"]


def arrivals(profile: Profile, process: str, seed: int, share: tuple[int, int] = (0, 1)) -> Iterator[float]:
    """The offsets of a profile's arrivals, rising, up to the profile's end.

    With `"uniform"` the n-th (from 0) is due when the integral of the rate reaches n, so there are `profile.count()`.
    With `"poisson"` it is due when the integral reaches the sum of n + 1 exponential variates of mean 1: independent
    callers at the rate of the profile (Lewis and Shedler 1976, by time-scale transformation). Their number is
    `profile.expected()` on average, and `seed` determines them.

    `share` = (k, n) takes arrivals k, k + n, k + 2n, ... of the same schedule, so n workers with different k share it
    exactly. ValueError if there is no such process or share.
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


def uniform(rate: float) -> Iterator[float]:
    """Offsets 0, 1/rate, 2/rate, ..., each computed from its number, so that errors do not add up."""
    return (number / rate for number in itertools.count())


def _uniform(span: CountedSegment, own: int, workers: int) -> Iterator[float]:
    """A worker's arrivals in one segment: those with `before` <= number < `after`, up to rounding."""
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
    """A function from a number of arrivals to the seconds into the segment at which it is reached, within the segment.

    On a slope the area under the line is `first * t + slope * t**2 / 2`. Of the two forms of its root, this one does
    not divide by the slope and does not subtract nearly equal numbers.
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
