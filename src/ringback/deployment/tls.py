"""Inspects a deployment's TLS with handshakes of its own: its certificate and the versions that it supports."""

from __future__ import annotations

import ssl
import warnings
from dataclasses import dataclass
from urllib.parse import urlsplit

from ringback.config import Config, ConfigError
from ringback.deployment.tunnel import connect

__all__ = ["TlsSeen", "accepts_outdated_tls", "client_ssl_context", "inspect_tls", "load_client_certificate"]


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
    deployment = config.deployment
    context = ssl.create_default_context(cafile=str(deployment.ca_bundle) if deployment.ca_bundle else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # RFC 9525: only the subjectAltName names hosts
    load_client_certificate(context, config)
    try:
        with (
            connect(*address, config.deployment.proxy, config.timing.request) as plain,
            context.wrap_socket(plain, server_hostname=address[0]) as secure,
        ):
            return TlsSeen(version=secure.version())
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
        with (
            connect(*address, config.deployment.proxy, config.timing.request) as plain,
            context.wrap_socket(plain, server_hostname=address[0]) as secure,
        ):
            return secure.version()
    except (OSError, ValueError):
        return None


def client_ssl_context(config: Config) -> ssl.SSLContext:
    """The TLS settings of the configuration: CA bundle, client certificate, verification; raises `ConfigError`."""
    deployment = config.deployment
    context = ssl.create_default_context(cafile=str(deployment.ca_bundle) if deployment.ca_bundle else None)
    load_client_certificate(context, config)
    if not deployment.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def load_client_certificate(context: ssl.SSLContext, config: Config) -> None:
    """Load the configured client certificate, if any, into a context; raises `ConfigError`."""
    deployment = config.deployment
    if deployment.client_cert is None:
        return
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


def _address(config: Config) -> tuple[str, int] | None:
    parts = urlsplit(config.deployment.base_url)
    if parts.scheme != "https" or parts.hostname is None:
        return None
    return parts.hostname, parts.port or 443
