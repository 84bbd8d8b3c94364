"""The names of the files in a run's directory, each written here once."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BADGE_FILE",
    "EXCHANGES_FILE",
    "HAR_FILE",
    "HTML_FILE",
    "JUNIT_FILE",
    "LOAD_FILE",
    "LOG_FILE",
    "REPLAY_FILE",
    "SARIF_FILE",
    "SUMMARY_FILE",
    "TIMELINES_FILE",
    "TREND_FILE",
    "VERDICT_FILE",
    "VERDICT_SCHEMA_ID",
    "WINDOWS_CSV_FILE",
    "WINDOWS_FILE",
]

VERDICT_FILE: Final = "verdict.json"
VERDICT_SCHEMA_ID: Final = "ringback/verdict/1"
"""The `schema` member of `verdict.json`."""
JUNIT_FILE: Final = "junit.xml"
SUMMARY_FILE: Final = "summary.md"
HTML_FILE: Final = "report.html"
SARIF_FILE: Final = "results.sarif"
BADGE_FILE: Final = "badge.svg"

EXCHANGES_FILE: Final = "exchanges.ndjson"
"""One line per request with its answer, written as the run goes."""
HAR_FILE: Final = "exchanges.har"
TIMELINES_FILE: Final = "timelines.ndjson"
"""One line per accepted call of a check."""

LOAD_FILE: Final = "load.json"
"""The load section, as `verdict.json` has it."""
WINDOWS_FILE: Final = "load_windows.ndjson"
"""One line per window of a load run."""
WINDOWS_CSV_FILE: Final = "load_windows.csv"
LOG_FILE: Final = "load.log"

REPLAY_FILE: Final = "replay.json"
TREND_FILE: Final = "trend.html"
"""The page of `ringback report --trend`; it lies beside the runs' directories."""
