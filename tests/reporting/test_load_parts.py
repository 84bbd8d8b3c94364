"""Steps, lines, tags and the steps of a search: the same rows on the terminal, in the summary and on the page."""

from __future__ import annotations

import io
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from ringback.reporting import RunReport
from ringback.reporting.formats.markdown import summary_page
from ringback.reporting.html import write_html
from ringback.reporting.model.load_parts import part_tables
from ringback.reporting.terminal.load import print_load
from ringback.reporting.terminal.screen import ReportConsole

MakeReport = Callable[..., RunReport]


def requests(count: int, p99: float | None = None, **errors: int) -> dict[str, Any]:
    return {"count": count, "errors": errors, "latency_ms": {"p50": 1.5, "p99": p99}}


STATES = {"Answered": 77, "Busy": 2}
STEPPED: dict[str, Any] = {
    "scenario": "mixed",
    "trigger": requests(120, 900.0, http_500=7),
    "poll": requests(40, 30.0),
    "step": {
        "1": {"rate": 30.0, "trigger": requests(30, 12.0), "poll": requests(0), "generator": {"limited": False}},
        "2": {
            "rate": 90.0, "trigger": requests(90, 987.0, http_500=7), "poll": requests(40, 30.0),
            "generator": {"limited": True},
        },
    },
    "line": {
        "answered": {
            "trigger": requests(80, 11.0), "time_to_final_ms": {"p50": 2222.0, "p99": 3333.0},
            "calls": {"accepted": 80, "final": 79, "lost": 1, "wrong_state": 2, "by_state": STATES},
        },
        "busy": {"trigger": requests(40, 765.0, http_500=7)},
    },
    "tag": {
        "delivery": {"trigger": requests(25, 14.0), "poll": requests(0)},
        "poll": {"trigger": requests(120, 900.0), "poll": requests(40, 30.0)},
    },
    "capacity": {
        "rate": None, "low": 400.0, "high": None,
        "steps": [
            {"rate": 400.0, "held": True, "why": "it met the limits", "p99_ms": 8.0, "error_rate": 0.0},
            {"rate": 800.0, "held": None, "why": "the step was cut short", "p99_ms": None, "error_rate": None},
        ],
    },
}  # fmt: skip


def on_the_terminal(load: dict[str, Any]) -> str:
    screen = ReportConsole(file=io.StringIO(), width=100)
    print_load(screen, load)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_each_part_has_a_row_with_its_own_figures() -> None:
    tables = {table.title: {row.name: row for row in table.rows} for table in part_tables(STEPPED)}
    assert {title: list(rows) for title, rows in tables.items()} == {
        "Steps": ["1: 30/s", "2: 90/s", "2: 90/s, polls"],
        "Lines": ["answered", "busy"],
        "Calls by line": ["answered"],
        "Tags": ["delivery"],
    }
    second = tables["Steps"]["2: 90/s"]
    assert second.cells == ("1.50", "–", "–", "987", "–", "–", "90", "7")
    assert (second.alarming, second.limited) == (True, True)
    assert not tables["Lines"]["answered"].alarming
    calls = tables["Calls by line"]["answered"]
    assert calls.cells == ("80", "79", "1", "–", "2", "–", "2,222", "–", "3,333", "Answered 77, Busy 2")
    assert calls.alarming


def test_a_part_that_is_the_whole_run_is_left_out() -> None:
    load = {**STEPPED, "step": {}, "line": {"busy": {"trigger": requests(120, 1.0)}}}
    load["tag"] = {"poll": STEPPED["tag"]["poll"], "trigger": {"trigger": requests(120, 900.0), "poll": requests(0)}}
    assert part_tables(load) == []


def test_parts_are_in_all_reports(make_report: MakeReport, tmp_path: Path) -> None:
    report = make_report(load=STEPPED)
    page = write_html(report, tmp_path).read_text(encoding="utf-8")
    for text in (on_the_terminal(STEPPED), summary_page(report), page):
        for word in ("2: 90/s, polls", "987", "busy", "765", "delivery", "bottleneck", "2,222", "Answered 77, Busy 2"):
            assert word in unescape(text)


def test_the_steps_of_a_search_are_printed(make_report: MakeReport) -> None:
    for text in (on_the_terminal(STEPPED), summary_page(make_report(load=STEPPED))):
        assert "at least 400 a second" in text
        assert "held" in text
        assert "undecided" in text
        assert "the step was cut short" in text


@pytest.mark.parametrize(
    "odd",
    [
        {"line": {"a": {"calls": 3}, "b": {"calls": {"accepted": 1, "by_state": [1], "lost": {}}}}},
        {"step": 3, "line": [], "tag": "x", "capacity": {"steps": 3}},
        {"step": {"1": None}, "line": {"busy": 1, "x": {}}, "tag": {"t": {"trigger": {"count": "9"}}}},
        {"capacity": {"steps": [1, {"rate": "x", "held": "yes", "why": {"a": 1}}]}},
        {"tag": {"\x1b[31m<script>|`x`": {"trigger": requests(1, 2.0)}}},
    ],
)
def test_odd_files_and_names_do_no_harm(make_report: MakeReport, tmp_path: Path, odd: dict[str, Any]) -> None:
    report = make_report(load=odd)
    texts = (on_the_terminal(odd), summary_page(report), write_html(report, tmp_path).read_text(encoding="utf-8"))
    assert not any("\x1b" in text for text in texts)
    assert not any("<script>|" in text for text in texts[1:])
