"""`exchanges.ndjson` read back: what a run sent and what it received, redacted as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringback.rundir.names import EXCHANGES_FILE
from ringback.rundir.reading import json_objects, members, number, text

__all__ = ["SavedExchange", "read_exchanges"]

_MOST_HEADERS = 200

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SavedExchange:
    """One request with its answer. A member that can't be read is empty, or None where None is allowed."""

    id: int
    purpose: str
    started: str
    """ISO 8601."""
    at: float | None
    """Seconds from the start of the run to the sending."""
    seconds: float | None
    """Seconds from the sending to the end of the answer, or to the failure."""
    method: str
    url: str
    request_headers: Headers
    request_body: str
    request_bytes: int | None
    status: int | None
    """None if there was no answer."""
    response_headers: Headers
    response_body: str
    response_bytes: int | None
    failure: str | None
    leaks: tuple[str, ...]


def read_exchanges(directory: Path) -> Iterator[SavedExchange]:
    """The exchanges of the run in `directory`; lines without a number or a request are skipped."""
    for line in json_objects(directory / EXCHANGES_FILE):
        if line is not None and type(line.get("id")) is int and isinstance(line.get("request"), dict):
            yield _exchange(line)


def _exchange(line: dict[str, Any]) -> SavedExchange:
    request, response = members(line, "request"), members(line, "response")
    leaks = line.get("leaks")
    return SavedExchange(
        id=line["id"],
        purpose=text(line.get("purpose")),
        started=text(line.get("started")),
        at=number(line.get("at")),
        seconds=number(line.get("seconds")),
        method=text(request.get("method")),
        url=text(request.get("url")),
        request_headers=_headers(request.get("headers")),
        request_body=text(request.get("body")),
        request_bytes=_whole(request.get("bytes")),
        status=_whole(response.get("status")),
        response_headers=_headers(response.get("headers")),
        response_body=text(response.get("body")),
        response_bytes=_whole(response.get("bytes")),
        failure=text(line.get("failure")) or None,
        leaks=tuple(map(str, leaks)) if isinstance(leaks, list) else (),
    )


def _whole(value: Any) -> int | None:
    found = number(value)
    return None if found is None else int(found)


def _headers(pairs: Any) -> Headers:
    return tuple(
        (text(pair[0]), text(pair[1]))
        for pair in (pairs[:_MOST_HEADERS] if isinstance(pairs, list) else [])
        if isinstance(pair, list) and len(pair) == 2
    )
