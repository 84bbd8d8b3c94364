"""The right answers, by calculation and from a test deployment's own clock. Pure functions; times are seconds.

A server answers nothing for the last `lasting` of every `every` seconds, and at once otherwise. A request that is due
`u` after the freeze began waits for its end: `lasting - u`. In whole periods, due instants are spread evenly,
so the share of latencies above x is (lasting - x) / every, and percentile q is `lasting - every * (1 - q)`, or about
0 where that is negative: for 0.1 s in 1 s, 50 ms at 95 % and 90 ms at 99 %.

After the freeze the waiting answers leave one after another, in `catch_up` seconds in all. With r = catch_up / lasting
(the rate of arrivals divided by the rate of sending), the answer to the request due at `u` leaves at `lasting + r * u`.
Requests that are due while the server catches up wait, too, by the same formula: latency = lasting - u * (1 - r), until
it is 0. The share above x becomes (lasting - x) / ((1 - r) * every), and percentile q `lasting - (1 - r) * every *
(1 - q)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["frozen", "lags", "latencies", "percentile"]


def frozen(share: float, *, lasting: float, every: float, catch_up: float = 0.0) -> float:
    """The latency that this share of requests does not exceed, over whole periods, without the base latency."""
    return max(0.0, lasting - (1 - catch_up / lasting) * every * (1 - share))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def lags(arrived: Sequence[float], rate: float) -> list[float]:
    """How much later than an even schedule of `rate` a second each request arrived.

    The schedule starts so that the least late request is on time; so its way to the server is not counted.
    """
    ordered = sorted(arrived)
    behind = [instant - number / rate for number, instant in enumerate(ordered)]
    start = min(behind)
    return [late - start for late in behind]


def latencies(arrived: Sequence[float], answered: Sequence[float], rate: float) -> list[float]:
    """Seconds from when each request was due, by that schedule, to when its answer was sent, by the server's clock.

    The two sequences are in the order of arrival, which is that of the schedule except for neighbours.
    """
    start = min(instant - number / rate for number, instant in enumerate(arrived))
    return [sent - start - number / rate for number, sent in enumerate(answered)]
