"""Servers whose connections fail: none, silent, reset, half-open, the wrong protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .framework import Act, Gone, Server, Stage, Visit, honestly, polls, triggers

Arrival = Callable[[Stage, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def nothing(visit: Visit) -> bytes | None:
    """Never answer."""
    await asyncio.Event().wait()
    return None


async def closes(visit: Visit) -> bytes | None:
    return None


async def resets(visit: Visit) -> bytes | None:
    visit.reset()
    return None


def reset_after(size: int) -> Act:
    """Send the beginning of the conforming answer, then reset the connection."""

    async def act(visit: Visit) -> bytes | None:
        await visit.send((await honestly(visit))[:size])
        visit.reset()
        return None

    return act


def cut_after(size: int) -> Act:
    """Send the beginning of the conforming answer, then close the connection."""

    async def act(visit: Visit) -> bytes | None:
        await visit.send((await honestly(visit))[:size])
        return None

    return act


def from_the(nth: int, act: Act) -> Act:
    """Answer as a conforming deployment does until that request."""

    async def turned(visit: Visit) -> bytes | None:
        return await honestly(visit) if visit.nth < nth else await act(visit)

    return turned


async def dies(visit: Visit) -> bytes | None:
    """Stop listening at the fortieth request."""
    if visit.nth >= 40 and visit.stage.listening is not None:
        visit.stage.listening.close()
        visit.reset()
    return await honestly(visit)


async def freezes(visit: Visit) -> bytes | None:
    """Stop for a while, all connections together, at every fiftieth request."""
    loop = asyncio.get_running_loop()
    if visit.nth % 50 == 0:
        visit.stage.notes["until"] = loop.time() + 3
    while (left := visit.stage.notes.get("until", 0.0) - loop.time()) > 0:
        await asyncio.sleep(left)  # the server is frozen
    return await honestly(visit)


async def half_open(visit: Visit) -> bytes | None:
    """End the sending side after the answer, and keep the connection."""
    await visit.send(await honestly(visit))
    visit.writer.write_eof()
    return await nothing(visit)


async def leaves_unannounced(visit: Visit) -> bytes | None:
    """Close a kept-alive connection after each answer without a word about it."""
    await visit.send(await honestly(visit))
    return None


async def resets_when_idle(visit: Visit) -> bytes | None:
    await visit.send(await honestly(visit))
    await asyncio.sleep(0.02)  # so that the answer is read before the reset
    visit.reset()
    return None


async def stalls(stage: Stage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def slams(stage: Stage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    raise Gone


async def reads_ten_bytes(stage: Stage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(10)
    writer.transport.abort()
    raise Gone


async def speaks_first(stage: Stage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet as a mail server does."""
    writer.write(b"220 mail.example.com ESMTP\r\n")


async def alerts(stage: Stage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a handshake with a fatal TLS alert."""
    await reader.read(100)
    writer.write(b"\x15\x03\x01\x00\x02\x02\x28")
    raise Gone


def every_other(arrival: Arrival) -> Arrival:
    async def arrive(stage: Stage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if stage.connections % 2:
            await arrival(stage, reader, writer)

    return arrive


CONNECTIONS = [
    Server("refuses connections", nothing, kind="refused"),
    Server("a black hole", nothing, kind="black hole"),
    Server("accepts and is silent", nothing, arrive=stalls),
    Server("every other connection is silent", honestly, arrive=every_other(stalls)),
    Server("closes each connection at once", nothing, arrive=slams),
    Server("closes every other connection at once", honestly, arrive=every_other(slams)),
    Server("closes after ten bytes of the request", nothing, arrive=reads_ten_bytes),
    Server("reads and never answers", nothing),
    Server("never answers triggers", triggers(nothing)),
    Server("never answers polls", polls(nothing)),
    Server("closes without an answer", closes),
    Server("resets without an answer", resets),
    Server("resets accepted triggers", triggers(resets)),
    Server("resets after a byte", reset_after(1)),
    Server("resets in the headers", reset_after(60)),
    Server("resets in the body", reset_after(130)),
    Server("cuts off after a byte", cut_after(1)),
    Server("cuts off in the headers", cut_after(40)),
    Server("cuts off in the body of polls", polls(cut_after(110))),
    Server("dies in the middle of the run", dies),
    Server("freezes now and then", freezes),
    Server("falls silent after thirty requests", from_the(30, nothing)),
    Server("half-open after each answer", half_open, conforms=True),
    Server("closes kept-alive connections", leaves_unannounced, conforms=True),
    Server("resets idle connections", resets_when_idle, conforms=True),
    Server("mail server", nothing, arrive=speaks_first),
    Server("TLS handshake stalls", nothing, arrive=stalls, scheme="https"),
    Server("plaintext where TLS is expected", honestly, scheme="https"),
    Server("TLS where plaintext is expected", honestly, kind="tls", scheme="http"),
    Server("TLS alert", nothing, arrive=alerts, scheme="https"),
    Server("certificate of nobody", honestly, kind="self-signed"),
    Server("certificate out of date", honestly, kind="expired"),
    Server("TLS, and closes without close-notify", cut_after(10_000), kind="tls", conforms=True),
]
