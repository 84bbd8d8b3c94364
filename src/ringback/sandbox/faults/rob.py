"""Faults of robustness: crashes, hangs, crossed answers. What answers must not disclose is in `rob_leaks`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import orjson

from ringback.sandbox.admission import REQUIRED
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import fault
from ringback.sandbox.messages import (
    POLL_PATH,
    TRIGGER_PATH,
    Request,
    SandboxAnswer,
    Send,
    connection_of,
)
from ringback.sandbox.settings import SandboxSettings

_HANG_SECONDS = 120.0
_BUSY_SECONDS = 0.03

# ROB-01


def _crashes(name: str, description: str, applies: Callable[[Request, Any], bool]) -> None:
    """Register a fault that answers 500 where `applies(request, its JSON value, or ... if not JSON)` is true."""

    @fault(name, "ROB-01", description=description)
    class Crashes(SandboxBehaviour):
        def answer(self, request: Request) -> SandboxAnswer:
            if request.method == "POST" and request.path in (TRIGGER_PATH, POLL_PATH):
                try:
                    value = orjson.loads(request.body)
                except orjson.JSONDecodeError:
                    value = ...
                if applies(request, value):
                    return SandboxAnswer(500, b'{"error":"internal error"}')
            return super().answer(request)


def _ids(value: Any) -> list[Any]:
    ids = value.get("UniqueIds") if isinstance(value, dict) else None
    return ids if isinstance(ids, list) else []


def _text(value: Any, *members: str) -> str:
    for member in members:
        value = value.get(member) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _input_names(value: Any) -> list[str]:
    entries = value.get("ScenarioInputParameters") if isinstance(value, dict) else None
    return [_text(entry, "Name") for entry in entries] if isinstance(entries, list) else []


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_duplicates(body: bytes) -> bool:
    return any(body.count(b'"%s"' % name.encode()) > 1 for name in (*REQUIRED, "UniqueIds"))


def _mistyped(value: Any) -> bool:
    return isinstance(value, dict) and any(
        isinstance(value.get(name), int | float | list | dict) for name in REQUIRED[:-1]
    )


def _inputs_mistyped(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.get("ScenarioInputParameters") is not None
        and not isinstance(value["ScenarioInputParameters"], list)
    )


def _depth(request: Request) -> int:
    return request.body.count(b"[") + request.body.count(b"{")


_crashes(
    "bad-json-500",
    "Answers 500 to a body that is not JSON.",
    lambda request, value: value is ... and request.body != b"" and _depth(request) < 50,
)
_crashes("empty-body-500", "Answers 500 to a request without a body.", lambda request, _: not request.body.strip())
_crashes(
    "not-an-object-500",
    "Answers 500 to JSON that is not an object.",
    lambda _, value: value is not ... and not isinstance(value, dict),
)
_crashes("nesting-500", "Answers 500 to deeply nested JSON.", lambda request, _: _depth(request) >= 500)
_crashes(
    "nul-500", "Answers 500 to NUL in a text.", lambda request, _: b"\\u0000" in request.body or b"\0" in request.body
)
_crashes(
    "long-value-500",
    "Answers 500 to values of 64 KiB.",
    lambda request, value: 60_000 < len(request.body) < 900_000 and value is not ... and not _ids(value),
)
_crashes("large-body-500", "Answers 500 to a body of 1 MiB.", lambda request, _: len(request.body) >= 1_000_000)
_crashes(
    "duplicate-member-500",
    "Answers 500 when a member is given twice.",
    lambda request, _: _has_duplicates(request.body),
)
_crashes("many-ids-500", "Answers 500 to a poll for very many ids.", lambda _, value: len(_ids(value)) >= 1000)
_crashes(
    "quote-in-id-500",
    "Answers 500 to a poll for an id with an apostrophe.",
    lambda _, value: any("'" in str(item) for item in _ids(value)),
)
_crashes("invalid-utf-8-500", "Answers 500 to a body that is not UTF-8.", lambda request, _: not _is_utf8(request.body))
_crashes(
    "emoji-in-id-500",
    "Answers 500 to a poll for an id beyond Latin.",
    lambda _, value: any(not str(item).isascii() for item in _ids(value)),
)
_crashes(
    "nul-in-name-500",
    "Answers 500 to NUL in EndUser.Name.",
    lambda _, value: "\0" in _text(value, "EndUser", "Name"),
)
_crashes(
    "long-email-500",
    "Answers 500 to an EndUser.Email of more than 1,000 characters.",
    lambda _, value: len(_text(value, "EndUser", "Email")) > 1000,
)
_crashes(
    "odd-conversation-id-500",
    "Answers 500 to a ConversationId beyond Latin.",
    lambda _, value: not _text(value, "ConversationId").isascii(),
)
_crashes(
    "quote-in-locale-500",
    "Answers 500 to a single quote in Locale.",
    lambda _, value: "'" in _text(value, "Locale"),
)
_crashes("nul-in-tenant-500", "Answers 500 to NUL in Tenant.", lambda _, value: "\0" in _text(value, "Tenant"))
_crashes(
    "variable-twice-500",
    "Answers 500 when a variable is named twice.",
    lambda _, value: len(names := _input_names(value)) > len(set(names)),
)
_crashes("empty-end-user-500", "Answers 500 to an EndUser without members.",
         lambda _, value: isinstance(value, dict) and value.get("EndUser") == {})  # fmt: skip
_crashes(
    "wrong-type-500",
    "Answers 500 to a trigger with a number, array or object where a string belongs.",
    lambda _, value: _mistyped(value),
)
_crashes(
    "wrong-inputs-500",
    "Answers 500 to ScenarioInputParameters that are not an array.",
    lambda _, value: _inputs_mistyped(value),
)
_crashes(
    "wrong-id-500",
    "Answers 500 to a poll for an id that is not a string.",
    lambda _, value: any(not isinstance(item, str) for item in _ids(value)),
)


# ROB-02


async def _hang(_behaviour: SandboxBehaviour, _request: Request, _send: Send) -> None:
    await asyncio.sleep(_HANG_SECONDS)


async def _drop_connection(_behaviour: SandboxBehaviour, _request: Request, send: Send) -> None:
    connection_of(send).abort()
    await asyncio.sleep(0.05)  # until the server has noticed


async def _answer_half(behaviour: SandboxBehaviour, request: Request, send: Send) -> None:
    body = behaviour.answer(request).body
    length = b"%d" % len(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    connection_of(send).close()
    await asyncio.sleep(0.05)


def _fails_to_answer(
    name: str,
    description: str,
    applies: Callable[[Request, SandboxAnswer], bool],
    instead: Callable[[SandboxBehaviour, Request, Send], Any],
) -> None:
    """Register a fault that calls `instead` in place of sending answers for which `applies` is true."""

    @fault(name, "ROB-02", description=description)
    class FailsToAnswer(SandboxBehaviour):
        async def transmit(self, answer: SandboxAnswer, request: Request, send: Send) -> None:
            if applies(request, answer):
                await instead(self, request, send)
            else:
                await super().transmit(answer, request, send)


def _is_not_json(_request: Request, answer: SandboxAnswer) -> bool:
    return answer.status == 400 and b"is not JSON" in answer.body


def _is_empty_poll(request: Request, answer: SandboxAnswer) -> bool:
    return request.path == POLL_PATH and answer.status == 400 and b"array of strings" in answer.body


_fails_to_answer("bad-json-hangs", "Never answers a body that is not JSON.", _is_not_json, _hang)
_fails_to_answer("bad-json-drops", "Drops the connection on a body that is not JSON.", _is_not_json, _drop_connection)
_fails_to_answer(
    "bad-json-half-answered", "Breaks off its answer to a body that is not JSON.", _is_not_json, _answer_half
)
_fails_to_answer("bad-poll-hangs", "Never answers a poll whose UniqueIds are malformed.", _is_empty_poll, _hang)
_fails_to_answer(
    "large-body-drops",
    "Drops the connection on a body of 1 MiB.",
    lambda request, _: len(request.body) >= 1_000_000,
    _drop_connection,
)
_fails_to_answer(
    "wrong-token-drops",
    "Drops the connection on a wrong AccessToken.",
    lambda _, answer: answer.status == 401,
    _drop_connection,
)


@fault("twentieth-poll-drops", "ROB-02")
class _TwentiethPollDrops(SandboxBehaviour):
    """Drops the connection at every twentieth poll, and at the two after it."""

    async def exchange(self, request: Request, send: Send) -> None:
        if request.path == POLL_PATH and self.count("polls") % 20 >= 17:
            await _drop_connection(self, request, send)
        else:
            await super().exchange(request, send)


# ROB-03


def _gives_way(name: str, description: str, most: int, answer: SandboxAnswer, only: str = "") -> None:
    """Register a fault that takes a moment for each answer, and gives `answer` beyond `most` requests at once.

    `only`: the path of the requests that it gives it to, empty for any.
    """

    @fault(name, "ROB-03", description=description)
    class GivesWay(SandboxBehaviour):
        at_once = 0

        async def exchange(self, request: Request, send: Send) -> None:
            self.at_once += 1
            try:
                gives_way = self.at_once > most and only in ("", request.path)
                await asyncio.sleep(_BUSY_SECONDS)
                if gives_way:
                    await self.transmit(deepcopy(answer), request, send)
                else:
                    await super().exchange(request, send)
            finally:
                self.at_once -= 1


_gives_way(
    "crowd-500",
    "Answers 500 beyond eight requests at once.",
    8,
    SandboxAnswer(500, b'{"error":"no connection left in the pool"}'),
)
_gives_way(
    "crowd-503",
    "Answers 503 to triggers beyond four at once.",
    4,
    SandboxAnswer(503, b'{"error":"busy"}'),
    TRIGGER_PATH,
)
_gives_way(
    "crowd-refused",
    "Refuses valid requests beyond ten at once with 400.",
    10,
    SandboxAnswer(400, b'{"error":"try again"}'),
)


@fault("answers-crossed", "ROB-03")
class _AnswersCrossed(SandboxBehaviour):
    """Mixes up the answers to polls that arrive at once."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.held: list[SandboxAnswer] = []

    async def transmit(self, answer: SandboxAnswer, request: Request, send: Send) -> None:
        if request.path == POLL_PATH and answer.status == 200:
            self.held.append(answer)
            await asyncio.sleep(_BUSY_SECONDS)
            answer = self.held.pop()
        await super().transmit(answer, request, send)
