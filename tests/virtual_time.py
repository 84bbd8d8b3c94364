"""Virtual time, which passes only when nothing else can happen. Tests never wait, and do not depend on the machine.

`run` is `asyncio.run` with a `VirtualClock`, which is also Ringback's clock. When no callback is ready, the loop sets
the clock to its next timer instead of waiting. Connections within the loop are socket pairs: what one end has sent, the
other can read at once, so that no time passes while bytes are in transit.
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
    """A clock that only `advance` and `sleep` move."""

    def __init__(self, wall: datetime = _BEGINNING) -> None:
        self._now = _FIRST_READING
        self._wall = wall

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> datetime:
        return self._wall + timedelta(seconds=self._now - _FIRST_READING)

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += max(0.0, seconds)


class _Selector(selectors.DefaultSelector):
    """Moves the clock instead of waiting."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # A round of the loop takes a nanosecond, so that very short waits end too.
        self.loop.clock.advance(1e-9)
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.loop.threads_at_work or not self.loop.attended:
            return super().select(None)
        if timeout is None:
            self.loop.stuck()
            return []
        self.loop.clock.advance(timeout)
        return []


class _Port:
    """A port of the virtual network."""

    def __init__(self, number: int) -> None:
        self._number = number

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", self._number)

    def close(self) -> None:
        """Do nothing: there is no socket."""


class _Server:
    """A listener of a virtual loop. For port 0, a bound socket that never listens reserves a free port."""

    def __init__(
        self, bound: socket.socket | _Port, factory: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext | None
    ) -> None:
        self.sockets: tuple[socket.socket | _Port, ...] = (bound,)
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
        """Return at once."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop with the time of a `VirtualClock` and a network within itself.

    A loop in another thread than the test is `attended` only during `attend`: at other times, the clock stands still.
    """

    def __init__(self, virtual: VirtualClock, *, attended: bool = True) -> None:
        self.clock = virtual
        self.attended = int(attended)
        self.threads_at_work = 0
        self._servers: dict[int, _Server] = {}
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.clock.monotonic()

    async def attend(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Let time pass until a coroutine ends."""
        self.attended += 1
        try:
            return await coroutine
        finally:
            self.attended -= 1

    def stuck(self) -> None:
        """Cancel all tasks, because none of them can ever continue."""
        for task in asyncio.all_tasks(self):
            task.cancel("all tasks wait for events that will never happen")

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **rest: Any) -> Any:
        bound: Any = rest.get("sock")
        if bound is None and port:
            bound = _Port(port)
        elif bound is None:
            bound = socket.socket()
            bound.bind((host or "127.0.0.1", 0))
        server = _Server(bound, protocol_factory, rest.get("ssl"))
        self._servers[bound.getsockname()[1]] = server
        return server

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **rest: Any) -> Any:
        server = self._servers.get(port)
        if server is None or not server.is_serving():
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        near, far = socket.socketpair()
        for end in (near, far):
            end.setblocking(False)
        # A task, because a TLS handshake needs both ends; the server's protocol reports its errors.
        accepting = self.create_task(self.connect_accepted_socket(server.factory, far, ssl=server.context))
        accepting.add_done_callback(lambda done: done.cancelled() or done.exception())
        context = rest.get("ssl")
        named = rest.get("server_hostname") or host
        return await super().create_connection(
            protocol_factory, sock=near, ssl=context, server_hostname=named if context else None
        )

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # typeshed's has a TypeVarTuple
        # A thread takes real time, during which this loop's clock stands still.
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
    """A virtual clock that is also Ringback's clock for the length of a block."""
    virtual = VirtualClock()
    with clock.installed(virtual):
        yield virtual


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in virtual time."""
    with virtual_clock() as virtual, asyncio.Runner(loop_factory=lambda: VirtualLoop(virtual)) as runner:
        return runner.run(main)
