"""The texts that a lenient server might see in the same bytes: other encodings, and escapes undone layer by layer.

Nothing here judges a text; the views are over-complete on purpose, since a view too many costs a skipped sample and a
view too few a stranger's telephone.
"""

from __future__ import annotations

import base64
import codecs
import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from ringback.deployment.guard.refusal import StrangerRefused

__all__ = ["Reading", "readings", "unescaped", "utf7_pieces"]

_ROUNDS = 8
"""Layers of escapes that are undone; text that still has more is refused."""

_BROKEN = 16
"""Bytes that are not UTF-8 and yet may stand in a text in UTF-8; more of them are another encoding."""

_BACKSLASH = re.compile(
    r"\\(?:u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,8})\}|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([0-7]{1,3})"
    r"|([\"'/\\bfnrt%&=_-])|(\r?\n))"
)
_SIMPLE = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_PERCENT_U = re.compile(r"%[uU]([0-9A-Fa-f]{4})")
_SOFT_BREAK = re.compile(r"=\r?\n")
_UTF7 = re.compile(r"\+([0-9A-Za-z+/]{3,})")
_LENIENT_UTF8 = re.compile("[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}|[\x80-\xff]")
_EAST_ASIAN = ("gb18030", "shift_jis", "big5", "euc_kr")
_EBCDIC = "cp037"
_AS_FOREIGN = {ord("0") + digit: 0xFF10 + digit for digit in range(10)}
"""Shows digits that are no ASCII bytes as what they are: found in this reading alone."""


class Reading(NamedTuple):
    """Bytes read as text in one encoding."""

    text: str
    likely: bool
    """Whether a server might well read it so; in a mere guess, a stray digit means nothing."""


def readings(body: bytes) -> Iterator[Reading]:
    """The texts that bytes may be read as, the likeliest first.

    Single-byte Latin encodings are left out: their digits are those of the first reading. Raises `StrangerRefused` for
    bytes of which too few are UTF-8.
    """
    whole = True
    try:
        yield Reading(body.decode("utf-8").removeprefix("\ufeff"), likely=True)
    except UnicodeDecodeError:
        whole = False
        replaced = body.decode("utf-8", "replace")
        if replaced.count("\ufffd") > max(_BROKEN, len(body) // 16):
            raise StrangerRefused("bytes that are no text in UTF-8", "body") from None
        yield Reading(replaced, likely=True)
        yield Reading(body.decode("utf-8", "ignore"), likely=True)
        lenient = _LENIENT_UTF8.sub(_without_checks, body.decode("latin-1"))
        yield Reading(_SURROGATES.sub(_joined, lenient), likely=True)
        yield Reading(body.decode(_EBCDIC).translate(_AS_FOREIGN), likely=False)
        for encoding in _EAST_ASIAN:
            yield Reading(body.decode(encoding, "replace"), likely=False)
    nuls = body.count(0)
    if nuls:
        yield Reading(body.replace(b"\0", b"").decode("utf-8", "replace"), likely=True)
    if nuls or (not whole and body.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))):
        for encoding in ("utf-16-le", "utf-16-be"):
            for offset in (0, 1):
                yield Reading(body[offset:].decode(encoding, "replace"), likely=False)
    if nuls * 8 >= len(body) > 0:
        for encoding in ("utf-32-le", "utf-32-be"):
            for offset in range(4):
                yield Reading(body[offset:].decode(encoding, "replace"), likely=False)


def unescaped(text: str) -> Iterator[str]:
    """The text, and what is left of it after each layer of escapes: backslashes, percent signs, HTML entities.

    Raises `StrangerRefused` if there are more layers than anybody writes on purpose.
    """
    yield text
    for _ in range(_ROUNDS):
        before = text
        for undo in (_backslashes, _percents, _entities, _soft_breaks):
            plain = undo(text)
            if plain != text:
                text = plain
                yield text
        if text == before:
            return
    raise StrangerRefused("more layers of escapes than can be read", "the request")


def utf7_pieces(text: str) -> Iterator[str]:
    """What UTF-7 reads in each run that it takes for encoded."""
    for match in _UTF7.finditer(text):
        coded = match[1]
        raw = base64.b64decode(coded + "A" * (-len(coded) % 4))
        yield raw[: len(coded) * 6 // 16 * 2].decode("utf-16-be", "replace")


def _backslashes(text: str) -> str:
    if "\\" not in text:
        return text
    return _SURROGATES.sub(_joined, _BACKSLASH.sub(_backslash, text))


def _backslash(match: re.Match[str]) -> str:
    kind = match.lastindex or 0
    group = match[kind]
    if kind <= 4:
        code = int(group, 16)
        return chr(code) if code <= 0x10FFFF else "\ufffd"
    if kind == 5:
        return chr(int(group, 8))
    return _SIMPLE.get(group, group) if kind == 6 else ""


def _joined(match: re.Match[str]) -> str:
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _percents(text: str) -> str:
    if "%" not in text:
        return text
    text = _PERCENT.sub(lambda match: bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace"), text)
    return _SURROGATES.sub(_joined, _PERCENT_U.sub(lambda match: chr(int(match[1], 16)), text))


def _entities(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def _soft_breaks(text: str) -> str:
    return _SOFT_BREAK.sub("", text) if "=" in text else text


def _without_checks(match: re.Match[str]) -> str:
    """What a decoder makes of a sequence that asks neither for the shortest form nor about surrogates."""
    first, *rest = match[0].encode("latin-1")
    code = first & (0x3F >> len(rest)) if rest else 0xFFFD
    for byte in rest:
        code = code << 6 | byte & 0x3F
    return chr(code) if code <= 0x10FFFF else "\ufffd"
