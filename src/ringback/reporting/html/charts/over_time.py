"""A load run over time: throughput, latency from the due time, and the generator's lag."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ringback.reporting.html.charts.axes import Axes
from ringback.reporting.html.charts.picture import Key, Picture, Table, is_narrow, make_picture
from ringback.reporting.html.charts.sheet import DASHED, DOTTED, ColorRole, Sheet
from ringback.reporting.model.figures import amount, count, milliseconds
from ringback.reporting.model.safe import one_line
from ringback.rundir.reading import members, number
from ringback.rundir.windows import SavedWindow

__all__ = ["draw_over_time"]

_OPERATIONS = (("trigger", "Trigger"), ("poll", "Poll"))
_PERCENTILES = (("p50_ms", ColorRole.P50), ("p95_ms", ColorRole.P95), ("p99_ms", ColorRole.P99))
_PANEL, _LOW_PANEL, _TOP, _GAP, _BOTTOM = 172, 92, 44, 44, 46


def draw_over_time(windows: Sequence[SavedWindow], load: Mapping[str, Any]) -> Picture | None:
    """The windows of a run as panels over one time axis; None without windows."""
    if not windows:
        return None
    measured = [
        entry for entry in _OPERATIONS if any(window.value(entry[0], "p50_ms") is not None for window in windows)
    ]
    steady = members(load, "steady")
    span = (number(steady.get("from_s")), number(steady.get("to_s")))
    limited = sum(window.limited for window in windows)

    return make_picture(
        lambda width: _draw(width, windows, measured, span),
        key="over-time",
        title="Throughput and latency over time",
        caption=_caption(windows, limited, span),
        legend=_legend(windows, bool(measured), limited, span),
        table=_table(windows, measured),
    )


def _caption(windows: Sequence[SavedWindow], limited: int, span: tuple[float | None, float | None]) -> str:
    sentences = [
        "Each window has the requests that were due in it.",
        "Latency counts from the due time, so it includes the wait that a stalled deployment causes.",
    ]
    if span[0] is not None and span[1] is not None:
        sentences.append(
            f"Limits and summary figures use the requests due from second {amount(span[0])} to {amount(span[1])}."
        )
    if limited:
        reasons = sorted({reason for window in windows for reason in window.limited_by})
        why = f" ({one_line(', '.join(reasons[:4]), 200)})" if reasons else ""
        sentences.append(
            f"In {count(limited)} of {count(len(windows))} windows the load generator was the bottleneck{why}:"
            " their figures are not the deployment's."
        )
    return " ".join(sentences)


def _legend(
    windows: Sequence[SavedWindow], latency: bool, limited: int, span: tuple[float | None, float | None]
) -> list[Key]:
    keys = [Key("dash", "accent", "due"), Key("line", "ink", "sent"), Key("line", "final", "calls final")]
    if any(_errors(window) for window in windows):
        keys.append(Key("box", "bad", "errors"))
    if latency:
        keys += [Key("line", "p50", "p50"), Key("line", "p95", "p95"), Key("line", "p99", "p99")]
        if any(window.value(name, "service_p99_ms") is not None for window in windows for name, _ in _OPERATIONS):
            keys.append(Key("dots", "service", "p99 service time"))
    if None not in span:
        keys.append(Key("box", "shade", "steady (used for limits)"))
    if limited:
        keys.append(Key("hatch", "hatch", "generator was the bottleneck"))
    return keys


# -- drawing ------------------------------------------------------------------------------------------------------


def _draw(
    width: int,
    windows: Sequence[SavedWindow],
    measured: Sequence[tuple[str, str]],
    span: tuple[float | None, float | None],
) -> Sheet:
    narrow = is_narrow(width)
    heights = [_PANEL, *[_PANEL] * len(measured), _LOW_PANEL]
    sheet = Sheet(width, _TOP + sum(heights) + _GAP * (len(heights) - 1) + _BOTTOM)
    left, right = (46, 8) if narrow else (58, 12)
    top = _TOP - 18
    panels: list[Axes] = []
    label = ""
    for height in heights:
        axes = Axes(sheet, left, top, width - left - right, height)
        last = len(panels) == len(heights) - 1
        label = axes.time(windows[0].from_s, windows[-1].to_s, about=5 if narrow else 12, labels=last)
        _shade(axes, windows, span)
        panels.append(axes)
        top += height + _GAP
    _throughput(panels[0], windows)
    for axes, (name, title) in zip(panels[1:-1], measured, strict=True):
        _latency(axes, windows, name, title)
    _generator(panels[-1], windows)
    panels[-1].level_label(label)
    return sheet


def _steps(windows: Sequence[SavedWindow], values: Sequence[float | None]) -> list[tuple[float, float | None]]:
    """A line that is level within each window, and interrupted where nothing was measured."""
    return [
        point
        for window, value in zip(windows, values, strict=True)
        for point in ((window.from_s, value), (window.to_s, value))
    ]


def _throughput(axes: Axes, windows: Sequence[SavedWindow]) -> None:
    axes.title("Requests and calls per second")
    due = [window.rate("scheduled") for window in windows]
    sent = [window.rate("sent") for window in windows]
    final = [window.rate("final") for window in windows]
    errors = [_errors(window) for window in windows]
    axes.upward(max((rate for rate in [*due, *sent, *final, *errors] if rate is not None), default=0))
    if any(errors):
        axes.area([(x, y or 0.0) for x, y in _steps(windows, errors)], ColorRole.BAD)
    axes.line(_steps(windows, final), ColorRole.FINAL)
    axes.line(_steps(windows, sent), ColorRole.INK, width=1.5)
    axes.line(_steps(windows, due), ColorRole.ACCENT, width=1.25, dashes=DASHED)


def _errors(window: SavedWindow) -> float | None:
    rates = [window.rate(name, "errors") for name, _ in _OPERATIONS]
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None


def _latency(axes: Axes, windows: Sequence[SavedWindow], name: str, title: str) -> None:
    columns = {key: [window.value(name, key) for window in windows] for key, _ in _PERCENTILES}
    service = [window.value(name, "service_p99_ms") for window in windows]
    usual = [value for value in columns["p50_ms"] if value is not None and value > 0]
    values = [value for column in [*columns.values(), service] for value in column if value is not None]
    logarithmic = axes.latency(values, statistics.median(usual) if usual else None)
    axes.title(f"{title} latency, ms{' (logarithmic)' if logarithmic else ''}")
    axes.line(_steps(windows, service), ColorRole.SERVICE, width=1.5, dashes=DOTTED)
    for key, role in reversed(_PERCENTILES):
        axes.line(_steps(windows, columns[key]), role)


def _generator(axes: Axes, windows: Sequence[SavedWindow]) -> None:
    lag = [window.value("lag_ms", "p99") for window in windows]
    axes.upward(max((value for value in lag if value is not None), default=0), about=2)
    axes.title("Generator lag, p99, ms")
    axes.line(_steps(windows, lag), ColorRole.INK, width=1.25)


def _shade(axes: Axes, windows: Sequence[SavedWindow], span: tuple[float | None, float | None]) -> None:
    if span[0] is not None and span[1] is not None:
        axes.span(span[0], span[1], ColorRole.SHADE)
    for from_s, to_s in _stretches(windows):
        axes.span(from_s, to_s, None)


def _stretches(windows: Sequence[SavedWindow]) -> list[tuple[float, float]]:
    """Stretches of consecutive limited windows."""
    found: list[tuple[float, float]] = []
    for window in windows:
        if not window.limited:
            continue
        if found and found[-1][1] == window.from_s:
            found[-1] = (found[-1][0], window.to_s)
        else:
            found.append((window.from_s, window.to_s))
    return found


# -- the table ----------------------------------------------------------------------------------------------------


def _table(windows: Sequence[SavedWindow], measured: Sequence[tuple[str, str]]) -> Table:
    head = ["from, s", "phase", "due", "sent", "accepted", "final", "errors"]
    head += [f"{name} {key}, ms" for name, _ in measured for key in ("p50", "p95", "p99")]
    head += ["lag p99, ms"]
    rows = []
    for window in windows:
        errors = [counted for name, _ in _OPERATIONS if (counted := window.value(name, "errors")) is not None]
        row = [amount(window.from_s), f"{one_line(window.phase, 20)}{', limited' if window.limited else ''}"]
        row += [count(window.value(name)) for name in ("scheduled", "sent", "accepted", "final")]
        row += [count(sum(errors)) if errors else "–"]
        row += [milliseconds(window.value(name, key)) for name, _ in measured for key, _ in _PERCENTILES]
        rows.append((*row, milliseconds(window.value("lag_ms", "p99"))))
    return Table(tuple(head), tuple(rows), labels=2)
