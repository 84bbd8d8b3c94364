"""The capacity search: for each rate that was tried, the arrivals, the latency, and whether the limits held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ringback.reporting.html.charts.axes import Axes, plain, ticks_between
from ringback.reporting.html.charts.picture import Key, Picture, Table, is_narrow, make_picture
from ringback.reporting.html.charts.sheet import DASHED, ColorRole, Sheet
from ringback.reporting.model.figures import amount, milliseconds, percent
from ringback.reporting.model.load_parts import SearchStep, search_steps
from ringback.rundir.reading import members, number

__all__ = ["draw_capacity"]

_MARKS = {
    True: ("dot", ColorRole.GOOD),
    False: ("cross", ColorRole.BAD),
    None: ("ring", ColorRole.OPEN),
}


def draw_capacity(load: Mapping[str, Any]) -> Picture | None:
    """The rates that were tried; None without a capacity search."""
    steps = sorted(search_steps(load), key=lambda step: step.rate)
    if not steps:
        return None
    found = tuple(number(members(load, "capacity").get(name)) for name in ("rate", "low", "high"))

    legend = [Key("dot", "good", "held"), Key("cross", "bad", "did not hold")]
    if any(step.held is None for step in steps):
        legend.append(Key("ring", "open", "undecided"))
    legend.append(Key("dash", "due", "all due requests arrived"))
    if None not in found[1:]:
        legend.append(Key("box", "shade", "range of the capacity"))
    return make_picture(
        lambda width: _draw(width, steps, found),
        key="capacity",
        title="Capacity",
        caption=_caption(found),
        legend=legend,
        table=Table(
            ("due a second", "arrived a second", "p99, ms", "errors", "verdict", "why"),
            tuple(
                (amount(s.rate), amount(s.arrived), milliseconds(s.p99_ms), percent(s.error_rate), s.result, s.why)
                for s in steps
            ),
        ),
    )  # fmt: skip


def _caption(found: Sequence[float | None]) -> str:
    rate, low, high = found
    caption = "Each point is one rate that was tried."
    if rate is not None:
        caption += f" The highest rate that met the limits: {amount(rate)} per second."
    if low is not None and high is not None:
        caption += f" {amount(low)} held, {amount(high)} did not: the capacity is between them."
    return caption


def _draw(width: int, steps: Sequence[SearchStep], found: Sequence[float | None]) -> Sheet:
    narrow = is_narrow(width)
    height, top, left, right, gap = (180, 26, 48, 12, 76) if narrow else (230, 26, 58, 20, 64)
    each = width - left - right if narrow else (width - 2 * left - 2 * right) / 2
    sheet = Sheet(width, top + height + 48 + ((height + gap) if narrow else 0))
    first = Axes(sheet, left, top, each, height)
    second = (
        Axes(sheet, left, top + height + gap, each, height)
        if narrow
        else Axes(sheet, 2 * left + right + each, top, each, height)
    )
    furthest = max(step.rate for step in steps) * 1.06
    for axes in (first, second):
        axes.level(0, furthest, [(at, plain(at)) for at in ticks_between(0, furthest, 4 if narrow else 6)])
        axes.level_label("due a second")
        if found[1] is not None and found[2] is not None:
            axes.span(found[1], found[2], ColorRole.SHADE)
    first.upward(max([furthest, *(step.arrived for step in steps if step.arrived is not None)]))
    first.title("Arrived a second")
    first.line([(0, 0), (furthest, furthest)], ColorRole.DUE, width=1.25, dashes=DASHED)
    _points(first, [(step, step.arrived) for step in steps])
    logarithmic = second.latency(step.p99_ms for step in steps if step.p99_ms is not None)
    second.title(f"Latency, p99, ms{' (logarithmic)' if logarithmic else ''}")
    _points(second, [(step, step.p99_ms) for step in steps])
    return sheet


def _points(axes: Axes, points: Sequence[tuple[SearchStep, float | None]]) -> None:
    known = [(step, value) for step, value in points if value is not None]
    axes.line([(step.rate, value) for step, value in known], ColorRole.SOFT, width=1.25)
    for step, value in known:
        shape, role = _MARKS[step.held]
        axes.sheet.marker(shape, axes.at(step.rate, value), 9, role)
