"""How far a request got, as httpcore reports it, and how a failure is described."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx

from ringback import clock

__all__ = ["Trace", "failure_of", "reason_of", "root_of"]


@dataclass(slots=True)
class Trace:
    """How far a request got, as httpcore reports it."""

    sent_at: float | None = None
    connecting: bool = False
    """Whether the next request is the CONNECT for the tunnel."""
    new: bool = False
    """Whether the connection was made for this request, and so cannot be stale."""

    tunnelled: bool = False
    """Whether a proxy's tunnel comes first: its CONNECT is a request too, and carries nothing to the deployment."""

    async def __call__(self, event: str, _info: dict[str, Any]) -> None:
        """Take note of an event of httpcore."""
        if event == "connection.connect_tcp.complete":
            self.new = True
            self.connecting = self.tunnelled
        elif event.endswith("send_request_headers.started"):
            if self.connecting:
                self.connecting = False
            else:
                self.sent_at = clock.monotonic()


def failure_of(error: httpx.TransportError, status: int | None) -> str:
    """What became of a request that was sent; `status` is None if no head of an answer came."""
    text = str(error)
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected without" not in text:
        if "incomplete" in text or "closed connection without sending complete" in text:
            return "connection closed in the middle of the answer"
        return f"not HTTP/1.1: {text}"
    return "connection closed" if status is None else "connection closed in the middle of the answer"


def root_of(error: BaseException) -> BaseException:
    """The first cause of an error."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]  # one of them is not None
    return error


def reason_of(error: BaseException) -> str:
    """An error in words, without line numbers of the TLS library."""
    cause = root_of(error)
    return re.sub(r" \(_ssl\.c:\d+\)$", "", str(error) or str(cause)) or type(cause).__name__
