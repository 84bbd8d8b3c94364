"""The receiver behind ResultDestination in a load run: it answers at once, and records deliveries in the ledger.

gevent's own server does the work. In a run with several workers each has its own receiver, on consecutive ports.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from string import ascii_lowercase
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import gevent
import httpx
from gevent import socket
from gevent.ssl import PROTOCOL_TLS_SERVER, SSLContext

from ringback import clock
from ringback.config import Config, ConfigError, ResultDestination
from ringback.contract.xml import read_xml
from ringback.intake import (
    DROPPED_SLOWLY,
    KEPT_PER_ADDRESS,
    MAX_BODY,
    MAX_CONNECTIONS,
    READ_BODY,
    Intake,
    text_of,
    undone,
)
from ringback.loadgen.accounting.ledger import Ledger
from ringback.loadgen.generator.bounded_server import WATCH, BoundedServer

__all__ = ["AwaitedDeliveries", "ResultListener", "read_delivery"]

_DEEPEST = 6
_OWN_ANSWER = 3.0
"""Seconds in which the receiver answers this machine's own request."""
_BACKLOG = 4096
"""Connections of deliveries that may wait to be taken."""

_PIECE = 64 * 1024

OnResult = Callable[[bytes, str | None, str | None, float], bool]
"""Called for each result with the path that it came to, the id and the state in it, if any, and when it came.

False: it was dropped, because too many came."""


class AwaitedDeliveries:
    """Matches deliveries with calls, by the id in a delivery, or else by the word in the address to which it came.

    The first result to an awaited address is always taken. Of all others (repeated, or at other addresses), so many are
    taken as a check's receiver takes, for as many calls: memory is bounded by the calls that were placed.
    """

    def __init__(self, ledger: Ledger, intake: Intake) -> None:
        self._ledger = ledger
        self._intake = intake
        self._calls = self._others = 0
        self._awaited: dict[bytes, str | None] = {}
        self._early: dict[bytes, list[tuple[str | None, str | None, float]]] = {}
        """Deliveries that came before the answer to their trigger."""

    @property
    def open(self) -> bool:
        """Whether a delivery is still awaited."""
        return bool(self._awaited)

    def expect(self, word: bytes) -> None:
        """A trigger was sent that names an address with this word as its ResultDestination."""
        self._awaited[word] = None
        self._calls += 1

    def answered(self, word: bytes, unique_id: str | None) -> None:
        """That trigger was answered with this id; None: no call was accepted."""
        if unique_id is None:
            self._awaited.pop(word, None)
            self._early.pop(word, None)
        elif word in self._awaited:
            self._awaited[word] = unique_id
            self._ledger.expect_delivery(unique_id)
            for named, state, at in self._early.pop(word, ()):
                if named is None:
                    self._ledger.delivered(unique_id, state, at)
                self._awaited.pop(word, None)

    def arrived(self, path: bytes, unique_id: str | None, state: str | None, at: float) -> bool:
        """A result was delivered at `at`, with this id and state in it, if any. False if it was dropped.

        A deployment may append to the address, as the id.
        """
        parts = path.split(b"/")
        word = next((part for part in reversed(parts) if part in self._awaited), parts[-1])
        if word not in self._awaited or word in self._early:
            self._others += 1
            if not self._intake.takes(self._others, KEPT_PER_ADDRESS * (self._calls + 10)):
                return False
        named = unique_id or self._awaited.get(word)
        if named is not None:
            self._ledger.delivered(named, state, at)
        if word in self._awaited and self._awaited[word] is None:
            self._early.setdefault(word, []).append((unique_id, state, at))
        else:
            self._awaited.pop(word, None)
        return True


