"""Servers whose answers are not HTTP, or are HTTP at its worst: lengths, chunks, headers, codings, redirects."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from functools import cache

from .framework import Act, Server, Visit, always, honestly, http, polls, triggers

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ID = b'{"UniqueId": "rb-0123456789abcdef"}'
NONE = b'{"CallResults": []}'


def endless(head: bytes, piece: bytes, pause: float = 0.0) -> Act:
    """Begin an answer, and never end it."""

    async def act(visit: Visit) -> bytes | None:
        await visit.send(head)
        await visit.endlessly(piece, pause)
        return None

    return act


def framed(around: Callable[[bytes], bytes]) -> Act:
    """Send the conforming answer's body in an answer of our own making, and close."""

    async def act(visit: Visit) -> bytes | None:
        await visit.send(around((await visit.honest()).raw))
        return None

    return act


def headed(*lines: bytes) -> Act:
    """Send the conforming answer with more header lines."""

    async def act(visit: Visit) -> bytes | None:
        head, _, body = (await honestly(visit)).partition(b"\r\n\r\n")
        return b"\r\n".join([head, *lines]) + b"\r\n\r\n" + body

    return act


def slowly(pause: float) -> Act:
    """Send the conforming answer a byte at a time."""

    async def act(visit: Visit) -> bytes | None:
        for byte in await honestly(visit):
            await visit.send(bytes([byte]))
            await asyncio.sleep(pause)  # the server is slow
        return None

    return act


def redirect(target: str, status: int = 307) -> Act:
    return always(http(status, b"", f"Location: {target}"))


async def to_itself(visit: Visit) -> bytes | None:
    return http(308, b"", f"Location: {visit.stage.base_url}{visit.path}")


async def closing(visit: Visit) -> bytes | None:
    """Send the conforming answer without a length: its body ends with the connection."""
    reply = await visit.honest()
    await visit.send(http(reply.status, reply.raw, length=False))
    return None


async def twice(visit: Visit) -> bytes | None:
    """Answer each request twice, so that the second answer waits for the next request."""
    answer = await honestly(visit)
    return answer + answer


@cache
def bomb(bits: int) -> bytes:
    """256 MiB of blanks, packed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    return b"".join([*(packer.compress(b" " * 2**20) for _ in range(256)), packer.flush()])


def coded(coding: str, content: Callable[[], bytes]) -> Act:
    async def act(visit: Visit) -> bytes | None:
        return http(200, content(), f"Content-Encoding: {coding}")

    return act


def length(value: bytes) -> Act:
    return framed(lambda body: OK + b"Content-Length: " + value + b"\r\n\r\n" + body)


def raw(answer: bytes) -> Act:
    return always(answer)


ANSWERS = [
    Server("endless headers", endless(OK, b"X-More: again\r\n")),
    Server("one endless header", endless(OK + b"X-Long: ", b"x" * 4096)),
    Server("one endless status line", endless(b"HTTP/1.1 200 ", b"O" * 4096)),
    Server("endless interim answers", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    Server("endless early hints", endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 0.001)),
    Server("endless chunks", endless(CHUNKED, b"4000\r\n" + b" " * 0x4000 + b"\r\n")),
    Server("endless small chunks", endless(CHUNKED, b"1\r\n \r\n" * 64)),
    Server("endless chunks to polls", polls(endless(CHUNKED, b"4000\r\n" + b" " * 0x4000 + b"\r\n"))),
    Server("endless chunks to triggers", triggers(endless(CHUNKED, b"4000\r\n" + b" " * 0x4000 + b"\r\n"))),
    Server("endless chunk extension", endless(CHUNKED + b"1;", b"x" * 4096)),
    Server("endless trailers", endless(CHUNKED + b"0\r\n", b"X-More: again\r\n")),
    Server("endless body without a length", endless(OK + b"\r\n", b" " * 65_536)),
    Server("a byte a second", slowly(1.0)),
    Server("a byte now and then", slowly(0.02)),
    Server("a chunk a second", endless(CHUNKED, b"1\r\n \r\n", 1.0)),
    Server("length too short", length(b"3")),
    Server("length too long", length(b"4000")),
    Server("length negative", length(b"-1")),
    Server("length not a number", length(b"many")),
    Server("length of a hundred digits", length(b"9" * 100)),
    Server("lengths in conflict", framed(lambda b: OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n" + b)),
    Server("length and chunks", framed(lambda b: OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + b)),
    Server("chunk size not a number", framed(lambda b: CHUNKED + b"zz\r\n" + b + b"\r\n0\r\n\r\n")),
    Server("chunk size of a hundred digits", framed(lambda b: CHUNKED + b"f" * 100 + b"\r\n" + b + b"\r\n0\r\n\r\n")),
    Server("no last chunk", framed(lambda b: CHUNKED + b"%x\r\n" % len(b) + b + b"\r\n")),
    Server("no length, closed", closing, conforms=True),
    Server("transfer coding unknown", framed(lambda b: OK + b"Transfer-Encoding: snail\r\n\r\n" + b)),
    Server("garbage", raw(bytes(range(256)) * 40)),
    Server("only line breaks", endless(b"", b"\r\n" * 512)),
    Server("HTTP/0.9", raw(b'{"UniqueId": "rb-0123456789abcdef"}')),
    Server("HTTP/2", raw(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00\x03\x00\x00\x00\x64" * 3)),
    Server("HTTP/7.3", raw(b"HTTP/7.3 200 OK\r\nContent-Length: 0\r\n\r\n")),
    Server("status 99999", raw(b"HTTP/1.1 99999 OK\r\nContent-Length: 0\r\n\r\n")),
    Server("status 999", raw(b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n")),
    Server("status 0", raw(b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n")),
    Server("status of letters", raw(b"HTTP/1.1 abc OK\r\n\r\n")),
    Server("switches protocols", raw(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")),
    Server("204 with a body", framed(lambda b: b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n" + b)),
    Server("answers twice", twice),
    Server("header with NUL", headed(b"X-\x00: \x00")),
    Server("header with escape codes", headed(b"X-Colour: \x1b[31m\x1b]0;owned\x07")),
    Server("header without a colon", headed(b"no colon here")),
    Server("folded header", headed(b"X-Folded: a", b" b", b"\tc")),
    Server("five thousand headers", headed(*[b"X-%d: 1" % n for n in range(5000)])),
    Server("reason of escape codes", raw(b"HTTP/1.1 500 \x1b[2J\x1b[31m<script>\r\nContent-Length: 0\r\n\r\n")),
    Server("redirects elsewhere", redirect("https://elsewhere.example.com/v2/call")),
    Server("redirects to itself", to_itself),
    Server("redirects to a file", redirect("file:///etc/passwd", 302)),
    Server("redirects to metadata", redirect("http://169.254.169.254/latest/meta-data/", 301)),
    Server("gzip bomb", coded("gzip", lambda: bomb(31))),
    Server("deflate bomb", coded("deflate", lambda: bomb(15))),
    Server("gzip bomb in gzip", coded("gzip, gzip", lambda: gzip.compress(bomb(31)))),
    Server("gzip bomb to polls", polls(coded("gzip", lambda: bomb(31)))),
    Server("br that was not asked for", coded("br", lambda: b"\x0b\x02\x80{}\x03")),
    Server("zstd that was not asked for", coded("zstd", lambda: b"\x28\xb5\x2f\xfd\x00\x58\x19\x00\x00{}\n")),
    Server("gzip that is none", coded("gzip", lambda: NONE)),
    Server("gzip cut off", coded("gzip", lambda: gzip.compress(NONE * 50)[:-9])),
]
