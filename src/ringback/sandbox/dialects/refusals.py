"""Dialects of refusals: which requests are refused, with which status and body."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from ringback.sandbox.admission import END_USER, OPTIONAL, REQUIRED, REQUIRED_INPUTS
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import dialect
from ringback.sandbox.messages import JSON, POLL_PATH, TRIGGER_PATH, JsonObject, Refusal, Request, SandboxAnswer


def _status(name: str, clauses: str, description: str, translate: Callable[[int], int]) -> None:
    """Register a dialect that refuses with other statuses."""

    @dialect(name, *clauses.split(), description=description)
    class Status(SandboxBehaviour):
        def refuse(self, refusal: Refusal, request: Request) -> SandboxAnswer:
            answer = super().refuse(refusal, request)
            answer.status = translate(refusal.status)
            return answer


_status(
    "token-400", "REQ-15 REQ-16", "Wrong tokens are refused with 400.", lambda status: 400 if status == 401 else status
)
_status(
    "token-403", "REQ-15 REQ-16", "Wrong tokens are refused with 403.", lambda status: 403 if status == 401 else status
)
_status(
    "invalid-422",
    "REQ-16 RES-08",
    "Malformed requests are refused with 422.",
    lambda status: 422 if status == 400 else status,
)
_status("methods-501", "TRN-03", "Other methods are refused with 501.", lambda status: 501 if status == 405 else status)
_status("methods-404", "TRN-03", "Other methods are refused with 404.", lambda status: 404 if status == 405 else status)


@dialect("options-described", "TRN-03")
class _OptionsDescribed(SandboxBehaviour):
    """OPTIONS is answered 200 with a description of the endpoint and an example."""

    def other_method(self, request: Request) -> SandboxAnswer:
        if request.method == "OPTIONS":
            example = {"UniqueId": "string", "CallResults": [{"UniqueId": "string", "CallState": "Busy"}]}
            described = orjson.dumps(
                {"methods": ["POST"], "parameters": [*REQUIRED, *OPTIONAL], "answer": {"example": example}}
            )
            return SandboxAnswer(200, described, headers=[(b"allow", b"POST")])
        return super().other_method(request)


def _words(name: str, description: str, content_type: bytes | None, word: Callable[[Refusal], bytes]) -> None:
    """Register a dialect that refuses with another body and content type."""

    @dialect(name, "REQ-16", "ROB-05", description=description)
    class Words(SandboxBehaviour):
        def refuse(self, refusal: Refusal, request: Request) -> SandboxAnswer:
            answer = super().refuse(refusal, request)
            answer.body = word(refusal)
            answer.content_type = content_type
            return answer


def _problem(refusal: Refusal) -> bytes:
    return orjson.dumps({"type": "about:blank", "title": refusal.reason, "status": refusal.status})


def _page(refusal: Refusal) -> bytes:
    return f"<!doctype html><title>{refusal.status}</title><h1>{refusal.reason}</h1>".encode()


_words("empty-refusals", "Refusals have no body.", None, lambda _: b"")
_words(
    "text-refusals", "Refusals are plain text.", b"text/plain; charset=utf-8", lambda refusal: refusal.reason.encode()
)
_words("problem-refusals", "Refusals are problem details (RFC 9457).", b"application/problem+json", _problem)
_words("html-refusals", "Refusals are web pages.", b"text/html; charset=utf-8", _page)
_words("json-string-refusals", "Refusals are JSON strings.", JSON, lambda refusal: orjson.dumps(refusal.reason))


@dialect("strict-content-type", "REQ-14", "RES-08")
class _StrictContentType(SandboxBehaviour):
    """Requests with another media type than application/json are refused with 415."""

    def answer(self, request: Request) -> SandboxAnswer:
        declared = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
        if request.method == "POST" and request.path in (TRIGGER_PATH, POLL_PATH) and declared != JSON:
            return self.refuse(Refusal(415, "send application/json"), request)
        return super().answer(request)


@dialect("trailing-text-ignored", "REQ-14", "RES-08")
class _TrailingTextIgnored(SandboxBehaviour):
    """Passes over a byte-order mark, ignores what follows the JSON text, and takes any bytes for text."""

    def read_json(self, request: Request) -> Any:
        text = request.body.decode("utf-8", "replace").removeprefix("\ufeff").lstrip()
        try:
            return json.JSONDecoder().raw_decode(text)[0]
        except (ValueError, RecursionError):
            raise Refusal(400, "the body is not JSON") from None


@dialect("values-of-255", "REQ-08", "ROB-01")
class _ValuesOf255(SandboxBehaviour):
    """Variables of more than 255 characters are refused."""

    def check_inputs(self, inputs: dict[str, str]) -> None:
        super().check_inputs(inputs)
        if any(len(value) > 255 for value in inputs.values()):
            raise Refusal(422, "a value may have 255 characters")


@dialect("variables-up-to-20", "REQ-04", "REQ-08")
class _VariablesUpTo20(SandboxBehaviour):
    """More than 20 project variables are refused."""

    def check_inputs(self, inputs: dict[str, str]) -> None:
        super().check_inputs(inputs)
        if len(inputs.keys() - REQUIRED_INPUTS) > 20:
            raise Refusal(400, "20 variables are enough")


@dialect("names-of-100", "REQ-08", "ROB-01")
class _NamesOf100(SandboxBehaviour):
    """An EndUser's Name of more than 100 characters is refused."""

    def check_end_user(self, end_user: Any) -> None:
        super().check_end_user(end_user)
        if end_user and len(end_user.get("Name") or "") > 100:
            raise Refusal(422, "a name may have 100 characters")


@dialect("odd-text-refused", "ROB-01")
class _OddTextRefused(SandboxBehaviour):
    """NUL, private characters and texts of more than 1,000 characters are refused, and tenants that are not known."""

    def check_types(self, body: JsonObject) -> None:
        super().check_types(body)
        if body.get("Tenant") != "Default" or any(map(_is_odd, _texts(body))):
            raise Refusal(400, "such text is not accepted")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _is_odd(text: str) -> bool:
    return len(text) > 1000 or any(unicodedata.category(c) in {"Cc", "Cn", "Co"} and c not in "\r\n\t" for c in text)


@dialect("nulls-refused", "REQ-12", "REQ-13")
class _NullsRefused(SandboxBehaviour):
    """null is refused for optional parameters too."""

    def check_types(self, body: JsonObject) -> None:
        super().check_types(body)
        if any(body.get(name, "") is None for name in OPTIONAL):
            raise Refusal(400, "null is not a value")


@dialect("unknown-parameters-refused", "REQ-13")
class _UnknownParametersRefused(SandboxBehaviour):
    """Parameters that are not documented are refused."""

    def check_types(self, body: JsonObject) -> None:
        super().check_types(body)
        end_user = body.get("EndUser") or {}
        if not body.keys() <= {*REQUIRED, *OPTIONAL} or not end_user.keys() <= set(END_USER):
            raise Refusal(400, "unknown parameter")


@dialect("whitespace-refused", "REQ-12")
class _WhitespaceRefused(SandboxBehaviour):
    """Blanks alone do not satisfy a required parameter."""

    def check_filled(self, body: JsonObject) -> None:
        super().check_filled(body)
        for name in self.filled:
            value = body.get(name)
            if isinstance(value, str) and not value.strip():
                raise Refusal(400, f"{name} must not be blank")
