"""Lines over runs, drawn as plain SVG: an axis from zero, a line a series, a dot a run.

Colours are classes of the page's style, so that a chart follows light and dark; each line ends in its name, and its
dots have shapes of their own, so that nothing depends on colour.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Series", "draw", "ticks"]

_WIDTH, _HEIGHT = 480, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 84, 10, 30
_INSET = 10
_LABEL_APART = 14
_ABOUT_TICKS = 4


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a value for each run, None where nothing was measured."""

    label: str
    values: Sequence[float | None]


def ticks(highest: float) -> list[float]:
    """Round values for an axis from 0 to at least `highest`: steps of 1, 2 or 5 times a power of ten."""
    if highest <= 0:
        return [0.0, 1.0]
    raw = highest / _ABOUT_TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    count = math.ceil(highest / step - 1e-9)
    return [round(index * step, 12) for index in range(count + 1)]


def draw(
    name: str, title: str, unit: str, instants: Sequence[str], series: Sequence[Series], limited: Sequence[bool]
) -> str:
    """An SVG element; `name` makes its ids unique, `limited` marks runs whose generator was the bottleneck."""
    scale = ticks(max((v for one in series for v in one.values if v is not None), default=0.0))
    plane = _Plane(len(instants), scale[-1])
    x, y = plane.x, plane.y
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="{name}-t {name}-d" class="chart">',
        f'<title id="{name}-t">{escape(title)} ({escape(unit)})</title>',
        f'<desc id="{name}-d">{escape(_described(series, instants))}</desc>',
    ]
    for value in scale:
        at = y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{value:,.10g}</text>')
    for index, marked in enumerate(limited):
        if marked:
            parts.append(f'<rect class="limited" x="{x(index) - 6:.1f}" y="{_TOP}" width="12" height="{y(0) - _TOP}"/>')
    for index in dict.fromkeys((0, len(instants) - 1)) if instants else ():
        anchor = "start" if index == 0 and len(instants) > 1 else "end" if index else "middle"
        place = f'x="{x(index):.1f}" y="{_HEIGHT - 10}" text-anchor="{anchor}"'
        parts.append(f'<text class="tick" {place}>{escape(instants[index])}</text>')
    for number, one in enumerate(series):
        parts += _line(number, one, instants, unit, plane)
    parts += _names(series, plane)
    return "".join([*parts, "</svg>"])


class _Plane:
    """Where values stand: runs from left to right, values from the bottom up."""

    def __init__(self, runs: int, highest: float) -> None:
        self._step = (_WIDTH - _LEFT - _RIGHT - 2 * _INSET) / max(1, runs - 1)
        self._alone = runs == 1
        self._highest = highest

    def x(self, index: int) -> float:
        """Where a run stands."""
        return (_LEFT + _WIDTH - _RIGHT) / 2 if self._alone else _LEFT + _INSET + index * self._step

    def y(self, value: float) -> float:
        """Where a value stands."""
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / self._highest


def _line(number: int, one: Series, instants: Sequence[str], unit: str, plane: _Plane) -> Iterator[str]:
    """The line, broken where nothing was measured, and its dots."""
    kind = f"s{number % 3}"
    pieces: list[list[str]] = [[]]
    for index, value in enumerate(one.values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{plane.x(index):.1f},{plane.y(value):.1f}")
    for piece in pieces:
        if len(piece) > 1:
            yield f'<polyline class="line {kind}" points="{" ".join(piece)}"/>'
    for index, value in enumerate(one.values):
        if value is not None:
            told = escape(f"{instants[index]}: {one.label} {value:,.4g} {unit}")
            yield f"{_dot(number % 3, plane.x(index), plane.y(value))}<title>{told}</title></path>"


def _dot(number: int, x: float, y: float) -> str:
    """A circle, a square or a triangle."""
    shapes = (
        f"M{x - 3.5:.1f} {y:.1f}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
        f"M{x - 3:.1f} {y - 3:.1f}h6v6h-6z",
        f"M{x:.1f} {y - 4:.1f}l4 7h-8z",
    )
    return f'<path class="dot s{number}" d="{shapes[number]}">'


def _names(series: Sequence[Series], plane: _Plane) -> Iterator[str]:
    """Each line's name beside its end, moved apart where they would stand on each other."""
    ends = []
    for number, one in enumerate(series):
        last = max((index for index, value in enumerate(one.values) if value is not None), default=None)
        if last is not None:
            ends.append((plane.y(one.values[last] or 0.0), number, one.label))
    lowest = float(_HEIGHT - _BOTTOM)
    ends.sort(reverse=True)
    at = lowest + _LABEL_APART
    for y, number, label in ends:
        at = min(y, at - _LABEL_APART)
        yield f'<text class="name s{number % 3}" x="{_WIDTH - _RIGHT + 10}" y="{at + 4:.1f}">{escape(label)}</text>'


def _described(series: Sequence[Series], instants: Sequence[str]) -> str:
    told = []
    for one in series:
        values = [value for value in one.values if value is not None]
        if values:
            told.append(f"{one.label} went from {values[0]:,.4g} to {values[-1]:,.4g}, at most {max(values):,.4g}")
    return f"{len(instants)} runs. " + "; ".join(told) + "."
