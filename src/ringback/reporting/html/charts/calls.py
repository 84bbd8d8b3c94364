"""Call timelines: each accepted call from its trigger to the delivery of its result, on one axis of time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from ringback.reporting.html.charts.color_role import Ink
from ringback.reporting.html.charts.sheet import Key, Picture, Sheet, Table, drawn, time_axis
from ringback.reporting.model.figures import amount, count
from ringback.reporting.model.safe import one_line
from ringback.reporting.model.timelines import CallTimeline

__all__ = ["draw_calls"]

_MOST_DRAWN, _MOST_TOLD = 120, 400
_ROW, _TOP, _BOTTOM = 17, 12, 46
_LABEL, _STATE = 44, 24
_TINY, _MOST_OF_IT = 0.04, 0.6
"""Of the run's axis: what half the calls need less of, and none more, to be drawn from their own triggers."""


def draw_calls(timelines: Sequence[CallTimeline]) -> Picture | None:
    """The calls in the order of their triggers; None if there are none.

    Of very many, those that did not end as their line does come first, then the earliest; the rest is counted.
    """
    if not timelines:
        return None
    shown = _chosen(timelines, _MOST_DRAWN)
    apart = _apart(shown)

    def draw(width: int) -> Sheet:
        return _draw(width, [_from_its_trigger(call) for call in shown] if apart else shown, apart=apart)

    legend = [
        Key("box", "ink", "trigger until its answer"),
        Key("box", "accent", "in progress, until a poll told the end"),
    ]
    if any(call.deliveries and call.final_s is not None for call in shown):
        legend.append(Key("line", "wait", "final, until its result was delivered"))
    legend.append(Key("dot", "good", "final, as its line is known to end"))
    if any(call.state is not None and not call.as_known for call in shown):
        legend.append(Key("cross", "bad", "final, in another state"))
    if any(call.state is None for call in shown):
        legend.append(Key("ring", "bad", "never seen final"))
    if any(call.deliveries for call in shown):
        legend.append(Key("diamond", "final", "result delivered"))
    return drawn(
        draw,
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
    """Whether calls are so short beside the run that on its own axis nothing of them would be seen."""
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
    told = f"{count(len(timelines))} accepted call{'s' if len(timelines) != 1 else ''}, in the order of their triggers."
    if len(shown) < len(timelines):
        told += f" {count(len(timelines) - len(shown))} more are not drawn; those that ended wrongly all are."
    if apart:
        told += " Each begins at its own trigger; the table tells when that was."
    told += " An end is known as exactly as the call was asked for."
    if not any(call.deliveries for call in timelines):
        told += " No delivery was recorded."
    return told


def _draw(width: int, calls: Sequence[CallTimeline], *, apart: bool) -> Sheet:
    narrow = width < 700
    left, right = (80, 78) if narrow else (370, 170)
    height = _ROW * len(calls) + 10
    sheet = Sheet(width, _TOP + height + _BOTTOM)
    axes = sheet.axes(left, _TOP, width - left - right, height)
    last = max(_last(call) for call in calls)
    label = time_axis(axes, 0, last * 1.02 or 1, ticks=4 if narrow else 10)
    axes.set_xlabel(label.replace("the start", "the trigger") if apart else label, labelpad=6)
    axes.set_ylim(len(calls) - 0.5 + 5 / _ROW, -0.5 - 5 / _ROW)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")
    _bars(axes, calls)
    _points(axes, calls, small=narrow)
    _labels(axes, calls, narrow)
    return sheet


def _bars(axes: Axes, calls: Sequence[CallTimeline]) -> None:
    ringing = [(row, c.answered_s, c.end_s if c.final_s is None else c.final_s) for row, c in enumerate(calls)]
    triggers = [(row, c.triggered_s, c.answered_s) for row, c in enumerate(calls)]
    waits = [
        (row, c.final_s, max(at for at, _ in c.deliveries))
        for row, c in enumerate(calls)
        if c.final_s is not None and c.deliveries
    ]
    for spans, ink, breadth in ((waits, Ink.WAIT, 1.5), (ringing, Ink.ACCENT, 6), (triggers, Ink.INK, 6)):
        axes.add_collection(
            LineCollection(
                [[(from_s, row), (to_s, row)] for row, from_s, to_s in spans], colors=ink, linewidths=breadth
            )
        )


def _points(axes: Axes, calls: Sequence[CallTimeline], *, small: bool) -> None:
    size = 6.5 if small else 8
    rows = list(enumerate(calls))
    delivered = [(at, row) for row, call in rows for at, _ in call.deliveries]
    good = [(call.final_s, row) for row, call in rows if call.final_s is not None and call.as_known]
    wrong = [(call.final_s, row) for row, call in rows if call.final_s is not None and not call.as_known]
    never = [(call.end_s, row) for row, call in rows if call.final_s is None]
    for points, marker, face, edge in (
        (delivered, "D", Ink.FINAL, Ink.PAPER),
        (good, "o", Ink.GOOD, Ink.PAPER),
        (wrong, "X", Ink.BAD, Ink.PAPER),
        (never, "o", Ink.PAPER, Ink.BAD),
    ):
        if points:
            axes.plot(
                [at for at, _ in points], [row for _, row in points],
                linestyle="none", marker=marker, clip_on=False, zorder=4,
                markersize=size * 0.8 if marker == "D" else size,
                markerfacecolor=face, markeredgecolor=edge, markeredgewidth=2 if face is Ink.PAPER else 1,
            )  # fmt: skip


def _labels(axes: Axes, calls: Sequence[CallTimeline], narrow: bool) -> None:
    for row, call in enumerate(calls):
        told = (
            one_line(call.line, 10) if narrow else one_line(call.label.removeprefix("trigger: ") or call.line, _LABEL)
        )
        axes.annotate(
            told, (0, row), (-10, -4), xycoords=("axes fraction", "data"), textcoords="offset pixels",
            ha="right", va="baseline", color=Ink.SOFT, fontsize=11,
        )  # fmt: skip
        state = "not final" if call.state is None else call.state
        if call.state is not None and not call.as_known and not narrow:
            state = f"{state}, not {call.known_state}"
        axes.annotate(
            one_line(state, 11 if narrow else _STATE), (1, row), (10, -4),
            xycoords=("axes fraction", "data"), textcoords="offset pixels", va="baseline",
            color=Ink.SOFT if call.as_known else Ink.BAD, fontsize=11,
        )  # fmt: skip


def _table(timelines: Sequence[CallTimeline]) -> Table:
    told = _chosen(timelines, _MOST_TOLD)
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
        for call in told
    ]
    left = len(timelines) - len(told)
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
