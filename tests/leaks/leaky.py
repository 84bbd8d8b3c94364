"""A deployment that repeats everything it received, and more, in every place that a server controls.

Two of three answers are valid except for what is added, so that runs continue; the third is broken in some way. Places
and encodings alternate, so that one run has all of them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socketserver
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from tests.redaction.spellings import DIGITS, EMAIL, LINE, NAME, SPELLINGS, STRANGER, TOKEN
from tests.serving import serving

__all__ = ["PLACES", "Leaky", "leaking"]

STATES = {"5550000001": "Answered", "+4955500003": "Busy", "101": "No Answer"}
_LINE_SPELLINGS = {**SPELLINGS, **DIGITS}
_COPRIME = 7
"""Places and encodings cycle with different lengths, so that all combinations occur."""


@dataclass(frozen=True)
class Answer:
    """An answer before it is sent."""

    status: int
    value: dict[str, Any]
    said: str
    """The disclosed data, on one line."""
    raw: str
    """The disclosed data as encoded, with line breaks."""

    def whole(
        self, status_line: str = "", headers: tuple[str, ...] = (), body: bytes | None = None, kind: str = ""
    ) -> bytes:
        """The bytes of an answer, with parts replaced."""
        content = json.dumps(self.value).encode() if body is None else body
        lines = [
            status_line or f"HTTP/1.1 {self.status} Whatever",
            f"Content-Type: {kind or 'application/json'}",
            f"Content-Length: {len(content)}",
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + content


def _chunked(answer: Answer, *, extension: str = "", trailer: str = "") -> bytes:
    content = json.dumps(answer.value).encode()
    head = f"HTTP/1.1 {answer.status} Whatever\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = f"{len(content):x}{extension}\r\n".encode() + content + b"\r\n"
    return head.encode() + chunk + f"0\r\n{trailer}\r\n".encode()


def _error(kind: str, body: Callable[[Answer], str]) -> Callable[[Answer], bytes]:
    return lambda a: a.whole("HTTP/1.1 400 Bad Request", body=body(a).encode("utf-8", "replace"), kind=kind)


def _person() -> dict[str, str]:
    return {"Name": NAME, "Phone": f"+{STRANGER}", "Email": EMAIL}


SOUND: dict[str, Callable[[Answer], bytes]] = {
    "reason phrase": lambda a: a.whole(f"HTTP/1.1 {a.status} {a.said}"),
    "header value": lambda a: a.whole(headers=(f"X-Debug: {a.said}",)),
    "header name": lambda a: a.whole(
        headers=("X-" + re.sub(r"[^A-Za-z0-9+/=_.-]", "-", a.said).replace("/", "-") + ": 1",)
    ),
    "cookie": lambda a: a.whole(headers=(f"Set-Cookie: s={quote(a.said)}",)),
    "member": lambda a: a.whole(body=json.dumps({**a.value, "debug": a.raw, "EndUser": [_person()]}).encode()),
    "member's name": lambda a: a.whole(body=json.dumps({**a.value, a.said: 1, "Phone": int(STRANGER)}).encode()),
    "nested text": lambda a: a.whole(body=json.dumps({**a.value, "x": json.dumps({"EndUser": _person()})}).encode()),
    "chunk extension": lambda a: _chunked(a, extension=f';x="{a.said}"'),
    "trailer": lambda a: _chunked(a, trailer=f"X-Debug: {a.said}\r\n"),
}
BROKEN: dict[str, Callable[[Answer], bytes]] = {
    "status line": lambda a: f"HTTP/1.1 4x0 {a.said}\r\n\r\n".encode(),
    "no HTTP": lambda a: f"{a.said}\r\n\r\n".encode(),
    "chunk size": lambda a: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{a.said}\r\n".encode(),
    "header line": lambda a: f"HTTP/1.1 200 OK\r\n{a.said}\r\n\r\n".encode(),
    "JSON error": _error("application/json", lambda a: json.dumps({"error": a.raw, "EndUser": NAME})),
    "HTML error": _error("text/html", lambda a: f"<h1>{escape(a.raw)}</h1><p>EndUser(Name={NAME})"),
    "XML error": _error("text/xml", lambda a: f"<e x='1'><EndUser><Name>{NAME}</Name></EndUser>{escape(a.raw)}</e>"),
    "form error": _error(
        "application/x-www-form-urlencoded",
        lambda a: f"error={quote(a.raw)}&EndUser.Name={quote(NAME)}&Phone=%2B{STRANGER}&Email={quote(EMAIL)}",
    ),
    "text error": _error("text/plain", lambda a: f"SELECT '{a.raw}','+{STRANGER}' FROM calls -- EndUser(Name={NAME})"),
    "stack trace": _error(
        "text/plain", lambda a: f'Traceback (most recent call last):\n  File "/app/{a.raw}.py", line 1'
    ),
    "redirect": lambda a: a.whole("HTTP/1.1 302 Found", headers=(f"Location: http://127.0.0.1:1/?{quote(a.said)}",)),
    "server error": lambda a: a.whole("HTTP/1.1 500 Oops", body=a.raw.encode("utf-8", "replace"), kind="text/plain"),
    "state": lambda a: a.whole(body=json.dumps(_misspelt(a)).encode()),
    "long text": lambda a: a.whole("HTTP/1.1 400 No", body=(f"{a.said} " * 400).encode(), kind="text/plain"),
}
PLACES = {**SOUND, **BROKEN}


def _misspelt(answer: Answer) -> dict[str, Any]:
    results = [
        {**entry, "CallState": f"Answerd {answer.said}"} if entry.get("CallState") else entry
        for entry in answer.value.get("CallResults", [])
    ]
    return {**answer.value, "CallResults": results} if results else {**answer.value, "UniqueId": f"call {answer.said}"}


@dataclass
class Leaky:
    """Accepts complete triggers, reports every call's state at once, and discloses everything."""

    port: int = 0
    sent: list[bytes] = field(default_factory=list)
    """All answers, to check that it is hostile enough."""
    met: set[str] = field(default_factory=set)
    _calls: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, Iterator[int]] = field(
        default_factory=lambda: {n: itertools.count() for n in ("all", "good", "bad")}
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def said(self, number: int) -> tuple[str, str]:
        """The data disclosed in the n-th answer: on one line, and as encoded."""
        spell = list(SPELLINGS.values())[number * _COPRIME % len(SPELLINGS)]
        spell_line = list(_LINE_SPELLINGS.values())[number * _COPRIME % len(_LINE_SPELLINGS)]
        raw = f"{spell(TOKEN)} {spell_line(LINE)} call-{STRANGER} EndUser(Name={NAME}) {EMAIL}"
        return re.sub(r"[\x00-\x1f\x7f]+", " ", raw), raw

    def answer(self, path: str, body: bytes) -> bytes:
        """Answer a request."""
        with self._lock:
            number = next(self._counts["all"])
            status, value = self._dealt_with(path, body)
            said, raw = self.said(number)
            good = number < 4 or number % 3
            places = SOUND if good else BROKEN
            name = list(places)[next(self._counts["good" if good else "bad"]) % len(places)]
            self.met.add(name)
            answer = places[name](Answer(status, value, said, raw))
            self.sent.append(answer)
        return answer

    def _dealt_with(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            asked = json.loads(body)
        except ValueError:
            return 400, {"error": "no JSON"}
        if not isinstance(asked, dict):
            return 400, {"error": "no object"}
        if path.endswith("/v2/callresult"):
            ids = asked.get("UniqueIds")
            known = [one for one in ids if isinstance(one, str) and one in self._calls] if isinstance(ids, list) else []
            return 200, {"CallResults": [
                {"UniqueId": one, "CallRequestId": "", "CallState": self._calls[one]} for one in known
            ]}  # fmt: skip
        entries = asked.get("ScenarioInputParameters")
        named = (
            {e.get("Name"): e.get("Value") for e in entries if isinstance(e, dict)} if isinstance(entries, list) else {}
        )
        state = STATES.get(str(named.get("_Destination")))
        if state is None or asked.get("AccessToken") != TOKEN:
            return 400, {"error": "refused"}
        unique_id = f"7e57ca11-0000-4000-8000-{len(self._calls):012x}"
        self._calls[unique_id] = state
        threading.Thread(
            target=self._deliver, args=(asked.get("ResultDestination"), unique_id, state), daemon=True
        ).start()
        return 200, {"UniqueId": unique_id}

    def _deliver(self, url: object, unique_id: str, state: str) -> None:
        if not isinstance(url, str) or not url.startswith("http://127.0.0.1"):
            return
        said, raw = self.said(len(self._calls))
        body = json.dumps({"UniqueId": unique_id, "CallState": f"{state} {raw}", "EndUser": _person()}).encode()
        request = urllib.request.Request(
            f"{url}?{quote(said)}", data=body, method="POST",
            headers={"Content-Type": "application/json", "X-Debug": said.encode("ascii", "replace").decode()},
        )  # fmt: skip
        with contextlib.suppress(OSError, ValueError, urllib.error.URLError):
            urllib.request.urlopen(request, timeout=5).close()


@contextlib.contextmanager
def leaking() -> Iterator[Leaky]:
    """Such a deployment on a free loopback port."""
    leaky = Leaky()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                while first := self.rfile.readline():
                    length = 0
                    while (line := self.rfile.readline()) not in {b"\r\n", b""}:
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    path = first.split()[1].decode().partition("?")[0]
                    answer = leaky.answer(path, self.rfile.read(length))
                    self.wfile.write(answer)
                    if b"HTTP/1.1 2" not in answer[:10] or first.startswith(b"HEAD"):
                        return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with serving(Server(("127.0.0.1", 0), Handler)) as leaky.port:
        yield leaky
