"""Looks at what listens at the configured address when no HTTP/1.1 answer comes from it.

It makes connections of its own and sends nothing that could place a call: handshakes, `OPTIONS *`, HTTP/2's preface.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from ringback.config import Config
from ringback.deployment.causes import Port, speaks_of_https
from ringback.deployment.connections import client_ssl_context, connect

__all__ = ["dead_addresses", "look_at"]

_LONGEST = 3.0
"""Seconds that one look may take, at most."""
_ALERT = 0.5
"""Seconds to wait for the alert of a server that refuses our certificate only after the handshake (TLS 1.3)."""
_SILENT = 1.0
"""Seconds that an address gets to answer."""
_NO_ISSUER = {2, 18, 19, 20, 21}
"""OpenSSL's codes for a certificate whose issuer is not trusted: not found, or self-signed."""
_OUR_CERTIFICATE = (
    "CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNKNOWN_CA", "CERTIFICATE_EXPIRED", "CERTIFICATE_UNKNOWN",
    "UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REVOKED", "ACCESS_DENIED",
)  # fmt: skip
"""Alerts by which a server refuses our certificate, or that we have none."""
_QUESTION = b"OPTIONS * HTTP/1.1\r\nHost: %b\r\nUser-Agent: ringback\r\nConnection: close\r\n\r\n"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
"""How an HTTP/2 connection begins: the preface and an empty SETTINGS frame (RFC 9113, 3.4)."""


def look_at(config: Config) -> Port | None:
    """What is wrong with the way in which Ringback talks to this address; None if nothing is found. Blocks."""
    look = _Look(config)
    try:
        return look.over_tls(config) if look.secure else look.over_tcp()
    except OSError:
        return None


def dead_addresses(config: Config) -> list[str]:
    """The addresses of the deployment's name that do not answer although another one does. Blocks for a moment."""
    parts = urlsplit(config.deployment.base_url)
    if config.deployment.proxy is not None:
        return []
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    addresses = list(dict.fromkeys((family, address) for family, *_, address in found))
    dead = [str(address[0]) for family, address in addresses if len(addresses) > 1 and not _answers(family, address)]
    return dead if len(dead) < len(addresses) else []


def _answers(family: int, address: tuple[object, ...]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as plain:
        plain.settimeout(_SILENT)
        try:
            plain.connect(address)
        except OSError:
            return False
    return True


class _Look:
    def __init__(self, config: Config) -> None:
        parts = urlsplit(config.deployment.base_url)
        self.secure = parts.scheme == "https"
        self.host = parts.hostname or ""
        self._address = self.host, parts.port or (443 if self.secure else 80)
        self._question = _QUESTION % parts.netloc.encode("latin-1", "replace")
        self._proxy = config.deployment.proxy
        self._timeout = min(config.timing.request, _LONGEST)

    def over_tcp(self) -> Port | None:
        if self._shakes_hands():
            return Port("tls")
        with self._connected() as plain:
            answer = _asked(plain, self._question)
        if not answer:
            with self._connected() as plain:
                answer = _asked(plain, _PREFACE)
        return Port("http2") if _is_frame(answer) else None

    def over_tls(self, config: Config) -> Port | None:
        try:
            with self._connected() as plain:
                return self._over_tls(client_ssl_context(config), plain)
        except (ssl.SSLError, OSError):
            with self._connected() as plain:
                answer = _asked(plain, self._question)
            return Port("plain") if answer.startswith(b"HTTP/") and not speaks_of_https(answer) else None

    def _over_tls(self, context: ssl.SSLContext, plain: socket.socket) -> Port | None:
        """Raises SSLError or OSError if what answers does not seem to be TLS."""
        secure = context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        with secure:
            try:
                secure.do_handshake()
                secure.settimeout(min(_ALERT, self._timeout))
                with contextlib.suppress(TimeoutError):
                    if not secure.recv(1):
                        return None
                secure.settimeout(self._timeout)
                return Port("http2") if _is_frame(_asked(secure, self._question)) else None
            except ssl.SSLCertVerificationError as error:
                kind = "authority" if error.verify_code in _NO_ISSUER else "certificate"
                return Port(kind, error.verify_message)
            except ssl.SSLError as error:
                reason = error.reason or ""
                # Without a certificate, TLS 1.2 servers report a failed handshake after they have agreed on a cipher.
                agreed = reason.endswith("HANDSHAKE_FAILURE") and secure.cipher() is not None
                if reason.endswith(_OUR_CERTIFICATE) or agreed:
                    return Port("client-certificate", reason.replace("_", " ").lower())
                if reason.endswith("NO_APPLICATION_PROTOCOL"):
                    return Port("http2")
                if "ALERT" in reason:
                    return None
                raise

    def _shakes_hands(self) -> bool:
        """Whether a TLS handshake succeeds on a port that should be plain, or is refused by TLS's own means."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with self._connected() as plain, context.wrap_socket(plain, server_hostname=self.host):
                return True
        except ssl.SSLError as error:
            return "ALERT" in (error.reason or "")
        except OSError:
            return False

    @contextlib.contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with connect(*self._address, self._proxy, self._timeout) as plain:
            yield plain


def _asked(connection: socket.socket, question: bytes) -> bytes:
    """The beginning of the answer; empty if none comes."""
    answer = b""
    with contextlib.suppress(TimeoutError, ConnectionError, ssl.SSLEOFError):
        connection.sendall(question)
        while len(answer) < 4096 and (piece := connection.recv(4096)):
            answer += piece
            if _is_frame(answer):
                break
    return answer


def _is_frame(answer: bytes) -> bool:
    """Whether an answer begins with HTTP/2's SETTINGS or GOAWAY, on stream 0 (RFC 9113, 4.1)."""
    return len(answer) >= 9 and answer[3] in {4, 7} and answer[0] == 0 and answer[5:9] == b"\0\0\0\0"
