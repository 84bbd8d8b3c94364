"""Writing all reports of a run, so that the failure of one does not prevent the others.

The promised files (`verdict.json`, `junit.xml`, `summary.md`) are written first. The failure of a writer (a full disk,
an internal error) becomes a note. On a full disk, the verdict is written without its evidence.
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from ringback.reporting.formats.badge import write_badge
from ringback.reporting.formats.har import write_har
from ringback.reporting.formats.junit import write_junit
from ringback.reporting.formats.markdown import append_summary, summary_page, write_summary
from ringback.reporting.formats.sarif import write_sarif
from ringback.reporting.formats.verdict_file import write_bare_verdict, write_verdict
from ringback.reporting.formats.windows_csv import write_windows
from ringback.reporting.model.safe import one_line
from ringback.rundir.names import (
    BADGE_FILE,
    HAR_FILE,
    JUNIT_FILE,
    SARIF_FILE,
    SUMMARY_FILE,
    VERDICT_FILE,
    WINDOWS_CSV_FILE,
)
from ringback.rundir.run import RunReport

__all__ = [
    "ARTIFACTS",
    "PROMISED",
    "STEP_SUMMARY",
    "WRITERS",
    "Writer",
    "unless_written",
    "write_all",
    "write_promised",
]

Writer = Callable[[RunReport, Path], object]
"""Writes one file into a run's directory; returns None if the run has nothing for it."""

STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""GitHub's variable for the file of a job's summary."""

WRITERS: Final[Mapping[str, Writer]] = {
    VERDICT_FILE: write_verdict,
    JUNIT_FILE: write_junit,
    SUMMARY_FILE: write_summary,
    SARIF_FILE: write_sarif,
    WINDOWS_CSV_FILE: lambda _, directory: write_windows(directory),
    BADGE_FILE: write_badge,
    HAR_FILE: write_har,
}
"""The files that `write_all` writes, in that order."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
ARTIFACTS: Final = tuple(WRITERS)
PROMISED: Final = ARTIFACTS[:3]
"""The files that a run leaves even if it is killed."""


def write_all(
    report: RunReport,
    directory: Path,
    *,
    more: Iterable[tuple[str, Writer]] = (),
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """Write every report of a run into its directory, and return a note for each one that could not be written.

    `more` are further files and their writers, written last. If `environment` (by default the process's) names a job's
    summary in GITHUB_STEP_SUMMARY, the Markdown page is appended to it. Raises only exceptions that end the process.
    """
    notes = [note for entry in (*WRITERS.items(), *more) for note in _guarded(*entry, report, directory)]
    if named := (os.environ if environment is None else environment).get(STEP_SUMMARY):
        notes += unless_written("the job's summary", lambda: append_summary(summary_page(report), Path(named)))
    return notes


def write_promised(report: RunReport, directory: Path) -> list[str]:
    """Write only the promised files, and return notes as `write_all` does.

    A run does this at its start, with a report that says that the run did not end, in case it is killed.
    """
    return [note for name in PROMISED for note in _guarded(name, WRITERS[name], report, directory)]


def unless_written(name: str, write: Callable[[], object], bare: Callable[[], object] | None = None) -> list[str]:
    """Write a file, and return a note if it could not be written. Raises only exceptions that end the process.

    If the disk is full, `bare` writes a smaller version.
    """
    try:
        write()
    except OSError as error:
        why = one_line(error.strerror or type(error).__name__, 200)
        if bare is not None and error.errno in _FULL and not unless_written(name, bare):
            return [f"{name} was written without exchanges and load figures: {why}"]
        return [f"{name} was not written: {why}"]
    except Exception as error:
        return [f"{name} was not written because of an internal error: {type(error).__name__}"]
    return []


def _guarded(name: str, writer: Writer, report: RunReport, directory: Path) -> list[str]:
    bare = functools.partial(write_bare_verdict, report, directory) if writer is write_verdict else None
    return unless_written(name, lambda: writer(report, directory), bare)
