"""`DialGuard` checks each outgoing request of every client; `RequestTemplate` is one checked for many words."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from urllib.parse import unquote, urlsplit

from ringback.deployment.guard.folding import count_digits
from ringback.deployment.guard.names import Role, mentions_a_trigger, study
from ringback.deployment.guard.only_lines import OnlyLines
from ringback.deployment.guard.refusal import StrangerRefused
from ringback.deployment.guard.structure import NotCleanError, Structure, has_plain_names, parse, scalars

__all__ = ["LETTERS", "DialGuard", "RequestTemplate", "names_a_number"]

_POLL_PATH = re.compile(r"(?:/[A-Za-z0-9_.~-]+)*/callresult")
_IDS_IN_QUERY = re.compile(r"UniqueIds?=[\w.~%-]*(?:&UniqueIds?=[\w.~%-]*)*", re.ASCII)
"""A query that only asks for ids, which may have any form as in the body of a poll."""
_DOTS = re.compile(r"/\.\.?/")
_UTF8 = re.compile(r"charset\s*=\s*([\"']?)(?:utf-?8|us-ascii|ascii)\1\s*(?:;|\Z)", re.IGNORECASE)
_MEDIA_TYPE = re.compile(
    r"\s*(?:|text/[\w.+-]+|application/(?:json|x-www-form-urlencoded|xml|yaml|x-yaml|octet-stream|javascript"
    r"|[\w.-]+\+(?:json|xml))|multipart/[\w-]+)\s*(?:;.*)?",
    re.IGNORECASE | re.DOTALL,
)
_READ_AS_JSON = re.compile(
    r"\s*(?:|application/(?:[\w.-]+\+)?json|text/\w+|application/octet-stream)\s*(?:;.*)?", re.IGNORECASE
)
"""Content types under which a server reads JSON as JSON, or refuses it."""
_UNENCODED = frozenset({"", "identity", "chunked", "7bit", "8bit", "binary"})
_ESCAPED_DIGIT = re.compile(rb"\\u003[0-9]")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|%u|\\[uUxX0-7]|&#?\w+;|\+[A-Za-z0-9+/]{3}")
_MAY_ESCAPE = re.compile(r"[%\\&+]")
"""What each escape contains."""
_BACKSLASH = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_LAYERS = 4
_DIGITS_IN_PATH = 2
"""Digits that a URL's path may have after the configured base URL: `v2` has one."""
_REMEMBERED = 1024

LETTERS = "bcdfghjklmnpqrst"
"""The letters of words."""
_LETTERS = LETTERS.encode()
_SHORTEST, _LONGEST = 4, 64
"""Letters of a word. Shorter words may be names of something that is dialled (`gsm`, `dst`)."""
_BEFORE = re.compile(rb"[:,\[]\s*\"[^\"\\]*[-/]\Z")
"""The end of the piece before a gap: the beginning of a text without escapes, and a separator."""
_BASE64 = re.compile(rb"\+[A-Za-z0-9+/]*\Z")
"""What may be the beginning of base64 in UTF-7, which letters would continue."""
_AFTER = re.compile(rb"\"\s*[,}\]]")
"""The beginning of the piece after a gap: the end of a text that is not a name."""


