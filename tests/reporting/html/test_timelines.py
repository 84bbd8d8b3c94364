"""Timelines of calls: written and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.reporting.model.timelines import (
    CallTimeline,
    read_timelines,
    write_timelines,
)

from .conftest import CALLS


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_timelines(CALLS, tmp_path)
    assert read_timelines(tmp_path) == CALLS


def test_calls_know_whether_they_ended_as_their_line_does() -> None:
    assert [call.as_known for call in CALLS] == [True, False, False]
    assert CALLS[1].known_state == "Busy"
    assert CALLS[2].end_s == 3.0
    assert CallTimeline("", "", 0, 1, None, 2, "Busy").as_known, "of an unknown line nothing is known"


@pytest.mark.parametrize(
    "line",
    [
        "", "{", "[]", "null", "7", '"x"', "{}", '{"request": 1, "response": []}', "[" * 50_000,
        '{"triggered_s": NaN, "answered_s": 1}', '{"triggered_s": 1e300, "answered_s": 1}', '{"triggered_s": 1}',
    ],
)  # fmt: skip
def test_other_lines_are_skipped(tmp_path: Path, line: str) -> None:
    path = write_timelines(CALLS, tmp_path)
    path.write_text(f"{line}\n{path.read_text()}", encoding="utf-8")
    assert read_timelines(tmp_path) == CALLS


def test_a_run_without_files_has_no_timelines(tmp_path: Path) -> None:
    assert read_timelines(tmp_path) == ()


def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    path = write_timelines(CALLS, tmp_path)
    path.write_text(path.read_text() + '{"label": "cut', encoding="utf-8")
    assert read_timelines(tmp_path) == CALLS
