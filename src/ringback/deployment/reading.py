"""Reads answers: decodes content codings up to a size limit, and reads JSON both strictly and leniently.

The strict reader reports what is wrong with a JSON text; the lenient one still finds its values, so that one deviation
does not hide other observations.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["MAX_BODY", "BodyDecoder", "Json", "decoded_text", "ids_in", "outline", "read_json", "strings_in"]

MAX_BODY = 4 * 1024 * 1024
"""Bytes of an answer, after decompression, beyond which reading stops."""


class BodyDecoder:
    """Decodes gzip and deflate piece by piece, up to `MAX_BODY` bytes."""

    def __init__(self, coding: str) -> None:
        coding = coding.strip().lower()
        self.unknown = coding not in {"", "identity", "gzip", "x-gzip", "deflate"}
        self._inflate = zlib.decompressobj(47) if coding in {"gzip", "x-gzip", "deflate"} else None
        self.body = bytearray()
        self.received = 0
        """Bytes that were read, packed or unpacked, whichever is more."""
        self._fed = False
        self.problem: str | None = f"the content coding {coding!r} was not asked for" if self.unknown else None

    def feed(self, piece: bytes) -> bool:
        """Decode one received piece; returns False when reading should stop, at the size limit or after an error."""
        room, size = MAX_BODY - len(self.body), len(piece)
        self._fed = self._fed or bool(piece)
        if self._inflate is not None:
            try:
                piece = self._inflate.decompress(piece, room + 1)
            except zlib.error as error:
                self.problem = f"its content coding does not decode ({error})"
                return False
        self.body += piece[: room + 1]
        self.received = max(self.received + size, len(self.body))
        if len(self.body) > MAX_BODY:
            del self.body[MAX_BODY:]
            self.problem = f"the body is longer than {MAX_BODY} bytes"
            return False
        return True

    def end(self) -> None:
        """End the body, and record a problem if its content coding is incomplete."""
        if self.problem is None and self._inflate is not None and self._fed and not self._inflate.eof:
            self.problem = "its content coding ends early"


_ABSENT: Any = object()
_OBJECT: Any = object()
_DOCUMENTED = frozenset({"UniqueId", "CallResults", "CallRequestId", "CallState"})
_LONGEST_NUMBER = 1000
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


@dataclass(frozen=True, slots=True)
class Json:
    """A body read as JSON: its value if it could be read, and what is wrong with its syntax."""

    value: Any
    problem: str | None
    """Why the body is not one JSON text by RFC 8259; None if it is."""
    twice: tuple[str, ...]
    """Member names that occur twice in one object."""

    @property
    def readable(self) -> bool:
        """Whether the strict or the lenient reader found a value."""
        return self.value is not _ABSENT

    def outlined(self) -> Json:
        """A copy that is small whatever came."""
        return Json(outline(self.value), self.problem, self.twice[:1])


def read_json(body: bytes) -> Json:
    """Read a body strictly, and leniently if that fails."""
    twice: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for name, value in pairs:
            if name in seen:
                twice.append(name)
            # Like most parsers, use the later of two values, unless it is empty.
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
        problem = _describe(error)
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


def outline(value: Any, most: int = 20) -> Any:
    """A copy of the first `most` members, documented ones first; fewer of those inside."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name not in _DOCUMENTED)[:most]
        return {name: outline(value[name], most // 6) for name in names}
    if isinstance(value, list):
        return [outline(inner, most // 6) for inner in value[:most]]
    return value


def strings_in(body: bytes) -> tuple[str, ...]:
    """Every string value in a body, including those of members that occur twice."""
    return _values_in(body, lambda value: value if isinstance(value, str) else None)


def ids_in(body: bytes) -> tuple[str, ...]:
    """Every value in a body that a reader may take for an id: strings, and all else as it is spelled there."""
    return _values_in(body, lambda value: value if isinstance(value, str) else json.dumps(value), as_spelled=True)


def _values_in(body: bytes, text_of: Callable[[Any], str | None], *, as_spelled: bool = False) -> tuple[str, ...]:
    found: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, list):
            for inner in value:
                collect(inner)
        elif value is not _OBJECT and (text := text_of(value)) is not None:
            found.append(text)

    def members(pairs: list[tuple[str, Any]]) -> Any:
        for _name, value in pairs:
            collect(value)
        return _OBJECT

    whole: Callable[[str], Any] = str if as_spelled else _whole
    other: Callable[[str], Any] = str if as_spelled else float
    try:
        collect(json.loads(body, object_pairs_hook=members, parse_int=whole, parse_float=other, parse_constant=other))
    except (ValueError, RecursionError):
        found = re.findall(r'"([^"\\]*)"', body.decode("utf-8", "replace"))
    return tuple(dict.fromkeys(found))


def decoded_text(body: bytes) -> str:
    """A body's text as written, then its JSON strings as a reader decodes them, with real line breaks."""
    return "\n".join([body.decode("utf-8", "replace"), *strings_in(body)])


def _whole(digits: str) -> int | float:
    """A whole number of any length; Python limits the digits of an int, so that longer ones become floats."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)


def _decoded(body: bytes) -> str:
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return body.decode("utf-16", "replace")
    return body.decode("latin-1")


def _describe(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        if error.msg == "Extra data":
            return f"something follows the JSON text at character {error.pos}"
        return f"{error.msg.lower()} at character {error.pos}"
    return str(error)
