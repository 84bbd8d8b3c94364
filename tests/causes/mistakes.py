"""What users get wrong, each with a server that shows it and the one sentence that names it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.deployment.authority import Authority

from .servers import SETTINGS, Running, http, page, raw, serving

__all__ = ["MISTAKES", "Mistake"]

Serving = AbstractContextManager[Running]


def mutual(tls: Authority, newest: ssl.TLSVersion) -> ssl.SSLContext:
    """The TLS of a server that demands a client certificate."""
    context = tls.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(tls.bundle)
    context.maximum_version = newest
    return context


def http2_only(tls: Authority) -> ssl.SSLContext:
    """The TLS of a server that has HTTP/2 alone."""
    context = tls.context()
    context.set_alpn_protocols(["h2"])
    return context


@dataclass(frozen=True)
class Mistake:
    """A mistake; `WHERE` in its sentence is the server's host and port."""

    name: str
    serve: Callable[[Authority], Serving]
    sentence: str
    deployment: str = ""
    """More configuration; `BUNDLE` is the file of the authority."""
    fails: bool = False
    """Whether it is the deployment's failure."""


def answer(name: str, answered: Callable[[bytes], bytes], sentence: str, *, fails: bool = False) -> Mistake:
    """A server that answers everything in one way."""
    return Mistake(name, lambda _: serving(answered), sentence, fails=fails)


