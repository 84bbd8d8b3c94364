"""The notification: a summary of a finished run, sent to the user's webhook.

The configuration sets address, token and timeout. A failure becomes a note and does not affect the verdict. Notes
contain only the host of the address, because the rest may be secret.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ringback import clock
from ringback.reporting.model.safe import one_line
from ringback.rundir import SINK
from ringback.rundir.reading import members, number

__all__ = ["notification", "notify"]

SCHEMA_ID: Final = "ringback/notification/1"
_TRIES = 2
_PAUSE = 0.5
"""Seconds before the second try."""
_FACTS = ("verdict", "exit_code", "command", "ringback", "started", "seconds", "seed", "level", "calls", "counts")
_HEADLINE = ("accepted", "final", "lost", "duplicate_ids", "wrong_state", "unfinished")
_PERCENTILES = ("p50", "p95", "p99", "max")


def notification(document: Mapping[str, Any]) -> dict[str, Any]:
    """The message: verdict, counts, clause ids, calls and main load figures, but no text from a deployment."""
    message: dict[str, Any] = {"schema": SCHEMA_ID, **{name: document.get(name) for name in _FACTS}}
    deployment = members(document, "deployment")
    message["deployment"] = {name: deployment.get(name) for name in ("base_url", "embedded")}
    clauses = [clause for clause in document.get("clauses", ()) if isinstance(clause, Mapping)]
    for name, verdict in (("failing", "fail"), ("undecided", "inconclusive"), ("waived", "waived")):
        message[name] = [clause.get("id") for clause in clauses if clause.get("verdict") == verdict]
    limits = [held for held in document.get("limits", ()) if isinstance(held, Mapping)]
    message["broken_limits"] = [
        {name: held.get(name) for name in ("metric", "limit", "value")}
        for held in limits
        if held.get("verdict") == "fail"
    ]
    load = document.get("load")
    message["load"] = _load_headline(load) if isinstance(load, Mapping) else None
    return message


def notify(url: str, token: str | None, document: Mapping[str, Any], *, timeout: float = 10.0) -> str | None:
    """POST the summary of a `verdict.json` document with a bearer token. Returns None, or a note if it failed.

    Never raises, and takes at most `timeout` seconds, including one retry (after a failed connection, a 5xx or a 429).
    Only http and https. Redirects are not followed, because they would send the token elsewhere.
    """
    where = _host(url)
    if where is None:
        return "the notification was not sent: its address is not an http or https URL"
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token and token):
        return f"the notification to {where} was not sent: its token is empty or can't be put into a header"
    answers: list[str | None] = []
    thread = threading.Thread(
        target=lambda: answers.append(_sent(url, token, document, timeout)),
        name="ringback-notify",
        daemon=True,  # slow name resolution and slow answers can't be cancelled
    )
    try:
        thread.start()
        thread.join(timeout)
    except KeyboardInterrupt:
        return f"the notification to {where} was interrupted"
    except RuntimeError:
        return f"the notification to {where} was not sent: a thread could not be started"
    why = answers[0] if answers else _late(timeout)
    return None if why is None else f"the notification to {where} failed: {why}"


def _load_headline(load: Mapping[str, Any]) -> dict[str, Any]:
    calls = members(load, "calls")
    headline: dict[str, Any] = {
        "scenario": load.get("scenario"),
        "rate": number(members(load, "arrivals").get("rate")),
        "calls": {name: number(calls.get(name)) for name in _HEADLINE},
        "generator_limited": members(load, "generator").get("limited"),
    }
    for operation in ("trigger", "poll"):
        if measured := members(load, operation):
            latency = members(measured, "latency_ms")
            headline[operation] = {
                "count": number(measured.get("count")),
                "error_rate": number(measured.get("error_rate")),
                "latency_ms": {name: number(latency.get(name)) for name in _PERCENTILES},
            }
    return headline


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return one_line(parts.hostname or "", 253) if valid else None


def _sent(url: str, token: str | None, document: Mapping[str, Any], timeout: float) -> str | None:
    """Send it; return None, or what went wrong."""
    log = logging.getLogger("httpx")  # it would log the address

    def silence(_: logging.LogRecord) -> bool:
        return False

    log.addFilter(silence)
    try:
        return _tried(url, token, notification(document), timeout)
    except Exception as error:
        return _words(error)
    finally:
        log.removeFilter(silence)


def _tried(url: str, token: str | None, message: Mapping[str, Any], timeout: float) -> str | None:
    import httpx

    from ringback import __version__

    deadline = clock.monotonic() + timeout
    headers = {"User-Agent": f"ringback/{__version__}"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    why: str | None = None
    with httpx.Client(follow_redirects=False, headers=headers) as client:
        for attempt in range(_TRIES):
            if attempt:
                clock.sleep(_PAUSE)
            left = deadline - clock.monotonic()
            if left <= 0:
                break
            try:
                with client.stream("POST", url, json=SINK.values(message), timeout=left) as answer:
                    status = answer.status_code
            except httpx.TimeoutException:
                break
            except httpx.TransportError as error:
                why = _words(error)
                continue
            if answer.is_success:
                return None
            why = f"answered {status}" + ("; redirects are not followed" if answer.is_redirect else "")
            if status < 500 and status != 429:
                break
    return why or _late(timeout)


def _late(timeout: float) -> str:
    return f"no answer within {timeout:g} s"


def _words(error: Exception) -> str:
    """The kind of error in words, without its message."""
    name = type(error).__name__
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name.removesuffix("Error")).strip()
    return {"connect": "no connection", "read": "the connection broke", "write": "the connection broke"}.get(
        words, words
    )
