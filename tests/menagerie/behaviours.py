"""Servers that answer properly and behave badly, and servers that misuse the receiver."""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

from .framework import Act, Server, Visit, honestly, http, plain, polls, triggers


def status(code: int, *headers: str) -> Act:
    async def act(visit: Visit) -> bytes | None:
        return http(code, b'{"error": "no"}', *headers)

    return act


async def one_in_seven(visit: Visit) -> bytes | None:
    return http(502, b"<html>bad gateway</html>", kind="text/html") if visit.nth % 7 == 0 else await honestly(visit)


async def two_versions(visit: Visit) -> bytes | None:
    """A balancer before two instances, one of which does not know the other's calls."""
    if visit.polls and visit.nth % 2:
        return http(200, b'{"CallResults": []}')
    return await honestly(visit)


async def changes_its_mind(visit: Visit) -> bytes | None:
    reply = await visit.honest()
    states = ["Answered", "Busy", "", "Rejected", "Ringing"]
    entries = json.loads(reply.raw).get("CallResults", []) if reply.status == 200 else []
    for entry in entries:
        entry["CallState"] = states[visit.nth % 5]
    return http(reply.status, json.dumps({"CallResults": entries}).encode())


async def accepts_anything(visit: Visit) -> bytes | None:
    return http(200, json.dumps({"UniqueId": f"rb-{visit.nth:012d}", "CallResults": []}).encode())


async def repeats_the_token(visit: Visit) -> bytes | None:
    return http(401, b"Bad token: " + visit.body[:2000])


Attack = Callable[[Visit, str, int], Awaitable[None]]
"""Do something to the receiver at this host and port."""


def attacking(attack: Attack) -> Act:
    """Attack the receiver of the first accepted triggers; answers are a conforming deployment's."""

    async def act(visit: Visit) -> bytes | None:
        reply = await visit.honest()
        if visit.triggers and reply.accepted:
            parts = urlsplit(json.loads(visit.body).get("ResultDestination") or "")
            begun = visit.stage.notes.setdefault("attacks", [])
            if parts.hostname and parts.port and len(begun) < 3:
                visit.stage.notes["path"] = parts.path
                task = asyncio.create_task(_quietly(attack(visit, parts.hostname, parts.port)))
                begun.append(task)
                visit.stage.tasks.add(task)
        return plain(reply)

    return act


async def _quietly(attack: Awaitable[None]) -> None:
    with contextlib.suppress(OSError, EOFError):
        await attack


@contextlib.asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the receiver, closed at the end whatever happens."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def post(path: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: receiver", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def pouring(content: Callable[[Visit], bytes], times: int, pause: float = 0.0) -> Attack:
    """Send the same delivery over one connection many times."""

    async def attack(visit: Visit, host: str, port: int) -> None:
        for _ in range(times):
            with contextlib.suppress(OSError, EOFError):
                async with connected(host, port) as (reader, writer):
                    writer.write(content(visit))
                    await writer.drain()
                    await reader.readuntil(b"\r\n\r\n")
                    await asyncio.sleep(pause)  # the sender is slow

    return attack


async def flood(visit: Visit, host: str, port: int) -> None:
    """As many deliveries as go over twenty connections."""

    async def pour() -> None:
        piece = post(visit.stage.notes["path"], b'{"UniqueId": "rb", "CallState": "Busy"}') * 20
        async with connected(host, port) as (reader, writer):
            while True:
                writer.write(piece)
                await writer.drain()
                if not await reader.read(65_536):
                    break

    await asyncio.gather(*(pour() for _ in range(20)), return_exceptions=True)


async def crawl(visit: Visit, host: str, port: int) -> None:
    """A hundred connections that send a byte now and then."""

    async def drip() -> None:
        async with connected(host, port) as (_, writer):
            for byte in post(visit.stage.notes["path"], b"x" * 10_000):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.2)  # the sender is slow

    await asyncio.gather(*(drip() for _ in range(100)), return_exceptions=True)


async def occupy(visit: Visit, host: str, port: int) -> None:
    """Three hundred connections that never send anything."""

    async def wait() -> None:
        async with connected(host, port):
            await asyncio.Event().wait()

    await asyncio.gather(*(wait() for _ in range(300)), return_exceptions=True)


async def hello(visit: Visit, host: str, port: int) -> None:
    """TLS to a plain port."""
    async with connected(host, port) as (_, writer):
        writer.write(bytes.fromhex("16030100c8010000c40303") + b"\x07" * 192)
        await writer.drain()
        await asyncio.sleep(0.5)  # the sender waits for an answer to its handshake


def at(visit: Visit) -> str:
    return str(visit.stage.notes["path"])


def big(size: int) -> Callable[[Visit], bytes]:
    return lambda visit: post(at(visit), b"x" * size)


def packed(visit: Visit) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    content = b"".join([*(packer.compress(b" " * 2**20) for _ in range(64)), packer.flush()])
    return post(at(visit), content, "Content-Encoding: gzip")


def other_run(visit: Visit) -> bytes:
    return post("/qwertyuiopasdfghjklzxcvb", b'{"UniqueId": "another-run-1", "CallState": "Busy"}')


def deep(visit: Visit) -> bytes:
    return post(at(visit), b"[" * 100_000)


def odd_text(visit: Visit) -> bytes:
    return post(at(visit), b"\x1b[31m<script>\xff\x00=1+1", "X-Evil: \x1b]0;x\x07")


def receiver(name: str, attack: Attack) -> Server:
    """A conforming deployment beside somebody who has found the receiver."""
    return Server(name, attacking(attack), receives=True, conforms=True)


BEHAVIOURS = [
    Server("always 401", status(401)),
    Server("always 404", status(404)),
    Server("always 429 for a day", status(429, "Retry-After: 86400")),
    Server("always 429", status(429)),
    Server("429 at once", status(429, "Retry-After: 0")),
    Server("429 until the year 9999", status(429, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT")),
    Server("429 to polls", polls(status(429, "Retry-After: -5"))),
    Server("always 500", status(500)),
    Server("503 for a day", status(503, "Retry-After: 86400")),
    Server("one 502 in seven", one_in_seven),
    Server("two versions behind a balancer", two_versions),
    Server("states that change", polls(changes_its_mind)),
    Server("accepts anything", accepts_anything),
    Server("repeats the token", repeats_the_token),
    Server("polls refused", polls(status(403))),
    Server("no id", triggers(status(200))),
    receiver("receiver: flood", flood),
    receiver("receiver: bodies of 50 MB", pouring(big(50 * 2**20), 20)),
    receiver("receiver: bodies of 1 MB", pouring(big(2**20), 100)),
    receiver("receiver: slow senders", crawl),
    receiver("receiver: idle connections", occupy),
    receiver("receiver: TLS to a plain port", hello),
    receiver("receiver: wrong paths", pouring(lambda v: post("/../../" + "x" * 4000, b"{}"), 500)),
    receiver("receiver: wrong methods", pouring(lambda v: post(at(v), b"", method="BREW"), 500)),
    receiver("receiver: other runs", pouring(other_run, 2000)),
    receiver("receiver: zip bombs", pouring(packed, 50)),
    receiver("receiver: deep JSON", pouring(deep, 200)),
    receiver("receiver: odd text", pouring(odd_text, 50)),
    receiver("receiver: garbage", pouring(lambda v: b"\x00\xff" * 500 + b"\r\n\r\n", 200)),
]
