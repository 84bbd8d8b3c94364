"""The notification hook: a finished run's summary, sent to an address of the user's.

What lives here: the message and its sending, by way of `httpx`. Which address, whose token and how long it may take are
the configuration's; whatever goes wrong becomes a note, and no verdict depends on it. Notes name the host at most: an
address may itself be the secret.
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
    """What is sent of a `verdict.json`: verdict, counts, ids, calls, a load's headline; nothing a deployment said."""
    told: dict[str, Any] = {"schema": SCHEMA_ID, **{name: document.get(name) for name in _FACTS}}
    deployment = members(document, "deployment")
    told["deployment"] = {name: deployment.get(name) for name in ("base_url", "embedded")}
    clauses = [clause for clause in document.get("clauses", ()) if isinstance(clause, Mapping)]
    for name, verdict in (("failing", "fail"), ("undecided", "inconclusive"), ("waived", "waived")):
        told[name] = [clause.get("id") for clause in clauses if clause.get("verdict") == verdict]
    limits = [held for held in document.get("limits", ()) if isinstance(held, Mapping)]
    told["broken_limits"] = [
        {name: held.get(name) for name in ("metric", "limit", "value")}
        for held in limits
        if held.get("verdict") == "fail"
    ]
    load = document.get("load")
    told["load"] = _load_headline(load) if isinstance(load, Mapping) else None
    return told


def notify(url: str, token: str | None, document: Mapping[str, Any], *, timeout: float = 10.0) -> str | None:
    """POST the summary of a `verdict.json` document, with the token as a bearer; None, or a note on why it failed.

    Never raises, and never takes longer than `timeout` seconds, its one retry included (after a failed connection, a
    5xx or a 429). Only http and https; redirects are not followed, as they would carry the token elsewhere.
    """
    where = _host(url)
    if where is None:
        return "the notification was not sent: its address is no http or https URL"
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token and token):
        return f"the notification to {where} was not sent: its token is empty, or holds what no header can carry"
    answers: list[str | None] = []
    thread = threading.Thread(
        target=lambda: answers.append(_sent(url, token, document, timeout)),
        name="ringback-notify",
        daemon=True,  # a name that resolves slowly, or an answer that drips, can't be called off: it is left behind
    )
    try:
        thread.start()
        thread.join(timeout)
    except KeyboardInterrupt:
        return f"the notification to {where} was interrupted"
    except RuntimeError:
        return f"the notification to {where} was not sent: no thread could be started"
    why = answers[0] if answers else _late(timeout)
    return None if why is None else f"the notification to {where} failed: {why}"


def _load_headline(load: Mapping[str, Any]) -> dict[str, Any]:
    calls = members(load, "calls")
    told: dict[str, Any] = {
        "scenario": load.get("scenario"),
        "rate": number(members(load, "arrivals").get("rate")),
        "calls": {name: number(calls.get(name)) for name in _HEADLINE},
        "generator_limited": members(load, "generator").get("limited"),
    }
    for operation in ("trigger", "poll"):
        if measured := members(load, operation):
            latency = members(measured, "latency_ms")
            told[operation] = {
                "count": number(measured.get("count")),
                "error_rate": number(measured.get("error_rate")),
                "latency_ms": {name: number(latency.get(name)) for name in _PERCENTILES},
            }
    return told


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return one_line(parts.hostname or "", 253) if valid else None


def _sent(url: str, token: str | None, document: Mapping[str, Any], timeout: float) -> str | None:
    """Send it, and return None or what went wrong."""
    log = logging.getLogger("httpx")  # would tell the address

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
    """What happened, without what the error's own text may quote."""
    name = type(error).__name__
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name.removesuffix("Error")).strip()
    return {"connect": "no connection", "read": "the connection broke", "write": "the connection broke"}.get(
        words, words
    )
