"""The names of the files in a run's directory, each written here once."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BADGE_FILE",
    "COMMENT_FILE",
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

HTML_FILE: Final = "report.html"
"""The run for people: verdict, broken clauses, all clauses, load, calls. One file, which loads nothing."""
SUMMARY_FILE: Final = "summary.md"
"""The run on one page of Markdown, for a pull request; also added to the file that `$GITHUB_STEP_SUMMARY` names."""
BADGE_FILE: Final = "badge.svg"
"""The verdict as a small picture."""
VERDICT_FILE: Final = "verdict.json"
"""The result for machines: verdict, each clause with its evidence, limits, calls, load figures."""
VERDICT_SCHEMA_ID: Final = "ringback/verdict/1"
"""The `schema` member of `verdict.json`."""
JUNIT_FILE: Final = "junit.xml"
"""A test case for each clause and each limit, for CI servers."""
SARIF_FILE: Final = "results.sarif"
"""Broken clauses and limits as SARIF 2.1.0, for code scanning pages and editors."""

EXCHANGES_FILE: Final = "exchanges.ndjson"
"""Every request and answer of the check, one JSON object a line, in the order of their ends."""
HAR_FILE: Final = "exchanges.har"
"""The same as an HTTP archive (HAR 1.2) for a browser's developer tools; of a large run, a part."""
TIMELINES_FILE: Final = "timelines.ndjson"
"""A line for each accepted call of a check: when it was triggered, in progress, final, delivered."""

LOAD_FILE: Final = "load.json"
"""The load section of `verdict.json` by itself."""
WINDOWS_FILE: Final = "load_windows.ndjson"
"""The load over time, a line for each window, usually a second."""
WINDOWS_CSV_FILE: Final = "load_windows.csv"
"""The same rows as a flat table, for spreadsheets and data frames."""
LOG_FILE: Final = "load.log"
"""Standard error of the load's process, if there was any."""

COMMENT_FILE: Final = "comment.md"
"""Verdict and change since an earlier run, for a comment on a pull request (`ringback report RUN --format comment`)."""
REPLAY_FILE: Final = "replay.json"
"""What `ringback replay` sent and what came, in a directory of its own."""
TREND_FILE: Final = "trend.html"
"""The last runs of each deployment on one page (`ringback report --trend`); it lies beside the runs' directories."""
