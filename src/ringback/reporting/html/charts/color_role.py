"""The roles of colours in pictures. The style sheet says what colour a role has in light, in dark and on paper."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ColorRole"]


class ColorRole(StrEnum):
    """A role; the style sheet has the classes `f-ROLE` (fill) and `s-ROLE` (stroke) for it."""

    INK = "ink"
    SOFT = "soft"
    RULE = "rule"
    PAPER = "paper"
    ACCENT = "accent"
    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"
    SERVICE = "service"
    SHADE = "shade"
    HATCH = "hatch"
    DUE = "due"
    FINAL = "final"
    WAIT = "wait"
