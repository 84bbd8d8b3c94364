"""Connections to a deployment, directly or through a proxy's tunnel (CONNECT), and what a proxy's answers mean."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

import httpx

from ringback import clock
from ringback.config import Config
from ringback.config.proxy import Proxy

__all__ = [
    "PROXY_STATUSES",
    "Trace",
    "TunnelRefused",
    "connect",
    "connect_request",
    "httpx_proxy",
    "is_open",
    "needs_credentials",
]

PROXY_STATUSES = frozenset({407, 502, 503, 504})
"""Answers to forwarded requests that the proxy may have given by itself: they are never the deployment's failure."""
_LONGEST_HEAD = 16 * 1024


class TunnelRefused(OSError):
    """The proxy refused the tunnel; the message is its status."""


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


def connect(host: str, port: int, proxy: Proxy | None, timeout: float) -> socket.socket:
    """A connection to a port, with this time limit (seconds) for each step. Raises OSError."""
    if proxy is None:
        return socket.create_connection((host, port), timeout=timeout)
    connection = socket.create_connection((proxy.host, proxy.port), timeout=timeout)
    try:
        connection.sendall(connect_request(host, port, proxy))
        head = b""
        while b"\r\n\r\n" not in head:
            # One byte at a time: what follows belongs to the tunnel.
            piece = connection.recv(1)
            if not piece or len(head) > _LONGEST_HEAD:
                raise TunnelRefused("it closed the connection")
            head += piece
        if not is_open(head):
            raise TunnelRefused(head.partition(b"\r\n")[0].decode("latin-1").partition(" ")[2])
    except BaseException:
        connection.close()
        raise
    return connection


def connect_request(host: str, port: int, proxy: Proxy) -> bytes:
    """The request for a tunnel to a port."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if (authorization := proxy.authorization) is not None:
        lines.append(f"Proxy-Authorization: {authorization}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def httpx_proxy(config: Config) -> httpx.Proxy | None:
    """The configured proxy for httpx."""
    proxy = config.deployment.proxy
    if proxy is None or proxy.user is None or proxy.password is None:
        return None if proxy is None else httpx.Proxy(proxy.url)
    return httpx.Proxy(proxy.url, auth=(proxy.user.get_secret_value(), proxy.password.get_secret_value()))


def is_open(head: bytes) -> bool:
    """Whether the head of a proxy's answer grants the tunnel."""
    words = head.split(b" ", 2)
    return len(words) > 1 and words[0].startswith(b"HTTP/1.") and words[1][:1] == b"2"


def needs_credentials(status: str) -> str:
    """What to do about a proxy's answer."""
    if status.startswith("407"):
        return "; write its user and password into proxy"
    return ""
