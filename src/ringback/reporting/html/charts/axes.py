"""Axes on a sheet: a frame with a scale in each direction, round tick values, and lines and marks by their values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ringback.reporting.html.charts.sheet import FONT_SIZE, ColorRole, Point, Sheet

__all__ = ["Axes", "Scale", "plain", "ticks", "ticks_between"]

_STEEP = 25.0
_TICK_SIZE = FONT_SIZE - 0.5
_SMALLEST = 1e-9
"""A figure below it is drawn as 0."""


class Scale:
    """From values to pixels; a value beyond the limits is drawn at the limit."""

    def __init__(self, low: float, high: float, first: float, last: float, *, logarithmic: bool = False) -> None:
        self.low, self.high = low, high if high > low else low + 1
        self._first, self._last = first, last
        self._logarithmic = logarithmic

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self._logarithmic:
            low, high, at = math.log10(low), math.log10(high), math.log10(at)
        return self._first + (self._last - self._first) * (at - low) / (high - low)


class Axes:
    """A frame on a sheet. Its scales are set before anything is drawn in it."""

    def __init__(self, sheet: Sheet, left: float, top: float, width: float, height: float) -> None:
        self.sheet = sheet
        self.left, self.top, self.right, self.bottom = left, top, left + width, top + height
        self.x = Scale(0, 1, self.left, self.right)
        self.y = Scale(0, 1, self.bottom, self.top)

    # -- scales ----------------------------------------------------------------------------------------------------

    def title(self, text: str) -> None:
        """A title above the frame."""
        self.sheet.text(self.left, self.top - 8, text, ColorRole.INK, bold=True)

    def upward(self, highest: float, *, about: int = 4) -> None:
        """A linear upright scale from 0 to a round value above `highest`, with about `about` steps."""
        values = ticks(highest, about)
        self.y = Scale(0, values[-1], self.bottom, self.top)
        self._level_lines(values)

    def latency(self, values: Iterable[float], usual: float | None = None) -> bool:
        """An upright scale for latencies: linear from 0, or logarithmic if the largest would hide all others.

        It is logarithmic if the largest is over 25 times the usual value (the smallest, if None). Returns whether.
        """
        known = [value for value in values if value > _SMALLEST]
        if not known or max(known) <= _STEEP * (usual or min(known)):
            self.upward(max(known, default=0))
            return False
        decade = 10.0 ** math.floor(math.log10(min(known)))
        low = decade if min(known) < 3 * decade else 3 * decade
        self.y = Scale(low, max(known) * 1.3, self.bottom, self.top, logarithmic=True)
        exponents = range(math.floor(math.log10(low)), math.floor(math.log10(self.y.high)) + 1)
        factors = (1, 2, 5) if len(exponents) < 4 else (1,)
        values = [factor * 10.0**exponent for exponent in exponents for factor in factors]
        self._level_lines([value for value in values if low * (1 - 1e-9) <= value <= self.y.high])
        return True

    def time(self, from_s: float, to_s: float, *, about: int, labels: bool = True, grid: bool = False) -> str:
        """A level scale of seconds since the run began, labelled in a suitable unit; returns the axis label."""
        unit, label = (1, "seconds since the start")
        if to_s - from_s > 7_200:
            unit, label = 3_600, "hours since the start"
        elif to_s - from_s > 300:
            unit, label = 60, "minutes since the start"
        steps = (1, 2, 3, 5, 6, 10) if unit > 1 else (1, 2, 5, 10)
        found = ticks_between(from_s / unit, to_s / unit, about, steps)
        self.level(from_s, to_s, [(at * unit, plain(at)) for at in found], labels=labels, grid=grid)
        return label

    def level(
        self, low: float, high: float, marks: Sequence[tuple[float, str]], *, labels: bool = True, grid: bool = False
    ) -> None:
        """A level scale with these ticks and their labels; with `grid`, an upright line at each."""
        self.x = Scale(low, high, self.left, self.right)
        self.sheet.line([(self.left, self.bottom), (self.right, self.bottom)], ColorRole.RULE, width=1)
        for value, label in marks:
            x = self.x(value)
            if grid:
                self.sheet.line([(x, self.top), (x, self.bottom)], ColorRole.RULE, width=1)
            if labels:
                self.sheet.line([(x, self.bottom), (x, self.bottom + 4)], ColorRole.RULE, width=1)
                self.sheet.text(x, self.bottom + 17, label, anchor="middle", size=_TICK_SIZE)

    def level_label(self, text: str) -> None:
        """The label of the level scale."""
        self.sheet.text((self.left + self.right) / 2, self.bottom + 36, text, anchor="middle")

    def _level_lines(self, values: Iterable[float]) -> None:
        for value in values:
            y = self.y(value)
            self.sheet.line([(self.left, y), (self.right, y)], ColorRole.RULE, width=1)
            self.sheet.text(self.left - 6, y + 4, plain(value), anchor="end", size=_TICK_SIZE)

    # -- what is drawn ---------------------------------------------------------------------------------------------

    def at(self, x: float, y: float) -> Point:
        """The pixel of a pair of values."""
        return self.x(x), self.y(y)

    def line(
        self, points: Iterable[tuple[float, float | None]], role: ColorRole, *, width: float = 1.75, dashes: str = ""
    ) -> None:
        """A line through pairs of values, interrupted where there is none."""
        found = [None if y is None else self.at(x, y) for x, y in points]
        self.sheet.line(found, role, width=width, dashes=dashes)

    def area(self, points: Sequence[tuple[float, float]], role: ColorRole) -> None:
        """The area between a line and 0."""
        ends = [(points[-1][0], 0.0), (points[0][0], 0.0)]
        self.sheet.area([self.at(x, y) for x, y in [*points, *ends]], role)

    def span(self, from_x: float, to_x: float, role: ColorRole | None) -> None:
        """A stretch of the level scale, over the whole height: in a colour, or hatched if `role` is None."""
        left, right = sorted((self.x(from_x), self.x(to_x)))
        box = (left, self.top, right - left, self.bottom - self.top)
        if right > left and role is not None:
            self.sheet.rectangle(*box, role)
        elif right > left:
            self.sheet.hatched(*box)


def plain(value: float) -> str:
    """A tick's value as people write it: 0.5, 20, 1,500."""
    if abs(value) < _SMALLEST or not math.isfinite(value):
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if abs(value) < 100 else 0
    text = f"{value:,.{min(digits, 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def ticks(highest: float, about: int = 4) -> list[float]:
    """Round values from 0 to at least `highest`: steps of 1, 2 or 5 times a power of ten."""
    if highest < _SMALLEST:
        return [0.0, 1.0]
    step = _step(highest / about, (1, 2, 5, 10))
    return [round(index * step, 12) for index in range(math.ceil(highest / step - 1e-9) + 1)]


def ticks_between(low: float, high: float, about: int, steps: Sequence[int] = (1, 2, 5, 10)) -> list[float]:
    """Round values from `low` to `high`, at most `about` steps apart; `steps` are factors of powers of ten."""
    if high - low < _SMALLEST or not math.isfinite(high - low):
        return [low]
    step = _step((high - low) / about, steps)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _step(least: float, factors: Sequence[int]) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in factors if factor * power >= least * (1 - 1e-9))
