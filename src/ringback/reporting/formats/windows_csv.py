"""`load_windows.csv`: the windows of a load run as a flat table (RFC 4180), for spreadsheets and data frames.

It has a row for each line of `load_windows.ndjson` and a column for each member, whose name ends in the unit. A cell is
empty if nothing was measured. A text that a spreadsheet would take for a formula gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from ringback.reporting.model.safe import clean_text, one_line
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import WINDOWS_CSV_FILE, WINDOWS_FILE
from ringback.rundir.reading import number, value_at
from ringback.rundir.windows import SavedWindow, read_windows

__all__ = ["windows_table", "write_windows"]

_CELL = 500
_OPERATION = (
    *("count", "errors", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms", "mean_ms"),
    *("service_p50_ms", "service_p99_ms"),
)
_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    *((name, name) for name in ("from_s", "to_s", "phase", "scheduled", "sent", "accepted", "final", "in_flight")),
    *((f"{operation}_{name}", f"{operation}.{name}") for operation in ("trigger", "poll") for name in _OPERATION),
    *((f"lag_{name}_ms", f"lag_ms.{name}") for name in ("p50", "p99", "max")),
    ("cpu_cores", "cpu"),
    ("limited", "limited"),
    ("limited_by", "limited_by"),
)
"""Column name and the path of its member in a window."""
_TEXTS = ("phase", "limited_by")
"""Columns whose cells are text."""


def write_windows(directory: Path) -> Path | None:
    """Write `load_windows.csv` beside `load_windows.ndjson`; None if there was no load run. Raises OSError."""
    if not (directory / WINDOWS_FILE).is_file():
        return None
    table = windows_table(read_windows(directory).windows)
    return write_whole(directory / WINDOWS_CSV_FILE, SINK.document(table))


def windows_table(windows: Iterable[SavedWindow]) -> str:
    """The table as text: a header and a row per window, lines ended by CR LF."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\r\n")
    writer.writerow([column for column, _ in _COLUMNS])
    for window in windows:
        writer.writerow([_cell(column, value_at(window.figures, path)) for column, path in _COLUMNS])
    return table.getvalue()


def _cell(column: str, value: Any) -> str:
    if column == "limited":
        return str(value).lower() if isinstance(value, bool) else ""
    if column not in _TEXTS:
        measured = number(value)
        return "" if measured is None else str(measured)
    if isinstance(value, list):
        value = "; ".join(part for part in value if isinstance(part, str))
    text = clean_text(one_line(value, _CELL)) if isinstance(value, str) else ""
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@", "|", "%")) else text
