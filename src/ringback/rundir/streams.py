"""Standard output, standard error and logs behind the sink: whatever a process prints, tracebacks included.

Exceptions that nobody catches (in threads, in event loops, in greenlets) and warnings are printed on standard error, so
they are behind the sink too. A reader that goes away, or a disk that is full, ends the output and not the run.
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
    """A text stream before another one: what is written is cleaned in whole lines, or as far as it was flushed.

    Writing never raises OSError: where the stream behind can't be written any more, what follows is dropped.
    """

    def __init__(self, stream: IO[str], on_trouble: Callable[[OSError], None] = lambda _: None) -> None:
        super().__init__()
        self._stream = stream
        self._on_trouble = on_trouble
        self._pending = ""
        self._silent = False
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """Pass on all whole lines; what is behind the last line feed waits for its end, or for `flush`."""
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
        """Flush; the stream behind belongs to somebody else."""
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
        """What the stream behind does with characters that it can't carry."""
        return getattr(self._stream, "errors", None)

    def reconfigure(self, **options: Any) -> None:
        """Reconfigure the stream behind, where it can be."""
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(**options)


def put_output_behind_sink() -> None:
    """Put standard output, standard error and all log records of this process behind the sink; twice does no harm."""
    if not isinstance(sys.stderr, CleaningStream):
        sys.stderr = CleaningStream(sys.stderr)
    if not isinstance(sys.stdout, CleaningStream):
        sys.stdout = CleaningStream(sys.stdout, functools.partial(_say_why, sys.stderr))
    if not isinstance(logging.getLogRecordFactory(), _CleanRecords):
        logging.setLogRecordFactory(_CleanRecords(logging.getLogRecordFactory()))


def complain(text: str) -> None:
    """Say something beside a command's output: one line on standard error."""
    sys.stderr.write(f"ringback: {SINK.clean(text)}\n")


def _say_why(stream: CleaningStream, error: OSError) -> None:
    """Say on a stream why standard output ends; a reader who went away wants no more."""
    if not isinstance(error, BrokenPipeError):
        why = error.strerror or type(error).__name__
        stream.write(f"ringback: standard output could not be written: {why}\n")


def _divert(stream: IO[str]) -> None:
    """Let what a stream still holds vanish: Python would fail on it at its end, with an exit code of its own."""
    with contextlib.suppress(OSError, ValueError):
        silence = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(silence, stream.fileno())
        finally:
            os.close(silence)


class _CleanRecords:
    """Makes log records whose message and traceback are clean, whichever handler writes them."""

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
