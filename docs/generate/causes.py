"""`docs/causes.md`: what check and load report if no valid trigger is accepted, from the code that diagnoses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.generate.page import GENERATED, page, table

from ringback.config import Deployment
from ringback.deployment.causes import FEW, Cause, Port, Symptom, diagnose, refusals

__all__ = ["causes", "render"]

_HTTP, _HTTPS = "http://ivr.example.com:22222", "https://ivr.example.com:22222"
_LOGIN = b"<html><title>Sign in</title></html>"


def _deployment(base_url: str = _HTTPS, **keys: Any) -> Deployment:
    return Deployment.model_construct(base_url=base_url, **keys)


def _answer(status: int, body: bytes = b"", **headers: str) -> Symptom:
    return Symptom(status, headers, body)


_NO_ANSWER: tuple[tuple[Port, Mapping[str, Any]], ...] = (
    (Port("tls"), {"base_url": _HTTP}),
    (Port("plain"), {}),
    (Port("http2"), {}),
    (Port("client-certificate", "certificate required"), {}),
    (Port("client-certificate", "unknown ca"), {"client_cert": Path("client.pem")}),
    (Port("authority", "self-signed certificate"), {}),
    (Port("authority", "self-signed certificate"), {"ca_bundle": Path("ca.pem")}),
    (Port("certificate", "certificate has expired"), {}),
)
_ANSWERS: tuple[tuple[Symptom, Mapping[str, Any]], ...] = (
    (_answer(401), {}),
    (_answer(401), {"access_token_file": Path("token.txt")}),
    (_answer(401), {"access_token_command": "vault read"}),
    (_answer(403), {}),
    (_answer(404), {}),
    (_answer(407), {}),
    (_answer(415), {}),
    (_answer(421), {}),
    (_answer(426, upgrade="TLS/1.2"), {"base_url": _HTTP}),
    (_answer(426, upgrade="h2c"), {"base_url": _HTTP}),
    (_answer(426, upgrade="h2c"), {}),
    (_answer(511), {}),
    (_answer(400, b"Client sent an HTTP request to an HTTPS server."), {"base_url": _HTTP}),
    (_answer(400, b"No required SSL certificate was sent"), {}),
    (_answer(302, location="https://ivr.example.com:22222/v2/call"), {"base_url": _HTTP}),
    (_answer(302, location="https://ivr.example.com:22222/"), {"base_url": _HTTP}),
    (_answer(302, location="https://login.example.com/"), {}),
    (_answer(302, location="/login"), {}),
    (_answer(302), {}),
    (_answer(200, _LOGIN), {}),
    (_answer(503), {}),
    (_answer(500), {}),
    (_answer(422), {}),
)


def causes() -> Iterator[Cause]:
    """A cause of each kind."""
    for port, keys in _NO_ANSWER:
        yield _found(diagnose([Symptom()], _deployment(**keys), port))
    for symptom, keys in _ANSWERS:
        yield _found(diagnose([symptom], _deployment(**keys)))
    yield refusals([Symptom(400), Symptom(422)], _deployment())


def _found(cause: Cause | None) -> Cause:
    if cause is None:
        raise LookupError("a symptom of this page has no cause any more")
    return cause


def render() -> str:
    """Return the page as Markdown."""
    return page(_lines())


def _lines() -> Iterator[str]:
    yield "# No trigger is accepted"
    yield ""
    yield GENERATED
    yield ""
    yield (
        f"If the first {FEW} valid triggers are refused for one cause, `check` and `load` stop, report the cause once, and "
        "say what to change. `ringback doctor` finds most causes without placing a call. These are the sentences, for a "
        "deployment at `ivr.example.com:22222`."
    )
    found = list(causes())
    yield ""
    yield "## Configuration or network is the likely cause"
    yield ""
    yield "Nothing is held against the deployment: exit code 3."
    yield from table(("reported", "to do"), [(each.came, each.fix) for each in found if each.ours])
    yield "## The deployment is the likely cause"
    yield ""
    yield "One clause fails (REQ-01, or TRN-02 for a certificate), and the exit code is 1."
    yield from table(("reported", "to do"), [(each.came, each.fix) for each in found if not each.ours])
