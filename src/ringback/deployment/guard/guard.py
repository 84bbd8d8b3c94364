"""`DialGuard`: one look at each outgoing request, below every client."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from ringback.deployment.guard.names import Role, mentions_a_trigger, study
from ringback.deployment.guard.numbers import Numbers
from ringback.deployment.guard.refusal import StrangerRefused
from ringback.deployment.guard.structure import NotCleanError, Structure, has_plain_names, parse
from ringback.deployment.guard.template import LETTERS, RequestTemplate
from ringback.deployment.guard.views import readings, unescaped, utf7_pieces

__all__ = ["DialGuard"]

_PLAIN_POLL_PATH = re.compile(r"(?:/[A-Za-z0-9_.~-]+)*/callresult")
_DOTS = re.compile(r"/\.\.?/")
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]*)", re.IGNORECASE)
_MEDIA_TYPE = re.compile(
    r"\s*(?:|text/[\w.+-]+|application/(?:json|x-www-form-urlencoded|xml|yaml|x-yaml|octet-stream|javascript"
    r"|[\w.-]+\+(?:json|xml))|multipart/[\w-]+)\s*(?:;.*)?",
    re.IGNORECASE | re.DOTALL,
)
_ONE_WAY = re.compile(
    r"\s*(?:|application/(?:[\w.-]+\+)?json|text/\w+|application/octet-stream)\s*(?:;.*)?", re.IGNORECASE
)
"""Content types under which JSON is read as JSON, if it is read at all."""
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x78\x9c", b"\x78\xda", b"\x78\x01")
_RECODED = re.compile(rb"base64|quoted-printable|transfer-encoding|<!(?:doctype|entity)", re.IGNORECASE)
_ESCAPED_DIGIT = re.compile(rb"\\u003[0-9]")
_HEADERS_REMEMBERED = 1024


class DialGuard:
    """Refuses any request that could make a deployment ring a number that is not a configured line.

    Every client's every request passes through `check`. A body that is JSON by the letter may hold digits in its
    ordinary values, as long as none looks like a telephone number (seven digits or more, however spaced: so ids that
    a client makes up had better have few); in any other body, every digit must belong to a line.

    lines:
        The numbers that may be dialled, as the deployment wants them.
    display_number:
        The caller id, allowed where a caller id belongs.
    harmless:
        Configured texts in which digits are no number to dial: project, token, scenario path, URLs (a URL stands
        for its host, too). Such a text is recognised whole; the near misses of a token count as texts of their own.
    """

    def __init__(self, lines: Iterable[str], display_number: str, harmless: Iterable[str] = ()) -> None:
        harmless = frozenset(text for text in harmless if text)
        self._numbers = Numbers(lines, display_number, harmless)
        self._structure = Structure(self._numbers)
        urls = [urlsplit(text) for text in harmless if text.startswith(("http://", "https://"))]
        self._hosts = frozenset(host for url in urls for host in (url.netloc, url.hostname))
        self._check_header = lru_cache(maxsize=_HEADERS_REMEMBERED)(self._check_header_anew)
        self._is_plain_poll = lru_cache(maxsize=_HEADERS_REMEMBERED)(self._check_url)

    def check(self, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Let a request pass, or raise `StrangerRefused`: whatever the method, the path, the form of the body."""
        length = str(len(body))
        is_json = True
        for name, value in headers:
            if name.lower() == "content-type":
                is_json &= _ONE_WAY.fullmatch(value) is not None
            if value != length or name.lower() != "content-length":
                self._check_header(name, value)
        is_poll = self._is_plain_poll(url)
        if not body or (is_poll and _is_free_of_trigger_names(body)):
            return
        try:
            text = body.decode("utf-8").removeprefix("\ufeff")
            if not is_json:
                raise NotCleanError
            self._structure.check(parse(text))
        except (UnicodeDecodeError, NotCleanError, RecursionError):
            if _is_packed(body):
                raise StrangerRefused("a body that is packed or encoded once more", "body") from None
            self._numbers.check_bytes(body, "body that is not clean JSON")
        else:
            self._numbers.check_utf7(text, "body")
            if _ESCAPED_DIGIT.search(body):
                raise StrangerRefused("digits written as escapes", "body")

    def approve(
        self, url: str, headers: Iterable[tuple[str, str]], head: bytes, pieces: tuple[bytes, ...], length: int
    ) -> RequestTemplate:
        """Look at a request with gaps, for words of `length` letters, once for all that it will be filled with.

        `head` is what stands on the wire before the body, whose `pieces` lie around the gaps. Raises `StrangerRefused`.
        """
        alphabet = (LETTERS * (length // len(LETTERS) + 1)).encode()
        for word in (alphabet[:length], b"a" * length):
            self.check(url, headers, word.join(pieces))
        return RequestTemplate((head + pieces[0], *pieces[1:]), length)

    def _check_header_anew(self, name: str, value: str) -> None:
        where = f"header {name}" if name.replace("-", "").isalpha() and name.isascii() else "a header"
        lowered = name.strip().lower()
        if lowered in {"content-encoding", "transfer-encoding", "content-transfer-encoding"}:
            if value.strip().lower() not in {"", "identity", "chunked", "7bit", "8bit", "binary"}:
                raise StrangerRefused("an encoding that hides the body", where)
        elif lowered == "content-type":
            charsets = _CHARSET.findall(value)
            told = "charset" in value.lower()
            if (told and not charsets) or any(charset.lower() not in _CHARSETS for charset in charsets):
                raise StrangerRefused("a charset other than UTF-8", where)
            if not _MEDIA_TYPE.fullmatch(value):
                raise StrangerRefused("a content type that this guard can't read", where)
        elif lowered == "host" and value in self._hosts:
            return
        elif study(name).role not in {Role.PLAIN, Role.RESULT_DESTINATION}:
            self._numbers.check_strictly(value, where)
        self._numbers.check_text(name, "a header's name")
        self._numbers.check_text(value, where)

    def _check_url(self, url: str) -> bool:
        """Check a URL; whether it is plainly that of polls."""
        self._numbers.check_text(url, "URL")
        try:
            parts = urlsplit(url)
        except ValueError:
            raise StrangerRefused("something other than a URL", "URL") from None
        self._numbers.check_path(url.partition("?")[0], "URL")
        self._numbers.check_strictly(parts.query, "URL's query")
        plain = _PLAIN_POLL_PATH.fullmatch(parts.path) and not _DOTS.search(parts.path)
        return bool(plain) and not parts.query and not parts.fragment


def _is_packed(body: bytes) -> bool:
    return body.startswith(_PACKED) or _RECODED.search(body) is not None


def _is_free_of_trigger_names(body: bytes) -> bool:
    """Whether no reading of a poll's body holds a name that belongs to triggers.

    Where all that is named is ids, UTF-7 is not looked for: ids may well contain what looks like it.
    """
    try:
        value = parse(body.decode("utf-8"))
    except (UnicodeDecodeError, NotCleanError):
        value = None
    try:
        if _is_packed(body) or not has_plain_names(value):
            return False
        lists_ids = value is not None and _lists_ids(value)
        for reading in readings(body):
            if any(mentions_a_trigger(view) for view in unescaped(reading.text)):
                return False
            if not lists_ids and any(utf7_pieces(reading.text)):
                return False
    except (StrangerRefused, RecursionError):
        return False
    return True


def _lists_ids(value: object) -> bool:
    """Whether nothing in a value is named but ids, so that what stands in it stands for nothing else."""
    if isinstance(value, dict):
        return value.keys() <= {"UniqueIds", "UniqueId"} and all(map(_lists_ids, value.values()))
    return all(map(_lists_ids, value)) if isinstance(value, list) else True
