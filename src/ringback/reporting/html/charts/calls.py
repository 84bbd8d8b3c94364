"""Call timelines: each accepted call from its trigger to the delivery of its result, on one axis of time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from ringback.reporting.html.charts.axes import Axes
from ringback.reporting.html.charts.picture import Key, Picture, Table, is_narrow, make_picture
from ringback.reporting.html.charts.sheet import ColorRole, Sheet
from ringback.reporting.model.figures import amount, count
from ringback.reporting.model.safe import one_line
from ringback.reporting.model.timelines import CallTimeline

__all__ = ["draw_calls"]

_MOST_DRAWN, _MOST_LISTED = 120, 400
_ROW, _TOP, _BOTTOM = 17, 12, 46
_LABEL, _STATE = 44, 24
_TINY, _MOST_OF_IT = 0.04, 0.6
"""Shares of the run's duration: calls are drawn from their own triggers if half of them are shorter than the first and
none is longer than the second."""


def draw_calls(timelines: Sequence[CallTimeline]) -> Picture | None:
    """The calls in the order of their triggers; None if there are none.

    If there are very many, those that ended wrongly are drawn, then the earliest; the rest is counted.
    """
    if not timelines:
        return None
    shown = _chosen(timelines, _MOST_DRAWN)
    apart = _apart(shown)

    legend = [
        Key("box", "ink", "trigger until its answer"),
        Key("box", "accent", "in progress, until a poll reported the end"),
    ]
    if any(call.deliveries and call.final_s is not None for call in shown):
        legend.append(Key("line", "wait", "final, until its result was delivered"))
    legend.append(Key("dot", "good", "final, in the state of its line"))
    if any(call.state is not None and not call.as_known for call in shown):
        legend.append(Key("cross", "bad", "final, in another state"))
    if any(call.state is None for call in shown):
        legend.append(Key("ring", "bad", "never seen final"))
    if any(call.deliveries for call in shown):
        legend.append(Key("diamond", "final", "result delivered"))
    return make_picture(
        lambda width: _draw(width, [_from_its_trigger(call) for call in shown] if apart else shown, apart=apart),
        key="calls",
        title="Call timelines",
        caption=_caption(timelines, shown, apart=apart),
        legend=legend,
        table=_table(timelines),
    )


def _chosen(timelines: Sequence[CallTimeline], most: int) -> list[CallTimeline]:
    if len(timelines) <= most:
        return list(timelines)
    ranked = sorted(range(len(timelines)), key=lambda at: (timelines[at].as_known, at))
    return [timelines[at] for at in sorted(ranked[:most])]


def _apart(calls: Sequence[CallTimeline]) -> bool:
    """Whether calls are too short to be visible on the axis of the whole run."""
    whole = max(_last(call) for call in calls)
    own = [_last(call) - call.triggered_s for call in calls]
    return statistics.median(own) < _TINY * whole and max(own) < _MOST_OF_IT * whole


def _last(call: CallTimeline) -> float:
    """The last instant that is drawn of a call."""
    ends = [call.answered_s, call.end_s if call.final_s is None else call.final_s, *(at for at, _ in call.deliveries)]
    return max(ends)


def _from_its_trigger(call: CallTimeline) -> CallTimeline:
    zero = call.triggered_s

    def moved(at: float | None) -> float | None:
        return None if at is None else at - zero

    return replace(
        call,
        triggered_s=0.0,
        answered_s=call.answered_s - zero,
        first_pending_s=moved(call.first_pending_s),
        final_s=moved(call.final_s),
        deliveries=tuple((at - zero, status) for at, status in call.deliveries),
        watched_until_s=moved(call.watched_until_s),
    )


def _caption(timelines: Sequence[CallTimeline], shown: Sequence[CallTimeline], *, apart: bool) -> str:
    caption = (
        f"{count(len(timelines))} accepted call{'s' if len(timelines) != 1 else ''}, in the order of their triggers."
    )
    if len(shown) < len(timelines):
        caption += f" {count(len(timelines) - len(shown))} more are not drawn; all that ended wrongly are."
    if apart:
        caption += " Each begins at its own trigger; the table has its time."
    caption += " The end of a call is known to within one poll interval."
    if not any(call.deliveries for call in timelines):
        caption += " No delivery was recorded."
    return caption


def _draw(width: int, calls: Sequence[CallTimeline], *, apart: bool) -> Sheet:
    narrow = is_narrow(width)
    left, right = (80, 78) if narrow else (370, 170)
    height = _ROW * len(calls) + 10
    sheet = Sheet(width, _TOP + height + _BOTTOM)
    axes = Axes(sheet, left, _TOP, width - left - right, height)
    last = max(_last(call) for call in calls)
    label = axes.time(0, last * 1.02 or 1, about=4 if narrow else 10, grid=True)
    axes.level_label(label.replace("the start", "the trigger") if apart else label)
    for row, call in enumerate(calls):
        y = _TOP + 5 + _ROW * (row + 0.5)
        _bars(axes, call, y)
        _points(axes, call, y, size=6.5 if narrow else 8)
        _labels(axes, call, y, narrow=narrow)
    return sheet


def _bars(axes: Axes, call: CallTimeline, y: float) -> None:
    end = call.end_s if call.final_s is None else call.final_s
    bars = [(call.answered_s, end, ColorRole.ACCENT, 6.0), (call.triggered_s, call.answered_s, ColorRole.INK, 6.0)]
    if call.final_s is not None and call.deliveries:
        bars.insert(0, (call.final_s, max(at for at, _ in call.deliveries), ColorRole.WAIT, 1.5))
    for from_s, to_s, role, breadth in bars:
        axes.sheet.line([(axes.x(from_s), y), (axes.x(to_s), y)], role, width=breadth)


def _points(axes: Axes, call: CallTimeline, y: float, *, size: float) -> None:
    for at, _ in call.deliveries:
        axes.sheet.marker("diamond", (axes.x(at), y), size, ColorRole.FINAL)
    if call.final_s is None:
        axes.sheet.marker("ring", (axes.x(call.end_s), y), size, ColorRole.BAD)
    elif call.as_known:
        axes.sheet.marker("dot", (axes.x(call.final_s), y), size, ColorRole.GOOD)
    else:
        axes.sheet.marker("cross", (axes.x(call.final_s), y), size * 0.8, ColorRole.BAD)


def _labels(axes: Axes, call: CallTimeline, y: float, *, narrow: bool) -> None:
    label = one_line(call.line, 10) if narrow else one_line(call.label.removeprefix("trigger: ") or call.line, _LABEL)
    axes.sheet.text(axes.left - 10, y + 4, label, anchor="end", size=11)
    state = "not final" if call.state is None else call.state
    if call.state is not None and not call.as_known and not narrow:
        state = f"{state}, not {call.known_state}"
    role = ColorRole.SOFT if call.as_known else ColorRole.BAD
    axes.sheet.text(axes.right + 10, y + 4, one_line(state, 11 if narrow else _STATE), role, size=11)


def _table(timelines: Sequence[CallTimeline]) -> Table:
    listed = _chosen(timelines, _MOST_LISTED)
    rows = [
        (
            one_line(call.label.removeprefix("trigger: "), 80),
            one_line(call.line, 40),
            "not final" if call.state is None else one_line(call.state, 40),
            _at(call.triggered_s),
            _after(call, call.answered_s),
            _after(call, call.first_pending_s),
            _after(call, call.final_s),
            ", ".join(f"{_after(call, at)} ({status})" for at, status in call.deliveries[:5]) or "–",
        )
        for call in listed
    ]
    left = len(timelines) - len(listed)
    return Table(
        (
            "sent",
            "line",
            "state",
            "triggered, s",
            "answered after, s",
            "in progress after, s",
            "final after, s",
            "delivered after, s (answered)",
        ),
        tuple(rows),
        labels=3,
        left_out=f"{count(left)} more calls are not in this table." if left else "",
    )


def _at(at: float) -> str:
    return f"{at:.2f}"


def _after(call: CallTimeline, at: float | None) -> str:
    return "–" if at is None else amount(round(at - call.triggered_s, 3))
