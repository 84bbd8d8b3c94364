"""Timelines of calls: written and read back, or derived from exchanges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ringback.reporting.model.timelines import (
    CallTimeline,
    read_timelines,
    timelines_from_exchanges,
    timelines_of_run,
    write_timelines,
)

from .conftest import CALLS


def exchange(at: float, body: Any, answer: Any, *, purpose: str = "trigger: plain", status: int = 200) -> str:
    shown = {
        "id": 1, "purpose": purpose, "at": at, "seconds": 0.5, "failure": None,
        "request": {"method": "POST", "body": json.dumps(body)},
        "response": None if answer is None else {"status": status, "body": json.dumps(answer)},
    }  # fmt: skip
    return json.dumps(shown)


def trigger(at: float, unique_id: str, line: str = "BUSY", **more: Any) -> str:
    inputs = [{"Name": "_Destination", "Value": f"$RINGBACK_LINES__{line}"}]
    return exchange(at, {"ScenarioInputParameters": inputs}, {"UniqueId": unique_id}, **more)


def poll(at: float, ids: list[str], **states: str) -> str:
    results = [{"UniqueId": one, "CallState": state} for one, state in states.items()]
    return exchange(at, {"UniqueIds": ids}, {"CallResults": results}, purpose="poll")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_timelines(CALLS, tmp_path)
    assert tuple(read_timelines(tmp_path)) == CALLS
    assert timelines_of_run(tmp_path) == CALLS


def test_calls_know_whether_they_ended_as_their_line_does() -> None:
    assert [call.as_known for call in CALLS] == [True, False, False]
    assert CALLS[1].known_state == "Busy"
    assert CALLS[2].end_s == 3.0
    assert CallTimeline("", "", 0, 1, None, 2, "Busy").as_known, "of an unknown line nothing is known"


def test_exchanges_give_triggers_and_polls(tmp_path: Path) -> None:
    lines = [
        trigger(1, "a"),
        trigger(2, "b", "NO_ANSWER"),
        poll(3, ["a", "b"]),
        poll(4, ["a", "b"], a="Busy", b=""),
        poll(5, ["a"], a="Busy"),
    ]
    (tmp_path / "exchanges.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert timelines_of_run(tmp_path) == (
        CallTimeline("plain", "busy", 1.0, 1.5, 3.5, 4.5, "Busy", (), 5.5),
        CallTimeline("plain", "no_answer", 2.0, 2.5, 3.5, None, None, (), 4.5),
    )


@pytest.mark.parametrize(
    "line",
    [
        "", "{", "[]", "null", "7", '"x"', "{}", '{"request": 1, "response": []}', "[" * 50_000,
        exchange(1, {}, None), exchange(1, {}, {"UniqueId": 5}), exchange(1, {}, {"UniqueId": ""}),
        trigger(1, "a", status=201), exchange(float("nan"), {}, {"UniqueId": "a"}),
        exchange(1e300, {}, {"UniqueId": "a"}), exchange(1, {"UniqueIds": 1}, {"CallResults": {}}),
        exchange(1, {"UniqueIds": [1, None]}, {"CallResults": [1, {}]}),
    ],
)  # fmt: skip
def test_other_lines_are_skipped(tmp_path: Path, line: str) -> None:
    (tmp_path / "exchanges.ndjson").write_text(f"{line}\n{trigger(1, 'known')}\n", encoding="utf-8")
    assert [call.line for call in timelines_from_exchanges(tmp_path)] == ["busy"]
    (tmp_path / "timelines.ndjson").write_text(f"{line}\n", encoding="utf-8")
    assert read_timelines(tmp_path) == []


def test_a_run_without_files_has_no_timelines(tmp_path: Path) -> None:
    assert timelines_of_run(tmp_path) == ()


def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    path = write_timelines(CALLS, tmp_path)
    path.write_text(path.read_text() + '{"label": "cut', encoding="utf-8")
    assert tuple(read_timelines(tmp_path)) == CALLS
