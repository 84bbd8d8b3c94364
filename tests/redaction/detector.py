"""Searches files and output for secrets, independently of the code of redaction, and with false alarms.

It decodes the data in every way that it knows, with the standard library's decoders: escapes (HTML, URLs, JSON, octal,
quoted-printable), Base64, hexadecimal and UTF-16, without invisible characters and with look-alikes made plain; each
repeatedly, to a depth of `DEPTH`. A secret in any result is a leak.
"""

from __future__ import annotations

import base64
import html
import quopri
import re
import sys
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

__all__ = ["Leak", "find_secrets", "readings"]

DEPTH = 5
"""How many decodings are nested."""
LARGE = 20_000
"""A text of more characters takes long."""


class Leak(NamedTuple):
    """A secret that was found."""

    secret: str
    how: str
    """The decodings that reveal it."""
    excerpt: str


def find_secrets(data: bytes, token: str, lines: Iterable[str] = (), personal: Iterable[str] = ()) -> list[Leak]:
    """Find the token, lines and personal data (names, addresses, telephone numbers) in data."""
    patterns = [(text, _pattern(text)) for text in dict.fromkeys([token, *lines, *personal])]
    found: dict[tuple[str, str], Leak] = {}
    for how, text in readings(data):
        plain = _plain(text)
        for secret, pattern in patterns:
            if match := pattern.search(plain):
                excerpt = plain[max(0, match.start() - 40) : match.end() + 20]
                found.setdefault((secret, how), Leak(secret, how, excerpt))
    return list(found.values())


def readings(data: bytes) -> Iterator[tuple[str, str]]:
    """All decoded forms of the data, with the decodings."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = _sensible([data])
    todo = deque([("as it is", text, DEPTH)])
    if b"\0" in data:
        todo.append(("pieces", _sensible([data]), DEPTH))
    seen: set[int] = set()
    while todo:
        how, text, depth = todo.popleft()
        if hash(text) in seen:
            continue
        seen.add(hash(text))
        yield how, text
        # For a large decoded text, not every order of decodings is tried.
        decoders = DECODERS if depth == DEPTH or len(text) < LARGE else DECODERS_OF_LARGE
        for name, decode in decoders.items() if depth else ():
            read = decode(text)
            if read and read != text:
                todo.append((f"{how}, {name}", read, depth - 1))


# -- what is searched for --------------------------------------------------------------------------------------------

_GAP = r"[\s().\-\u2010-\u2015/]{0,3}"


def _pattern(secret: str) -> re.Pattern[str]:
    plain = _plain(secret)
    digits = re.sub(r"\D", "", plain)
    if len(digits) >= 7 and not re.search(r"[^\W\d]", plain):
        return re.compile(_GAP.join(digits))
    words = re.split(r"[\s+]+", plain.strip())
    return re.compile(r"[\s+]{0,3}".join(map(re.escape, words)))


_INVISIBLE = dict.fromkeys(
    code
    for code in range(sys.maxunicode + 1)
    if (unicodedata.category(chr(code)) in {"Cc", "Cf"} and chr(code) not in "\t\n\r")
    or 0xFE00 <= code <= 0xFE0F
    or code == 0x34F
)
_DIGITS = {
    code: str(unicodedata.digit(chr(code))) for code in range(0x80, 0x20000) if unicodedata.category(chr(code)) == "Nd"
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")


def _plain(text: str) -> str:
    if text.isascii():
        return _CONTROLS.sub("", text).lower()
    return unicodedata.normalize("NFKC", text.translate(_DIGITS).translate(_INVISIBLE)).casefold()


# -- how it is decoded -----------------------------------------------------------------------------------------------


def _bytes(raw: bytes) -> str:
    """Bytes as text, in the encoding that makes sense."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _sensible(chunks: Iterable[bytes]) -> str:
    """The readable parts of decoded bytes, one per line."""
    found: list[str] = []
    for chunk in chunks:
        found += (match[0].decode("utf-8", "replace") for match in _TEXT.finditer(chunk))
        if b"\0" in chunk:
            found += (match[0].decode("utf-16-le", "replace") for match in _LITTLE.finditer(chunk))
            found += (match[0].decode("utf-16-be", "replace") for match in _BIG.finditer(chunk))
    return "\n".join(dict.fromkeys(found))


