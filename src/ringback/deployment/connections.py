"""Connections to a deployment, directly or through a proxy's tunnel (CONNECT): TLS, and what a proxy's answers mean."""

from __future__ import annotations

import socket
import ssl
import warnings
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from ringback import clock
from ringback.config import Config, ConfigError
from ringback.config.proxy import Proxy

__all__ = [
    "PROXY_STATUSES",
    "TlsSeen",
    "Trace",
    "TunnelRefused",
    "accepts_outdated_tls",
    "client_ssl_context",
    "connect",
    "connect_request",
    "httpx_proxy",
    "inspect_tls",
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


# -- TLS, looked at with handshakes of its own -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TlsSeen:
    """The result of one handshake with strict verification."""

    version: str | None = None
    problem: str | None = None
    """Why strict verification failed; None if it succeeded."""
    unreachable: str | None = None


def inspect_tls(config: Config) -> TlsSeen | None:
    """Do a handshake with strict verification, whatever `verify` says; None for plain HTTP."""
    address = _address(config)
    if address is None:
        return None
    context = _verifying_context(config)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # RFC 9525: only the subjectAltName names hosts
    try:
        return TlsSeen(version=_agreed_version(config, address, context))
    except ssl.SSLCertVerificationError as error:
        return TlsSeen(problem=f"its certificate is not trustworthy: {error.verify_message}")
    except ssl.SSLError as error:
        return TlsSeen(problem=f"no TLS 1.2 or newer could be agreed on: {error.reason or error}")
    except OSError as error:
        proxy = config.deployment.proxy
        through = "" if proxy is None else f" through the proxy {proxy.where}"
        return TlsSeen(unreachable=f"no connection to {address[0]}:{address[1]}{through}: {error}")


def accepts_outdated_tls(config: Config) -> str | None:
    """The outdated TLS version that the deployment supports, or None; also None if our TLS library cannot try."""
    address = _address(config)
    if address is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # outdated versions are offered on purpose
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        return _agreed_version(config, address, context)
    except (OSError, ValueError):
        return None


def _agreed_version(config: Config, address: tuple[str, int], context: ssl.SSLContext) -> str | None:
    """The TLS version that a handshake agrees on; raises OSError."""
    with (
        connect(*address, config.deployment.proxy, config.timing.request) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as secure,
    ):
        return secure.version()


def client_ssl_context(config: Config) -> ssl.SSLContext:
    """The TLS settings of the configuration: CA bundle, client certificate, verification; raises `ConfigError`."""
    context = _verifying_context(config)
    if not config.deployment.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _verifying_context(config: Config) -> ssl.SSLContext:
    """Settings with the configured CA bundle and client certificate; raises `ConfigError`."""
    deployment = config.deployment
    context = ssl.create_default_context(cafile=str(deployment.ca_bundle) if deployment.ca_bundle else None)
    if deployment.client_cert is None:
        return context
    key = str(deployment.client_key) if deployment.client_key else None
    try:
        # With no password given, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(str(deployment.client_cert), key, password="")
    except (ssl.SSLError, OSError, ValueError):
        raise ConfigError(
            "configuration",
            "deployment.client_cert",
            "not a certificate with its key",
            "export both as PEM, the key without a password, and name the key's file as client_key",
            str(deployment.client_cert),
        ) from None
    return context


def _address(config: Config) -> tuple[str, int] | None:
    parts = urlsplit(config.deployment.base_url)
    if parts.scheme != "https" or parts.hostname is None:
        return None
    return parts.hostname, parts.port or 443
