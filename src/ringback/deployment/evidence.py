"""Evidence: requests and answers, redacted and recorded as they happen.

An `Exchange` is one request with its answer or failure. The `Recorder` appends each to `exchanges.ndjson` immediately,
so that an interrupted run leaves all evidence up to then.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ringback import clock
from ringback.contract.endpoints import TRIGGER_PATH
from ringback.deployment.redaction import Redactor
from ringback.rundir import SINK, LineFile

__all__ = ["Exchange", "Recorder"]

RECORDED_BODY = 16 * 1024
"""Characters of a body that are recorded. The evidence also states the length of the whole body."""

_READ_BODY = 4 * RECORDED_BODY
_UNIQUE_ID = re.compile(r'"UniqueId"\s{0,64}:\s{0,64}(?:"([^"\\\s+]{1,256})"|([0-9]{1,256}))')
"""An id in a trigger's answer. A value that begins with a plus sign is a telephone number."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its outcome. No field holds a secret."""

    id: int
    purpose: str
    """The purpose of the request, for people."""
    started: str
    """UTC, ISO 8601, to the millisecond."""
    at: float
    """Seconds from the start of the run to sending the request."""
    seconds: float
    """Seconds from sending the request to the end of the answer, or to the failure."""
    method: str
    url: str
    request_headers: Headers
    request_body: str
    request_bytes: int
    status: int | None = None
    response_headers: Headers = ()
    response_body: str = ""
    response_bytes: int = 0
    failure: str | None = None
    """Why there is no complete answer: `timeout`, `connection closed`, ... None if there is one."""
    leaks: tuple[str, ...] = field(default=())
    """Labels of the secrets that the answer disclosed."""
    request_whole: bool = True
    """Whether `request_body` is the whole body apart from redacted secrets: text, and not cut."""

    def request_text(self) -> str:
        """The request as text."""
        lines = [f"{self.method} {self.url}", *(f"{k}: {v}" for k, v in self.request_headers)]
        return "\n".join([*lines, "", self.request_body])

    def response_text(self) -> str:
        """The answer as text, or why there is none."""
        if self.status is None:
            return f"no answer: {self.failure} after {self.seconds:.3f} s"
        lines = [f"HTTP {self.status}", *(f"{k}: {v}" for k, v in self.response_headers), "", self.response_body]
        return "\n".join(lines if self.failure is None else [*lines, f"[then: {self.failure}]"])

    def as_json(self) -> dict[str, Any]:
        """The exchange as one line of `exchanges.ndjson`."""
        return {
            "id": self.id,
            "purpose": self.purpose,
            "started": self.started,
            "at": round(self.at, 4),
            "seconds": round(self.seconds, 4),
            "request": {
                "method": self.method,
                "url": self.url,
                "headers": [list(pair) for pair in self.request_headers],
                "body": self.request_body,
                "bytes": self.request_bytes,
            },
            "response": None
            if self.status is None
            else {
                "status": self.status,
                "headers": [list(pair) for pair in self.response_headers],
                "body": self.response_body,
                "bytes": self.response_bytes,
            },
            "failure": self.failure,
            "leaks": list(self.leaks),
        }


