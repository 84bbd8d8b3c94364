"""The dial guard with many seeded hostile bodies: each is refused, or can only dial a line.

    python -m tests.deployment.guard_volume --bodies 2000000 --seed 1

Prints each seed and its counts. A failure names the seed and the number of the body; the same seed always makes the
same bodies.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter

from ringback.deployment.guard import DialGuard, StrangerRefused

from .guard_bodies import CALLER, HARMLESS, LINES, hostile, mutated
from .guard_readers import dialled

__all__ = ["dialled_numbers", "tally"]

_PER_SEED = 50_000


def dialled_numbers(body: bytes) -> set[str]:
    """The numbers, other than lines, that one of the careless readers would dial."""
    return dialled(body) - set(LINES)


def tally(guard: DialGuard, seed: int, bodies: int, *, damaged: bool) -> Counter[str]:
    """Check the bodies of a seed; raises `AssertionError` if one passes that might dial a number other than a line.

    The oracle also reads some of the refused bodies, to show that it finds numbers at all.
    """
    choose = random.Random(seed)
    counts: Counter[str] = Counter()
    for number in range(bodies):
        request = hostile(choose)
        if damaged:
            request = mutated(choose, request)
        try:
            guard.check(request.url, request.headers, request.body)
        except StrangerRefused:
            counts["refused"] += 1
        else:
            counts["passed"] += 1
            found = dialled_numbers(request.body)
            again = f"python -m tests.deployment.guard_volume --seed {seed} --bodies {bodies}" + " --damaged" * damaged
            assert not request.certain and not found, f"{found or 'an unknown number'} at {number}, {request}\n{again}"
        if number % 16 == 0:
            counts["read"] += 1
            counts["dialled numbers seen"] += bool(dialled_numbers(request.body))
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bodies", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1, help="the first one [default: %(default)s]")
    parser.add_argument("--damaged", action="store_true", help="damaged bodies only [default: whole and damaged ones]")
    options = parser.parse_args()
    guard = DialGuard(LINES, CALLER, HARMLESS)
    seed, left, total = options.seed, options.bodies, Counter[str]()
    while left > 0:
        count = min(_PER_SEED, left)
        damaged = options.damaged or seed % 2 == 0
        counts = tally(guard, seed, count, damaged=damaged)
        print(f"seed {seed}, {'damaged' if damaged else 'whole'}: {dict(counts)}", flush=True)
        total += counts
        left, seed = left - count, seed + 1
    print(f"{total['refused'] + total['passed']} bodies, none of which dials anything but a line: {dict(total)}")


if __name__ == "__main__":
    main()
