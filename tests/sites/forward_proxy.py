"""A forward proxy on loopback that wants credentials, and knows names that no resolver does."""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from tests.serving import serving

__all__ = ["ForwardProxy", "forwarding"]


@dataclass
class ForwardProxy:
    """What it was asked, and how it answers."""

    names: Mapping[str, int]
    """Host name -> port on this machine."""
    credentials: str = "user:w@rd/of the proxy"
    answers: bytes = b""
    """An answer that it gives to all requests with credentials, instead of forwarding them."""
    port: int = 0
    seen: list[str] = field(default_factory=list)
    """The first lines of requests, credentials being right or not."""

    @property
    def url(self) -> str:
        user, _, password = self.credentials.partition(":")
        return f"http://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        """Answer the requests of one connection."""
        received = b""
        while True:
            while b"\r\n\r\n" not in received:
                piece = client.recv(65536)
                if not piece:
                    return
                received += piece
            head, _, rest = received.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            self.seen.append(first)
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            wanted = base64.b64encode(self.credentials.encode()).decode()
            if headers.get("proxy-authorization") != f"Basic {wanted}":
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            if self.answers:
                client.sendall(self.answers)
                return
            method, target, _ = first.split(" ", 2)
            if method == "CONNECT":
                self._tunnel(client, target.rpartition(":")[0])
                return
            length = int(headers.get("content-length", "0"))
            while len(rest) < length:
                rest += client.recv(65536)
            received = rest[length:]
            parts = urlsplit(target)
            kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection"))]
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            request = "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""])
            with socket.create_connection(("127.0.0.1", self.names[parts.hostname or ""])) as server:
                server.sendall(request.encode("latin-1") + rest[:length])
                while piece := server.recv(65536):
                    client.sendall(piece)
            return

    def _tunnel(self, client: socket.socket, host: str) -> None:
        with socket.create_connection(("127.0.0.1", self.names[host.strip("[]")])) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join(10)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def forwarding(proxy: ForwardProxy) -> Iterator[ForwardProxy]:
    """Serve on a free port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                proxy.serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = 128

    with serving(Server(("127.0.0.1", 0), Handler)) as proxy.port:
        yield proxy
