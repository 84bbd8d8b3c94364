"""Durations with a unit, as a configuration and a command line write them."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["parse_duration", "written_duration"]

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = re.compile(r"\s*".join(rf"(?:({_NUMBER})\s*{unit}(?![a-z]))?" for unit in _UNITS))


def parse_duration(value: object) -> float:
    """The seconds in text such as `"500ms"`, `"10s"`, `"2m"`, `"1m30s"` or `"1h"`. ValueError for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'a duration needs a unit; write "{value}s" or "{value}ms"')
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not match[0]:
        raise ValueError(
            'not a duration; write a number and one of the units ms, s, m, h, such as "500ms", "10s" or "1m30s"'
        )
    seconds = sum(float(number or 0) * unit for number, unit in zip(match.groups(), _UNITS.values(), strict=True))
    if not 0 < seconds <= 7 * 86400:
        raise ValueError("out of range; write a duration above 0 and at most 7 days")
    return seconds


def written_duration(seconds: float) -> str:
    """The text that `parse_duration` reads as exactly these seconds."""
    return f"{Decimal(repr(seconds)):f}s"
