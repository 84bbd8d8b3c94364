"""Probes of the clauses on single requests: TRN, REQ, ACK, ROB.

A probe yields a line for each deviation, and nothing for a conforming deployment. The probes test faults and dialects;
they are simpler than the contract suite.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import statistics
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlencode

from ringback.sandbox.messages import POLL_PATH, TRIGGER_PATH

from .in_process import Deployment, Reply

LETTERS = "Ünal Ğ Müller · Σωκράτης · Иван · 王小明 · علي · 🎉📞"
AWKWARD = ("", "\"q\" 'q'", "100 % %20", "<b>&amp;</b>", "C:\\x\\", "one\ntwo\r\nthree")
REQUIRED = ("Project", "Tenant", "ConversationId", "AccessToken", "ScenarioPath", "OrchestratorUrl")


async def _answers(d: Deployment) -> list[Reply]:
    """The 200 answers that there are: to a trigger, to a poll before and after the end of calls."""
    trigger = await d.trigger()
    unique_id = trigger.unique_id or ""
    pending = await d.poll([unique_id])
    await asyncio.sleep(0.3)
    return [trigger, pending, await d.poll([unique_id])]


async def trn_01(d: Deployment) -> AsyncIterator[str]:
    if not type(d.behaviour).adapt(type(d.settings)()).tls:
        yield "plain HTTP"


async def trn_03(d: Deployment) -> AsyncIterator[str]:
    for path in (TRIGGER_PATH, POLL_PATH):
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            reply = await d.request(path, json.dumps(d.body()).encode(), method)
            if not (400 <= reply.status < 500 or reply.status == 501):
                yield f"{method} {path}: {reply.status}"
    unique_id = (await d.trigger()).unique_id
    flat = {**{name: d.body()[name] for name in REQUIRED}, "_DisplayNumber": "200", "_Destination": "5550000001"}
    for path in (f"{POLL_PATH}?UniqueIds={unique_id}", f"{TRIGGER_PATH}?{urlencode(flat)}"):
        for method in ("GET", "DELETE", "TRACE"):
            reply = await d.request(path, b"", method)
            if not (400 <= reply.status < 500 or reply.status == 501) or b"CallResults" in reply.body:
                yield f"{method} {path}: {reply.status}"


async def trn_04(d: Deployment) -> AsyncIterator[str]:
    for reply in await _answers(d):
        content_type = (reply.header("content-type") or "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            yield content_type


async def trn_05(d: Deployment) -> AsyncIterator[str]:
    def refuse(word: str) -> None:
        raise ValueError(word)

    for reply in await _answers(d):
        try:
            json.loads(reply.body.decode(), parse_constant=refuse)
        except ValueError as error:
            yield str(error)


async def trn_06(d: Deployment) -> AsyncIterator[str]:
    twice = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            twice.append(str(pairs))
        return dict(pairs)

    for reply in await _answers(d):
        json.loads(reply.body, object_pairs_hook=note)
    for line in twice:
        yield line


async def _accepted(d: Deployment, body: dict[str, Any], *headers: tuple[bytes, bytes]) -> list[str]:
    reply = await d.trigger(body, headers)
    return [] if reply.accepted else [f"{reply.status} for {body}"]


async def _all_accepted(d: Deployment, bodies: list[dict[str, Any]]) -> AsyncIterator[str]:
    for body in bodies:
        for line in await _accepted(d, body):
            yield line


def _inputs(d: Deployment, *variables: tuple[str, str]) -> list[dict[str, str]]:
    pairs = [("_DisplayNumber", "200"), ("_Destination", d.settings.lines["answered"]), *variables]
    return [{"Name": name, "Value": value} for name, value in pairs]


async def req_01(d: Deployment) -> AsyncIterator[str]:
    body = d.body(ResultDestination="http://127.0.0.1:9/")
    for line in await _accepted(d, body, (b"project", b"")):
        yield line


async def req_02(d: Deployment) -> AsyncIterator[str]:
    for line in await _accepted(d, d.body(EndUser=..., Locale=..., SendResultImmediately=...)):
        yield line


async def req_03(d: Deployment) -> AsyncIterator[str]:
    full = d.body(ResultDestination="http://127.0.0.1:9/")
    for name in ("EndUser", "Locale", "ResultDestination", "SendResultImmediately"):
        for line in await _accepted(d, {key: value for key, value in full.items() if key != name}):
            yield line


def req_04(d: Deployment) -> AsyncIterator[str]:
    numbers = [(f"variable{n}", f"value{n}") for n in range(20)]
    return _all_accepted(d, [d.body(ScenarioInputParameters=_inputs(d, *numbers[:n])) for n in (0, 1, 20)])


async def req_05(d: Deployment) -> AsyncIterator[str]:
    inputs = _inputs(d, ("variable1", "value1"), ("variable2", "value2"))
    for order in ((1, 0, 2, 3), (2, 3, 0, 1), (0, 2, 1, 3), (3, 1, 2, 0)):
        reply = await d.trigger(d.body(ScenarioInputParameters=[inputs[at] for at in order]))
        if not reply.accepted:
            yield f"{reply.status} for {order}"
        elif (await d.final_states([reply.unique_id], 3)).get(reply.unique_id) != "Answered":
            yield f"not dialled for {order}"


async def req_06(d: Deployment) -> AsyncIterator[str]:
    for headers in ((), ((b"project", d.settings.project.encode()),)):
        for line in await _accepted(d, d.body(), *headers):
            yield line


def req_07(d: Deployment) -> AsyncIterator[str]:
    whole = {"Name": "John Doe", "Phone": "5550000001", "Email": "j@example.com"}
    names = ((), ("Name",), ("Phone",), ("Email",), ("Name", "Phone"), ("Name", "Email"), ("Phone", "Email"))
    return _all_accepted(d, [d.body(EndUser={name: whole[name] for name in some}) for some in names])


def req_08(d: Deployment) -> AsyncIterator[str]:
    values = [_inputs(d, ("variable1", value)) for value in (LETTERS, *AWKWARD)]
    bodies = [d.body(ScenarioInputParameters=inputs) for inputs in values]
    return _all_accepted(d, [d.body(EndUser={"Name": LETTERS}), *bodies])


def req_09(d: Deployment) -> AsyncIterator[str]:
    return _all_accepted(d, [d.body(SendResultImmediately=True), d.body(SendResultImmediately=False)])


async def _none_accepted(d: Deployment, bodies: list[Any]) -> AsyncIterator[str]:
    for body in bodies:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        if (await d.trigger(text)).accepted:
            yield f"accepted: {text!r}"


def req_10(d: Deployment) -> AsyncIterator[str]:
    names = (*REQUIRED, "ScenarioInputParameters")
    return _none_accepted(d, [d.body(**{name: ...}, **more) for name in names for more in ({}, {"EndUser": ...})])


def req_11(d: Deployment) -> AsyncIterator[str]:
    display, destination, variable = _inputs(d, ("variable1", "value1"))
    some: list[Any] = [[], [display], [destination], [display, variable], [destination, variable]]
    return _none_accepted(d, [d.body(ScenarioInputParameters=inputs) for inputs in some])


def req_12(d: Deployment) -> AsyncIterator[str]:
    bodies = [body for name in REQUIRED for body in _with(d, name, None, "")]
    both: list[dict[str, Any]] = [
        {"Name": "_DisplayNumber", "Value": "200"}, {"Name": "_Destination", "Value": "5550000001"},
    ]  # fmt: skip
    hollow = [[*both[:at], {"Name": both[at]["Name"], **value}, *both[at + 1 :]]
              for at in range(2) for value in ({"Value": ""}, {"Value": None}, {})]  # fmt: skip
    return _none_accepted(d, [*bodies, *_with(d, "ScenarioInputParameters", None, "", *hollow)])


def _with(d: Deployment, name: str, *values: Any) -> list[dict[str, Any]]:
    """Triggers that give a parameter each of the values."""
    return [d.body(**{name: value}) for value in values]


def req_13(d: Deployment) -> AsyncIterator[str]:
    texts = [body for name in (*REQUIRED, "Locale") for body in _with(d, name, 5, True, [], ["x"], {"a": 1})]
    flags = _with(d, "SendResultImmediately", "true", "false", 1, 0, [], {})
    end_users = _with(d, "EndUser", "John", 5, [], [{}], True, {"Name": 5}, {"Phone": ["5"]})
    display, destination = _inputs(d)
    inputs = _with(
        d,
        "ScenarioInputParameters",
        {"_DisplayNumber": "200", "_Destination": destination["Value"]},
        "x",
        5,
        ["x"],
        [display, destination, {"Name": "variable1", "Value": 5}],
        [display, destination, {"Name": 5, "Value": "x"}],
        [display, destination, {"Name": "variable1", "Value": None}],
        [display, {"Name": "_Destination", "Value": int(destination["Value"])}],
    )
    return _none_accepted(d, texts + flags + end_users + inputs)


def req_14(d: Deployment) -> AsyncIterator[str]:
    good = json.dumps(d.body()).encode()
    texts = [b"", b" ", b"hello", b"a=1&b=2", b"[]", b"[" + good + b"]", b'"hello"', b"null", b"7", b"true"]
    return _none_accepted(d, [*texts, json.dumps(good.decode()).encode(), good[:-1], good[: len(good) // 2], b"{"])


def req_15(d: Deployment) -> AsyncIterator[str]:
    token = d.settings.access_token
    wrong = [token.swapcase(), token.upper(), token[:-1], token[: len(token) // 2], token + "x", f" {token}"]
    wrong += [
        f"{token} ",
        token.translate({n: n + 0xFEE0 for n in range(0x41, 0x7B)}),
        "x" * len(token),
        "x",
        token[::-1],
        token + "\0",
        "null",
    ]
    bodies = [d.body(AccessToken=value) for value in wrong]
    bodies.append(d.body(AccessToken="x", EndUser=...))
    return _none_accepted(d, [*bodies, d.body(Project="Other"), d.body(Project=d.settings.project.swapcase())])


def _bad_triggers(d: Deployment) -> Iterator[bytes]:
    for body in (d.body(Tenant=...), d.body(AccessToken="wrong"), d.body(Project=5), d.body(EndUser="x")):
        yield json.dumps(body).encode()
    yield from (b"[]", b"", b"{", b"hello")


async def req_16(d: Deployment) -> AsyncIterator[str]:
    for body in _bad_triggers(d):
        reply = await d.trigger(body)
        if not 400 <= reply.status < 500 or reply.unique_id is not None:
            yield f"{reply.status} {reply.body!r}"


async def ack_01(d: Deployment) -> AsyncIterator[str]:
    status = (await d.trigger()).status
    if status != 200:
        yield str(status)


async def ack_02(d: Deployment) -> AsyncIterator[str]:
    unique_id = (await d.trigger()).unique_id
    if not isinstance(unique_id, str) or not unique_id:
        yield repr(unique_id)


async def ack_03(d: Deployment) -> AsyncIterator[str]:
    same = d.body()
    ids = [(await d.trigger(same)).unique_id for _ in range(2)]
    ids += [await d.place(line, ConversationId="same") for line in ("busy", "busy", "error")]
    ids += [await d.place("rejected", ConversationId=f"c{n}") for n in range(4)]
    ids += await asyncio.gather(*(d.place("error", ConversationId=f"d{n}") for n in range(16)))
    if len(set(ids)) < len(ids):
        yield f"{len(ids) - len(set(ids))} ids repeated"


async def ack_04(d: Deployment) -> AsyncIterator[str]:
    ids = [await d.place(ConversationId=f"c{n}") for n in range(8)]
    differing = [sum(x != y for x, y in zip(a, b, strict=False)) for a, b in itertools.pairwise(ids)]
    if statistics.median(differing) < 8:
        yield f"alike: {ids[:3]}"


async def rob_01(d: Deployment) -> AsyncIterator[str]:
    good = json.dumps(d.body()).encode()
    inputs = _inputs(d, ("v", "x" * 65536))
    bodies = [good[:-1], b"", b"[]", b'"x"', b"[" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"\xff\xfe{}"]
    bodies += [good.replace(b'"Tenant"', b'"Tenant":"a","Tenant"'), good.replace(b"John", b"J\\u0000n")]
    bodies += [good.replace(b"John", b"\xc3\x28"), good.replace(b"John", b"\\ud800"), b"\0"]
    for text in ("a\0b", "x" * 65536, "\u202e\ufeff\U0010fffd 你", "it's"):
        fields = [*_with(d, "Tenant", text), *_with(d, "ConversationId", text), *_with(d, "Locale", text)]
        fields += [d.body(EndUser={member: text}) for member in ("Name", "Email")]
        bodies += [json.dumps(body).encode() for body in [*fields, *_with(d, "EndUser", {})]]
    bodies += [json.dumps(_with(d, "ScenarioInputParameters", _inputs(d, ("v", "1"), ("v", "2")))[0]).encode()]
    odd = _with(d, "ScenarioInputParameters", inputs, 5, {}, "x") + _with(d, "Tenant", 5, [], {}, "x" * (1 << 20))
    bodies += [json.dumps(body).encode() for body in odd]
    polls: list[Any] = [{"UniqueIds": ids} for ids in (["'"], ["x\0"], [5], [None], ["🎉"], ["x" * 65536], 5, None)]
    polls += [{"UniqueIds": [f"id{n}" for n in range(10_000)]}, [], {}]
    for path, body in [(TRIGGER_PATH, body) for body in bodies] + [
        (POLL_PATH, text) for text in (b"", b"{", b"hello", b"[" * 5000, *(json.dumps(p).encode() for p in polls))
    ]:
        reply = await d.request(path, body)
        if reply.status >= 500:
            yield f"{reply.status} for {path} {body[:60]!r}"


async def rob_03(d: Deployment) -> AsyncIterator[str]:
    lines = [line for line in d.settings.lines for _ in range(3)][:16]
    replies = await asyncio.gather(*(d.trigger(d.body(line)) for line in lines))
    ids = [reply.unique_id for reply in replies]
    if not all(reply.accepted for reply in replies):
        yield f"triggers answered {[reply.status for reply in replies]}"
        return
    await d.final_states(ids, 5)
    polls = await asyncio.gather(*(d.poll([unique_id]) for unique_id in ids))
    for unique_id, reply in zip(ids, polls, strict=True):
        if list(reply.states) != [unique_id]:
            yield f"poll answered {reply.status} {reply.body!r}"


async def rob_04(d: Deployment) -> AsyncIterator[str]:
    right = d.settings.access_token
    cases = [(right, json.dumps(d.body()).encode()), (right, json.dumps(d.body()).encode()[:-1])]
    cases += [(right, json.dumps(d.body(Tenant=...)).encode())]
    cases += [("nearly-secret", json.dumps(d.body(AccessToken="nearly-secret")).encode())]
    for token, body in cases:
        reply = await d.trigger(body)
        if token in reply.body.decode() or any(token in value for _, value in reply.headers):
            yield f"{reply.status} {reply.body!r}"


async def rob_05(d: Deployment) -> AsyncIterator[str]:
    for body in _bad_triggers(d):
        text = (await d.trigger(body)).body.decode()
        if re.search(r"Traceback|^\s+at \S|SELECT |\.(py|js|cs|java)\b", text, re.MULTILINE):
            yield text


PROBES = {
    name.upper().replace("_", "-"): probe
    for name, probe in list(globals().items())
    if re.fullmatch(r"[a-z]{3}_\d\d", name)
}
