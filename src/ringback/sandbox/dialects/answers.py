"""Dialects of all answers: members, JSON text, headers, transfer."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable

import orjson

from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import dialect
from ringback.sandbox.messages import Headers, JsonObject, Request, SandboxAnswer, Send

_EXTRA = {
    "RequestId": "9b2e-41",
    "Version": 2.1,
    "Warnings": [],
    "Server": {"Node": "ivr-3", "Region": None},
    "UniqueIds": None,
}
_SIMILAR = {"Status": "Completed", "State": 3, "uniqueid": "old-4711", "Id": 7, "Results": None, "Data": {"Rows": 1}}


def _members(name: str, description: str, change: Callable[[JsonObject], JsonObject]) -> None:
    """Register a dialect that changes the members of each object in 200 answers."""

    @dialect(name, "ACK-02", "RES-02", "RES-03", description=description)
    class Members(SandboxBehaviour):
        def encode(self, value: JsonObject) -> bytes:
            if "CallResults" in value:
                value = {**value, "CallResults": [change(entry) for entry in value["CallResults"]]}
            return super().encode(change(value))


_members("reversed-members", "Members come in reverse order.", lambda value: dict(reversed(value.items())))
_members("extra-members", "Objects have further members.", lambda value: {"Success": True, **value, **_EXTRA})
_members("similar-members", "Members with similar names come before the documented ones.", lambda v: {**_SIMILAR, **v})


def _order(name: str, description: str, arrange: Callable[[list[JsonObject], random.Random], list[JsonObject]]) -> None:
    """Register a dialect that arranges the entries of a poll's answer."""

    @dialect(name, "RES-04", description=description)
    class Arranged(SandboxBehaviour):
        def results(self, entries: list[JsonObject]) -> JsonObject:
            return super().results(arrange(entries, self.random))


_order("results-reversed", "Results come in reverse order.", lambda entries, _: entries[::-1])
_order("results-shuffled", "Results come in any order.", lambda entries, source: source.sample(entries, len(entries)))


def _text(name: str, description: str, write: Callable[[JsonObject], bytes]) -> None:
    """Register a dialect that writes JSON in another way."""

    @dialect(name, "TRN-05", description=description)
    class Text(SandboxBehaviour):
        def encode(self, value: JsonObject) -> bytes:
            return write(orjson.loads(super().encode(value)))


def _escape_all(value: JsonObject) -> bytes:
    return json.dumps(value).replace("/", "\\/").replace("U", "\\u0055").encode()


_text(
    "pretty-printed",
    "JSON is indented, and ends in a line break.",
    lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\r\n",
)
_text("escaped", "JSON escapes letters beyond ASCII, slashes and a letter of member names.", _escape_all)
_text("leading-space", "JSON has white space around it.", lambda value: b" \r\n\t" + orjson.dumps(value) + b"\n\n")


def _content_type(name: str, description: str, content_type: bytes) -> None:
    """Register a dialect that spells the content type in another way."""

    @dialect(name, "TRN-04", description=description)
    class ContentType(SandboxBehaviour):
        def render(self, value: JsonObject, request: Request) -> SandboxAnswer:
            answer = super().render(value, request)
            answer.content_type = content_type
            return answer


_content_type("charset", "The content type has a charset.", b"application/json; charset=utf-8")
_content_type("upper-case-content-type", "The content type is capitalised.", b"Application/JSON;Charset=UTF-8")


@dialect("chunked", "TRN-05", "ROB-02")
class _Chunked(SandboxBehaviour):
    """Answers come in chunks, without a length."""

    async def transmit(self, answer: SandboxAnswer, request: Request, send: Send) -> None:
        del request
        headers: Headers = list(answer.headers)
        if answer.content_type is not None:
            headers.append((b"content-type", answer.content_type))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        for at in range(0, len(answer.body), 7):
            await send({"type": "http.response.body", "body": answer.body[at : at + 7], "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@dialect("gzip", "TRN-05")
class _Gzip(SandboxBehaviour):
    """Answers are compressed for clients that allow it."""

    async def transmit(self, answer: SandboxAnswer, request: Request, send: Send) -> None:
        if answer.body and b"gzip" in (request.header(b"accept-encoding") or b""):
            packed = gzip.compress(answer.body, 1)
            headers = [*answer.headers, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
            answer = SandboxAnswer(answer.status, packed, answer.content_type, headers)
        await super().transmit(answer, request, send)


def _headers(name: str, clause: str, description: str, headers: Headers) -> None:
    """Register a dialect that adds headers to every answer."""

    @dialect(name, clause, description=description)
    class WithHeaders(SandboxBehaviour):
        async def transmit(self, answer: SandboxAnswer, request: Request, send: Send) -> None:
            # A new list, because refusals may share theirs.
            answer.headers = [*answer.headers, *headers]
            await super().transmit(answer, request, send)


_headers("connection-close", "ROB-02", "Connections are closed after each answer.", [(b"connection", b"close")])
_headers(
    "many-headers",
    "ROB-02",
    "Answers carry cookies, odd headers and a long policy.",
    [
        *((b"set-cookie", b"node%d=%d; Path=/; HttpOnly" % (n, n)) for n in range(12)),
        (b"x-powered-by", b""),
        (b"x-site", "K\xf6ln".encode("latin-1")),
        (b"content-security-policy", b"default-src 'none'; " * 40),
        (b"X-NODE", b"ivr-3"),
    ],
)


@dialect("idle-close", "ROB-02")
class _IdleClose(SandboxBehaviour):
    """Connections are closed after 50 ms without a request."""

    keep_alive_seconds = 0.05


@dialect("no-date", "ROB-02")
class _NoDate(SandboxBehaviour):
    """Answers carry no Date."""

    date_header = False
