"""Dialects of whole stacks: what frameworks, gateways and balancers in front of a deployment do."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import orjson

from ringback import clock
from ringback.sandbox.admission import END_USER, OPTIONAL, REQUIRED
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.calls import SandboxCall
from ringback.sandbox.catalogue import dialect
from ringback.sandbox.messages import (
    JSON,
    POLL_PATH,
    TRIGGER_PATH,
    AcceptedTrigger,
    JsonObject,
    Refusal,
    Request,
    SandboxAnswer,
    Send,
)
from ringback.sandbox.settings import SandboxSettings

_MEMBERS = {name.lower(): name for name in (*REQUIRED, *OPTIONAL, *END_USER, "Value", "UniqueIds")}
_BODY_BYTES = 60 * 1024
_QUERY_BYTES = 512
_HIDDEN_SECONDS = 0.3
_TURN_SECONDS = 0.02
_HELD_SECONDS = 0.6
_LOOK_SECONDS = 0.02


@dialect("aspnet", "REQ-13", "REQ-14", "REQ-16", "RES-08")
class _AspNet(SandboxBehaviour):
    """ASP.NET Core: names in any case, GUIDs, escaped text, problem details that name members, 401 without a body."""

    def make_id(self, order: AcceptedTrigger) -> str:
        del order
        return str(uuid.uuid4())

    def read_json(self, request: Request) -> Any:
        declared = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
        if declared != JSON:
            raise Refusal(415, "Unsupported Media Type")
        return _in_pascal_case(super().read_json(request))

    def encode(self, value: JsonObject) -> bytes:
        escaped = json.dumps(value)
        for character in "<>&'+":
            escaped = escaped.replace(character, f"\\u{ord(character):04X}")
        return escaped.encode()

    def refuse(self, refusal: Refusal, request: Request) -> SandboxAnswer:
        answer = super().refuse(refusal, request)
        answer.headers += [(b"server", b"Kestrel"), (b"api-supported-versions", b"2.0")]
        if refusal.status == 401:
            answer.body, answer.content_type = b"", None
            answer.headers += [(b"www-authenticate", b"Bearer")]
            return answer
        member = "$.UniqueIds[0]" if request.path == POLL_PATH else "$.UniqueId"
        problem = {
            "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
            "title": "One or more validation errors occurred.",
            "status": refusal.status,
            "errors": {member: [f"The JSON value could not be converted. Path: {member} | LineNumber: 0."]},
            "traceId": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00",
        }
        answer.body, answer.content_type = orjson.dumps(problem), b"application/problem+json; charset=utf-8"
        return answer


def _in_pascal_case(value: Any) -> Any:
    if isinstance(value, dict):
        return {_MEMBERS.get(name.lower(), name): _in_pascal_case(inner) for name, inner in value.items()}
    return [_in_pascal_case(inner) for inner in value] if isinstance(value, list) else value


@dialect("spring", "TRN-03", "REQ-16", "RES-08")
class _Spring(SandboxBehaviour):
    """Spring Boot: refusals with timestamp, status, error and path; 406 if JSON is not acceptable; a session cookie."""

    def answer(self, request: Request) -> SandboxAnswer:
        accept = request.header(b"accept") or b"*/*"
        if b"json" not in accept and b"*/*" not in accept:
            answer = SandboxAnswer(406, b"", None)
        else:
            answer = super().answer(request)
        session = f"JSESSIONID={uuid.uuid4().hex.upper()}; Path=/; HttpOnly".encode()
        answer.headers += [(b"set-cookie", session), (b"vary", b"Origin"), (b"cache-control", b"no-store")]
        return answer

    def refuse(self, refusal: Refusal, request: Request) -> SandboxAnswer:
        answer = super().refuse(refusal, request)
        when = clock.wall().isoformat(timespec="milliseconds")
        described = {"timestamp": when, "status": refusal.status, "error": "Bad Request", "path": request.path}
        answer.body = orjson.dumps(described)
        return answer


@dialect("json-api", "REQ-16", "RES-08")
class _JsonApi(SandboxBehaviour):
    """Refusals are JSON:API errors, which have an id of their own and say that no call has one."""

    def refuse(self, refusal: Refusal, request: Request) -> SandboxAnswer:
        answer = super().refuse(refusal, request)
        error = {
            "id": str(uuid.uuid4()),
            "status": str(refusal.status),
            "detail": f"{refusal.reason}. No UniqueId was issued.",
        }
        answer.body = orjson.dumps({"UniqueId": None, "errors": [error], "meta": {"callId": None}})
        answer.content_type = b"application/vnd.api+json"
        return answer


@dialect("api-gateway", "TRN-03", "ROB-01", "ROB-02")
class _ApiGateway(SandboxBehaviour):
    """A gateway in front answers other methods 403, bodies of 60 KiB 413 and long queries 414, and closes."""

    def answer(self, request: Request) -> SandboxAnswer:
        if request.method != "POST" or request.path not in (TRIGGER_PATH, POLL_PATH):
            return _gateway(403, "Missing Authentication Token")
        if len(request.body) > _BODY_BYTES:
            return _gateway(413, "Request Too Long")
        if len(request.query) > _QUERY_BYTES:
            return _gateway(414, "URI Too Long")
        if b"\\u0000" in request.body or b"\0" in request.body:
            return _gateway(403, "Forbidden")
        return super().answer(request)


def _gateway(status: int, message: str) -> SandboxAnswer:
    headers = [(b"x-request-id", uuid.uuid4().hex.encode()), (b"connection", b"close")]
    return SandboxAnswer(status, orjson.dumps({"message": message}), headers=headers)


@dialect("eventually-consistent", "RES-01", "STA-05")
class _EventuallyConsistent(SandboxBehaviour):
    """A call is unknown for 300 ms after its acceptance, and unknown ids are entries with an empty state."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.accepted_at: dict[str, float] = {}

    def place(self, order: AcceptedTrigger) -> SandboxCall:
        call = super().place(order)
        self.accepted_at[call.unique_id] = clock.monotonic()
        return call

    def entry(self, unique_id: str) -> JsonObject | None:
        if clock.monotonic() - self.accepted_at.get(unique_id, 0.0) < _HIDDEN_SECONDS:
            return self.unknown_entry(unique_id)
        return super().entry(unique_id)

    def unknown_entry(self, unique_id: str) -> JsonObject | None:
        return self.make_entry(unique_id, "")


@dialect("one-at-a-time", "ROB-02", "ROB-03")
class _OneAtATime(SandboxBehaviour):
    """Requests are served one after another, 20 ms each, as with a lock on the client's session."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.turn = asyncio.Lock()

    async def exchange(self, request: Request, send: Send) -> None:
        async with self.turn:
            await asyncio.sleep(_TURN_SECONDS)
            await super().exchange(request, send)


@dialect("long-polls", "ROB-02", "STA-05")
class _LongPolls(SandboxBehaviour):
    """A poll without a result is held for up to 600 ms, until there is one."""

    async def exchange(self, request: Request, send: Send) -> None:
        until = clock.monotonic() + _HELD_SECONDS
        while request.path == POLL_PATH and request.method == "POST" and clock.monotonic() < until:
            answer = self.answer(request)
            if answer.status != 200 or b'"CallState"' in answer.body:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        await super().exchange(request, send)
