"""HTTP's oddities: what check and load make of answers that servers send in unusual ways, as the page docs/http.md.

`python -m tests.causes.oddities > docs/http.md` writes the page from what raw socket servers show.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from ringback import checks
from ringback.loadgen.http.connection import Failed
from ringback.loadgen.http.pool import ConnectionPool
from ringback.loadgen.http.wire import read_trigger
from tests.deployment.hostile import body, settings, talking_to
from tests.loadgen.sockets import Visit, ask, scripted

JSON = b'{"UniqueId": "call-x"}'
START = b"HTTP/1.1 200 OK\r\n"
TYPE = b"Content-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(JSON)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(JSON), JSON)
PLAIN = START + TYPE + LENGTH + b"\r\n" + JSON


@dataclass(frozen=True)
class Oddity:
    """What a server sends, and why it is judged as it is; `stays`: the connection stays open after it."""

    name: str
    raw: bytes
    why: str
    stays: bool = True


ODDITIES = [
    Oddity("HTTP/1.1 with Content-Length", PLAIN, "the usual answer"),
    Oddity("two equal `Content-Length`", START + TYPE + LENGTH + LENGTH + b"\r\n" + JSON,
           "RFC 9112, 6.3: a recipient may take them as one"),
    Oddity("two `Content-Length` that differ", START + TYPE + LENGTH + b"Content-Length: 3\r\n\r\n" + JSON,
           "RFC 9112, 6.3: the answer has no known end"),
    Oddity("`Content-Length` and `chunked`", START + TYPE + LENGTH + CHUNKED + b"\r\n" + CHUNKS,
           "RFC 9112, 6.3: chunked overrides the length"),
    Oddity("lines that end in LF only", PLAIN.replace(b"\r\n", b"\n"), "RFC 9112, 2.2: a recipient may accept it"),
    Oddity("a header of 70 KB", START + TYPE + b"X-Long: " + b"x" * 70_000 + b"\r\n" + LENGTH + b"\r\n" + JSON,
           "no standard limits it; Ringback reads 100 KiB of headers"),
    Oddity("a header of 300 KB", START + TYPE + b"X-Long: " + b"x" * 300_000 + b"\r\n" + LENGTH + b"\r\n" + JSON,
           "above that limit"),
    Oddity("a header on two lines (obs-fold)", START + TYPE + b"X-Long: one\r\n two\r\n" + LENGTH + b"\r\n" + JSON,
           "RFC 9112, 5.2: a client reads it as one line"),
    Oddity("an HTTP/1.0 answer", PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"), "RFC 9112, 2.3: any HTTP/1 answer is read"),
    Oddity("no length: the end of the connection ends the body", START + TYPE + b"\r\n" + JSON,
           "RFC 9112, 6.3", stays=False),
    Oddity("`103 Early Hints` before the answer", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + PLAIN,
           "RFC 9110, 15.2: a client reads on"),
    Oddity("no reason phrase", PLAIN.replace(b" OK", b""), "it means nothing (RFC 9112, 4)"),
    Oddity("an odd reason phrase", PLAIN.replace(b"OK", b"very ok!"), "it means nothing (RFC 9112, 4)"),
    Oddity("a status line in lower case", PLAIN.replace(b"HTTP", b"http"), "RFC 9112, 2.3: the name is HTTP"),
    Oddity("chunks with trailers", START + TYPE + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"X-Sum: 1\r\n\r\n",
           "RFC 9112, 7.1.2"),
    Oddity("chunks with extensions", START + TYPE + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n{", b";a=b\r\n{"),
           "RFC 9112, 7.1.1"),
    Oddity("`Transfer-Encoding: gzip, chunked`",
           START + TYPE + CHUNKED.replace(b"chunked", b"gzip, chunked") + b"\r\n" + CHUNKS,
           "RFC 9112, 6.1: no client has asked for it"),
    Oddity("a blank before a header's colon", START + TYPE.replace(b":", b" :") + LENGTH + b"\r\n" + JSON,
           "RFC 9112, 5.1: invalid"),
    Oddity("NUL in a header", START + TYPE + b"X: a\0b\r\n" + LENGTH + b"\r\n" + JSON, "RFC 9110, 5.5: invalid"),
    Oddity("an empty line before the answer", b"\r\n" + PLAIN, "RFC 9112, 2.2 allows it before requests only"),
    Oddity("data behind the answer", PLAIN + b"more", "the answer is whole; the connection is not used again"),
    Oddity("an answer cut short", PLAIN[:-5], "RFC 9112, 8: incomplete", stays=False),
    Oddity("a connection closed without an answer", b"", "there is no answer", stays=False),
]  # fmt: skip

INTRODUCTION = """\
# HTTP's oddities

How `check` and `load` judge answers that servers, gateways and proxies send in unusual ways. Both accept the same
answers: `load` reads with a faster parser (httptools), and what that refuses again with the parser of `check` (h11).
An answer that cannot be read fails ROB-02 in `check`; in `load` it counts under `trigger.errors`, by the kind in the
table.

`python -m tests.causes.oddities > docs/http.md` makes this page: it runs a raw socket server for each row.

| the server sends | check | load | why |
|---|---|---|---|
"""
ADDRESSES = """
If a name has several addresses and the first does not answer (IPv6 that leads nowhere, beside IPv4), both use the next
one and name the dead one: `check` in a note, `load` in `generator.dns`.
"""


def by_check(base_url: str) -> str:
    """What a check makes of the answer to a trigger."""

    async def main() -> str:
        async with talking_to(settings(base_url, timing={"request": "5s"})) as client:
            answer = await client.trigger(body(), expect_call=True)
            violation = checks.is_answered(answer)
            return "accepted" if violation is None and answer.accepted else f"{violation and violation.clause} fails"

    return asyncio.run(main())


def by_load(base_url: str) -> str:
    """What a load run makes of it."""
    pool = ConnectionPool(base_url, None, 5.0, 10)
    pool.look_up()
    with contextlib.closing(pool):
        outcome = ask(pool)
    if isinstance(outcome, Failed):
        return f"error `{outcome.kind}`"
    unique_id, kind = read_trigger(outcome.status, outcome.headers.get("content-type", ""), outcome.body)
    return "accepted" if unique_id and kind is None else f"error `{kind}`"


def rows() -> Iterator[tuple[Oddity, str, str]]:
    """Each oddity with the verdicts of check and load."""
    for oddity in ODDITIES:

        def script(visit: Visit, oddity: Oddity = oddity) -> None:
            if visit.request() is not None:
                visit.send(oddity.raw)
            if oddity.stays:
                visit.wait()

        with scripted(script) as server:
            yield oddity, by_check(server.url()), by_load(server.url())


def page() -> str:
    """The page."""
    lines = [f"| {oddity.name} | {check} | {load} | {oddity.why} |" for oddity, check, load in rows()]
    return INTRODUCTION + "\n".join(lines) + "\n" + ADDRESSES


if __name__ == "__main__":
    print(page(), end="")
