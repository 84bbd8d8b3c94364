"""Standard output, standard error and logs behind the sink: whatever a process prints, tracebacks included."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
from typing import IO, Any

from ringback.rundir.sink import SINK

__all__ = ["CleaningStream", "complain", "put_output_behind_sink"]


class CleaningStream(io.TextIOBase):
    """A text stream before another one: what is written is cleaned in whole lines, or as far as it was flushed."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self._stream = stream
        self._pending = ""
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """Pass on all whole lines; what is behind the last line feed waits for its end, or for `flush`."""
        with self._lock:
            whole, feed, rest = (self._pending + text).rpartition("\n")
            self._pending = rest
            if feed:
                self._stream.write(SINK.clean(whole + feed))
        return len(text)

    def flush(self) -> None:
        """Pass on everything."""
        with self._lock:
            pending, self._pending = self._pending, ""
            if pending:
                self._stream.write(SINK.clean(pending))
            self._stream.flush()

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
    if not isinstance(sys.stdout, CleaningStream):
        sys.stdout = CleaningStream(sys.stdout)
    if not isinstance(sys.stderr, CleaningStream):
        sys.stderr = CleaningStream(sys.stderr)
    if not isinstance(logging.getLogRecordFactory(), _CleanRecords):
        logging.setLogRecordFactory(_CleanRecords(logging.getLogRecordFactory()))


def complain(text: str) -> None:
    """Say something beside a command's output: one line on standard error."""
    sys.stderr.write(f"ringback: {SINK.clean(text)}\n")


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
            record.msg, record.args = SINK.clean(str(record.msg)), None
        if record.exc_info:
            record.exc_text = SINK.clean(self._formatter.formatException(record.exc_info))
        return record
