"""The search for capacity: what arrived of each rate that was tried, how late answers came, and which rates held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ringback.reporting.html.charts.color_role import Ink
from ringback.reporting.html.charts.sheet import Key, Picture, Sheet, Table, drawn, latency_axis, plain, upward
from ringback.reporting.model.figures import amount, milliseconds, percent
from ringback.reporting.model.safe import one_line
from ringback.rundir.reading import members, number

__all__ = ["draw_capacity"]

_WHY = 300


@dataclass(frozen=True, slots=True)
class _Step:
    rate: float
    held: bool | None
    why: str
    p99_ms: float | None
    error_rate: float | None
    arrived: float | None


@dataclass(frozen=True, slots=True)
class _Mark:
    held: bool | None
    marker: str
    ink: Ink
    filled: bool


_MARKS = (
    _Mark(True, "o", Ink.GOOD, filled=True),
    _Mark(False, "X", Ink.BAD, filled=True),
    _Mark(None, "o", Ink.OPEN, filled=False),
)
_WORDS = {True: "held", False: "did not hold", None: "undecided"}


def draw_capacity(load: Mapping[str, Any]) -> Picture | None:
    """The rates that were tried; None if there was no such search."""
    capacity = members(load, "capacity")
    told = capacity.get("steps")
    steps = sorted(
        (step for entry in (told if isinstance(told, list) else []) if (step := _step(entry)) is not None),
        key=lambda step: step.rate,
    )
    if not steps:
        return None
    found = tuple(number(capacity.get(name)) for name in ("rate", "low", "high"))

    def draw(width: int) -> Sheet:
        return _draw(width, steps, found)

    legend = [Key("dot", "good", "held"), Key("cross", "bad", "did not hold")]
    if any(step.held is None for step in steps):
        legend.append(Key("ring", "open", "undecided"))
    legend.append(Key("dash", "due", "all that was due arrived"))
    if None not in found[1:]:
        legend.append(Key("box", "shade", "capacity lies in here"))
    return drawn(
        draw,
        key="capacity",
        title="Capacity",
        caption=_caption(found),
        legend=legend,
        table=Table(
            ("due a second", "arrived a second", "p99, ms", "errors", "verdict", "why"),
            tuple(
                (amount(s.rate), amount(s.arrived), milliseconds(s.p99_ms), percent(s.error_rate), _WORDS[s.held],
                 one_line(s.why, _WHY))
                for s in steps
            ),
        ),
    )  # fmt: skip


def _step(entry: Any) -> _Step | None:
    rate = number(members({"step": entry}, "step").get("rate"))
    if rate is None or rate <= 0:
        return None
    held = entry.get("held")
    return _Step(
        rate,
        held if isinstance(held, bool) else None,
        str(entry.get("why") or ""),
        number(entry.get("p99_ms")),
        number(entry.get("error_rate")),
        number(entry.get("arrived_rate")),
    )


def _caption(found: Sequence[float | None]) -> str:
    rate, low, high = found
    told = "Each point is one rate that was tried."
    if rate is not None:
        told += f" The highest that kept the limits: {amount(rate)} a second."
    if low is not None and high is not None:
        told += f" {amount(low)} held, {amount(high)} did not: the capacity lies between."
    return told


def _draw(width: int, steps: Sequence[_Step], found: Sequence[float | None]) -> Sheet:
    narrow = width < 700
    height, top, left, right, gap = (180, 26, 48, 12, 76) if narrow else (230, 26, 58, 20, 64)
    each = width - left - right if narrow else (width - 2 * left - 2 * right) / 2
    sheet = Sheet(width, top + height + 48 + ((height + gap) if narrow else 0))
    first = sheet.axes(left, top, each, height)
    second = (
        sheet.axes(left, top + height + gap, each, height)
        if narrow
        else sheet.axes(2 * left + right + each, top, each, height)
    )
    furthest = max(step.rate for step in steps) * 1.06
    first.plot([0, furthest], [0, furthest], color=Ink.DUE, linestyle=(0, (4, 3)), linewidth=1.25)
    _points(first, [(step, step.arrived) for step in steps])
    arrived = [step.arrived for step in steps if step.arrived is not None]
    upward(first, max([*arrived, furthest]) / 1.08)
    first.set_title("Arrived a second", pad=8)
    _points(second, [(step, step.p99_ms) for step in steps])
    steep = latency_axis(second, [step.p99_ms for step in steps if step.p99_ms is not None])
    second.set_title(f"Latency, p99, ms{' (logarithmic)' if steep else ''}", pad=8)
    for axes in (first, second):
        axes.set_xlim(0, furthest)
        axes.xaxis.set_major_locator(MaxNLocator(4 if narrow else 6, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(plain))
        axes.set_xlabel("due a second", labelpad=6)
        if found[1] is not None and found[2] is not None:
            axes.axvspan(found[1], found[2], color=Ink.SHADE, linewidth=0, zorder=0)
    return sheet


def _points(axes: Axes, points: Sequence[tuple[_Step, float | None]]) -> None:
    known = [(step, value) for step, value in points if value is not None]
    axes.plot([s.rate for s, _ in known], [value for _, value in known], color=Ink.SOFT, linewidth=1.25, zorder=2)
    for mark in _MARKS:
        mine = [(step.rate, value) for step, value in known if step.held is mark.held]
        if mine:
            axes.plot(
                *zip(*mine, strict=True),
                linestyle="none",
                marker=mark.marker,
                markersize=9,
                markerfacecolor=mark.ink if mark.filled else Ink.PAPER,
                markeredgecolor=mark.ink if not mark.filled else Ink.PAPER,
                markeredgewidth=2 if not mark.filled else 1,
                zorder=3,
                clip_on=False,
            )
