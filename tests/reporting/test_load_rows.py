"""The load section as rows: deliveries, misspelt states, and examples of errors."""

from __future__ import annotations

from typing import Any

from ringback.reporting.model.load import LoadRow, error_kinds, latency_rows, load_rows


def rows(load: dict[str, Any], label: str) -> list[LoadRow]:
    return [row for row in load_rows(load) if row.label == label]


def deliveries(**counts: int) -> dict[str, Any]:
    return {"calls": {"accepted": 9, "final": 9, "lost": 0, "deliveries": counts}}


def test_deliveries_have_a_row_that_alarms_if_any_is_wrong() -> None:
    (row,) = rows(deliveries(expected=9, arrived=9, late=0, missing=0, contradicting=0, unknown=0), "deliveries")
    assert row == LoadRow("deliveries", "9 expected, 9 arrived in time")
    (row,) = rows(deliveries(expected=9, arrived=0, late=2, missing=7, contradicting=1), "deliveries")
    assert row.alarming
    assert row.text == "9 expected, 0 arrived in time, 2 late, 7 missing, 1 contradict polls or each other"


def test_without_deliveries_there_is_no_row() -> None:
    assert rows({"calls": {"accepted": 9}}, "deliveries") == []
    assert rows(deliveries(expected=0, arrived=0), "deliveries") == []


def test_lost_calls_with_misspelt_states_are_shown_as_such() -> None:
    calls = {"accepted": 9, "final": 0, "lost": 9, "undocumented": {"ANSWERED": 8}}
    (row,) = rows({"calls": calls}, "calls")
    assert '9 lost (polls reported misspelt states: "ANSWERED' in row.text
    (row,) = rows({"calls": {**calls, "undocumented": {"Queued\x1b[2J": 8}}}, "calls")
    assert "\x1b" not in row.text
    assert "undocumented states" in row.text


def test_an_error_has_its_example_made_harmless() -> None:
    load = {
        "trigger": {
            "count": 5,
            "errors": {"http_503": 3, "timeout": 1},
            "examples": {"http_503": "503 text/plain: \x1b[31mno capacity\n"},
        }
    }
    (row,) = rows(load, "example")
    assert row.text == "trigger http_503: 503 text/plain: \\x1b[31mno capacity\\n"
    assert [kind.example for kind in error_kinds(load, 8) if kind.kind == "timeout"] == [""]


def test_times_of_failures_are_apart_from_those_of_successes() -> None:
    load = {
        "trigger": {
            "count": 10,
            "errors": {"http_503": 4},
            "rate_limited": 1,
            "latency_ms": {"p99": 200.0},
            "service_ms": {"p99": 190.0},
            "failed": {"latency_ms": {"p99": 3.0}},
        }
    }
    assert [(row.name, row.count) for row in latency_rows(load)] == [
        ("trigger", 5), ("trigger service", 5), ("trigger failed", 4),
    ]  # fmt: skip


def test_a_generator_that_was_late_for_a_moment_says_so() -> None:
    (row,) = rows({"generator": {"limited": False, "windows": 8, "limited_windows": 1}}, "generator")
    assert row.text == "kept up but for 1 of 8 windows"
    assert not row.alarming
