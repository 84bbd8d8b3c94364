"""Runs one sandbox in this process: socket, TLS, event loop, signals, requests. `launch` starts a process for one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import uvicorn

from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.certificates import Authority
from ringback.sandbox.messages import Receive, Refusal, Request, Send
from ringback.sandbox.settings import RunningSandbox, SandboxError, SandboxSettings
from ringback.sandbox.variations import compose

Ready = Callable[[RunningSandbox], None]
"""Called as soon as requests are answered."""

_BACKLOG = 4096
MAX_BODY_BYTES: Final = 2 * 1024 * 1024
MAX_DRAINED_BYTES: Final = 64 * 1024 * 1024
"""How much of an oversized body is read and dropped, so that its sender receives the refusal."""

_log = logging.getLogger("ringback.sandbox")


def run(settings: SandboxSettings, on_ready: Ready, stop_when: Callable[[], bool] | None = None) -> None:
    """Serve until SIGINT, SIGTERM or until `stop_when()` is true; it is called several times a second.

    Raises SandboxError when the sandbox cannot start.
    """
    kind = compose(settings)
    settings = kind.adapt(settings)
    listener = _listen(settings)
    settings = replace(settings, port=listener.getsockname()[1])
    directory = Path(tempfile.mkdtemp(prefix="ringback-sandbox-")) if settings.tls else None
    try:
        authority = Authority(directory, settings.host) if directory else None
        server = _Server(kind, settings, authority, on_ready, stop_when)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(server.serve(sockets=[listener]))
    finally:
        listener.close()
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)


class _Server(uvicorn.Server):
    """A uvicorn server that also starts and stops the behaviour, and that signals stop without a traceback."""

    def __init__(
        self,
        kind: type[SandboxBehaviour],
        settings: SandboxSettings,
        authority: Authority | None,
        on_ready: Ready,
        stop_when: Callable[[], bool] | None,
    ) -> None:
        self._behaviour = kind(settings)
        self._settings = settings
        self._ca_bundle = authority.ca_bundle if authority else None
        self._on_ready = on_ready
        self._stop_when = stop_when
        self._flusher: asyncio.Task[None] | None = None
        config = uvicorn.Config(
            SandboxApp(self._behaviour),
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=kind.date_header,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=kind.keep_alive_seconds,  # type: ignore[arg-type]  # uvicorn accepts fractions too
        )
        config.load()
        if authority is not None:
            config.ssl = self._behaviour.server_context(authority)
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._flusher = asyncio.create_task(self._flush_regularly())
        # Imported modules stay in memory: freezing them keeps the garbage collector from traversing them each time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        self._on_ready(RunningSandbox(_base_url(self._settings), self._ca_bundle, self._settings, os.getpid()))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
        self._behaviour.close()
        await super().shutdown(sockets=sockets)

    async def on_tick(self, counter: int) -> bool:
        if self._stop_when is not None and self._stop_when():
            self.should_exit = True
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        heeded = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
        for number in heeded:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in heeded:
                loop.remove_signal_handler(number)

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._settings.queued_delivery_seconds)
            self._behaviour.flush()


class SandboxApp:
    """An ASGI application that reads each request up to a size limit and answers as its behaviour decides.

    It uses no web framework, for speed; `benchmarks/sandbox_throughput.py` measures the sandbox.
    """

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


def _listen(settings: SandboxSettings) -> socket.socket:
    host, port = settings.host, settings.port
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        return listener
    except socket.gaierror:
        raise SandboxError(f"host {host!r} is not an address of this machine: try 127.0.0.1") from None
    except OSError as error:
        if listener is not None:
            listener.close()
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise SandboxError(
            f"port {port} on {host} cannot be used ({reason}): stop what uses it, or choose another port with "
            "--port (0: any free one)"
        ) from None


def _base_url(settings: SandboxSettings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if settings.tls else 'http'}://{host}:{settings.port}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