class DialGuard:
    """Refuses any request that could make a deployment ring a number that is not a configured line.

    Every request of every client passes `check`. In a body that is one clean JSON text, each value that a server might
    dial must be a line or empty, and no other text may have enough digits for a telephone number (so ids that a client
    generates should have none). Any other body may contain no numbers but lines.

    lines:
        The numbers that may be dialled, as the deployment expects them.
    display_number:
        The caller id, allowed in clean JSON where a caller id belongs.
    harmless:
        Configured texts whose digits are not telephone numbers: project, token, scenario path, URLs.
    headers:
        Configured headers, whose values are allowed there and nowhere else.
    """

    def __init__(
        self,
        lines: Iterable[str],
        display_number: str,
        harmless: Iterable[str] = (),
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._lines = frozenset(lines)
        self._display_number = display_number
        self._harmless = frozenset[str]()
        self._headers = frozenset((name.lower(), value) for name, value in headers)
        self.add_harmless(harmless)

    def add_harmless(self, texts: Iterable[str]) -> None:
        """Allow the digits of more configured texts from now on."""
        self._harmless = harmless = self._harmless.union(text for text in texts if text)
        lines, display_number = self._lines, self._display_number
        urls = [text for text in harmless if text.startswith(("http://", "https://"))]
        self._escaped = frozenset(json.dumps(text)[1:-1] for text in harmless)
        self._hosts = frozenset(host for url in map(urlsplit, urls) for host in (url.netloc, url.hostname))
        self._urls = sorted(urls, key=len, reverse=True)
        self._other = OnlyLines(lines, harmless.difference(urls))
        self._structure = Structure(lines, display_number, harmless, self._other)
        self._check_header = lru_cache(maxsize=_REMEMBERED)(self._check_header_anew)
        self._is_poll = lru_cache(maxsize=_REMEMBERED)(self._check_url)

    def check(self, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Raise `StrangerRefused` for a request that could dial another number. The method plays no part."""
        length = str(len(body))
        is_json = True
        for name, value in headers:
            if name.lower() == "content-type":
                is_json &= _READ_AS_JSON.fullmatch(value) is not None
            if value != length or name.lower() != "content-length":
                self._check_header(name, value)
        is_poll = self._is_poll(url)
        if not body or (is_poll and _names_nothing_of_a_trigger(body)):
            return
        try:
            text = body.decode("utf-8").removeprefix("\ufeff")
            if not is_json:
                raise NotCleanError
            self._structure.check(parse(text))
        except (UnicodeDecodeError, NotCleanError, RecursionError):
            self._other.check_bytes(body, "body that is not clean JSON")
        else:
            self._structure.check_seven_bit(text)
            if _ESCAPED_DIGIT.search(body):
                raise StrangerRefused("digits written as escapes", "body")

    def approve(
        self, url: str, headers: Iterable[tuple[str, str]], head: bytes, pieces: tuple[bytes, ...], length: int
    ) -> RequestTemplate:
        """Check a request with gaps for words of `length` letters, once for all words that fill them.

        `head` is what is sent before the body; `pieces` are the parts of the body around the gaps. Raises
        `StrangerRefused`.
        """
        alphabet = (LETTERS * (length // len(LETTERS) + 1)).encode()
        for word in (alphabet[:length], b"a" * length):
            self.check(url, headers, word.join(pieces))
        return RequestTemplate((head + pieces[0], *pieces[1:]), length)

    def _check_header_anew(self, name: str, value: str) -> None:
        where = f"header {name}" if name.replace("-", "").isalpha() and name.isascii() else "a header"
        lowered = name.strip().lower()
        if (lowered, value) in self._headers:
            return
        if lowered in {"content-encoding", "transfer-encoding", "content-transfer-encoding"}:
            if value.strip().lower() not in _UNENCODED:
                raise StrangerRefused("an encoding that hides the body", where)
        elif lowered == "content-type":
            if value.lower().count("charset") != len(_UTF8.findall(value)):
                raise StrangerRefused("a charset other than UTF-8", where)
            if not _MEDIA_TYPE.fullmatch(value):
                raise StrangerRefused("a content type that this guard can't read", where)
        elif (lowered == "host" and value in self._hosts) or (lowered == "project" and value in self._escaped):
            return
        elif study(name).role not in {Role.PLAIN, Role.RESULT_DESTINATION}:
            self._other.check(value, where)
        self._structure.check_text(name, "a header's name")
        self._structure.check_text(value, where)

    def _check_url(self, url: str) -> bool:
        """Check a URL; returns whether it is the plain URL of polls."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise StrangerRefused("something other than a URL", "URL") from None
        base = next((known for known in self._urls if url.startswith(known)), f"{parts.scheme}://{parts.netloc}")
        path = url.partition("?")[0].removeprefix(base)
        if count_digits(path) > _DIGITS_IN_PATH:
            raise StrangerRefused("digits that might be a number", "URL")
        plain = _POLL_PATH.fullmatch(parts.path) and not _DOTS.search(parts.path)
        if not (plain and _IDS_IN_QUERY.fullmatch(parts.query)) or _hides_a_trigger(parts.query):
            self._other.check(parts.query, "URL's query")
        return bool(plain) and not parts.query and not parts.fragment


class RequestTemplate:
    """The pieces of a request with gaps for words. `DialGuard.approve` checks it once, and only words afterwards.

    A load run sends the same trigger many times a second with a different id, made of letters. Words have only
    consonants: no reader takes them for digits or for the end of a text, and they spell no name whose value might be
    dialled. A gap is always at the end of a text value, never in a name, an escape or a number.

    `length` is the length of every word, so that Content-Length stays right. Raises `StrangerRefused` if a gap is not
    at the end of a text value.
    """

    __slots__ = ("_length", "_pieces")

    def __init__(self, pieces: tuple[bytes, ...], length: int) -> None:
        if not _SHORTEST <= length <= _LONGEST:
            raise ValueError(f"a word has {_SHORTEST} to {_LONGEST} letters")
        for before, after in pairwise(pieces):
            if not (_BEFORE.search(before) and _AFTER.match(after)) or _BASE64.search(before):
                raise StrangerRefused("a gap that is not at the end of a text", "a request")
        self._pieces = pieces
        self._length = length

    def fill(self, word: bytes) -> bytes:
        """The whole request with `word` in each gap; raises `StrangerRefused` for any other text than a word."""
        if len(word) != self._length or word.strip(_LETTERS):
            raise StrangerRefused("a word with other letters, or of another length", "a request's gap")
        return word.join(self._pieces)


def names_a_number(header: str, value: str) -> bool:
    """Whether a header may give a server a number to dial or to show."""
    return study(header).role is not Role.PLAIN and count_digits(value) > _DIGITS_IN_PATH


def _names_nothing_of_a_trigger(body: bytes) -> bool:
    """Whether a poll's body contains no name that belongs to triggers, and no escape that may hide one.

    Ids may have any form, so escapes are allowed in a body whose members are only ids.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    may_hide = bool(_ESCAPE.search(text)) or "\0" in text
    try:
        value = parse(text)
        if may_hide and not _lists_ids(value):
            return False
        return has_plain_names(value) and not any(map(_hides_a_trigger, scalars(value)))
    except (NotCleanError, RecursionError):
        return False


def _lists_ids(value: object) -> bool:
    """Whether all members of a value, at any depth, are `UniqueIds` or `UniqueId`."""
    if isinstance(value, dict):
        return value.keys() <= {"UniqueIds", "UniqueId"} and all(map(_lists_ids, value.values()))
    return all(map(_lists_ids, value)) if isinstance(value, list) else True


def _hides_a_trigger(text: str) -> bool:
    """Whether a text contains a name of a trigger under up to `_LAYERS` layers of escapes, or has more layers."""
    if not _MAY_ESCAPE.search(text):
        return mentions_a_trigger(text)
    readings = {text, _from_seven_bit(text)} if "+" in text else {text}
    for _ in range(_LAYERS):
        if any(map(mentions_a_trigger, readings)):
            return True
        plain = {html.unescape(unquote(_BACKSLASH.sub(_character, reading))) for reading in readings}
        if plain == readings:
            return False
        readings = plain
    return True


def _from_seven_bit(text: str) -> str:
    return text.encode("ascii", "replace").decode("utf-7", "replace")


def _character(escape: re.Match[str]) -> str:
    return chr(int(escape[1] or escape[2], 16))
