"""Reading an answer's bytes: bounded decoding of content codings, and JSON read strictly and leniently at once.

A strict reader says what is wrong with a JSON text; a lenient one gets at the values all the same, so that one
deviation does not hide every other observation.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

__all__ = ["MAX_BODY", "BodyDecoder", "Json", "decoded_text", "read_json", "strings_in"]

MAX_BODY = 8 * 1024 * 1024
"""Bytes of an answer, after decompression, beyond which reading stops."""


class BodyDecoder:
    """Undoes gzip and deflate piece by piece, never holding more than `MAX_BODY` bytes."""

    def __init__(self, coding: str) -> None:
        coding = coding.strip().lower()
        self.unknown = coding not in {"", "identity", "gzip", "x-gzip", "deflate"}
        self._inflate = zlib.decompressobj(47) if coding in {"gzip", "x-gzip", "deflate"} else None
        self.body = bytearray()
        self._fed = False
        self.problem: str | None = f"the content coding {coding!r} was not asked for" if self.unknown else None

    def feed(self, piece: bytes) -> bool:
        """Take a piece as it came; False when the bound is reached and reading should stop."""
        room = MAX_BODY - len(self.body)
        self._fed = self._fed or bool(piece)
        if self._inflate is not None:
            try:
                piece = self._inflate.decompress(piece, room + 1)
            except zlib.error as error:
                self.problem = f"its content coding does not decode ({error})"
                return False
        self.body += piece[: room + 1]
        if len(self.body) > MAX_BODY:
            del self.body[MAX_BODY:]
            self.problem = f"the body is longer than {MAX_BODY} bytes"
            return False
        return True

    def end(self) -> None:
        """All pieces have come: was that the whole of what the coding promised?"""
        if self.problem is None and self._inflate is not None and self._fed and not self._inflate.eof:
            self.problem = "its content coding ends early"


_ABSENT: Any = object()
_LONGEST_NUMBER = 1000
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


@dataclass(frozen=True, slots=True)
class Json:
    """A body read as JSON: the value if any reading gave one, and what a strict reader objects to."""

    value: Any
    problem: str | None
    """Why the body is not one JSON text by RFC 8259; None if it is."""
    twice: tuple[str, ...]
    """Member names that one object holds twice."""

    @property
    def readable(self) -> bool:
        """Whether even a lenient reader got a value."""
        return self.value is not _ABSENT


def read_json(body: bytes) -> Json:
    """Read a body strictly, and leniently where that fails."""
    twice: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for name, value in pairs:
            if name in seen:
                twice.append(name)
            # Of two values the later one counts, as most parsers have it, unless it is empty.
            if name not in seen or value not in _EMPTY:
                seen[name] = value
        return seen

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    strict = json.JSONDecoder(object_pairs_hook=members, parse_constant=constant, parse_int=_whole)
    lenient = json.JSONDecoder(object_pairs_hook=members, parse_int=_whole, strict=False)
    if not body.strip():
        return Json(_ABSENT, "the body is empty", ())
    problem: str
    try:
        text = body.decode("utf-8")
        if text.startswith("\ufeff"):
            problem = "it begins with a byte-order mark"
        else:
            return Json(strict.decode(text), None, tuple(dict.fromkeys(twice)))
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
        text = _decoded(body)
    except RecursionError:
        return Json(_ABSENT, "it is nested too deeply to be read", ())
    except ValueError as error:
        problem = _told(error)
    twice.clear()
    text = text.lstrip("\ufeff")
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if start < 0:
        return Json(_ABSENT, problem, ())
    for repaired in (text[start:], _TRAILING_COMMA.sub(r"\1", text[start:].replace("'", '"'))):
        twice.clear()
        try:
            value, _end = lenient.raw_decode(repaired)
        except (ValueError, RecursionError):
            continue
        return Json(value, problem, tuple(dict.fromkeys(twice)))
    return Json(_ABSENT, problem, ())


def strings_in(body: bytes) -> tuple[str, ...]:
    """Every string value in a body that a reader could take for an id, members given twice included."""
    found: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for _name, value in pairs:
            collect(value)
        return {}

    try:
        collect(json.loads(body, object_pairs_hook=members, parse_int=_whole))
    except (ValueError, RecursionError):
        found = re.findall(r'"([^"\\]*)"', body.decode("utf-8", "replace"))
    return tuple(dict.fromkeys(found))


def decoded_text(body: bytes) -> str:
    """A body's text as written, then its JSON strings as a reader decodes them, with real line breaks."""
    return "\n".join([body.decode("utf-8", "replace"), *strings_in(body)])


def _whole(digits: str) -> int | float:
    """A whole number, however long; Python reads so many digits and no more."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)


def _decoded(body: bytes) -> str:
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return body.decode("utf-16", "replace")
    return body.decode("latin-1")


def _told(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        if error.msg == "Extra data":
            return f"something follows the JSON text at character {error.pos}"
        return f"{error.msg.lower()} at character {error.pos}"
    return str(error)