class Recorder:
    """Records the exchanges of a run in memory and, given a path, in a file. Thread-safe."""

    def __init__(self, redactor: Redactor, path: Path | None = None) -> None:
        self.redactor = redactor
        self._ids = itertools.count(1)
        # Most names, values and URLs repeat.
        self._cleaned = functools.lru_cache(4096)(lambda text, _version: redactor.clean(text))
        self._lock = threading.Lock()
        self._started = clock.monotonic()
        self._exchanges: list[Exchange] = []
        self._file = LineFile(path) if path else None

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All exchanges so far, in the order in which they ended."""
        return tuple(self._exchanges)

    @property
    def answered(self) -> bool:
        """Whether the deployment has answered anything yet."""
        return any(exchange.status is not None for exchange in self._exchanges)

    def record(
        self,
        *,
        purpose: str,
        begun: float,
        ended: float,
        method: str,
        url: str,
        request_headers: Iterable[tuple[str, str]],
        request_body: bytes,
        status: int | None = None,
        reason: str = "",
        response_headers: Iterable[tuple[str, str]] = (),
        response_body: bytes = b"",
        failure: str | None = None,
    ) -> Exchange:
        """Redact and record one exchange; `begun` and `ended` are readings of `clock.monotonic`.

        `reason` is the answer's reason phrase, in which a secret may be; it is not kept.
        """
        self._learn(request_body, url, status, response_body)
        clean = self._clean
        headers = tuple(response_headers)
        answer = response_body.decode("utf-8", "backslashreplace")
        received = "\n".join([*(f"{name}: {value}" for name, value in headers), answer])
        wall = clock.wall().timestamp() - (clock.monotonic() - begun)
        exchange = Exchange(
            id=next(self._ids),
            purpose=clean(purpose),
            started=datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds"),
            at=begun - self._started,
            seconds=ended - begun,
            method=method,
            url=clean(url),
            request_headers=tuple((clean(k), clean(v)) for k, v in request_headers),
            request_body=self._recorded(request_body),
            request_bytes=len(request_body),
            status=status,
            response_headers=tuple((clean(k), clean(v)) for k, v in headers),
            response_body=self._recorded(response_body),
            response_bytes=len(response_body),
            failure=None if failure is None else clean(failure),
            request_whole=len(request_body) <= RECORDED_BODY and _is_text(request_body),
            leaks=(
                *self.redactor.leaked(received),
                *(f"{s} in its reason phrase" for s in self.redactor.leaked(reason)),
            ),
        )
        with self._lock:
            self._exchanges.append(exchange)
        if self._file is not None:
            self._file.append(SINK.json(exchange.as_json()))
        return exchange

    @property
    def trouble(self) -> str | None:
        """Why the file is incomplete; None while it is complete."""
        return self._file.trouble if self._file is not None else None

    def _learn(self, request: bytes, url: str, status: int | None, answer: bytes) -> None:
        """Register the person in the request, to be redacted, and the id in the answer, to stay legible."""
        for value, label in _person_in(request):
            self.redactor.add_personal(value, label)
        if status is not None and 200 <= status < 300 and url.endswith(TRIGGER_PATH):
            for found in _UNIQUE_ID.finditer(answer[:_READ_BODY].decode("utf-8", "replace")):
                self.redactor.add_known_id(found[1] or found[2])

    def _clean(self, text: str) -> str:
        return self._cleaned(text, self.redactor.version)

    def close(self) -> None:
        """Close the file. The exchanges in memory remain."""
        if self._file is not None:
            self._file.close()

    def _recorded(self, body: bytes) -> str:
        # Redact before cutting, because the redactor would miss a secret that is cut in two.
        text = self.redactor.clean(body[:_READ_BODY].decode("utf-8", "backslashreplace"))
        if len(body) > _READ_BODY:
            text = text[: -max(512, self.redactor.longest_secret)]
        if len(body) <= RECORDED_BODY and len(text) <= 2 * RECORDED_BODY:
            return text
        return f"{text[:RECORDED_BODY]}… [{len(body)} bytes in all]"


def _person_in(body: bytes) -> Iterator[tuple[str, str]]:
    """Names and addresses in the EndUser of a request, with their labels."""
    if b"EndUser" not in body or len(body) > _READ_BODY:
        return
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return
    person = content.get("EndUser") if isinstance(content, dict) else None
    if isinstance(person, str):
        yield person, "<name>"
    for inner in person if isinstance(person, list) else [person]:
        if isinstance(inner, dict):
            for member, label in (("Name", "<name>"), ("Email", "<e-mail>")):
                values = inner.get(member)
                for value in values if isinstance(values, list) else [values]:
                    if isinstance(value, str):
                        yield value, label


def _is_text(body: bytes) -> bool:
    """Whether a shell word can hold these bytes."""
    try:
        return "\0" not in body.decode("utf-8")
    except UnicodeDecodeError:
        return False
