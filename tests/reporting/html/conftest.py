"""Pages of runs with each verdict and of invented load runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import LimitResult, Verdict
from ringback.reporting import RunReport
from ringback.reporting.html import write_html
from ringback.reporting.model.timelines import CallTimeline, write_timelines

from .load_runs import MadeUp, write_load_run
from .page_reader import Page, read_page

LIMITS = (
    LimitResult("trigger.latency_ms.p99", "< 500", 4388.0, Verdict.FAIL),
    LimitResult("trigger.error_rate", "< 0.01", 0.0131, Verdict.FAIL),
    LimitResult("calls.lost", "== 0", 3.0, Verdict.FAIL),
    LimitResult("time_to_final_ms.p95", "< 5000", 1610.0, Verdict.PASS),
    LimitResult("generator.cpu", "< 0.8", None, Verdict.INCONCLUSIVE),
)
FROZEN = MadeUp(
    freeze=(24, 29), limited=(44, 48), errors=(29, 33), lost=3, duplicates=1, wrong_state=4, workers=3, capacity=True
)
CALLS = (
    CallTimeline("only the required parameters", "answered", 0.1, 0.12, 0.2, 1.1, "Answered", ((1.2, 200),), 3.0),
    CallTimeline("a call to the line busy", "busy", 0.2, 0.21, 0.3, 1.2, "Rejected", ((1.3, 503), (2.3, 200)), 3.0),
    CallTimeline("a call that stays", "no_answer", 0.3, 0.33, 0.4, None, None, (), 3.0),
)


@pytest.fixture
def shown(tmp_path: Path) -> Callable[[RunReport], Page]:
    """Writes the page of a report into `tmp_path`, and reads it."""

    def show(report: RunReport) -> Page:
        return read_page(write_html(report, tmp_path))

    return show


@pytest.fixture
def whole_gate(tmp_path: Path, of_every_kind: Callable[..., RunReport]) -> RunReport:
    """A gate with every verdict, every picture, and its files in `tmp_path`."""
    load = write_load_run(tmp_path, FROZEN)
    write_timelines(CALLS, tmp_path)
    return of_every_kind(load=load, limits=LIMITS)


@pytest.fixture
def all_broken(make_report: Callable[..., RunReport]) -> Callable[..., RunReport]:
    """Builds a report in which every clause is broken."""

    def make(text: str = "", **changed: object) -> RunReport:
        return make_report(dict.fromkeys(CLAUSES, Verdict.FAIL), text=text, **changed)

    return make