TRUSTED = 'ca_bundle = "BUNDLE"\n'
TRIGGER = "WHERE answered every valid trigger with"
PATH = (
    "check whether the API is at /v2/call there (base_url is the address before /v2/call), and whether project and "
    "scenario_path exist"
)
IN_PLACE = (
    "a firewall, a proxy or a login page answers in place of the API: let Ringback's requests pass, or set base_url "
    "to an address behind it"
)
MISTAKES = [
    answer("401", http(401, '{"error": "who are you"}', kind="application/json"),
           f"{TRIGGER} 401 and the text \"{{'error': 'who are you'}}\": check project, tenant and the access token in "
           "$RINGBACK_ACCESS_TOKEN"),
    answer("403", http(403), f"{TRIGGER} 403: check project, tenant and the access token in $RINGBACK_ACCESS_TOKEN, "
           "and whether this machine may use the API"),
    answer("404", http(404, "no route\nfor this"), f'{TRIGGER} 404 and the text "no route": {PATH}'),
    answer("405", http(405), f"{TRIGGER} 405: {PATH}"),
    answer("407", http(407), f"{TRIGGER} 407: a proxy in between wants credentials: have it let Ringback pass"),
    answer("415", http(415, "", "Server: gate/1.0"),
           "WHERE (gate/1.0) answered every valid trigger with 415: each trigger is sent as application/json, as "
           "documented: check whether base_url is the address of this API, or whether something in between changes the "
           "header Content-Type"),
    answer("426 for TLS", http(426, "", "Upgrade: TLS/1.2, HTTP/1.1", "Connection: Upgrade"),
           f'{TRIGGER} 426: set base_url = "https://WHERE"'),
    answer("426 for HTTP/2", http(426, "", "Upgrade: h2c"),
           f'{TRIGGER} 426: it wants another protocol (h2c): try base_url = "https://WHERE"'),
    answer("505", http(505), f'{TRIGGER} 505: it wants another protocol: try base_url = "https://WHERE"'),
    answer("a redirect to https", http(308, "", "Location: https://ivr.example.com/v2/call"),
           f"{TRIGGER} 308, a redirect to https://ivr.example.com/v2/call: set base_url = "
           '"https://ivr.example.com"'),
    answer("a redirect to a login page", http(302, "", "Location: https://login.example.com/?next=%2Fv2%2Fcall"),
           f"{TRIGGER} 302, a redirect to https://login.example.com/?next=%2Fv2%2Fcall: a login page or another "
           "service answers in place of the API: set base_url to the address of the API itself"),
    answer("a redirect within the host", http(301, "", "Location: /v2/call/"),
           f"{TRIGGER} 301, a redirect to /v2/call/: Ringback follows no redirect: set base_url to the address that "
           "answers triggers itself"),
    answer("a login page", page(200, "Sign in &amp; go on"),
           f'{TRIGGER} 200 and an HTML page "Sign in & go on": {IN_PLACE}'),
    answer("a firewall's page", page(403, "Request blocked \x1b[31m"),
           f'{TRIGGER} 403 and an HTML page "Request blocked [31m": {IN_PLACE}'),
    answer("a captive portal", page(511, "Login"), f'{TRIGGER} 511 and an HTML page "Login": the network wants a login '
           "before it lets requests pass: log in, then try again"),
    answer("nginx's answer to plain HTTP", page(400, "400 The plain HTTP request was sent to HTTPS port"),
           f'{TRIGGER} 400 and an HTML page "400 The plain HTTP request was sent to HTTPS port": set base_url = '
           '"https://WHERE"'),
    answer("Go's answer to plain HTTP", http(400, "Client sent an HTTP request to an HTTPS server.\n"),
           f'{TRIGGER} 400 and the text "Client sent an HTTP request to an HTTPS server.": set base_url = '
           '"https://WHERE"'),
    answer("nginx wants a certificate", page(400, "400 No required SSL certificate was sent"),
           f'{TRIGGER} 400 and an HTML page "400 No required SSL certificate was sent": set client_cert and client_key '
           "to a certificate that it trusts"),
    answer("500", http(500, "boom"), f'{TRIGGER} 500 and the text "boom": the deployment fails: look into its log',
           fails=True),
    answer("503", page(503, "Service Unavailable"), f'{TRIGGER} 503 and an HTML page "Service Unavailable": the '
           "deployment, or what it stands behind, does not work: look into its log", fails=True),
    answer("400", http(400, "bad scenario"), f'{TRIGGER} 400 and the text "bad scenario": the deployment refuses what '
           "the documents show; if it misses something, check project, tenant, scenario_path and orchestrator_url",
           fails=True),
    Mistake("http to a TLS port", lambda tls: serving(http(200), context=tls.context(), scheme="http"),
            'WHERE speaks TLS, and base_url is plain HTTP: set base_url = "https://WHERE"'),
    Mistake("TLS to an http port", lambda _: serving(http(200), scheme="https", script=raw(http(400)(b""))),
            'WHERE does not speak TLS, and base_url is HTTPS: set base_url = "http://WHERE"'),
    Mistake("HTTP/2 with prior knowledge", lambda _: serving(script=raw(SETTINGS)),
            "WHERE answers HTTP/1.1 with HTTP/2 frames: have HTTP/1.1 enabled there, or set base_url to a port that "
            "has it"),
    Mistake("HTTP/2 over TLS", lambda tls: serving(script=raw(SETTINGS), context=http2_only(tls)),
            "WHERE answers HTTP/1.1 with HTTP/2 frames: have HTTP/1.1 enabled there, or set base_url to a port that "
            "has it", TRUSTED),
    Mistake("an unknown authority", lambda tls: serving(http(200), context=tls.context()),
            "the certificate of WHERE is not issued by an authority that this machine trusts (unable to get local "
            "issuer certificate): set ca_bundle to the PEM file of the authority that issued it"),
    Mistake("no client certificate (TLS 1.3)",
            lambda tls: serving(http(200), context=mutual(tls, ssl.TLSVersion.TLSv1_3)),
            "WHERE demands a client certificate (tlsv13 alert certificate required): set client_cert and client_key",
            TRUSTED),
    Mistake("no client certificate (TLS 1.2)",
            lambda tls: serving(http(200), context=mutual(tls, ssl.TLSVersion.TLSv1_2)),
            "WHERE demands a client certificate (sslv3 alert handshake failure): set client_cert and client_key",
            TRUSTED),
]  # fmt: skip
