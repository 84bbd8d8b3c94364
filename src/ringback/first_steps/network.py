"""The way to a deployment: its name, its addresses, and its TLS. No request is sent."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC
from urllib.parse import urlsplit

from cryptography import x509

from ringback import clock
from ringback.config import Config
from ringback.config.scalars import port_remark
from ringback.deployment.causes import Symptom, diagnose
from ringback.deployment.connections import connect, inspect_tls
from ringback.deployment.port import look_at
from ringback.first_steps.steps import Step

__all__ = ["look_at_tls", "way_to"]

_PATIENCE = 5.0
"""Seconds to wait for a connection to one address."""
_SOON = 14
"""Days before its end at which a certificate is worth a word."""
_NOTHING_LISTENS = "nothing listens there"
_REASONS = {
    errno.ECONNREFUSED: _NOTHING_LISTENS,
    errno.ENETUNREACH: "this machine has no route to it",
    errno.EHOSTUNREACH: "this machine has no route to it",
    errno.ETIMEDOUT: "no answer",
}


def way_to(base_url: str, patience: float = _PATIENCE, key: str = "deployment.base_url") -> Iterator[Step]:
    """Resolve the name and connect to each address, one step each; ends early if there is no address.

    `key` names the URL in advice.
    """
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    begun = clock.monotonic()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a host name"
        yield Step("name", f"{host} has no address: {why}", well=False,
                   fix=f"correct the host in {key}, or this machine's DNS or /etc/hosts")  # fmt: skip
        return
    took = _ms(begun)
    addresses = list(dict.fromkeys((family, where) for family, _, _, _, where in found))
    yield Step("name", f"{host} has {_count(len(addresses))} ({took})")
    results = [(str(where[0]), *_connect(family, where, patience)) for family, where in addresses]
    reached = [address for address, why, _ in results if not why]
    shown = "; ".join(f"{address} port {port} {why or f'connected in {took}'}" for address, why, took in results)
    remark = port_remark(base_url)
    if reached:
        dead = [address for address, why, _ in results if why]
        fix = (
            f"connections to {', '.join(dead)} fail: remove that address from DNS, or repair its route" if dead else ""
        )
        yield Step("route", f"{shown} ({remark})" if remark else shown, fix=fix)
        return
    if remark:
        fix = f"write the port into deployment.base_url: {remark}"
    elif all(why == _NOTHING_LISTENS for _, why, _ in results):
        fix = f"correct the port in {key}, or start what should listen there"
    else:
        fix = (
            "ask for this machine to be let through the firewall, or use a network from which the deployment is reached"
        )
    yield Step("route", shown, well=False, fix=fix)


def look_at_tls(config: Config, clean: Callable[[str], str]) -> Step | None:
    """The certificate, its names, its dates and its chain; None over plain HTTP.

    What is wrong is found as a check does: TRN-02's handshake, and the causes for which no trigger is accepted.
    """
    seen = inspect_tls(config)
    if seen is None:
        return None
    certificate = _certificate(config)
    about = f"; {_described(certificate)}" if certificate is not None else ""
    cause = diagnose([Symptom()], config.deployment, look_at(config), clean)
    if cause is not None:
        return Step("TLS", cause.came + about, well=False, fix=cause.fix)
    if seen.problem is not None or seen.unreachable is not None:
        return Step("TLS", f"{seen.problem or seen.unreachable}{about} (see TRN-02)", well=False,
                    fix="have the certificate or the server's TLS settings corrected")  # fmt: skip
    days = _days_left(certificate)
    fix = f"renew the certificate: it ends in {days} days" if days is not None and days < _SOON else ""
    client = ", with your client certificate" if config.deployment.client_cert is not None else ""
    return Step("TLS", f"{seen.version}{client}, the certificate is trusted{about}", fix=fix)


def _connect(family: int, where: tuple[object, ...], patience: float) -> tuple[str, str]:
    """Why no connection could be made (empty if one was), and how long it took."""
    begun = clock.monotonic()
    with socket.socket(family, socket.SOCK_STREAM) as trying:
        trying.settimeout(patience)
        try:
            trying.connect(where)
        except TimeoutError:
            return f"no answer within {patience:g} s", _ms(begun)
        except OSError as error:
            return _REASONS.get(error.errno or 0, error.strerror or "failed"), _ms(begun)
    return "", _ms(begun)


def _certificate(config: Config) -> x509.Certificate | None:
    """The deployment's certificate, trusted or not; None if none was shown."""
    parts = urlsplit(config.deployment.base_url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            connect(parts.hostname or "", parts.port or 443, config.deployment.proxy, config.timing.request) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            shown = secure.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(shown) if shown else None
    except (OSError, ValueError):
        return None


def _described(certificate: x509.Certificate) -> str:
    names: list[str] = []
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [str(name.value) for name in alternative]
    except (x509.ExtensionNotFound, ValueError):
        pass
    issuer = certificate.issuer.rfc4514_string() or "an unnamed CA"
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return (
        f"it names {shown or 'no host'}, is valid until {certificate.not_valid_after_utc:%Y-%m-%d}, issued by {issuer}"
    )


def _days_left(certificate: x509.Certificate | None) -> int | None:
    return None if certificate is None else (certificate.not_valid_after_utc - clock.wall().astimezone(UTC)).days


def _count(addresses: int) -> str:
    return "1 address" if addresses == 1 else f"{addresses} addresses"


def _ms(begun: float) -> str:
    return f"{(clock.monotonic() - begun) * 1000:.0f} ms"
