"""Numbers and limits as reports show them."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.contract.verdict import LimitResult, Verdict
from ringback.reporting.html.limits import limit_rows, metric_words
from ringback.reporting.html.load import load_view
from ringback.reporting.model.figures import amount, count, duration, milliseconds, percent, share
from ringback.rundir.reading import number

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.0131, "0.0131"),
        (0.5, "0.5"),
        (19.97, "20"),
        (47.66, "47.7"),
        (100.1, "100"),
        (512.3, "512"),
        (1204.4, "1,204"),
        (None, "–"),
        (True, "–"),
        (NAN, "–"),
    ],
)
def test_amounts(value: Any, shown: str) -> None:
    assert amount(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.9993, "99.9 %"),
        (0.99999, "99.9 %"),
        (0.5, "50.0 %"),
        (0.0142, "1.42 %"),
        (0.000004, "0.0004 %"),
        (None, "–"),
    ],
)
def test_shares_of_nearly_all_are_not_100_percent(value: Any, shown: str) -> None:
    assert percent(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.123, "0.12"), (1.204, "1.20"), (12.04, "12.0"), (4388.2, "4,388"), ("7", "–"), (INFINITY, "–")],
)
def test_milliseconds(value: Any, shown: str) -> None:
    assert milliseconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(4.06, "4.1 s"), (119.9, "119.9 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (None, "–")]
)
def test_durations(value: Any, shown: str) -> None:
    assert duration(value) == shown


def test_other_values_are_not_numbers() -> None:
    strange: list[Any] = [None, "1", True, NAN, INFINITY, 10**400, [], {}]
    assert [number(value) for value in strange] == [None] * len(strange)
    assert number(2) == 2
    assert count(1234567.0) == "1,234,567"
    assert share(1, 0) is None


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("trigger.latency_ms.p99", "trigger latency, p99"),
        ("poll.service_ms.p99_9", "poll service time, p99.9"),
        ("time_to_final_ms.p95", "time to final, p95"),
        ("calls.lost", "calls lost"),
        ("generator.lag_ms.max", "generator lag, longest"),
        ("trigger.error_rate", "trigger error rate"),
    ],
)
def test_metrics_have_words(metric: str, words: str) -> None:
    assert metric_words(metric) == words


@pytest.mark.parametrize(
    ("limit", "value", "margin", "asked"),
    [
        ("< 500", 4388.0, "778 % above", "less than 500 ms"),
        ("< 500", 50_000.0, "100 times the limit", "less than 500 ms"),
        ("< 500", 125.0, "75 % below", "less than 500 ms"),
        ("<= 500", 500.0, "at the limit", "at most 500 ms"),
        ("== 0", 0.0, "exactly", "exactly 0 ms"),
        ("== 0", 3.0, "3 above", "exactly 0 ms"),
        ("> 0", 2.0, "2 above", "more than 0 ms"),
        (">= 20", None, "–", "at least 20 ms"),
        ("nonsense", 2.0, "–", "nonsense"),
    ],
)
def test_limits_show_their_margin(limit: str, value: float | None, margin: str, asked: str) -> None:
    (row,) = limit_rows([LimitResult("trigger.latency_ms.p99", limit, value, Verdict.PASS)])
    assert (row.margin, row.limit) == (margin, asked)
    assert row.bar is None or 0 <= row.bar <= 100
    assert row.tick is None or 0 <= row.tick <= 100


def test_broken_limits_come_first() -> None:
    verdicts = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)
    rows = limit_rows([LimitResult("calls.lost", "== 0", 1.0, verdict) for verdict in verdicts])
    assert [row.verdict for row in rows] == ["fail", "inconclusive", "pass"]


def test_bars_of_final_states_show_their_share(make_report: Any) -> None:
    view = load_view(make_report(load={"calls": {"by_state": {"Answered": 86, "Busy": 14}}}))
    assert view is not None
    assert [(row.state, row.bar) for row in view["states"]] == [("Answered", 86.0), ("Busy", 14.0)]
