"""Faults of transport: HTTPS, certificates, methods, content types, JSON syntax."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl

import orjson

from ringback.sandbox.admission import REQUIRED_INPUTS
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import fault
from ringback.sandbox.certificates import Authority
from ringback.sandbox.messages import TRIGGER_PATH, JsonObject, Request, SandboxAnswer
from ringback.sandbox.settings import SandboxSettings


@fault("plain-http", "TRN-01")
class _PlainHttp(SandboxBehaviour):
    """Serves plain HTTP, without TLS."""

    @classmethod
    def adapt(cls, settings: SandboxSettings) -> SandboxSettings:
        return replace(super().adapt(settings), tls=False)


# TRN-02


@fault("expired-certificate", "TRN-02")
class _ExpiredCertificate(SandboxBehaviour):
    """Presents a certificate that expired yesterday."""

    def server_context(self, authority: Authority) -> ssl.SSLContext:
        return authority.server_context(valid_for=(timedelta(days=-90), timedelta(days=-1)))


@fault("certificate-from-tomorrow", "TRN-02")
class _CertificateFromTomorrow(SandboxBehaviour):
    """Presents a certificate that is not valid yet."""

    def server_context(self, authority: Authority) -> ssl.SSLContext:
        return authority.server_context(valid_for=(timedelta(days=1), timedelta(days=90)))


@fault("wrong-host-certificate", "TRN-02")
class _WrongHostCertificate(SandboxBehaviour):
    """Presents a certificate for another host."""

    def server_context(self, authority: Authority) -> ssl.SSLContext:
        return authority.server_context(names=("ivr.example.net",))


@fault("common-name-only", "TRN-02")
class _CommonNameOnly(SandboxBehaviour):
    """Presents a certificate that names the host localhost in its common name only."""

    def server_context(self, authority: Authority) -> ssl.SSLContext:
        return authority.server_context(common_name="localhost")


@fault("unknown-authority", "TRN-02")
class _UnknownAuthority(SandboxBehaviour):
    """Presents a certificate of an authority that clients do not trust."""

    def server_context(self, authority: Authority) -> ssl.SSLContext:
        return authority.server_context(unknown_authority=True)


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


@fault("get-answers-200", "TRN-03")
class _GetAnswers200(SandboxBehaviour):
    """Answers GET with 200 and a hint."""

    def other_method(self, request: Request) -> SandboxAnswer:
        if request.method == "GET":
            return SandboxAnswer(200, b'{"message":"this endpoint takes POST"}')
        return super().other_method(request)


@fault("get-redirects", "TRN-03")
class _GetRedirects(SandboxBehaviour):
    """Redirects GET to a login page with 302."""

    def other_method(self, request: Request) -> SandboxAnswer:
        if request.method == "GET":
            return SandboxAnswer(302, headers=[(b"location", b"/login")])
        return super().other_method(request)


@fault("poll-takes-get", "TRN-03")
class _PollTakesGet(SandboxBehaviour):
    """Answers GET on the poll endpoint like a poll with an empty list."""

    def other_method(self, request: Request) -> SandboxAnswer:
        if request.method == "GET" and request.path != TRIGGER_PATH:
            return self.render(self.results([]), request)
        return super().other_method(request)


@fault("get-reports-query", "TRN-03")
class _GetReportsQuery(SandboxBehaviour):
    """Answers GET on the poll endpoint with the calls whose UniqueIds are in the query."""

    def other_method(self, request: Request) -> SandboxAnswer:
        ids = parse_qs(request.query.decode("ascii", "replace")).get("UniqueIds", [])
        if request.method == "GET" and request.path != TRIGGER_PATH and ids:
            return self.render(self.results(self.report(ids)), request)
        return super().other_method(request)


@fault("delete-refused-with-results", "TRN-03")
class _DeleteRefusedWithResults(SandboxBehaviour):
    """Refuses DELETE on the poll endpoint with 405, and reports the calls in its query all the same."""

    def other_method(self, request: Request) -> SandboxAnswer:
        ids = parse_qs(request.query.decode("ascii", "replace")).get("UniqueIds", [])
        if request.method == "DELETE" and request.path != TRIGGER_PATH and ids:
            answer = self.render(self.results(self.report(ids)), request)
            answer.status = 405
            return answer
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


@fault("delete-answers-200", "TRN-03")
class _DeleteAnswers200(SandboxBehaviour):
    """Answers DELETE with 200 and an error in the body."""

    def other_method(self, request: Request) -> SandboxAnswer:
        if request.method == "DELETE":
            return SandboxAnswer(200, b'{"error":"method not supported"}')
        return super().other_method(request)


@fault("patch-crashes", "TRN-03")
class _PatchCrashes(SandboxBehaviour):
    """Answers PATCH with 500."""

    def other_method(self, request: Request) -> SandboxAnswer:
        if request.method == "PATCH":
            return SandboxAnswer(500, b'{"error":"no handler"}')
        return super().other_method(request)


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
