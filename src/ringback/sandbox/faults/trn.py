"""Faults of transport: HTTPS, certificates, methods, content types, JSON syntax."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import orjson

from ringback.sandbox.admission import REQUIRED_INPUTS
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import fault
from ringback.sandbox.certificates import Authority
from ringback.sandbox.messages import TRIGGER_PATH, JsonObject, Request, SandboxAnswer, Send, connection_of
from ringback.sandbox.settings import SandboxSettings


@fault("plain-http", "TRN-01")
class _PlainHttp(SandboxBehaviour):
    """Serves plain HTTP, without TLS."""

    @classmethod
    def adapt(cls, settings: SandboxSettings) -> SandboxSettings:
        return replace(super().adapt(settings), tls=False)


# TRN-02


def _presents(name: str, description: str, **certificate: Any) -> None:
    """Register a fault that presents such a certificate (see `Authority.server_context`)."""

    @fault(name, "TRN-02", description=description)
    class Presents(SandboxBehaviour):
        def server_context(self, authority: Authority) -> ssl.SSLContext:
            return authority.server_context(**certificate)


_presents(
    "expired-certificate",
    "Presents a certificate that expired yesterday.",
    valid_for=(timedelta(days=-90), timedelta(days=-1)),
)
_presents(
    "certificate-from-tomorrow",
    "Presents a certificate that is not valid yet.",
    valid_for=(timedelta(days=1), timedelta(days=90)),
)
_presents("wrong-host-certificate", "Presents a certificate for another host.", names=("ivr.example.net",))
_presents(
    "common-name-only",
    "Presents a certificate that names the host localhost in its common name only.",
    common_name="localhost",
)
_presents(
    "unknown-authority", "Presents a certificate of an authority that clients do not trust.", unknown_authority=True
)


@fault("old-tls", "TRN-02")
class _OldTls(SandboxBehaviour):
    """Speaks TLS 1.1 at most."""

    def server_context(self, authority: Authority) -> ssl.SSLContext:
        context = super().server_context(authority)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context


# TRN-03


def _answers_to(name: str, description: str, method: str, answer: SandboxAnswer) -> None:
    """Register a fault that answers requests with another method than POST."""

    @fault(name, "TRN-03", description=description)
    class AnswersTo(SandboxBehaviour):
        def other_method(self, request: Request) -> SandboxAnswer:
            return deepcopy(answer) if request.method == method else super().other_method(request)


_answers_to(
    "get-answers-200",
    "Answers GET with 200 and a hint.",
    "GET",
    SandboxAnswer(200, b'{"message":"this endpoint takes POST"}'),
)
_answers_to(
    "get-redirects",
    "Redirects GET to a login page with 302.",
    "GET",
    SandboxAnswer(302, headers=[(b"location", b"/login")]),
)


@fault("poll-takes-get", "TRN-03")
class _PollTakesGet(SandboxBehaviour):
    """Answers GET on the poll endpoint like a poll with an empty list."""

    def other_method(self, request: Request) -> SandboxAnswer:
        if request.method == "GET" and request.path != TRIGGER_PATH:
            return self.render(self.results([]), request)
        return super().other_method(request)


@fault("delete-drops", "TRN-03")
class _DeleteDrops(SandboxBehaviour):
    """Closes the connection on DELETE, without an answer."""

    async def exchange(self, request: Request, send: Send) -> None:
        if request.method == "DELETE":
            connection_of(send).abort()
            await asyncio.sleep(0.05)  # until the server has noticed
        else:
            await super().exchange(request, send)


def _reports_query(name: str, description: str, method: str, status: int) -> None:
    """Register a fault that reports the calls in the query of a request to the poll endpoint."""

    @fault(name, "TRN-03", description=description)
    class ReportsQuery(SandboxBehaviour):
        def other_method(self, request: Request) -> SandboxAnswer:
            ids = parse_qs(request.query.decode("ascii", "replace")).get("UniqueIds", [])
            if request.method == method and request.path != TRIGGER_PATH and ids:
                return replace(self.render(self.results(self.report(ids)), request), status=status)
            return super().other_method(request)


_reports_query(
    "get-reports-query", "Answers GET on the poll endpoint with the calls whose UniqueIds are in the query.", "GET", 200
)
_reports_query(
    "delete-refused-with-results",
    "Refuses DELETE on the poll endpoint with 405, and reports the calls in its query all the same.",
    "DELETE",
    405,
)


@fault("trace-echoes", "TRN-03")
class _TraceEchoes(SandboxBehaviour):
    """Answers TRACE with the request that it was sent."""

    def other_method(self, request: Request) -> SandboxAnswer:
        if request.method == "TRACE":
            target = request.path.encode() + b"?" + request.query
            return SandboxAnswer(200, b"TRACE " + target + b" HTTP/1.1\r\n\r\n", b"message/http")
        return super().other_method(request)


@fault("get-triggers-by-query", "TRN-03")
class _GetTriggersByQuery(SandboxBehaviour):
    """Places a call for a GET with the parameters in the query."""

    def other_method(self, request: Request) -> SandboxAnswer:
        given = dict(parse_qsl(request.query.decode("ascii", "replace")))
        if request.method == "GET" and request.path == TRIGGER_PATH and given:
            inputs = [{"Name": name, "Value": given.pop(name)} for name in REQUIRED_INPUTS if name in given]
            request.body = orjson.dumps({**given, "ScenarioInputParameters": inputs})
            return self.trigger(request)
        return super().other_method(request)


@fault("put-triggers", "TRN-03")
class _PutTriggers(SandboxBehaviour):
    """Places a call for PUT as for POST."""

    def other_method(self, request: Request) -> SandboxAnswer:
        if request.method == "PUT" and request.path == TRIGGER_PATH:
            return self.trigger(request)
        return super().other_method(request)


_answers_to(
    "delete-answers-200",
    "Answers DELETE with 200 and an error in the body.",
    "DELETE",
    SandboxAnswer(200, b'{"error":"method not supported"}'),
)
_answers_to("patch-crashes", "Answers PATCH with 500.", "PATCH", SandboxAnswer(500, b'{"error":"no handler"}'))


# TRN-04


def _says(name: str, description: str, content_type: bytes | None, where: str = "UniqueId CallResults") -> None:
    """Register a fault that changes the content type of 200 answers that have one of the members `where`."""

    @fault(name, "TRN-04", description=description)
    class Says(SandboxBehaviour):
        def render(self, value: JsonObject, request: Request) -> SandboxAnswer:
            answer = super().render(value, request)
            if any(member in value for member in where.split()):
                answer.content_type = content_type
            return answer


_says("html-content-type", "Declares its answers to be HTML.", b"text/html; charset=utf-8")
_says("text-content-type", "Declares its answers to be plain text.", b"text/plain")
_says("no-content-type", "Sends answers without a Content-Type.", None)
_says("text-json-content-type", "Declares its answers to be text/json.", b"text/json")
_says("binary-content-type", "Declares the trigger's answer to be binary.", b"application/octet-stream", "UniqueId")
_says("poll-html-content-type", "Declares the poll's answer to be HTML.", b"text/html", "CallResults")


# TRN-05


def _garbles(name: str, description: str, change: Callable[[bytes], bytes], where: str = "") -> None:
    """Register a fault that changes the text of 200 answers, or only of those that have the member `where`."""

    @fault(name, "TRN-05", description=description)
    class Garbles(SandboxBehaviour):
        def encode(self, value: JsonObject) -> bytes:
            text = super().encode(value)
            return change(text) if not where or where in value else text


_garbles("byte-order-mark", "Starts its answers with a byte-order mark.", lambda text: b"\xef\xbb\xbf" + text)
_garbles(
    "poll-byte-order-mark",
    "Starts poll answers with a byte-order mark.",
    lambda text: b"\xef\xbb\xbf" + text,
    "CallResults",
)
_garbles(
    "trailing-comment",
    "A proxy appends an HTML comment to its answers.",
    lambda text: text + b"\n<!-- served by node 3 -->",
)
_garbles("trailing-nul", "Ends its answers with a NUL character.", lambda text: text + b"\0")
_garbles("guarded-json", "Starts its answers with a guard against script inclusion.", lambda text: b")]}',\n" + text)
_garbles("jsonp", "Wraps its answers in a function call.", lambda text: b"callback(" + text + b");")
_garbles("two-documents", "Sends the answer twice in one body.", lambda text: text + b"\n" + text)
_garbles("single-quotes", "Writes strings in single quotes.", lambda text: text.replace(b'"', b"'"))
_garbles("nan-member", "Adds a member whose value is NaN.", lambda text: text[:-1] + b',"ElapsedSeconds":NaN}')
_garbles(
    "trailing-comma",
    "Leaves a comma after the last member of a trigger's answer.",
    lambda text: text[:-1] + b",}",
    "UniqueId",
)
_garbles("utf-16", "Encodes poll answers in UTF-16.", lambda text: text.decode().encode("utf-16"), "CallResults")


# TRN-06


@fault("unique-id-twice", "TRN-06")
class _UniqueIdTwice(SandboxBehaviour):
    """Names UniqueId twice in a trigger's answer."""

    def encode(self, value: JsonObject) -> bytes:
        text = super().encode(value)
        if "UniqueId" in value:
            return text[:-1] + b',"UniqueId":' + orjson.dumps(value["UniqueId"]) + b"}"
        return text


@fault("call-state-twice", "TRN-06")
class _CallStateTwice(SandboxBehaviour):
    """Names CallState twice in each entry of a poll's answer."""

    def encode(self, value: JsonObject) -> bytes:
        return super().encode(value).replace(b'"CallState":', b'"CallState":"","CallState":')


@fault("call-results-twice", "TRN-06")
class _CallResultsTwice(SandboxBehaviour):
    """Names CallResults twice in a poll's answer, the first time without entries."""

    def encode(self, value: JsonObject) -> bytes:
        text = super().encode(value)
        return b'{"CallResults":[],' + text[1:] if "CallResults" in value else text
