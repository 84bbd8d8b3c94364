"""Faults of answers that disclose an AccessToken, a stack trace, a source path or SQL."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.calls import SandboxCall
from ringback.sandbox.catalogue import fault
from ringback.sandbox.messages import AcceptedTrigger, JsonObject, Refusal, Request, SandboxAnswer

# ROB-04


def _sent_token(request: Request) -> str:
    try:
        value = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return ""
    return str(value.get("AccessToken", "")) if isinstance(value, dict) else ""


@fault("wrong-token-repeated", "ROB-04")
class _WrongTokenRepeated(SandboxBehaviour):
    """Repeats a wrong AccessToken in the refusal."""

    def refuse(self, refusal: Refusal, request: Request) -> SandboxAnswer:
        answer = super().refuse(refusal, request)
        if refusal.status == 401:
            answer.body = orjson.dumps({"error": f"access token {_sent_token(request)} is not valid"})
        return answer


@fault("request-repeated", "ROB-04")
class _RequestRepeated(SandboxBehaviour):
    """Repeats the whole request in a refusal."""

    def refuse(self, refusal: Refusal, request: Request) -> SandboxAnswer:
        answer = super().refuse(refusal, request)
        sent = request.body.decode(errors="replace")
        answer.body = orjson.dumps({"error": refusal.reason, "request": sent})
        return answer


@fault("token-in-answer", "ROB-04")
class _TokenInAnswer(SandboxBehaviour):
    """Repeats the AccessToken in a trigger's answer."""

    def acknowledge(self, call: SandboxCall, order: AcceptedTrigger) -> JsonObject:
        return {**super().acknowledge(call, order), "AccessToken": self.settings.access_token}


def _adds_header(name: str, description: str, header: Callable[[str], tuple[bytes, bytes]]) -> None:
    """Register a fault that repeats the AccessToken in a header of a trigger's answer."""

    @fault(name, "ROB-04", description=description)
    class AddsHeader(SandboxBehaviour):
        def render(self, value: JsonObject, request: Request) -> SandboxAnswer:
            answer = super().render(value, request)
            if "UniqueId" in value:
                answer.headers = [*answer.headers, header(self.settings.access_token)]
            return answer


_adds_header(
    "token-in-header", "Repeats the AccessToken in a header.", lambda token: (b"x-access-token", token.encode())
)
_adds_header(
    "token-in-cookie",
    "Sets a cookie with the AccessToken.",
    lambda token: (b"set-cookie", b"session=" + token.encode() + b"; HttpOnly"),
)


# ROB-05

_PYTHON = b"""Traceback (most recent call last):
  File "/srv/ivr/app/handlers/call.py", line 118, in post
    order = CallOrder.parse(request)
ValueError: invalid order
"""
_JAVA = b"""java.lang.IllegalArgumentException: invalid order
\tat com.example.ivr.CallController.trigger(CallController.java:87)
\tat java.base/java.lang.Thread.run(Thread.java:840)
"""
_DOTNET = b"""System.ArgumentNullException: Value cannot be null.
   at Ivr.Api.Controllers.CallController.Post(CallRequest request) in C:\\build\\Ivr.Api\\CallController.cs:line 42
"""
_SQL = b'{"error":"You have an error in your SQL syntax near \'SELECT id FROM calls WHERE project = \'"}'
_PATH = b'{"error":"cannot parse request (/opt/ivr/releases/41/src/controllers/call.js:73)"}'


def _reveals(name: str, description: str, body: bytes, content_type: bytes = b"application/json") -> None:
    """Register a fault whose refusals have `body`."""

    @fault(name, "ROB-05", description=description)
    class Reveals(SandboxBehaviour):
        def refuse(self, refusal: Refusal, request: Request) -> SandboxAnswer:
            answer = super().refuse(refusal, request)
            answer.body = body
            answer.content_type = content_type
            return answer


_reveals("python-traceback", "Refuses with a Python traceback.", _PYTHON, b"text/plain")
_reveals("java-stack-trace", "Refuses with a Java stack trace.", _JAVA, b"text/plain")
_reveals("dotnet-stack-trace", "Refuses with a .NET stack trace.", _DOTNET, b"text/plain")
_reveals("sql-in-refusal", "Refuses with an SQL error.", _SQL)
_reveals("source-path-in-refusal", "Refuses with the path of a source file.", _PATH)
