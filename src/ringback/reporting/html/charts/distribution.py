"""How latency is distributed, up to the 99.99th percentile: from the due instant, beside the time from the sending.

The level axis stretches the tail, as HdrHistogram's plots do: each step to the right leaves a tenth of the requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from ringback.reporting.html.charts.color_role import Ink
from ringback.reporting.html.charts.sheet import Key, Picture, Sheet, Table, drawn, latency_axis
from ringback.reporting.model.figures import count, milliseconds
from ringback.rundir.reading import members, number

__all__ = ["draw_distribution"]

_TICKS = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)
_BY_KEY = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99_9": 99.9, "p99_99": 99.99}


@dataclass(frozen=True, slots=True)
class _Curve:
    """One kind of request: percentile, milliseconds from the due instant, milliseconds from the sending."""

    title: str
    points: tuple[tuple[float, float | None, float | None], ...]
    counted: int
    longest: float | None

    @property
    def last(self) -> float:
        """The percentile beyond which not a single request is left."""
        return min(_TICKS[-1], 100 * (1 - 1 / self.counted)) if self.counted > 1 else 50.0


def draw_distribution(load: Mapping[str, Any]) -> Picture | None:
    """The distribution of trigger and poll latency side by side; None if neither was measured."""
    curves = [curve for name in ("trigger", "poll") if (curve := _curve(load, name)) is not None]
    if not curves:
        return None

    def draw(width: int) -> Sheet:
        return _draw(width, curves)

    return drawn(
        draw,
        key="distribution",
        title="Latency distribution",
        caption=_caption(curves),
        legend=[Key("line", "p99", "from the due instant"), Key("dots", "service", "from the sending (service time)")],
        table=_table(curves),
    )


def _curve(load: Mapping[str, Any], name: str) -> _Curve | None:
    measured = members(load, name)
    told = measured.get("distribution")
    points = []
    for entry in told if isinstance(told, Sequence) and not isinstance(told, str) else ():
        if isinstance(entry, Sequence) and not isinstance(entry, str) and len(entry) >= 3:
            percentile = number(entry[0])
            if percentile is not None and 0 <= percentile <= 100:
                points.append((percentile, number(entry[1]), number(entry[2])))
    latency, service = members(measured, "latency_ms"), members(measured, "service_ms")
    if not points:
        keys = [key for key in _BY_KEY if number(latency.get(key)) is not None]
        points = [(_BY_KEY[key], number(latency.get(key)), number(service.get(key))) for key in keys]
    if not any(due is not None for _, due, _ in points):
        return None
    counted = number(measured.get("count")) or 0
    return _Curve(name.capitalize(), tuple(sorted(points)), int(counted), number(latency.get("max")))


def _caption(curves: Sequence[_Curve]) -> str:
    told = ["Where the two lines part, requests had to wait before they could be sent: callers would have waited, too."]
    told += [
        f"{count(curve.counted)} {curve.title.lower()}s say nothing beyond the {curve.last:.4g}th percentile."
        for curve in curves
        if 0 < curve.counted < 10_000
    ]
    return " ".join(told)


def _tail(percentile: float) -> float:
    return -math.log10(max(1 - percentile / 100, 1e-5))


def _draw(width: int, curves: Sequence[_Curve]) -> Sheet:
    narrow = width < 700
    beside = 1 if narrow else len(curves)
    rows = math.ceil(len(curves) / beside)
    height, top, gap, bottom = (200, 26, 74, 44) if narrow else (240, 26, 60, 44)
    sheet = Sheet(width, top + rows * height + (rows - 1) * gap + bottom)
    left, right = (46, 16) if narrow else (58, 40)
    room = (width - right) / beside
    for index, curve in enumerate(curves):
        column, row = index % beside, index // beside
        axes = sheet.axes(left + column * room, top + row * (height + gap), room - left - 8, height)
        _plot(axes, curve)
    return sheet


def _plot(axes: Axes, curve: _Curve) -> None:
    shown = [point for point in curve.points if point[0] <= curve.last + 1e-9]
    shown = shown or list(curve.points[:1])
    due = [(_tail(at), value) for at, value, _ in shown if value is not None]
    service = [(_tail(at), value) for at, _, value in shown if value is not None]
    if service:
        axes.plot(*zip(*service, strict=True), color=Ink.SERVICE, linestyle=(0, (1, 2)), linewidth=2)
    axes.plot(*zip(*due, strict=True), color=Ink.P99, linewidth=2.25)
    steep = latency_axis(axes, [value for _, value in (*due, *service)])
    axes.set_xlim(0, _tail(_TICKS[-1]))
    axes.xaxis.set_major_locator(FixedLocator([_tail(tick) for tick in _TICKS]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda _, at: f"{_TICKS[at or 0]:g}"))
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("percentile (the tail is stretched)", labelpad=6)
    longest = "" if curve.longest is None else f"; longest {milliseconds(curve.longest)}"
    axes.set_title(f"{curve.title} latency, ms{' (log.)' if steep else ''}{longest}", pad=8)


def _table(curves: Sequence[_Curve]) -> Table:
    rows = [
        (curve.title.lower(), f"{at:.6g}", milliseconds(due), milliseconds(service))
        for curve in curves
        for at, due, service in curve.points
    ]
    return Table(("request", "percentile", "from due, ms", "from sending, ms"), tuple(rows))
