"""The distribution of latency and service time, up to the 99.99th percentile.

The percentile axis stretches the tail, as in HdrHistogram's plots: each step to the right leaves a tenth of the
requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringback.reporting.html.charts.axes import Axes
from ringback.reporting.html.charts.picture import Key, Picture, Table, is_narrow, make_picture
from ringback.reporting.html.charts.sheet import DOTTED, ColorRole, Sheet
from ringback.reporting.model.figures import count, milliseconds
from ringback.rundir.reading import members, number

__all__ = ["draw_distribution"]

_TICKS = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)
_BY_KEY = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99_9": 99.9, "p99_99": 99.99}


@dataclass(frozen=True, slots=True)
class _Curve:
    """One kind of request; a point is a percentile, its latency and its service time in milliseconds."""

    title: str
    points: tuple[tuple[float, float | None, float | None], ...]
    counted: int
    longest: float | None

    @property
    def last(self) -> float:
        """The last percentile with at least one request beyond it."""
        return min(_TICKS[-1], 100 * (1 - 1 / self.counted)) if self.counted > 1 else 50.0


def draw_distribution(load: Mapping[str, Any]) -> Picture | None:
    """The distribution of trigger and poll latency side by side; None if neither was measured."""
    curves = [curve for name in ("trigger", "poll") if (curve := _curve(load, name)) is not None]
    if not curves:
        return None

    return make_picture(
        lambda width: _draw(width, curves),
        key="distribution",
        title="Latency distribution",
        caption=_caption(curves),
        legend=[
            Key("line", "p99", "from the due time (latency)"),
            Key("dots", "service", "from the sending (service time)"),
        ],
        table=_table(curves),
    )


def _curve(load: Mapping[str, Any], name: str) -> _Curve | None:
    measured = members(load, name)
    entries = measured.get("distribution")
    points = []
    for entry in entries if isinstance(entries, Sequence) and not isinstance(entries, str) else ():
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
    sentences = ["Where the lines differ, requests had to wait before they could be sent, as callers would have."]
    sentences += [
        f"{count(curve.counted)} {curve.title.lower()}s have no data beyond the {curve.last:.4g}th percentile."
        for curve in curves
        if 0 < curve.counted < 10_000
    ]
    return " ".join(sentences)


def _tail(percentile: float) -> float:
    return -math.log10(max(1 - percentile / 100, 1e-5))


def _draw(width: int, curves: Sequence[_Curve]) -> Sheet:
    narrow = is_narrow(width)
    beside = 1 if narrow else len(curves)
    rows = math.ceil(len(curves) / beside)
    height, top, gap, bottom = (200, 26, 74, 44) if narrow else (240, 26, 60, 44)
    sheet = Sheet(width, top + rows * height + (rows - 1) * gap + bottom)
    left, right = (46, 16) if narrow else (58, 40)
    room = (width - right) / beside
    for index, curve in enumerate(curves):
        column, row = index % beside, index // beside
        _plot(Axes(sheet, left + column * room, top + row * (height + gap), room - left - 8, height), curve)
    return sheet


def _plot(axes: Axes, curve: _Curve) -> None:
    shown = [point for point in curve.points if point[0] <= curve.last + 1e-9]
    shown = shown or list(curve.points[:1])
    due = [(_tail(at), value) for at, value, _ in shown]
    service = [(_tail(at), value) for at, _, value in shown]
    axes.level(0, _tail(_TICKS[-1]), [(_tail(tick), f"{tick:g}") for tick in _TICKS], grid=True)
    axes.level_label("percentile (the tail is stretched)")
    logarithmic = axes.latency(value for _, value in (*due, *service) if value is not None)
    longest = "" if curve.longest is None else f"; longest {milliseconds(curve.longest)}"
    axes.title(f"{curve.title} latency, ms{' (log.)' if logarithmic else ''}{longest}")
    axes.line([point for point in service if point[1] is not None], ColorRole.SERVICE, width=2, dashes=DOTTED)
    axes.line([point for point in due if point[1] is not None], ColorRole.P99, width=2.25)


def _table(curves: Sequence[_Curve]) -> Table:
    rows = [
        (curve.title.lower(), f"{at:.6g}", milliseconds(due), milliseconds(service))
        for curve in curves
        for at, due, service in curve.points
    ]
    return Table(("request", "percentile", "latency, ms", "service time, ms"), tuple(rows))
