"""Which pictures a run's page has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringback.contract.states import FINAL_STATES
from ringback.reporting.html.charts import (
    Branch,
    draw_calls,
    draw_capacity,
    draw_distribution,
    draw_flow,
    draw_over_time,
)
from ringback.reporting.html.charts.picture import Picture
from ringback.reporting.html.charts.sheet import ColorRole
from ringback.reporting.model.figures import count
from ringback.reporting.model.timelines import read_timelines
from ringback.rundir.reading import members, number
from ringback.rundir.run import RunReport
from ringback.rundir.windows import read_windows

__all__ = ["Pictures", "pictures_of"]

_MOST_STATES = 9


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of a run; None for those without data."""

    over_time: Picture | None = None
    distribution: Picture | None = None
    ledger: Picture | None = None
    deliveries: Picture | None = None
    capacity: Picture | None = None
    calls: Picture | None = None


def pictures_of(report: RunReport, directory: Path) -> Pictures:
    """The pictures of a run whose files are in `directory`."""
    timelines = read_timelines(directory) if report.results else ()
    if report.load is None and not timelines:
        return Pictures()
    load = report.load or {}
    return Pictures(
        over_time=draw_over_time(read_windows(directory).timed() if report.load is not None else (), load),
        distribution=draw_distribution(load),
        ledger=_ledger(load),
        deliveries=_deliveries(load),
        capacity=draw_capacity(load),
        calls=draw_calls(timelines),
    )


def _ledger(load: Mapping[str, Any]) -> Picture | None:
    calls = members(load, "calls")
    fates = (
        ("final", "final", ColorRole.FINAL, _states(calls)),
        ("unfinished", "unfinished", ColorRole.DUE, ()),
        ("duplicate_ids", "duplicate id", ColorRole.OPEN, ()),
        ("lost", "lost", ColorRole.BAD, ()),
    )
    children = tuple(Branch(word, _whole(calls.get(key)), role, below) for key, word, role, below in fates)
    root = Branch("accepted", _whole(calls.get("accepted")), ColorRole.ACCENT, children)
    parts = [f"{count(branch.count)} {branch.name}" for branch in children]
    wrong = _whole(calls.get("wrong_state"))
    aside = f" {count(wrong)} final calls did not end in the state that their line produces." if wrong else ""
    return draw_flow(
        root,
        key="ledger",
        title="Outcome of the accepted calls",
        caption=f"Of {count(root.count)} accepted calls: {', '.join(parts)}.{aside}",
    )


def _states(calls: Mapping[str, Any]) -> tuple[Branch, ...]:
    counted = {str(state): _whole(value) for state, value in members(calls, "by_state").items()}
    ranked = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = [Branch(s, n, ColorRole.FINAL if s in FINAL_STATES else ColorRole.BAD) for s, n in ranked[:_MOST_STATES]]
    if rest := sum(number_of for _, number_of in ranked[_MOST_STATES:]):
        shown.append(Branch("others", rest, ColorRole.DUE))
    return tuple(shown)


def _deliveries(load: Mapping[str, Any]) -> Picture | None:
    deliveries = members(load, "calls", "deliveries")
    arrived, contradicting = _whole(deliveries.get("arrived")), _whole(deliveries.get("contradicting"))
    agreeing = max(arrived - contradicting, 0)
    below = (
        Branch("agree with polls", agreeing, ColorRole.FINAL),
        Branch("contradict polls", contradicting, ColorRole.BAD),
    )
    root = Branch(
        "expected",
        _whole(deliveries.get("expected")),
        ColorRole.ACCENT,
        (
            Branch("arrived", arrived, ColorRole.FINAL, below if contradicting else ()),
            Branch("late", _whole(deliveries.get("late")), ColorRole.BAD),
            Branch("missing", _whole(deliveries.get("missing")), ColorRole.BAD),
        ),
    )
    unknown = _whole(deliveries.get("unknown"))
    aside = f" {count(unknown)} deliveries had an unknown id." if unknown else ""
    return draw_flow(
        root,
        key="deliveries",
        title="Outcome of the deliveries",
        caption=f"Of {count(root.count)} deliveries due, {count(arrived)} arrived.{aside}",
    )


def _whole(value: Any) -> int:
    found = number(value)
    return 0 if found is None else max(0, int(found))
