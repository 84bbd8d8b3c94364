"""Writing into a run's directory: whole files in one step, records line by line, and room kept for the verdict.

A disk that fills up costs evidence, never a verdict: room for the small files that matter is kept from the start, and a
record that can't be written any more ends there, once and for all, while the run goes on.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import IO

from ringback.rundir.sink import CleanText

__all__ = ["LineFile", "make_room", "reserve_room", "write_whole"]

_RESERVE = ".reserve"
_RESERVED = 1024 * 1024
"""Bytes kept free for verdict, JUnit file and summary."""


def write_whole(path: Path, text: CleanText) -> Path:
    """Put a text at `path` in one step, replacing what was there; makes the directory if need be.

    Raises OSError if it can't be written; what was there before is then still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(text.encode("utf-8", "backslashreplace"))
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return path


def reserve_room(directory: Path) -> None:
    """Keep room on the disk for what is written at a run's end; where there is none, that is found out then."""
    with contextlib.suppress(OSError):
        (directory / _RESERVE).write_bytes(bytes(_RESERVED))


def make_room(directory: Path) -> None:
    """Give the room back, before a run's results are written."""
    with contextlib.suppress(OSError):
        (directory / _RESERVE).unlink(missing_ok=True)


class LineFile:
    """A record that grows by a line at a time; each is on disk before the next is begun. Thread-safe.

    A line that can't be written ends the record: the file then holds whole lines only, where that can be helped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble: str | None = None
        """Why lines are missing from some point on; None while all is well."""
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            self._give_up(error)

    def append(self, line: CleanText) -> None:
        """Write a line; never raises."""
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            if self._file is None:
                return
            begun = 0
            try:
                begun = os.fstat(self._file.fileno()).st_size
                written = self._file.write(data) or 0
                while written < len(data):
                    written += self._file.write(data[written:]) or 0
            except OSError as error:
                with contextlib.suppress(OSError):
                    self._file.truncate(begun)
                self._give_up(error)

    def close(self) -> None:
        """End the record."""
        with self._lock:
            self._end()

    def _give_up(self, error: OSError) -> None:
        self.trouble = f"{self.path.name} ends early: {error.strerror or type(error).__name__}"
        self._end()

    def _end(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
