"""A search for secrets in files and output, written without a look at how redaction works, and over-eager.

It makes of the data every reading that it can think of, with the standard library's decoders: escapes undone (HTML,
URLs, JSON, octal, quoted-printable), Base64 and hexadecimal decoded, UTF-16 read, invisible characters left out, look-alikes
made plain; each again, to a depth of `DEPTH`. What it finds in any of them is a leak.
"""

from __future__ import annotations

import base64
import html
import quopri
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

__all__ = ["Leak", "find_secrets", "readings"]

DEPTH = 5
"""Decodings on top of one another."""


class Leak(NamedTuple):
    """A secret that was found."""

    secret: str
    how: str
    """The decodings that lead to it."""
    excerpt: str


def find_secrets(data: bytes, token: str, lines: Iterable[str] = (), personal: Iterable[str] = ()) -> list[Leak]:
    """Where data gives away the token, a line, or something personal (a name, an address, a telephone number)."""
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
    """All that the data may say, with how it was read."""
    todo = [("as it is", data.decode("utf-8", "replace"), DEPTH)]
    if b"\0" in data:
        todo += [
            (codec, data[at:].decode(codec, "replace"), DEPTH) for codec in ("utf-16-le", "utf-16-be") for at in (0, 1)
        ]
    seen: set[int] = set()
    while todo:
        how, text, depth = todo.pop()
        if hash(text) in seen:
            continue
        seen.add(hash(text))
        yield how, text
        if depth:
            for name, decode in DECODERS.items():
                read = decode(text)
                if read and read != text:
                    todo.append((f"{how}, {name}", read, depth - 1))


# -- what is looked for -----------------------------------------------------------------------------------------------

_GAP = r"[\s().\-/]{0,3}"


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
    if (unicodedata.category(chr(code)) in {"Cc", "Cf"} and chr(code) not in "\t\n\r") or 0xFE00 <= code <= 0xFE0F
)
_DIGITS = {
    code: str(unicodedata.digit(chr(code))) for code in range(0x80, 0x20000) if unicodedata.category(chr(code)) == "Nd"
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")


def _plain(text: str) -> str:
    if text.isascii():
        return _CONTROLS.sub("", text).lower()
    return unicodedata.normalize("NFKC", text.translate(_DIGITS).translate(_INVISIBLE)).casefold()


# -- how it may be read -----------------------------------------------------------------------------------------------


def _bytes(raw: bytes) -> str:
    """Bytes as text: whichever way they make sense."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _sensible(chunks: Iterable[bytes]) -> str:
    """What reads as text among decoded bytes, one piece a line."""
    found: list[str] = []
    for chunk in chunks:
        found += (match[0].decode() for match in _ASCII.finditer(chunk))
        if not chunk.isascii():
            read = chunk.decode("utf-8", "replace")
            found += (piece for piece in read.split("\ufffd") if len(piece) > 4)
        if chunk.count(0) > 3:
            found += (
                piece
                for codec in ("utf-16-le", "utf-16-be")
                for at in (0, 1)
                for piece in re.findall(
                    r"[\x20-\x7e\u00a0-\u06ff\u2000-\u206f\ufe00-\uffef]{4,}", chunk[at:].decode(codec, "replace")
                )
            )
    return "\n".join(dict.fromkeys(found))


_ASCII = re.compile(rb"[\t\n\r\x20-\x7e]{5,}")
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
    "Base64": _base64,
    "hexadecimal": _hexadecimal,
}
