"""The inks that pictures are drawn with.

Matplotlib is given a colour that stands for a role; in the finished SVG the role's name becomes a class, and the style
sheet says what colour it has by day, by night and on paper.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ROLES", "Ink"]


class Ink(StrEnum):
    """A role, by the colour that matplotlib takes for it. Each is a `--NAME` of the style sheet."""

    INK = "#010001"
    SOFT = "#010002"
    RULE = "#010003"
    PAPER = "#010004"
    ACCENT = "#010005"
    GOOD = "#010006"
    BAD = "#010007"
    OPEN = "#010008"
    P50 = "#010009"
    P95 = "#01000a"
    P99 = "#01000b"
    SERVICE = "#01000c"
    SHADE = "#01000d"
    HATCH = "#01000e"
    DUE = "#01000f"
    FINAL = "#010010"
    WAIT = "#010011"


ROLES = {ink.value: ink.name.lower() for ink in Ink}
"""Colour -> the role's name, as classes and custom properties spell it."""
