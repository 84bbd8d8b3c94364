"""Standard output, standard error and logs behind the sink: everything that a process prints.

Tracebacks of uncaught exceptions (in threads, event loops and greenlets) and warnings go to standard error, so they
pass through the sink too. If a reader closes the pipe or the disk is full, the output ends but the run continues.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from ringback.rundir.sink import SINK

__all__ = ["CleaningStream", "complain", "put_output_behind_sink"]


class CleaningStream(io.TextIOBase):
    """A text stream that cleans whole lines, or what is flushed, and writes them to the stream behind it.

    Writing never raises OSError. If the stream behind can no longer be written, further text is dropped.
    """

    def __init__(self, stream: IO[str], on_trouble: Callable[[OSError], None] = lambda _: None) -> None:
        super().__init__()
        self._stream = stream
        self._on_trouble = on_trouble
        self._pending = ""
        self._silent = False
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """Pass on whole lines; the rest waits for its line feed or for `flush`."""
        with self._lock:
            whole, feed, rest = (self._pending + text).rpartition("\n")
            self._pending = rest
            if feed:
                self._pass_on(whole + feed)
        return len(text)

    def flush(self) -> None:
        """Pass on everything."""
        with self._lock:
            pending, self._pending = self._pending, ""
            self._pass_on(pending, flush=True)

    def _pass_on(self, text: str, *, flush: bool = False) -> None:
        if self._silent:
            return
        try:
            if text:
                self._stream.write(SINK.clean(text))
            if flush:
                self._stream.flush()
        except OSError as error:
            self._silent = True
            _divert(self._stream)
            self._on_trouble(error)

    def close(self) -> None:
        """Flush, and leave the stream behind open."""
        with contextlib.suppress(ValueError, OSError):
            self.flush()

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Whether the stream behind is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor of the stream behind."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property where typeshed has an attribute
        """The encoding of the stream behind."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # likewise
        """How the stream behind handles characters that it can't encode."""
        return getattr(self._stream, "errors", None)

    def reconfigure(self, **options: Any) -> None:
        """Reconfigure the stream behind, if it supports that."""
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(**options)


def put_output_behind_sink() -> None:
    """Put standard output, standard error and log records of this process behind the sink; may be called again."""
    if not isinstance(sys.stderr, CleaningStream):
        sys.stderr = CleaningStream(sys.stderr)
    if not isinstance(sys.stdout, CleaningStream):
        sys.stdout = CleaningStream(sys.stdout, functools.partial(_say_why, sys.stderr))
    if not isinstance(logging.getLogRecordFactory(), _CleanRecords):
        logging.setLogRecordFactory(_CleanRecords(logging.getLogRecordFactory()))


def complain(text: str) -> None:
    """Print one line on standard error."""
    sys.stderr.write(f"ringback: {SINK.clean(text)}\n")


def _say_why(stream: CleaningStream, error: OSError) -> None:
    """Write the reason why standard output ends, unless the reader closed the pipe."""
    if not isinstance(error, BrokenPipeError):
        why = error.strerror or type(error).__name__
        stream.write(f"ringback: standard output could not be written: {why}\n")


def _divert(stream: IO[str]) -> None:
    """Send the rest of a stream to the null device; Python would fail to flush it at exit and change the exit code."""
    with contextlib.suppress(OSError, ValueError):
        silence = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(silence, stream.fileno())
        finally:
            os.close(silence)


class _CleanRecords:
    """Makes log records with a clean message and traceback, for every handler."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._formatter = logging.Formatter()

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*arguments, **named)
        try:
            record.msg, record.args = SINK.clean(record.getMessage()), None
        except (TypeError, ValueError, KeyError):
            record.msg, record.args = SINK.clean(f"{record.msg} {record.args}"), None
        if record.exc_info:
            record.exc_text = SINK.clean(self._formatter.formatException(record.exc_info))
        return record