_TEXT = re.compile(
    rb"(?:[\t\n\r\x20-\x7e]|[\xc2\xc3\xcd\xd8\xd9][\x80-\xbf]|\xe0\xa5[\x80-\xbf]|\xe1\xa0[\x80-\xbf]"
    rb"|\xe2[\x80-\x82][\x80-\xbf]|\xef[\xb8-\xbf][\x80-\xbf]|\xf3\xa0[\x80-\xbf]{2}){8,}"
)
_LITTLE = re.compile(rb"(?:[\t\n\r\x20-\xff]\x00|[\x00-\xff][\x03-\x06\x20\xfe\xff]){6,}")
_BIG = re.compile(rb"(?:\x00[\t\n\r\x20-\xff]|[\x03-\x06\x20\xfe\xff][\x00-\xff]){6,}")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}(?:[ \t]*\r?\n[ \t]*[A-Za-z0-9+/_-]{2,})*")
_STANDARD = str.maketrans("-_", "+/", " \t\r\n")
_HEX = re.compile(r"(?:(?:0[xX]|\\x)?[0-9a-fA-F][\s:,;.-]{0,3}){12,}")
_ESCAPE = re.compile(
    r"\\+(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|([nrtbf])|([\"'/\\]?))"
)


def _base64(text: str) -> str:
    def chunks() -> Iterator[bytes]:
        for match in _RUN.finditer(text):
            run = match[0].translate(_STANDARD)
            if not run.islower():
                for at in range(4):
                    yield base64.b64decode(run[at:] + "A" * (-len(run[at:]) % 4))

    return _sensible(chunks())


def _hexadecimal(text: str) -> str:
    def chunks() -> Iterator[bytes]:
        for match in _HEX.finditer(text):
            digits = re.sub(r"0[xX]|[^0-9a-fA-F]", "", match[0])
            for at in (0, 1):
                yield bytes.fromhex(digits[at:][: len(digits[at:]) // 2 * 2])

    return _sensible(chunks())


def _backslashes(text: str) -> str:
    if "\\" not in text:
        return ""

    def undo(match: re.Match[str]) -> str:
        braced, unit, pair, octal, letter, char = match.groups()
        if braced or unit or pair:
            return chr(min(int(braced or unit or pair, 16), sys.maxunicode))
        if octal:
            return chr(int(octal, 8))
        return {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}[letter] if letter else str(char)

    read = _ESCAPE.sub(undo, text)
    try:
        read = read.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        read = read.encode("utf-8", "replace").decode()
    try:  # bytes of UTF-8 in \x or octal
        return read + "\n" + read.encode("latin-1").decode() if not read.isascii() else read
    except UnicodeError:
        return read


def _quoted_printable(text: str) -> str:
    return _bytes(quopri.decodestring(text.encode("utf-8", "replace"))) if "=" in text else ""


def _latin_percent(text: str) -> str:
    return unquote(text, encoding="latin-1") if "%" in text else ""


def _invisible(text: str) -> str:
    return "" if text.isascii() and not _CONTROLS.search(text) else text.translate(_INVISIBLE)


DECODERS: dict[str, Callable[[str], str]] = {
    "without invisible characters": _invisible,
    "HTML": lambda text: html.unescape(text) if "&" in text else "",
    "URL": lambda text: unquote(text) if "%" in text else "",
    "URL in Latin-1": _latin_percent,
    "backslashes": _backslashes,
    "quoted-printable": _quoted_printable,
    "soft breaks": lambda text: re.sub(r"=[ \t]*\r?\n", "", text) if "=" in text else "",
    "Base64": _base64,
    "hexadecimal": _hexadecimal,
}


def _all_escapes(text: str) -> str:
    for decode in list(DECODERS.values())[:5]:
        text = decode(text) or text
    return text


DECODERS_OF_LARGE = {
    "all escapes": _all_escapes,
    "quoted-printable": _quoted_printable,
    "Base64": _base64,
    "hexadecimal": _hexadecimal,
}
