"""Servers whose HTTP is right and whose content is not: size, encoding, depth, and text that readers must survive."""

from __future__ import annotations

import json
from typing import Any

from .framework import Act, Server, Visit, http, polls, triggers

MEGABYTES = 3 * 1024 * 1024
WEIRD = {
    "control characters": "rb-\x01\x08\x0b\x1f-id-0123456789",
    "escape codes": "\x1b[31m\x1b]8;;http://evil.example.com\x07rb-id-0123456789",
    "characters that XML forbids": "rb-\ufffe\uffff\x0c-id-0123456789",
    "HTML": "<img src=x onerror=alert(1)></script><script>alert(2)</script>",
    "a formula": "=cmd|' /C calc'!A0",
    "line breaks": "rb-id\r\n\r\nHTTP/1.1 200 OK\u2028\u2029\x85",
    "right-to-left marks": "\u202erb-id-0123456789\u2066\u200f",
    "Markdown": "](javascript:alert(1)) `` | # <!-- -->",
    "a workflow command": "\n::set-output name=x::y\n::error::z",
    "a template": "{{7*7}} ${7*7} #{7*7} {% raw %}",
    "a path": "../../../../etc/passwd\x00.json",
}


def body(content: bytes, status: int = 200) -> Act:
    async def act(visit: Visit) -> bytes | None:
        return http(status, content)

    return act


def result(change: dict[str, Any], repeat: int = 1) -> Act:
    """Report final calls with other members, perhaps many times."""

    async def act(visit: Visit) -> bytes | None:
        reply = await visit.honest()
        if reply.status != 200:
            return http(reply.status, reply.raw)
        entries = [{**entry, **change} for entry in reply.json()["CallResults"]]
        return http(200, json.dumps({"CallResults": entries * repeat}).encode())

    return act


async def pumped(visit: Visit) -> bytes | None:
    """200 MB of JSON text, with its length."""
    size = 200 * 1024 * 1024
    await visit.send(http(200, b"", f"Content-Length: {size}", length=False) + b'{"UniqueId": "')
    for _ in range(size // 2**16):
        await visit.send(b"a" * 2**16)
    return None


async def million(visit: Visit) -> bytes | None:
    entry = b'{"UniqueId":"x","CallRequestId":"","CallState":""}'
    return http(200, b'{"CallResults":[' + b",".join([entry] * 150_000) + b"]}")


async def million_small(visit: Visit) -> bytes | None:
    return http(200, b'{"CallResults":[' + b",".join([b"{}"] * 1_000_000) + b"]}")


async def all_ids(visit: Visit) -> bytes | None:
    """Report every call ever placed, whoever asks."""
    entries = [{"UniqueId": one, "CallRequestId": "", "CallState": "Answered"} for one in visit.stage.ids]
    return http(200, json.dumps({"CallResults": entries * 20}).encode())


async def mirror(visit: Visit) -> bytes | None:
    """Answer with the request."""
    return http(200, visit.body)


async def utf16(visit: Visit) -> bytes | None:
    reply = await visit.honest()
    return http(reply.status, reply.raw.decode("utf-8", "replace").encode("utf-16"))


def identified(content: bytes) -> Act:
    """Answer accepted triggers with this."""
    return triggers(body(content))


def named(unique_id: object) -> Act:
    return identified(json.dumps({"UniqueId": unique_id}).encode())


DEEP = b'{"UniqueId":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
DIGITS = b'{"UniqueId": ' + b"7" * 200_000 + b"}"
MEMBERS = b"{" + b",".join(b'"UniqueId":"%d"' % n for n in range(200_000)) + b"}"

PAYLOADS = [
    Server("200 MB to everything", pumped),
    Server("200 MB to polls", polls(pumped)),
    Server("an id of megabytes", named("i" * MEGABYTES)),
    Server("a new id of megabytes each time", triggers(lambda v: _new_id(v, MEGABYTES))),
    Server("an id of 20,000 characters", triggers(lambda v: _new_id(v, 20_000))),
    Server("a state of megabytes", polls(result({"CallState": "s" * MEGABYTES}))),
    Server("a request id of megabytes", polls(result({"CallRequestId": "r" * MEGABYTES}))),
    Server("a member of megabytes", polls(result({"x" * MEGABYTES: 1}))),
    Server("150,000 results", polls(million)),
    Server("a million results", polls(million_small)),
    Server("each result a thousand times", polls(result({}, 1000))),
    Server("all ids to everybody", polls(all_ids)),
    Server("invalid UTF-8", identified(b'{"UniqueId": "\xff\xfe\xc0\xaf-rb-id"}')),
    Server("UTF-16", utf16),
    Server("lone surrogates", identified(b'{"UniqueId": "\\ud800rb-id\\udfff"}')),
    Server("200,000 deep", identified(DEEP)),
    Server("200,000 deep to polls", polls(body(DEEP))),
    Server("NaN", identified(b'{"UniqueId": NaN}')),
    Server("infinity as a state", polls(result({"CallState": float("inf")}))),
    Server("200,000 digits", identified(DIGITS)),
    Server("a member 200,000 times", identified(MEMBERS)),
    Server("null", body(b"null")),
    Server("a string", body(b'"rb-id"')),
    Server("an empty object", body(b"{}")),
    Server("megabytes of blanks", body(b" " * MEGABYTES)),
    Server("megabytes of brackets", body(b"[" * MEGABYTES)),
    Server("megabytes of quotes", body(b'"' * MEGABYTES)),
    Server("megabytes of backslashes", body(b'{"UniqueId":"' + b"\\\\" * (MEGABYTES // 2) + b'"}')),
    Server("the request as the answer", mirror),
    Server("an HTML page", body(b"<!DOCTYPE html><title>Welcome</title>" * 100)),
    *(Server(f"an id with {name}", named(text)) for name, text in WEIRD.items()),
    *(Server(f"a state with {name}", polls(result({"CallState": text}))) for name, text in WEIRD.items()),
]


async def _new_id(visit: Visit, size: int) -> bytes:
    return http(200, json.dumps({"UniqueId": f"{visit.nth:08d}" + "i" * size}).encode())
