"""Numbers as a reader sees them; a dash where nothing was measured."""

from __future__ import annotations

import math
from typing import Any

from ringback.rundir.reading import number

__all__ = ["amount", "count", "duration", "milliseconds", "percent", "share"]


def count(value: Any) -> str:
    """A whole number with its thousands apart; a dash for what was not counted."""
    known = number(value)
    return "–" if known is None else f"{known:,.0f}"


def amount(value: Any) -> str:
    """A number to three or four significant digits: 0.0213, 19.97, 1,204."""
    known = number(value)
    if known is None:
        return "–"
    if known == 0 or abs(known) >= 1_000 or float(known).is_integer():
        return f"{known:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(known))))
    text = f"{known:.{min(digits, 9)}f}"
    return text.rstrip("0").rstrip(".") if digits else text


def milliseconds(value: Any) -> str:
    """Milliseconds to the digits that mean something, without the unit."""
    known = number(value)
    if known is None:
        return "–"
    return f"{known:,.0f}" if abs(known) >= 100 else f"{known:.1f}" if abs(known) >= 10 else f"{known:.2f}"


def percent(value: Any) -> str:
    """A share of one as per cent, with as many digits as it takes to see that it is not nothing."""
    known = number(value)
    if known is None:
        return "–"
    hundredths = known * 100
    if hundredths in (0, 100):
        return f"{hundredths:.0f} %"
    if abs(hundredths) >= 10:
        near = f"{hundredths:.1f}"
        return f"{'99.9' if near == '100.0' and hundredths < 100 else near} %"
    return f"{amount(hundredths)} %"


def share(part: Any, whole: Any) -> float | None:
    """`part` of `whole`; None where there is no whole."""
    mine, all_of_it = number(part), number(whole)
    return None if mine is None or not all_of_it else mine / all_of_it


def duration(seconds: Any) -> str:
    """A length of time: `4.1 s`, `3 min 20 s`, `2 h 05 min`."""
    known = number(seconds)
    if known is None:
        return "–"
    if known < 120:
        return f"{known:.1f} s"
    whole = round(known)
    if whole < 7_200:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
