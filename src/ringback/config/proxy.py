"""The forward proxy between Ringback and the deployment: configured, or from the variables that curl reads."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import SecretStr

from ringback.config.references import referred

__all__ = ["PROXY_VARIABLES", "Proxy", "ProxyError", "is_loopback", "proxy_for"]

PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
"""Variables that may name a proxy, in lower case."""
_DEFAULT_PORT = 1080
"""As in curl."""


class ProxyError(ValueError):
    """A proxy that can't be used. The message is `problem; fix` and shows no value."""

    def __init__(self, message: str, variable: str | None = None) -> None:
        self.variable = variable
        """The variable that names it; None if the configuration does."""
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy: plain HTTP is forwarded by it, TLS passes through a tunnel (CONNECT)."""

    host: str
    port: int
    user: SecretStr | None = None
    password: SecretStr | None = None

    @property
    def where(self) -> str:
        """Its address, without credentials."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Its URL, without credentials."""
        return f"http://{self.where}"

    @property
    def credentials(self) -> str | None:
        """`user:password`; None if it needs none."""
        if self.user is None or self.password is None:
            return None
        return f"{self.user.get_secret_value()}:{self.password.get_secret_value()}"

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization; None if it needs none."""
        credentials = self.credentials
        return None if credentials is None else f"Basic {base64.b64encode(credentials.encode()).decode()}"


def proxy_for(configured: object, base_url: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for a deployment; None to connect directly. This machine is never reached through a proxy.

    `configured` is the configuration's value: None lets the environment decide, an empty text means no proxy. Raises
    `ProxyError`.
    """
    if configured is not None and not isinstance(configured, str):
        raise ProxyError('not a URL; write it as text, such as "http://proxy.example.com:3128"')
    base = urlsplit(base_url)
    variable = None
    if configured is None:
        variable, value = _from_environment(base, environ)
    else:
        try:
            value = referred(configured, environ)
        except ValueError as why:
            raise ProxyError(str(why)) from None
    if not value or is_loopback(base.hostname or ""):
        return None
    return _parsed(value, variable)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _parsed(value: str, variable: str | None) -> Proxy:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname or "", parts.port or _DEFAULT_PORT
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), "", 0
    if parts.scheme not in {"http", ""} and host:
        raise ProxyError(
            f'not an HTTP proxy ({parts.scheme}); name one with http://, or write proxy = "" for none', variable
        )
    if not host or any(c.isspace() or not c.isprintable() for c in value) or parts.path.strip("/") or parts.query:
        raise ProxyError(
            'not the URL of a proxy; write it like "http://user:password@proxy.example.com:3128"', variable
        )
    if parts.username is None:
        return Proxy(host, port)
    return Proxy(host, port, SecretStr(unquote(parts.username)), SecretStr(unquote(parts.password or "")))


def _from_environment(base: SplitResult, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """The variable that names the proxy for a URL, and its value, as curl reads them.

    `HTTP_PROXY` does not count: for a program behind a web server, it is a header of a request.
    """
    if any(_covers(entry, base) for entry in _bypassed(environ)):
        return None, ""
    names = ("https_proxy", "HTTPS_PROXY") if base.scheme == "https" else ("http_proxy",)
    for name in (*names, "all_proxy", "ALL_PROXY"):
        if value := environ.get(name, "").strip():
            return name, value
    return None, ""


def _bypassed(environ: Mapping[str, str]) -> Iterator[str]:
    text = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for entry in text.replace(",", " ").split():
        yield entry.lower()


def _covers(entry: str, base: SplitResult) -> bool:
    """Whether an entry of NO_PROXY names a URL's host: `*`, a domain, an address or a network, perhaps with a port."""
    host = (base.hostname or "").rstrip(".")
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    name, _, port = entry.rpartition(":")
    if name and port.isdigit() and (":" not in name or name.endswith("]")):
        if int(port) != (base.port or (443 if base.scheme == "https" else 80)):
            return False
        entry = name
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            return False
    domain = entry.strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))
