"""Time that passes only when nothing else can happen: tests wait for nothing, and no slow machine is ever too slow.

`run` is `asyncio.run` on a `VirtualClock`, which Ringback's own clock then is. When no callback is ready, the loop sets
the clock to its next timer instead of waiting for it. Connections between servers and clients within the loop are
socket pairs: what one end has sent, the other can read at once, so that time never passes while bytes are on their way.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import selectors
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from ringback import clock

__all__ = ["VirtualClock", "VirtualLoop", "run", "virtual_clock"]

T = TypeVar("T")

_BEGINNING = datetime(2026, 3, 1, 12, tzinfo=UTC)
_FIRST_READING = 1000.0


class VirtualClock(clock.Clock):
    """A clock that only `advance`, and sleeping, move."""

    def __init__(self) -> None:
        self._now = _FIRST_READING

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> datetime:
        return _BEGINNING + timedelta(seconds=self._now - _FIRST_READING)

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let some seconds pass."""
        self._now += max(0.0, seconds)


class _Selector(selectors.DefaultSelector):
    """Passes time where another would wait."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # A round of the loop takes a nanosecond, so that who waits for less than floats can tell apart gets on too.
        self.loop.clock.advance(1e-9)
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.loop.threads_at_work:
            return super().select(None)
        if timeout is None:
            raise RuntimeError("everything waits for something that will never happen")
        self.loop.clock.advance(timeout)
        return []


class _Server:
    """A listener of a virtual loop. Its sockets are bound, to have a port that is nobody else's, and never listen."""

    def __init__(
        self, bound: socket.socket, factory: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext | None
    ) -> None:
        self.sockets: tuple[socket.socket, ...] = (bound,)
        self.factory = factory
        self.context = context

    def close(self) -> None:
        for held in self.sockets:
            held.close()
        self.sockets = ()

    def is_serving(self) -> bool:
        return bool(self.sockets)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def wait_closed(self) -> None:
        """There is nothing to wait for."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose time is a `VirtualClock`'s, and whose network is itself."""

    def __init__(self, virtual: VirtualClock) -> None:
        self.clock = virtual
        self.threads_at_work = 0
        self._servers: dict[int, _Server] = {}
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.clock.monotonic()

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **rest: Any) -> Any:
        bound = rest.get("sock")
        if bound is None:
            bound = socket.socket(socket.AF_INET6 if host and ":" in host else socket.AF_INET)
            bound.bind((host or "127.0.0.1", port or 0))
        number = bound.getsockname()[1]
        self._servers[number] = server = _Server(bound, protocol_factory, rest.get("ssl"))
        return server

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **rest: Any) -> Any:
        server = self._servers.get(port)
        if server is None or not server.is_serving():
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        near, far = socket.socketpair()
        for end in (near, far):
            end.setblocking(False)
        # A task, for a TLS handshake takes both ends; the server's protocol reports what goes wrong with it.
        accepting = self.create_task(self.connect_accepted_socket(server.factory, far, ssl=server.context))
        accepting.add_done_callback(lambda done: done.cancelled() or done.exception())
        context = rest.get("ssl")
        named = rest.get("server_hostname") or host
        return await super().create_connection(
            protocol_factory, sock=near, ssl=context, server_hostname=named if context else None
        )

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # typeshed's has a TypeVarTuple
        # What a thread does takes real time, in which this loop's time stands still.
        self.threads_at_work += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: object) -> None:
        self.threads_at_work -= 1

    async def shutdown_default_executor(self, *rest: Any) -> None:
        self.threads_at_work += 1
        try:
            await super().shutdown_default_executor(*rest)
        finally:
            self.threads_at_work -= 1


@contextlib.contextmanager
def virtual_clock() -> Iterator[VirtualClock]:
    """A virtual clock that is Ringback's own for the length of a block."""
    virtual = VirtualClock()
    with clock.installed(virtual):
        yield virtual


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in virtual time."""
    with virtual_clock() as virtual, asyncio.Runner(loop_factory=lambda: VirtualLoop(virtual)) as runner:
        return runner.run(main)
