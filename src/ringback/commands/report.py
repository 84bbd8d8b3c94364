"""`ringback report`: write the reports of a finished run again, or one page about the last runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from ringback.commands.running import know_secrets
from ringback.comparison import compare_runs
from ringback.config import ConfigError
from ringback.contract.verdict import ExitCode
from ringback.reporting.artifacts import WRITERS
from ringback.reporting.formats.comment import write_comment
from ringback.reporting.html import write_html
from ringback.reporting.html.trend import find_runs, write_trend
from ringback.reporting.model.safe import one_line
from ringback.reporting.terminal.layout import hanging, line
from ringback.reporting.terminal.screen import is_terse
from ringback.rundir import complain
from ringback.rundir.names import (
    BADGE_FILE,
    COMMENT_FILE,
    HAR_FILE,
    HTML_FILE,
    JUNIT_FILE,
    SARIF_FILE,
    SUMMARY_FILE,
    TREND_FILE,
    WINDOWS_CSV_FILE,
)
from ringback.rundir.verdict import NotARun, SavedRun, read_run

__all__ = ["FORMATS", "report"]

FORMATS: Final = {
    "html": HTML_FILE,
    "junit": JUNIT_FILE,
    "summary": SUMMARY_FILE,
    "sarif": SARIF_FILE,
    "csv": WINDOWS_CSV_FILE,
    "har": HAR_FILE,
    "badge": BADGE_FILE,
}
"""Name of a report -> its file. `verdict.json` is left out: the reports are made from it."""
_SHOWN = 300


_COMMENT = "comment"
"""The format that is made only if it is named: it is about two runs."""


def report(
    console: Console,
    path: Path,
    *,
    trend: bool,
    last: int,
    formats: tuple[str, ...] = (),
    against: Path | None = None,
    post_as: str | None = None,
    out: Path | None = None,
) -> int:
    """Run the command; returns the exit code. Raises `ConfigError`, or OSError if a report can't be written."""
    know_secrets()
    if trend:
        if formats:
            raise ConfigError("--format", None, "does not go with --trend", "leave out one of the two")
        for name, given in (("--against", against), ("--post", post_as)):
            if given is not None:
                raise ConfigError(name, None, "does not go with --trend", "leave out one of the two")
        return _trend(console, path, last, out)
    if out is not None:
        raise ConfigError("--out", None, "needs --trend; the reports of a run stay in its directory", "leave it out")
    for name, given in (("--against", against), ("--post", post_as)):
        if given is not None and _COMMENT not in formats:
            raise ConfigError(name, None, "needs --format comment", "add it")
    _rewrite(console, path, formats, against)
    return ExitCode.OK if post_as is None else _post(console, path / COMMENT_FILE, post_as)


def _rewrite(console: Console, directory: Path, formats: tuple[str, ...], against: Path | None) -> None:
    unknown = [name for name in formats if name not in FORMATS and name != _COMMENT]
    if unknown:
        known = ", ".join((*FORMATS, _COMMENT))
        raise ConfigError("--format", None, f"unknown report {unknown[0]}", f"use one of: {known}")
    run = _run(directory, windows=_COMMENT in formats)
    written: list[str] = []
    without: list[str] = []
    for name in formats or FORMATS:
        if name == _COMMENT:
            written.append(_write_comment(run, directory, against))
            continue
        file = FORMATS[name]
        write = write_html if file == HTML_FILE else WRITERS[file]
        (written if write(run, directory) is not None else without).append(file)
    if without and not is_terse(console):
        line(console, f"The run has nothing for {', '.join(without)}.", "dim")
    line(console, f"Wrote {', '.join(written) or 'nothing'} in {one_line(str(directory), _SHOWN)}")


def _run(directory: Path, *, windows: bool) -> SavedRun:
    try:
        return read_run(directory, windows=windows)
    except NotARun as why:
        raise ConfigError(str(directory), None, f"not a run: {why}", "name a run's directory, or use --trend") from None


def _write_comment(run: SavedRun, directory: Path, against: Path | None) -> str:
    comparison = None if against is None else compare_runs(_run(against, windows=True), run, level=run.level)
    return write_comment(run, comparison, directory).name


def _post(console: Console, comment: Path, name: str) -> int:
    """Post the comment; a server that does not take it says nothing about the deployment."""
    from ringback.reporting.formats.post import NoRequest, NotPosted, post

    try:
        replaced = post(comment.read_text(encoding="utf-8"), name, os.environ)
    except NoRequest as why:
        raise ConfigError.of("--post", None, why) from None
    except NotPosted as why:
        complain(f"the comment was not posted: {why}")
        return ExitCode.INCONCLUSIVE
    if not is_terse(console):
        line(console, "Replaced the comment of the last run." if replaced else "Posted a comment.")
    return ExitCode.OK


def _trend(console: Console, directory: Path, last: int, out: Path | None) -> int:
    try:
        found = find_runs(directory, last)
    except OSError as error:
        raise ConfigError(
            str(directory), None, f"can't be read ({error.strerror})", "name the folder that holds the runs"
        ) from None
    if not found.runs:
        raise ConfigError(str(directory), None, "holds no run", "name the folder that holds the runs, such as reports")
    page = write_trend(found, out if out is not None else directory / TREND_FILE)
    if not is_terse(console):
        for name, why in found.skipped:
            hanging(console, Text("  "), Text(f"skipped {one_line(name, _SHOWN)}: {one_line(why, _SHOWN)}"))
    count = sum(len(runs) for runs in found.runs.values())
    skipped = f", {len(found.skipped)} skipped" if found.skipped else ""
    deployments = "1 deployment" if len(found.runs) == 1 else f"{len(found.runs)} deployments"
    line(console, f"Wrote {one_line(str(page), _SHOWN)}: {count} runs of {deployments}{skipped}")
    return 0
