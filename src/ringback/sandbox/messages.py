"""Requests, answers, refusals and accepted triggers, as plain data."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

Headers: TypeAlias = list[tuple[bytes, bytes]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
JsonObject: TypeAlias = dict[str, Any]

TRIGGER_PATH = "/v2/call"
POLL_PATH = "/v2/callresult"
JSON = b"application/json"


@dataclass(slots=True)
class Request:
    """One HTTP request, read whole."""

    method: str
    path: str
    headers: Headers
    body: bytes
    query: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header, named in lower case, or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(slots=True)
class SandboxAnswer:
    """One HTTP answer; Content-Length is added when it is sent."""

    status: int
    body: bytes = b""
    content_type: bytes | None = JSON
    headers: Headers = field(default_factory=list)


class Refusal(Exception):
    """A request is not accepted: a 4xx status, and a reason that quotes nothing from the request."""

    def __init__(self, status: int, reason: str, headers: Headers | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers: Headers = headers or []


@dataclass(slots=True)
class AcceptedTrigger:
    """A valid trigger: the number to dial and where to send the result."""

    body: JsonObject
    inputs: Mapping[str, str]
    raw: bytes

    @property
    def number(self) -> str:
        """The number to dial, "" when there is none."""
        return self.inputs.get("_Destination", "")

    @property
    def result_destination(self) -> str | None:
        """The address that the result goes to, or None."""
        return self.body.get("ResultDestination")

    @property
    def immediate(self) -> bool:
        """Whether the result is to be sent as soon as the call is final."""
        return self.body.get("SendResultImmediately") is True


def connection_of(send: Send) -> asyncio.Transport:
    """Return the connection behind uvicorn's `send`, for faults that break it."""
    cycle = cast("Any", send).__self__
    return cast("asyncio.Transport", cycle.transport)
