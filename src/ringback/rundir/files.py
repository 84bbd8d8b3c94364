"""Writing into a run's directory: whole files in one step, records line by line, and disk space for the verdict.

A full disk costs evidence but not the verdict: space for the important small files is reserved at the start, and a
record that can no longer be written ends, while the run continues.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from pathlib import Path
from typing import IO

from ringback.rundir.sink import CleanText

__all__ = ["LineFile", "make_room", "reserve_room", "write_whole"]

_RESERVED = 1024 * 1024
"""Bytes reserved for verdict, JUnit file and summary."""
_held: dict[Path, IO[bytes]] = {}
"""The files that hold reserved space, by the directory of their run."""


def write_whole(path: Path, text: CleanText) -> Path:
    """Write a file in one step, replacing an existing one; makes the directory if it is missing.

    Raises OSError if it can't be written; an existing file is then unchanged.
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
    """Reserve disk space and a file's entry for the files at a run's end, if there are any.

    The file that holds the space has no name, so that it is gone however this process ends.
    """
    with contextlib.suppress(OSError):
        _held[directory] = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115 - `make_room` closes it
        _held[directory].write(bytes(_RESERVED))


def make_room(directory: Path) -> None:
    """Free the reserved space, before a run's results are written."""
    with contextlib.suppress(OSError, KeyError):
        _held.pop(directory).close()


class LineFile:
    """A file that is written line by line; each line is on disk before the next begins. Thread-safe.

    A line that can't be written ends the file. Part of a line is removed if possible.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble: str | None = None
        """Why the file ends early; None if it does not."""
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
        """Close the file."""
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
