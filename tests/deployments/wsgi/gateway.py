"""WSGI middleware before the application: counts requests at once, drops connections, limits the rate."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from waitress.channel import ClientDisconnected  # type: ignore[import-untyped]  # waitress ships no types

from .faults import Fault

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

AT_ONCE = "deployment.at_once"
BUSY_FROM = 5  # requests at once
BUSY_FOR = 0.04  # seconds that a request takes where a fault shows only among requests at once
LONG_BODY = 256 * 1024  # bytes


class Gateway:
    """A WSGI middleware that passes the number of requests at once to the application."""

    def __init__(self, application: "WSGIApplication", fault: Fault) -> None:
        self._application = application
        self._fault = fault
        self._lock = threading.Lock()
        self._in_flight = 0

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        with self._counted() as at_once:
            environ[AT_ONCE] = at_once
            if self._drops(at_once, int(environ.get("CONTENT_LENGTH") or 0)):
                raise ClientDisconnected
            return self._application(environ, start_response)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[int]:
        with self._lock:
            self._in_flight += 1
            at_once = self._in_flight
        try:
            yield at_once
        finally:
            with self._lock:
                self._in_flight -= 1

    def _drops(self, at_once: int, length: int) -> bool:
        if self._fault("long-body-dropped"):
            return length > LONG_BODY
        if self._fault("dropped-when-busy"):
            if at_once >= BUSY_FROM:
                return True
            time.sleep(BUSY_FOR)
        return False


class Bucket:
    """A token bucket, safe for threads."""

    def __init__(self, burst: float, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._level = burst
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether another request may pass now."""
        with self._lock:
            now = time.monotonic()
            self._level = min(self._burst, self._level + (now - self._at) * self._per_second)
            self._at = now
            if self._level < 1:
                return False
            self._level -= 1
            return True
