"""What a run spends on answers that come to nothing, and on long ones: beyond these bounds, requests are not sent.

An answer that comes whole and is of usual length costs nothing here, however slow it is. A clause that is judged by
such answers (ROB-02) fails by those that were seen; what was not sent after that proves nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from ringback import clock
from ringback.deployment.errors import NotSent, Unreachable

__all__ = ["BYTES_READ", "AnswerBounds"]

BYTES_READ = 64 * 1024 * 1024
"""Bytes of long answers that a run reads."""
_FREE = 64 * 1024
"""Bytes of each answer that do not count."""
_LARGE = 1024 * 1024
"""Bytes from which on a failed answer is costly; so is one that took half the request timeout."""
_IN_A_ROW = 3
"""Costly answers of the same failed kind in a row from one endpoint, after which requests to it are held back."""
_SILENT_AFTER = 5
"""Requests in a row, to any endpoint, of which no answer even began, after which all are held back."""
_HELD_BACK = 3
"""How long they are held back, in request timeouts; then one request is sent again."""
_TIMEOUTS = 40
"""Seconds that a run spends on failed answers, in request timeouts."""


@dataclass(slots=True)
class _Row:
    """Failures of one kind in a row."""

    kind: str = ""
    times: int = 0
    last: float = 0.0

    def add(self, kind: str) -> None:
        self.times = self.times + 1 if kind == self.kind else 1
        self.kind, self.last = kind, clock.monotonic()


class AnswerBounds:
    """The bounds of one run. `timeout` is the request timeout in seconds."""

    def __init__(self, timeout: float) -> None:
        self.waited = 0.0
        """Seconds from requests to their whole answers, over all requests."""
        self._bytes_left = BYTES_READ
        self._timeout = timeout
        self._seconds_left = _TIMEOUTS * timeout
        self._failures = 0
        self._silence = _Row()
        self._costly: defaultdict[str, _Row] = defaultdict(_Row)

    def check(self, endpoint: str) -> None:
        """Raise `ExchangeError` if a request to this endpoint would cost more than the run spends."""
        if self._bytes_left <= 0:
            raise NotSent(f"not sent: the run has read {BYTES_READ // 2**20} MB of long answers, and reads no more")
        if self._seconds_left <= 0:
            spent = f"{_TIMEOUTS * self._timeout:g} s"
            raise NotSent(f"not sent: {self._failures} answers failed and took {spent} together (see ROB-02)")
        if self._silence.times >= _SILENT_AFTER and self._holds(self._silence):
            times = self._silence.times
            raise Unreachable(f"the deployment has stopped answering: {times} requests in a row timed out")
        row = self._costly[endpoint]
        if row.times >= _IN_A_ROW and self._holds(row):
            raise NotSent(f"not sent: the last {row.times} answers failed in the same way: {row.kind} (see ROB-02)")

    def _holds(self, row: _Row) -> bool:
        return clock.monotonic() - row.last < _HELD_BACK * self._timeout

    def came(self, endpoint: str, seconds: float, size: int) -> None:
        """A whole answer of this many bytes came after these seconds."""
        self.waited += seconds
        self._silence = _Row()
        self._costly[endpoint] = _Row()
        self._bytes_left -= max(0, size - _FREE)

    def failed(self, endpoint: str, kind: str, seconds: float, size: int, *, begun: bool) -> None:
        """An answer failed after these seconds and bytes. `begun`: its status had come."""
        self._failures += 1
        self._seconds_left -= seconds
        self._bytes_left -= max(0, size - _FREE)
        if kind == "timeout" and not begun:
            self._silence.add(kind)
            return
        self._silence = _Row()
        if size >= _LARGE or seconds >= self._timeout / 2:
            self._costly[endpoint].add(kind)
