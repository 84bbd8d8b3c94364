"""gevent's HTTP(S) server within the bounds of an `Intake`: so many connections, and each completes what it begins."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from typing import Any, Self

import gevent
from gevent import socket
from gevent.pywsgi import WSGIHandler, WSGIServer
from gevent.ssl import SSLContext

from ringback.intake import SLOWEST, Intake

__all__ = ["WATCH", "BoundedServer", "Watch"]

WATCH = "ringback.watch"
"""In a request's `environ`: the `Watch` over its connection."""
_RESET = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which closing resets: a sender whose window is full would hear of the end only late."""


class BoundedServer(WSGIServer):  # type: ignore[misc]  # gevent's module has no types
    """A server that is given its listening socket. A connection that is idle may stay."""

    def __init__(
        self, listening: socket.socket, answer: Callable[..., Any], intake: Intake, context: SSLContext | None
    ) -> None:
        tls = {} if context is None else {"ssl_context": context}
        super().__init__(listening, answer, log=None, error_log=None, handler_class=_Handler, **tls)
        self.intake = intake
        self._open: dict[socket.socket, socket.socket] = {}
        """Each connection as it was accepted, and what is read from: under TLS, another socket."""

    def do_handle(self, connection: socket.socket, address: object) -> None:
        """Serve a connection, if there is room for it."""
        self._open[connection] = connection
        if self.intake.admits(len(self._open)):
            super().do_handle(connection, address)
        else:
            self.do_close(connection)

    def do_close(self, connection: socket.socket, *more: object) -> None:
        """A connection has ended."""
        self._open.pop(connection, None)
        super().do_close(connection, *more)

    def wrap_socket_and_handle(self, connection: socket.socket, address: object) -> None:
        """Serve TLS on a connection; one that does not speak it is closed."""
        with contextlib.suppress(OSError):
            secure = self.wrap_socket(connection, do_handshake_on_connect=False, **self.ssl_args)
            self._open[connection] = secure
            with contextlib.closing(secure):
                with Watch(secure, self.intake):
                    secure.do_handshake()
                self.handle(secure, address)

    def end(self) -> None:
        """Close the port and every connection at once."""
        self.close()
        for connection in tuple(self._open.values()):
            _cut(connection)


class Watch:
    """Cuts a connection if what it encloses takes too long: whoever waits for something from it reads its end."""

    def __init__(self, connection: socket.socket, intake: Intake) -> None:
        self.is_cut = False
        """Whether what was read is all that was sent."""
        self._connection = connection
        self._intake = intake
        self._timer = gevent.spawn_later(SLOWEST, self.cut)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.kill(block=False)

    def cut(self) -> None:
        """Cut it now, and count it as dropped."""
        self.is_cut = True
        self._intake.drop()
        _cut(self._connection)


class _Handler(WSGIHandler):  # type: ignore[misc]  # gevent's module has no types
    server: BoundedServer

    def handle(self) -> None:
        """Serve requests until the connection ends."""
        with contextlib.suppress(OSError):  # it was cut, or broke off
            super().handle()

    def handle_one_request(self) -> Any:
        """One request, within its time."""
        try:
            if not self.rfile.peek(1):
                return None
        except ValueError:  # it was closed
            return None
        with Watch(self.socket, self.server.intake) as self._watch:
            return super().handle_one_request()

    def run_application(self) -> None:
        """Answer; of what was cut, the rest is not read."""
        super().run_application()
        if self._watch.is_cut:
            self.wsgi_input = _Rest()

    def get_environ(self) -> dict[str, Any]:
        """The request's variables."""
        return {**super().get_environ(), WATCH: self._watch}


class _Rest:
    """What is left of a request's body when it was cut."""

    def _discard(self) -> None:
        """Called by gevent to pass over the body."""


def _cut(connection: socket.socket) -> None:
    """End a connection in both directions, under TLS without its farewell; when it is closed, its sender is reset."""
    plain = getattr(connection, "_sock", connection)
    with contextlib.suppress(OSError):
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        plain.shutdown(socket.SHUT_RDWR)
