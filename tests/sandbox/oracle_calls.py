"""Probes of the clauses on calls: RES, STA, DST. See `oracle_requests`."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from ringback.sandbox.messages import POLL_PATH
from ringback.sandbox.settings import STATE_OF_LINE

from .in_process import Delivery, Deployment, Receiver, receiving, until

LINES = tuple(STATE_OF_LINE)
_LONG = 12.0


async def _finished(d: Deployment, *lines: str) -> dict[str, str]:
    """Place calls, wait until they must have ended, and return the right state of each."""
    ids = [await d.place(line, ConversationId=f"c{n}") for n, line in enumerate(lines)]
    assert await until(lambda: not any(_ringing(d, unique_id) for unique_id in ids), _LONG)
    await asyncio.sleep(0.25)  # some deployments show results a little later
    return {unique_id: STATE_OF_LINE[line] for unique_id, line in zip(ids, lines, strict=True)}


def _ringing(d: Deployment, unique_id: str) -> bool:
    call = d.behaviour.book.find(unique_id)
    return call is not None and not call.state


def _entries(value: Any) -> list[Any]:
    entries = value.get("CallResults") if isinstance(value, dict) else None
    return entries if isinstance(entries, list) else []


async def res_01(d: Deployment) -> AsyncIterator[str]:
    unique_id = await d.place()
    for _ in range(2):
        status = (await d.poll([unique_id])).status
        if status != 200:
            yield str(status)
        await asyncio.sleep(0.4)


async def res_02(d: Deployment) -> AsyncIterator[str]:
    pending = await d.poll([await d.place()])
    ids = list(await _finished(d, "answered", "busy"))
    for reply in (pending, await d.poll(ids[:1]), await d.poll(ids)):
        value = reply.json()
        if not isinstance(value, dict) or not isinstance(value.get("CallResults"), list):
            yield str(value)


async def res_03(d: Deployment) -> AsyncIterator[str]:
    right = await _finished(d, "answered", "busy")
    for entry in (await d.poll(list(right))).json()["CallResults"]:
        for name in ("UniqueId", "CallRequestId", "CallState"):
            if not isinstance(entry, dict) or not isinstance(entry.get(name), str):
                yield f"{name} in {entry}"


async def res_04(d: Deployment) -> AsyncIterator[str]:
    right = await _finished(d, *(LINES * 3)[:20])
    for ids in (list(right), list(right)[:3], list(right)[5:7]):
        reported = [(entry["UniqueId"], entry["CallState"]) for entry in (await d.poll(ids)).json()["CallResults"]]
        if sorted(reported) != sorted((unique_id, right[unique_id]) for unique_id in ids):
            yield f"{len(reported)} of {len(ids)}"


async def res_05(d: Deployment) -> AsyncIterator[str]:
    right = await _finished(d, "answered", "busy")
    one = next(iter(right))
    lists: list[Any] = [[], None, one, 5, {}, ["*"], ["%"], [one]]
    for ask in [*({"UniqueIds": ids} for ids in lists), {}, [], one]:
        reply = await d.request(POLL_PATH, json.dumps(ask).encode())
        reported = {entry["UniqueId"] for entry in _entries(reply.json())} if reply.status == 200 else set()
        asked = ask.get("UniqueIds") if isinstance(ask, dict) else None
        if reported - set(asked if isinstance(asked, list) else ()):
            yield f"{reported} for {ask}"


async def res_06(d: Deployment) -> AsyncIterator[str]:
    right = await _finished(d, "answered", "busy")
    known = next(iter(right))
    near = {
        f"{known[:16]}%",
        f"{known}\0x",
        known[:-1],
        known[: len(known) // 2],
        f"{known}0",
    }
    for unique_id in (near - {known}) | {"nobody", "00000000"}:
        if (await d.poll([unique_id])).states:
            yield f"a state for {unique_id}"
    if set((await d.poll([known, *(f"nobody-{n}" for n in range(15))])).states) - {known}:
        yield "a state for one of many unknown ids"
    for unique_id in {known.upper(), f" {known}", f"{known} "} - {known}:
        states = (await d.poll([unique_id])).states
        if set(states.values()) - {right[known]}:
            yield f"{states} for {unique_id}"


async def res_07(d: Deployment) -> AsyncIterator[str]:
    right = await _finished(d, "answered", "busy")
    first, second = right
    for ids in (["nobody", first, second], [first, "nobody", second], [first, second, "nobody"]):
        reply = await d.poll(ids)
        if reply.states != right:
            yield f"{reply.status} {reply.body!r}"


async def res_08(d: Deployment) -> AsyncIterator[str]:
    bodies = [b"", b"hello", b'{"UniqueIds":["a"', b"[]", b'["a"]', b"{}"]
    bodies += [b'{"UniqueIds":%s}' % value for value in (b"null", b'"a"', b"5", b"{}", b"[5]", b"[null]", b'[["a"]]')]
    for body in bodies:
        status = (await d.request(POLL_PATH, body)).status
        if not 400 <= status < 500:
            yield f"{status} for {body!r}"


async def res_09(d: Deployment) -> AsyncIterator[str]:
    right = await _finished(d, "answered", "busy")
    first, second = right
    for ids in ([first, second, first], [first, first, second]):
        reply = await d.poll(ids)
        reported = [(entry["UniqueId"], entry["CallState"]) for entry in _entries(reply.json())]
        if set(reported) != set(right.items()) or len(reported) > 3:
            yield f"{reply.status} {reported}"


async def sta_01(d: Deployment) -> AsyncIterator[str]:
    ids = [await d.place(line) for line in LINES]
    words = set((await d.poll(ids)).states.values())
    words |= set((await d.final_states(ids, _LONG)).values())
    for word in words - set(STATE_OF_LINE.values()):
        yield word


async def sta_02(d: Deployment) -> AsyncIterator[str]:
    ids = [await d.place(line, ConversationId=f"c{n}") for n, line in enumerate(LINES * 2)]
    # A second is plenty for quick calls; those that wait for a channel take longer.
    seconds = len(ids) * d.settings.ring_seconds / d.settings.channels + 2.5
    missing = set(ids) - set(await d.final_states(ids, seconds))
    if missing:
        yield f"{len(missing)} never final"


async def sta_03(d: Deployment) -> AsyncIterator[str]:
    right = await _finished(d, *LINES)
    states = (await d.poll(list(right))).states
    for unique_id, state in right.items():
        if states.get(unique_id) != state:
            yield f"{states.get(unique_id)} for {state}"


async def sta_04(d: Deployment) -> AsyncIterator[str]:
    right = await _finished(d, "answered", "busy")
    first = (await d.poll(list(right))).states
    for _ in range(5):
        await asyncio.sleep(0.3)
        if (await d.poll(list(right))).states != first:
            yield "changed"


async def sta_05(d: Deployment) -> AsyncIterator[str]:
    ids = [await d.place(line) for line in LINES]
    seen: dict[str, list[str]] = {unique_id: [] for unique_id in ids}
    deadline = asyncio.get_running_loop().time() + _LONG
    while any(_ringing(d, unique_id) for unique_id in ids):
        states = (await d.poll(ids)).states
        for unique_id, words in seen.items():
            words.append(states.get(unique_id, ""))
        await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() < deadline
    final = await d.final_states(ids)
    for unique_id, words in seen.items():
        shown = [*words[next((n for n, word in enumerate(words) if word), len(words)) :], final.get(unique_id)]
        if len(set(shown)) > 1:
            yield str(shown)


async def _deliver(d: Deployment, receiver: Receiver, line: str, **changes: Any) -> str:
    path = f"/results/{receiver.connections}-{line}-{len(d.behaviour.book)}"
    return await d.place(line, ResultDestination=receiver.url + path, **changes)


async def dst_01(d: Deployment) -> AsyncIterator[str]:
    async with receiving() as receiver:
        unique_id = await _deliver(d, receiver, "answered", SendResultImmediately=True)
        if not await until(lambda: bool(receiver.about(unique_id))):
            yield str(receiver.deliveries)


async def dst_02(d: Deployment) -> AsyncIterator[str]:
    async with receiving() as receiver:
        ids = [
            await _deliver(d, receiver, line, SendResultImmediately=flag)
            for line in ("answered", "busy")
            for flag in (False, ...)
        ]
        if not await until(lambda: all(receiver.about(unique_id) for unique_id in ids), 3):
            yield str(receiver.deliveries)


async def dst_03(d: Deployment) -> AsyncIterator[str]:
    early = []

    def look(delivery: Delivery) -> None:
        for unique_id in ids:
            call = d.behaviour.book.find(unique_id)
            if unique_id in delivery.text and (call is None or not call.state):
                early.append(unique_id)

    ids: list[str] = []
    async with receiving() as receiver:
        receiver.on_delivery = look
        ids += [await _deliver(d, receiver, "answered", SendResultImmediately=flag) for flag in (True, False)]
        await until(lambda: all(receiver.about(unique_id) for unique_id in ids))
    for unique_id in early:
        yield unique_id


async def dst_04(d: Deployment) -> AsyncIterator[str]:
    async with receiving() as receiver:
        ids = [await _deliver(d, receiver, line, SendResultImmediately=True) for line in LINES]
        if not await until(lambda: all(receiver.about(unique_id) for unique_id in ids), 3):
            yield f"{len(receiver.deliveries)} deliveries"


async def dst_05(d: Deployment) -> AsyncIterator[str]:
    async with receiving() as receiver:
        ids = {await _deliver(d, receiver, line, SendResultImmediately=True): line for line in LINES}
        await until(lambda: all(receiver.about(unique_id) for unique_id in ids))
        for unique_id, line in ids.items():
            for delivery in receiver.about(unique_id):
                if delivery.states != {STATE_OF_LINE[line]} and "State" in delivery.text:
                    yield f"{delivery.states} for {line}"


async def dst_06(d: Deployment) -> AsyncIterator[str]:
    async with receiving() as receiver:
        ids = [await _deliver(d, receiver, line, SendResultImmediately=n % 2 == 0) for n, line in enumerate(LINES)]
        await until(lambda: all(receiver.about(unique_id) for unique_id in ids))
        for delivery in receiver.deliveries:
            if d.settings.access_token in delivery.text or sum(one in delivery.text for one in ids) != 1:
                yield delivery.text


async def dst_07(d: Deployment) -> AsyncIterator[str]:
    async with receiving() as receiver:
        receiver.status = lambda path, _: 500 if path == "/500" else 200
        receiver.seconds = lambda path: 3.0 if path == "/slow" else 0.0
        for url in ("http://127.0.0.1:1/", f"{receiver.url}/500", f"{receiver.url}/slow"):
            body = d.body(ResultDestination=url, SendResultImmediately=True)
            start = asyncio.get_running_loop().time()
            reply = await d.trigger(body)
            if not reply.accepted or asyncio.get_running_loop().time() - start > 2.0:
                yield f"{reply.status} for {url}"
                return
            await d.final_states([reply.unique_id], 2)
            await asyncio.sleep(0.1)
            states = (await d.poll([reply.unique_id])).states
            if states != {reply.unique_id: "Answered"}:
                yield f"{states} for {url}"
        start = asyncio.get_running_loop().time()
        await d.trigger()
        if asyncio.get_running_loop().time() - start > 1.0:
            yield "a trigger had to wait for the slow destination"


async def dst_08(d: Deployment) -> AsyncIterator[str]:
    async with receiving() as receiver:
        receiver.status = lambda _, before: 503 if before == 0 else 200
        unique_id = await _deliver(d, receiver, "answered", SendResultImmediately=True)
        if not await until(lambda: len(receiver.about(unique_id)) > 1, 3):
            yield f"{len(receiver.deliveries)} deliveries"


PROBES = {
    name.upper().replace("_", "-"): probe
    for name, probe in list(globals().items())
    if re.fullmatch(r"[a-z]{3}_\d\d", name)
}
