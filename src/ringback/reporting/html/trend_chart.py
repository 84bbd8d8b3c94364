"""Charts of the trend page: figures over runs, from 0, with a line for each figure and a mark for each run.

Each line ends in its name and has marks of its own shape, so that a reader need not distinguish colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringback.reporting.html.charts.axes import Axes, Scale
from ringback.reporting.html.charts.sheet import ColorRole, Sheet

__all__ = ["Series", "draw"]

_WIDTH, _HEIGHT = 480, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 84, 10, 30
_INSET = 10
_LABEL_APART = 14
_FONT_SIZE = 12
_ROLES = (ColorRole.P50, ColorRole.P95, ColorRole.P99)
_SHAPES = ("dot", "square", "triangle")


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a value for each run, None where nothing was measured."""

    label: str
    values: Sequence[float | None]

    @property
    def measured(self) -> list[float]:
        """The values without the gaps."""
        return [value for value in self.values if value is not None]


def draw(
    name: str, title: str, unit: str, instants: Sequence[str], series: Sequence[Series], limited: Sequence[bool]
) -> str:
    """An SVG element; `name` makes its ids unique, `limited` marks runs whose generator was the bottleneck."""
    sheet = Sheet(_WIDTH, _HEIGHT)
    axes = Axes(sheet, _LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _HEIGHT - _BOTTOM - _TOP)
    axes.upward(max((value for one in series for value in one.measured), default=0.0))
    last = len(instants) - 1
    axes.x = Scale(0 if last > 0 else -1, max(last, 1), axes.left + _INSET, axes.right - _INSET)
    for index, marked in enumerate(limited):
        if marked:
            sheet.rectangle(axes.x(index) - 6, axes.top, 12, axes.bottom - axes.top, ColorRole.SHADE)
    for index in dict.fromkeys((0, last)) if instants else ():
        anchor = "middle" if last == 0 else "start" if index == 0 else "end"
        sheet.text(axes.x(index), _HEIGHT - 10, instants[index], anchor=anchor, size=_FONT_SIZE)
    for number, one in enumerate(series):
        role = _ROLES[number % 3]
        axes.line(list(enumerate(one.values)), role, width=2)
        for index, value in enumerate(one.values):
            if value is not None:
                tooltip = f"{instants[index]}: {one.label} {value:,.4g} {unit}"
                sheet.marker(_SHAPES[number % 3], axes.at(index, value), 7, role, title=tooltip)
    _name_lines(axes, series)
    return sheet.svg(name, f"{title} ({unit})", _described(series, instants))


def _name_lines(axes: Axes, series: Sequence[Series]) -> None:
    """Each line's name beside its end, moved up where names would overlap."""
    ends = [(axes.y(known[-1]), number, one.label) for number, one in enumerate(series) if (known := one.measured)]
    lowest = axes.bottom + _LABEL_APART
    for y, number, label in sorted(ends, reverse=True):
        lowest = min(y, lowest - _LABEL_APART)
        axes.sheet.text(axes.right + 10, lowest + 4, label, _ROLES[number % 3], size=_FONT_SIZE, bold=True)


def _described(series: Sequence[Series], instants: Sequence[str]) -> str:
    parts = [
        f"{one.label} went from {known[0]:,.4g} to {known[-1]:,.4g}, at most {max(known):,.4g}"
        for one in series
        if (known := one.measured)
    ]
    return f"{len(instants)} runs. " + "; ".join(parts) + "."
