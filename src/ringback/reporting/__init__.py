"""Reports of a run: files for machines and pipelines, a page and a terminal report for people.

All of them read a finished `RunReport`. They decide nothing and never talk to a deployment.
"""

from __future__ import annotations

from ringback.reporting.formats.junit import write_junit
from ringback.reporting.formats.verdict_file import SCHEMA_PATH, verdict_document, write_verdict
from ringback.reporting.model.safe import one_line, printable
from ringback.reporting.terminal.load_progress import LoadProgress
from ringback.reporting.terminal.progress import CheckState, Progress
from ringback.reporting.terminal.report import console, print_plan, print_report
from ringback.rundir.run import RunReport

__all__ = [
    "SCHEMA_PATH",
    "CheckState",
    "LoadProgress",
    "Progress",
    "RunReport",
    "console",
    "one_line",
    "print_plan",
    "print_report",
    "printable",
    "verdict_document",
    "write_junit",
    "write_verdict",
]
