"""The ASGI application of the sandbox: reads each request up to a size limit and passes it to the behaviour.

It uses no web framework, for speed; `benchmarks/sandbox_throughput.py` measures the sandbox.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.messages import Receive, Refusal, Request, Send

MAX_BODY_BYTES: Final = 2 * 1024 * 1024
MAX_DRAINED_BYTES: Final = 64 * 1024 * 1024
"""How much of an oversized body is read and dropped, so that its sender receives the refusal."""

_log = logging.getLogger("ringback.sandbox")


class SandboxApp:
    """An ASGI application that answers as its behaviour decides."""

    def __init__(self, behaviour: SandboxBehaviour) -> None:
        self.behaviour = behaviour

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        message = await receive()
        body: bytes = message.get("body", b"")
        request = Request(scope["method"], scope["path"], scope["headers"], body, scope.get("query_string", b""))
        if message["type"] == "http.disconnect":
            return
        if message.get("more_body"):
            rest = await _read_rest(body, receive)
            if rest is None:
                return
            request.body = rest
        if len(request.body) > MAX_BODY_BYTES:
            request.body = b""
            refusal = Refusal(413, "the body is too large", [(b"connection", b"close")])
            await self.behaviour.transmit(self.behaviour.refuse(refusal, request), request, send)
            return
        try:
            await self.behaviour.exchange(request, send)
        except Exception:
            _log.exception("the sandbox failed to answer")
            raise


async def _read_rest(body: bytes, receive: Receive) -> bytes | None:
    """Return the whole body, or its beginning if it is too large; None if the client has gone."""
    parts = [body]
    size = len(body)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        if size <= MAX_BODY_BYTES:
            parts.append(chunk)
        size += len(chunk)
        if not message.get("more_body") or size > MAX_DRAINED_BYTES:
            return b"".join(parts)
