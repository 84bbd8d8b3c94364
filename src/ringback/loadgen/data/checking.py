"""Before a run: whether the dial guard lets every row of the file pass, so that a mistake in it costs no call."""

from __future__ import annotations

from itertools import chain

from ringback.config import Config, ConfigError
from ringback.deployment.access import dial_guard
from ringback.deployment.guard import StrangerRefused
from ringback.loadgen.data.rows import Rows, read_rows
from ringback.loadgen.http.wire import RequestWriter

__all__ = ["check_rows"]

_AT_A_TIME = 50
"""Rows whose variables are checked in one request: most of a check's time does not depend on their number."""


def check_rows(config: Config, workers: int) -> None:
    """Read and check the file of variables, if there is one. Raises `ConfigError` that names file, line and fix."""
    if config.load.variables_file is None:
        return
    rows = read_rows(config.load.variables_file)
    if len(rows.values) < workers:
        raise ConfigError(
            rows.source, None, f"{len(rows.values)} rows, and {workers} workers share them without overlap",
            "add rows, or use fewer workers",
        )  # fmt: skip
    if config.variables is not None:
        declared = {name for name, _ in config.variables}
        for column, name in enumerate(rows.names, 1):
            if name not in declared:
                raise ConfigError(
                    rows.source, None, f"column {column} is not one of the project's [variables]",
                    "declare it there, or remove the column",
                )  # fmt: skip
    writer = RequestWriter(config, dial_guard(config))
    for first in range(0, len(rows.values), _AT_A_TIME):
        several = range(first, min(first + _AT_A_TIME, len(rows.values)))
        if not _passes(writer, rows, several):
            for row in several:
                if not _passes(writer, rows, range(row, row + 1)):
                    raise ConfigError(
                        rows.source, f"line {rows.lines[row]}", "a variable that might be dialled",
                        "leave out numbers of more than 6 digits, dates and names of numbers (phone, destination)",
                    )  # fmt: skip


def _passes(writer: RequestWriter, rows: Rows, several: range) -> bool:
    try:
        writer.check_variables(tuple(chain.from_iterable(rows.variables(row) for row in several)))
    except StrangerRefused:
        return False
    return True
