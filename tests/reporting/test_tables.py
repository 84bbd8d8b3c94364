from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ringback.reporting.formats.windows_csv import windows_table, write_windows
from ringback.rundir.names import WINDOWS_CSV_FILE, WINDOWS_FILE
from ringback.rundir.windows import read_windows

from .hostile_evidence import HOSTILE, hostile_windows

LATENCIES = ("p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms", "mean_ms", "service_p50_ms", "service_p99_ms")
WINDOW = {
    "from_s": 0.0, "to_s": 1.0, "phase": "ramp", "scheduled": 50, "sent": 49, "accepted": 48,
    "final": 31, "in_flight": 17,
    "trigger": {"count": 50, "errors": 1, **dict.fromkeys(LATENCIES, 1.5)},
    "poll": {"count": 9, "errors": 0, **dict.fromkeys(LATENCIES)},
    "lag_ms": {"p50": 0.1, "p99": 0.4, "max": 1.0}, "cpu": 0.31, "limited": True, "limited_by": ["cpu", "lag, high"],
}  # fmt: skip


def table(path: Path) -> list[dict[str, str]]:
    """The rows, read by a strict reader."""
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("\r\n")
    lines = csv.reader(text.splitlines(keepends=True), strict=True)
    header = next(lines)
    rows = list(lines)
    assert all(len(row) == len(header) for row in rows)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_a_row_a_window_and_units_in_the_names(tmp_path: Path) -> None:
    (tmp_path / WINDOWS_FILE).write_text(json.dumps(WINDOW) + "\n" + json.dumps({**WINDOW, "from_s": 1.0}) + "\n")
    path = write_windows(tmp_path)
    assert path == tmp_path / WINDOWS_CSV_FILE
    first, second = table(path)
    assert list(first)[:9] == [
        "from_s", "to_s", "phase", "scheduled", "sent", "accepted", "final", "in_flight", "trigger_count",
    ]  # fmt: skip
    assert (first["trigger_p99_ms"], first["poll_p99_ms"], first["lag_max_ms"], first["cpu_cores"]) == (
        "1.5", "", "1.0", "0.31",
    )  # fmt: skip
    assert (first["limited"], first["limited_by"]) == ("true", "cpu; lag, high")
    assert second["from_s"] == "1.0"


def test_every_member_of_a_window_has_a_column(tmp_path: Path) -> None:
    (tmp_path / WINDOWS_FILE).write_text(json.dumps(WINDOW))
    header = windows_table(read_windows(tmp_path).windows).split("\r\n")[0].split(",")
    flat = [name for name, value in WINDOW.items() if not isinstance(value, dict)]
    flat += [f"{operation}_{name}" for operation in ("trigger", "poll") for name in ("count", "errors", *LATENCIES)]
    flat += [f"lag_{name}_ms" for name in ("p50", "p99", "max")]
    assert sorted(header) == sorted("cpu_cores" if name == "cpu" else name for name in flat)


def test_lines_without_a_window_are_skipped(tmp_path: Path) -> None:
    (tmp_path / WINDOWS_FILE).write_bytes(b"7\n\xff\n" + json.dumps(WINDOW).encode() + b'\n{"from_s": 2')
    assert len(windows_table(read_windows(tmp_path).windows).splitlines()) == 2


def test_without_a_load_run_there_is_no_table(tmp_path: Path) -> None:
    assert write_windows(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_stays_one_inert_cell(tmp_path: Path, kind: str) -> None:
    hostile_windows(tmp_path / WINDOWS_FILE, HOSTILE[kind], "next")
    path = write_windows(tmp_path)
    assert path is not None
    assert path.stat().st_size < 20_000
    rows = table(path)
    assert len(rows) == (1 if len(HOSTILE[kind]) > 500_000 else 2)  # longer than any line that Ringback writes
    for cell in rows[0].values():
        assert cell.isprintable()
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "|", "%"))
    assert (rows[0]["to_s"], rows[0]["cpu_cores"]) == ("", "")
    assert (rows[-1]["phase"], rows[-1]["limited_by"]) == ("next", "next; next")
