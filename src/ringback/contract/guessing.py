"""Whether identifiers can be guessed from other identifiers, as far as a few dozen of them show.

This finds counters, clocks, and ids of which so little varies that trying all of them is cheap. Ids that look random
are not proven to be random.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["why_guessable"]

_CHEAP_BITS = 32.0
"""With fewer bits varying, a client can try a noticeable share of all ids."""


def why_guessable(ids: Sequence[str]) -> str | None:
    """Why ids, in the order in which they were made, can be guessed; None if nothing shows that they can."""
    distinct = list(dict.fromkeys(ids))
    if len(distinct) < 4:
        return None
    if reason := _counted(distinct):
        return reason
    if all(
        re.fullmatch(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-1[0-9a-fA-F]{3}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", i)
        for i in distinct
    ):
        return "they are version 1 UUIDs, made of a clock and a network address"
    bits = _varying_bits(distinct)
    if bits < _CHEAP_BITS:
        return f"only about {bits:.0f} bits of them vary"
    return None


def _counted(ids: list[str]) -> str | None:
    """A number in the ids that grows by little from one to the next."""
    for base, pattern in ((10, r"\d+"), (16, r"[0-9a-f]+")):
        for numbers in _numbers(ids, pattern, base):
            steps = [b - a for a, b in pairwise(numbers)]
            growing = sum(step > 0 for step in steps) / len(steps)
            typical = statistics.median(abs(step) for step in steps)
            rest = {_without(i, pattern) for i in ids}
            if growing > 0.7 and 0 < typical <= 1_000_000 and len(rest) == 1:
                return f"a number in them grows by about {typical:.0f} from one to the next"
    return None


def _numbers(ids: list[str], pattern: str, base: int) -> list[list[int]]:
    """The ids' runs of digits as numbers, one list for each run, if all ids have the same number of runs."""
    found = [re.findall(pattern, i.lower()) for i in ids]
    if len({len(runs) for runs in found}) != 1 or not found[0]:
        return []
    columns = [[int(runs[at][:40], base) for runs in found] for at in range(len(found[0]))]
    changing = [column for column in columns if len(set(column)) > 1]
    return changing if len(changing) == 1 else []


def _without(text: str, pattern: str) -> str:
    return re.sub(pattern, "#", text.lower())


def _varying_bits(ids: list[str]) -> float:
    """An upper estimate of the varying bits: places between common beginning and end, times bits of the alphabet."""
    prefix = _shared(ids)
    cut = [i[prefix:] for i in ids]
    suffix = _shared([i[::-1] for i in cut])
    varying = [i[: len(i) - suffix] if suffix else i for i in cut]
    alphabet = {c for i in varying for c in i}
    size = (
        10
        if all(c in "0123456789" for c in alphabet)
        else 16
        if all(c in "0123456789abcdefABCDEF-" for c in alphabet)
        else 62
    )
    places = 0
    for at in range(max(map(len, varying))):
        seen = {i[at] for i in varying if at < len(i)}
        places += len(seen) > 1
    return places * math.log2(size)


def _shared(texts: Sequence[str]) -> int:
    """How many characters all texts begin with alike."""
    return next(
        (at for at, letters in enumerate(zip(*texts, strict=False)) if len(set(letters)) > 1), min(map(len, texts))
    )
