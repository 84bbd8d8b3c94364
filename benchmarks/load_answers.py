"""The right answers, by calculation and from a test deployment's own clock. Pure functions; times are seconds.

A server that answers nothing for the last `lasting` of every `every` seconds, and at once otherwise: a request that
falls due `u` after the freeze began waits for its end, `lasting - u`. In whole periods, due instants are spread evenly,
so the share of latencies above x is (lasting - x) / every, and percentile q is `lasting - every * (1 - q)`, or about
nothing where that is negative: for 0.1 s in 1 s, 50 ms at 95 % and 90 ms at 99 %.

At the thaw the answers that were held back leave one after another, in `catch_up` seconds in all. With r = catch_up /
lasting (the rate of arrivals by the rate of sending), the request due at `u` leaves at `lasting + r * u`, those due
while the server is still behind wait too, and both follow one line: latency = lasting - u * (1 - r), until it is
nothing. The share above x becomes (lasting - x) / ((1 - r) * every), and percentile q `lasting - (1 - r) * every *
(1 - q)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["frozen", "lags", "latencies", "percentile"]


def frozen(share: float, *, lasting: float, every: float, catch_up: float = 0.0) -> float:
    """The latency below which this share of requests stays, over whole periods, but for the base latency."""
    return max(0.0, lasting - (1 - catch_up / lasting) * every * (1 - share))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def lags(arrived: Sequence[float], rate: float) -> list[float]:
    """How much later than an even schedule of `rate` a second each request arrived.

    The schedule starts where no request is early: the one that is least late is on time, the way to the server with it.
    """
    ordered = sorted(arrived)
    behind = [instant - number / rate for number, instant in enumerate(ordered)]
    start = min(behind)
    return [late - start for late in behind]


def latencies(arrived: Sequence[float], answered: Sequence[float], rate: float) -> list[float]:
    """From when each request was due, by that schedule, to when its answer was sent, as the server's own clock has it.

    The two sequences are in the order of arrival, which is that of the schedule but for neighbours.
    """
    start = min(instant - number / rate for number, instant in enumerate(arrived))
    return [sent - start - number / rate for number, sent in enumerate(answered)]
