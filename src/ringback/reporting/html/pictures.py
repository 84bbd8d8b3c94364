"""Which pictures a run's page has. Matplotlib is imported here, when there is something to draw, and nowhere sooner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ringback.contract.states import FINAL_STATES
from ringback.reporting.model.figures import count
from ringback.reporting.model.run import RunReport
from ringback.reporting.model.timelines import timelines_of_run
from ringback.rundir.reading import members, number
from ringback.rundir.windows import read_windows

if TYPE_CHECKING:
    from ringback.reporting.html.charts import Branch
    from ringback.reporting.html.charts.sheet import Picture

__all__ = ["Pictures", "pictures_of"]

_MOST_STATES = 9


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of a run; None for what it has nothing to show of."""

    over_time: Picture | None = None
    distribution: Picture | None = None
    ledger: Picture | None = None
    deliveries: Picture | None = None
    capacity: Picture | None = None
    calls: Picture | None = None


def pictures_of(report: RunReport, directory: Path) -> Pictures:
    """The pictures of a run whose files are in `directory`."""
    timelines = timelines_of_run(directory) if report.results else ()
    if report.load is None and not timelines:
        return Pictures()
    from ringback.reporting.html import charts

    load = report.load or {}
    return Pictures(
        over_time=charts.draw_over_time(read_windows(directory).timed() if report.load is not None else (), load),
        distribution=charts.draw_distribution(load),
        ledger=_ledger(load),
        deliveries=_deliveries(load),
        capacity=charts.draw_capacity(load),
        calls=charts.draw_calls(timelines),
    )


def _ledger(load: Mapping[str, Any]) -> Picture | None:
    from ringback.reporting.html.charts import Branch, draw_flow
    from ringback.reporting.html.charts.color_role import Ink

    calls = members(load, "calls")
    fates = (
        ("final", "final", Ink.FINAL, _states(calls)),
        ("unfinished", "unfinished", Ink.DUE, ()),
        ("duplicate_ids", "duplicate id", Ink.OPEN, ()),
        ("lost", "lost", Ink.BAD, ()),
    )
    children = tuple(Branch(word, _whole(calls.get(key)), ink, below) for key, word, ink, below in fates)
    root = Branch("accepted", _whole(calls.get("accepted")), Ink.ACCENT, children)
    told = [f"{count(branch.count)} {branch.name}" for branch in children]
    wrong = _whole(calls.get("wrong_state"))
    aside = (
        f" {count(wrong)} of the final ones ended in another state than their line is known to produce."
        if wrong
        else ""
    )
    return draw_flow(
        root,
        key="ledger",
        title="What became of the accepted calls",
        caption=f"Of {count(root.count)} accepted calls: {', '.join(told)}.{aside}",
    )


def _states(calls: Mapping[str, Any]) -> tuple[Branch, ...]:
    from ringback.reporting.html.charts import Branch
    from ringback.reporting.html.charts.color_role import Ink

    told = {str(state): _whole(value) for state, value in members(calls, "by_state").items()}
    ranked = sorted(told.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = [Branch(s, n, Ink.FINAL if s in FINAL_STATES else Ink.BAD) for s, n in ranked[:_MOST_STATES]]
    if rest := sum(number_of for _, number_of in ranked[_MOST_STATES:]):
        shown.append(Branch("others", rest, Ink.DUE))
    return tuple(shown)


def _deliveries(load: Mapping[str, Any]) -> Picture | None:
    from ringback.reporting.html.charts import Branch, draw_flow
    from ringback.reporting.html.charts.color_role import Ink

    told = members(load, "calls", "deliveries")
    arrived, contradicting = _whole(told.get("arrived")), _whole(told.get("contradicting"))
    agreeing = max(arrived - contradicting, 0)
    below = (Branch("agree with polls", agreeing, Ink.FINAL), Branch("contradict polls", contradicting, Ink.BAD))
    root = Branch(
        "expected",
        _whole(told.get("expected")),
        Ink.ACCENT,
        (
            Branch("arrived", arrived, Ink.FINAL, below if contradicting else ()),
            Branch("missing", _whole(told.get("missing")), Ink.BAD),
        ),
    )
    unknown = _whole(told.get("unknown"))
    aside = f" {count(unknown)} deliveries were for no call that is known." if unknown else ""
    return draw_flow(
        root,
        key="deliveries",
        title="What became of the results to be delivered",
        caption=f"Of {count(root.count)} deliveries due, {count(arrived)} arrived.{aside}",
    )


def _whole(value: Any) -> int:
    told = number(value)
    return max(0, int(told)) if told is not None else 0
