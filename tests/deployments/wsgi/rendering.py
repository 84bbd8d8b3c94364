"""Writes answers: JSON texts and refusals in the dialect's form, with the faults in them."""

import gzip
import json
import re
import traceback
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from flask import Response, request

from .dialects import Dialect
from .faults import Fault
from .reading import Problem, Refused

STATEMENT = "SELECT id FROM projects WHERE name = ? AND access_token = ?"
PIECE = 64  # bytes of a chunk

# What a fault does to the text of a 200 answer, by the endpoint that it spoils.
SPOILED: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "bom-on-polls": ("poll", lambda text: text.encode("utf-8-sig")),
    "nul-after-trigger": ("trigger", lambda text: text.encode() + b"\0"),
    "toolbar-after-poll": (
        "poll",
        lambda text: (text + "<!-- 2 queries -->\n").encode() if _tells(text) else text.encode(),
    ),
    "state-named-twice": ("poll", lambda text: re.sub(r'("CallState": "[^"]*")', r"\1, \1", text).encode()),
}

TYPES = {"html-type-on-trigger": ("trigger", "text/html; charset=utf-8"), "text-json-on-polls": ("poll", "text/json")}


def _tells(text: str) -> bool:
    return bool(re.search(r'"CallState": "[^"]', text))


def json_text(document: Any, spelling: str = "pretty") -> str:
    """One JSON text, pretty, compact, escaped (all but letters and digits) or padded with white space."""
    if spelling == "compact":
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if spelling == "escaped":
        return re.sub(r'"((?:[^"\\]|\\.)*)"', _escaped, json.dumps(document))
    pretty = json.dumps(document, indent=2) + "\n"
    return f"\n  {pretty}\r\n\t" if spelling == "padded" else pretty


def _escaped(match: re.Match[str]) -> str:
    return '"' + re.sub(r"\\.|[^\w ]", lambda sign: _escape(sign[0]), match[1]) + '"'


def _escape(sign: str) -> str:
    return sign if len(sign) > 1 else f"\\u{ord(sign):04X}"


class Renderer:
    """Writes answers with one dialect and one fault."""

    def __init__(self, dialect: Dialect, fault: Fault) -> None:
        self._dialect = dialect
        self._fault = fault

    def answer(self, endpoint: str, document: Any, status: int = 200, entries: int = 0) -> Response:
        """The answer of an endpoint, `trigger` or `poll`; `entries` is the number of its results."""
        text = json_text(document, self._dialect.json)
        spoiled, spoil = SPOILED.get(self._fault.name, ("", str.encode))
        body = spoil(text) if spoiled == endpoint else text.encode()
        if self._fault("latin-1-member") and endpoint == "trigger":
            body = body.replace(b"{", '{"Opérateur": "Télécom",'.encode("latin-1"), 1)
        response = self._response(body, status)
        labelled, media_type = TYPES.get(self._fault.name, ("", ""))
        response.headers["Content-Type"] = media_type if labelled == endpoint else self._dialect.content_type
        if entries > 8:
            self._spoil_long(response, len(body))
        return response

    def _spoil_long(self, response: Response, size: int) -> None:
        if self._fault("no-type-on-long-polls"):
            del response.headers["Content-Type"]
        if self._fault("length-overstated"):
            response.headers["Content-Length"] = str(size + 40)

    def _response(self, body: bytes, status: int) -> Response:
        reason = self._dialect.reason if status == HTTPStatus.OK else HTTPStatus(status).phrase
        if self._dialect.compressed and "gzip" in request.headers.get("Accept-Encoding", ""):
            headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            response = Response(gzip.compress(body), headers=headers)
        else:
            response = Response(_pieces(body) if self._dialect.chunked else body)
        response.status = f"{status} {reason}"
        if self._dialect.cookies:
            response.set_cookie("node", "a1", httponly=True)
        return response

    def refusal(self, refused: Refused, raw: bytes) -> Response:
        """The refusal of a request whose body was `raw`."""
        status = refused.status or self._dialect.refusal_status
        if status == 413 and self._dialect.refusal == "text":
            status = 400
        kinds = {problem.kind for problem in refused.problems}
        if self._fault("wrong-token-redirects") and status == self._dialect.token_status:
            return Response(status=302, headers={"Location": "/login"})
        if self._fault("refusals-are-200") and refused.status is None and request.path.endswith("/call"):
            status = 200
        errors = [{"field": problem.field, "message": problem.message} for problem in refused.problems]
        document = self._refusal_document(status, errors)
        if self._fault("refusal-carries-an-id") and "missing" in kinds and request.path.endswith("/call"):
            document["UniqueId"] = "call-000000000000000000000000"
        document |= self._leaks(refused, raw)
        return self._refusal_response(status, document, refused.problems)

    def _refusal_document(self, status: int, errors: list[dict[str, str]]) -> dict[str, Any]:
        if self._dialect.refusal == "problem":
            return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "invalid": errors}
        if self._dialect.refusal == "envelope":
            return {"UniqueId": None, "CallResults": None, "Success": False, "Errors": errors}
        return {"errors": errors}

    def _refusal_response(self, status: int, document: dict[str, Any], problems: tuple[Problem, ...]) -> Response:
        if self._dialect.refusal == "empty":
            response = Response(status=status)
            del response.headers["Content-Type"]
            return response
        if self._dialect.refusal == "text":
            message = "; ".join(f"{problem.field} {problem.message}" for problem in problems)
            return Response(f"Refused: {message}\n", status=status, content_type="text/plain")
        text = json_text(document, self._dialect.json)
        if self._fault("refusal-names-twice"):
            text = re.sub(r'("field": "[^"]*")', r"\1, \1", text)
        response = self._response(text.encode(), status)
        problem_details = self._dialect.refusal == "problem"
        response.headers["Content-Type"] = "application/problem+json" if problem_details else self._dialect.content_type
        return response

    def _leaks(self, refused: Refused, raw: bytes) -> dict[str, Any]:
        """What a fault wrongly adds to a refusal."""
        text = raw.decode(errors="replace")
        fields = {problem.field for problem in refused.problems}
        unreadable = refused.__cause__ is not None and "body" in fields
        if self._fault("malformed-body-echoed") and unreadable:
            return {"document": text}
        if self._fault("body-echoed-in-refusal") and not unreadable and "AccessToken" not in fields:
            return {"input": json.loads(text)}
        if self._fault("wrong-token-echoed") and refused.status == self._dialect.token_status:
            return {"token": json.loads(text)["AccessToken"]}
        if self._fault("traceback-in-refusal"):
            return {"trace": "".join(traceback.format_exception(refused))}
        if self._fault("sql-in-refusal") and "AccessToken" in fields:
            return {"statement": STATEMENT}
        return {}

    def plain_refusal(self, status: int) -> Response:
        """The refusal of a request before an endpoint handles it: 404, 405, 413, 429, 500, ..."""
        return self._refusal_response(status, self._refusal_document(status, []), (Problem("request", "is refused"),))


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]