class ResultListener:
    """An HTTP(S) server for results. `on_result` may be set before `start`. Raises `ConfigError` if it can't listen."""

    def __init__(self, config: Config, member: tuple[int, int], connections: int = MAX_CONNECTIONS) -> None:
        settings = config.result_destination
        if settings is None:
            raise ConfigError(
                "configuration", "result_destination", "missing, and this scenario has results delivered",
                "say where Ringback may listen for them",
            )  # fmt: skip
        self.on_result: OnResult = lambda *_: True
        self.intake = Intake(self._listen_no_more, connections=connections)
        self.requests = 0
        """Requests that came."""
        self._to_loopback_only = not config.deployment.is_loopback
        self._probe = "".join(secrets.choice(ascii_lowercase) for _ in range(24))
        context = _tls(settings)
        host, port = settings.listen
        listening = _listening(host, port + member[0] if port else 0)
        self._server = BoundedServer(listening, self._app, self.intake, context)
        self._server.start()
        self.url = self._public(settings, member[0])

    def stop(self) -> None:
        """Listen no more."""
        self._server.stop(timeout=1)

    def _listen_no_more(self) -> None:
        self._server.end()

    def unreachable(self) -> str | None:
        """Why the deployment may be unable to reach this receiver; None if something came, or no reason is known.

        Waits for an answer of the receiver itself: call it in a greenlet, before `stop`.
        """
        if self.requests:
            return None
        host = urlsplit(self.url).hostname or ""
        if (host == "localhost" or host.startswith("127.") or host == "::1") and self._to_loopback_only:
            return f"result_destination.public_url names this machine as {host}, which the deployment cannot reach"
        if not _answers(f"{self.url}/{self._probe}"):
            return "no request came, and this machine cannot reach its receiver by result_destination.public_url either"
        return None

    def _public(self, settings: ResultDestination, offset: int) -> str:
        if settings.public_url is None:
            listening, scheme = settings.listen[0], "https" if settings.tls_cert else "http"
            return f"{scheme}://{f'[{listening}]' if ':' in listening else listening}:{self._server.server_port}"
        parts = urlsplit(settings.public_url.rstrip("/"))
        if offset:
            port = (parts.port or (443 if parts.scheme == "https" else 80)) + offset
            host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
            parts = parts._replace(netloc=f"{host}:{port}")
        return urlunsplit(parts)

    def _app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        now = clock.monotonic()
        try:
            body, size = _read(environ["wsgi.input"])
            broken_off = environ[WATCH].is_cut  # by its time
        except OSError:
            broken_off = True
        if broken_off:
            start_response("400 Bad Request", [("Content-Length", "0"), ("Connection", "close")])
            return []
        target = f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}"
        path = environ.get("PATH_INFO", "").strip("/").encode("latin-1", "replace")
        if path.endswith(self._probe.encode()):
            start_response("200 OK", [("Content-Length", "0")])
            return []
        self.requests += 1
        content, _ = undone(body, environ.get("HTTP_CONTENT_ENCODING", ""))
        results: Sequence[tuple[str | None, str | None]] = read_delivery(target, content) or [(None, None)]
        if not all(self.on_result(path, unique_id, state, now) for unique_id, state in results):
            gevent.sleep(DROPPED_SLOWLY)
        if size > READ_BODY:
            environ[WATCH].cut()
        start_response("200 OK", [("Content-Length", "0")])
        return []


def _read(body: Any) -> tuple[bytes, int]:
    """The first bytes of a request's body, and how many there were, or more than are read of one. OSError: cut off."""
    kept, size = bytearray(), 0
    while size <= READ_BODY and (piece := body.read(_PIECE)):
        size += len(piece)
        kept += piece[: MAX_BODY - len(kept)]
    return bytes(kept), size


def read_delivery(target: str, body: bytes) -> list[tuple[str, str | None]]:
    """The ids that a delivery names, each with its state if one stands beside it: JSON, XML, form, or query."""
    content = text_of(body).strip()
    try:
        found = list(_named(read_xml(content) if content.startswith("<") else json.loads(content), _DEEPEST))
    except (ValueError, RecursionError):
        found = []
    if not found:
        for text in (content, target.partition("?")[2]):
            fields = {name.lower(): value for name, value in parse_qsl(text)}
            if fields.get("uniqueid"):
                found.append((fields["uniqueid"], fields.get("callstate")))
    return found


def _named(value: Any, depth: int) -> Iterator[tuple[str, str | None]]:
    if not depth:
        return
    if isinstance(value, dict):
        members = {str(name).rpartition(":")[2].lower(): member for name, member in value.items()}
        unique_id, state = members.get("uniqueid"), members.get("callstate")
        if isinstance(unique_id, str) and unique_id:
            yield unique_id, state if isinstance(state, str) and state else None
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _named(inner, depth - 1)


def _answers(url: str) -> bool:
    """Whether a server answers 200 at a URL of ours within 3 seconds."""
    try:
        return httpx.get(url, timeout=_OWN_ANSWER, verify=False, trust_env=False).status_code == 200  # noqa: S501 - ours
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return False


def _listening(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        why = getattr(error, "strerror", None) or error
        raise ConfigError(
            "receiver", "result_destination.listen", f"can't listen there ({why})",
            "choose a free port of this machine; with workers, as many as there are workers", f"{host}:{port}",
        ) from None  # fmt: skip
    return listening


def _tls(settings: ResultDestination) -> SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = SSLContext(PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError:  # ssl.SSLError is one
        raise ConfigError(
            "receiver", "result_destination.tls_cert", "not a certificate with its key", "export both as PEM",
            str(settings.tls_cert),
        ) from None  # fmt: skip
    return context
