"""Decodes text in every way in which it may be encoded.

`layers` yields the text itself and everything that can be decoded from it, each as a `Layer` that maps its characters
to their places in the text. It decodes escapes (JSON, octal, URL, HTML, quoted-printable; mixed and repeated),
look-alike characters (full width, digits of any script), Base64 (standard and for URLs, at any offset, wrapped) and
hexadecimal, up to a small depth, and removes invisible characters. It takes linear time.
"""

from __future__ import annotations

import binascii
import functools
import html.entities
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["FIRST_MARK", "Layer", "fold", "layers"]

FIRST_MARK = 0xF0000
"""Private-use characters from here on are marks of the redactor; folding leaves them unchanged."""

_DEPTH = 6
"""How many nested encodings are decoded."""
_LEVELS = 6
"""How many nested escapes are decoded."""
_SHORTEST_CODED = 8
"""The shortest text that is decoded as Base64, in characters."""
_SHORTEST_TEXT = 6
"""The shortest decoded text that is searched, in characters."""
_SURE = 12
"""A decoded text of at least so many characters is not a coincidence, so that short words in it count."""

Origin = Callable[[int, int], tuple[int, int]]
"""Maps `start` and `end` in a layer to start and end in the original text."""


class Layer(NamedTuple):
    """One decoded form of a text."""

    text: str
    origin: Origin
    coded: bool = False
    """Whether it was decoded from Base64 or hexadecimal."""

    @property
    def sure(self) -> bool:
        """Whether it is not a coincidence: decoding turns any characters into short texts."""
        return not self.coded or len(self.text) >= _SURE


def layers(text: str) -> Iterator[Layer]:
    """All decoded forms of a text, first the text itself (folded)."""
    todo = [(_fold_all(Layer(text, lambda start, end: (start, end))), _DEPTH)]
    while todo:
        read, depth = todo.pop()
        for reading in _unescaped(read):
            yield reading
            if depth and len(reading.text) >= _SHORTEST_CODED:
                todo += ((found, depth - 1) for found in _decoded(reading))


# -- look-alikes ------------------------------------------------------------------------------------------------------

_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_FOLDS = re.compile(r"[^\t\n\r\x20-\x7e]")


@functools.lru_cache(4096)
def _fold(char: str) -> str:
    code = ord(char)
    if code >= FIRST_MARK:
        return char if code < 0x10FFFE else ""
    category = unicodedata.category(char)
    if category in {"Cc", "Cf"} or char in _FILLERS or 0xFE00 <= code <= 0xFE0F or 0x180B <= code <= 0x180F:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Pd" or char == "\u2212":
        return "-"
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).casefold())
    return _FOLDS.sub(lambda match: match[0] if unicodedata.category(match[0]) not in {"Cc", "Cf"} else "", folded)


def fold(text: str) -> str:
    """The text as in a layer: look-alikes become plain characters in lower case, invisible ones are removed."""
    return text if text.isascii() and not _FOLDS.search(text) else _FOLDS.sub(lambda match: _fold(match[0]), text)


def _fold_all(layer: Layer) -> Layer:
    return layer if layer.text.isascii() and not _FOLDS.search(layer.text) else _replaced(layer, _FOLDS, _fold_match)


def _fold_match(match: re.Match[str]) -> str:
    return _fold(match[0])


# -- escapes ----------------------------------------------------------------------------------------------------------


def _bytes(first: str, further: str | None = None) -> str:
    """A pattern for one byte in hexadecimal, or for the several bytes of one character in UTF-8."""
    more = first if further is None else further
    return rf"(?:{first}[c-f][0-9a-f](?:{more}[89ab][0-9a-f]){{1,3}}|{first}[0-9a-f]{{2}})"


_BACKSLASH = (
    r"\\(?:u\{0*+(?P<braced>[0-9a-f]{1,6})\}"
    r"|u(?P<unit>d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|[0-9a-f]{4})"
    rf"|(?P<bytes>{_bytes('x', chr(92) * 2 + 'x')})"
    r"|(?P<octal>[0-3][0-7]{2}(?:\\[0-3][0-7]{2}){0,3})"
    r"|(?P<letter>[nrtbfv0\"'/`])|(?P<slash>\\))"
)
_PERCENT = rf"(?P<percent>{_bytes('%(?:25)*+')})|%(?:25)++"
_ENTITY = (
    r"&(?:amp;)*+(?:#0*+(?P<decimal>[0-9]{1,7});?|#x0*+(?P<hex>[0-9a-f]{1,6});?|(?P<name>[a-z][a-z0-9]{1,31});"
    r"|(?<=;)(?P<and>))"
)
_SOFT_BREAK = r"(?P<soft>=[ \t]{0,8}\r?\n)"
_KINDS = {
    "\\": re.compile(_BACKSLASH, re.IGNORECASE),
    "%": re.compile(_PERCENT, re.IGNORECASE),
    "&": re.compile(_ENTITY, re.IGNORECASE),
}
_ALL = re.compile(f"{_BACKSLASH}|{_PERCENT}|{_ENTITY}", re.IGNORECASE)
_QP = re.compile(rf"{_SOFT_BREAK}|(?P<quoted>{_bytes('=')})", re.IGNORECASE)
_SOFT = re.compile(_SOFT_BREAK)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "", "f": "\f", "v": "\v", "0": ""}
_HEX_PAIR = re.compile(r"[0-9a-f]{2}(?=[^0-9a-f]|$)", re.IGNORECASE)


def _unescaped(layer: Layer) -> Iterator[Layer]:
    """A layer, and its forms with escapes decoded: each kind alone, then all kinds repeatedly."""
    kinds = [kind for sign, kind in _KINDS.items() if sign in layer.text]
    readings = [layer]
    if len(kinds) > 1:
        readings += (_replaced(layer, kind, _undo) for kind in kinds)
    if kinds:
        readings += _again(layer)
    for reading in readings:
        yield reading
        yield from _unquoted(reading)


def _unquoted(layer: Layer) -> Iterator[Layer]:
    """A layer decoded from quoted-printable, or without its soft breaks, and then with escapes decoded."""
    for quoted in (_QP, _SOFT) if "=" in layer.text else ():
        if quoted.search(layer.text):
            plain = _replaced(layer, quoted, _undo)
            yield plain
            yield from _again(plain)


def _again(layer: Layer) -> Iterator[Layer]:
    for _ in range(_LEVELS):
        text = layer.text
        layer = _replaced(layer, _ALL, _undo)
        if layer.text == text:
            return
        yield layer


def _undo(match: re.Match[str]) -> str:
    kind = match.lastgroup
    value = match[kind] if kind else ""
    if kind in {"percent", "bytes", "quoted"}:
        raw = bytes.fromhex("".join(_HEX_PAIR.findall(value)))
        return fold(_text(raw))
    if kind == "unit":
        units = bytes.fromhex(value[:4] + (value[-4:] if len(value) > 4 else ""))
        return fold(units.decode("utf-16-be", "replace"))
    if kind == "letter":
        return _LETTERS.get(value.lower(), value)
    if kind in {"decimal", "hex", "braced"}:
        code = int(value, 10 if kind == "decimal" else 16)
        return fold(chr(code)) if code < FIRST_MARK else ""
    if kind == "name":
        known = html.entities.html5.get(f"{value};") or html.entities.html5.get(f"{value.lower()};")
        return match[0] if known is None else fold(known)
    if kind == "octal":
        return fold(_text(bytes(int(digits[-3:], 8) for digits in value.split("\\") if digits)))
    return {"slash": "\\", "and": "&", "soft": ""}.get(kind or "", "%")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _replaced(layer: Layer, pattern: re.Pattern[str], undo: Callable[[re.Match[str]], str]) -> Layer:
    """A layer with each match replaced, and the mapping to the original text."""
    text, pieces = layer.text, list[str]()
    # Of each piece: its start in the new text, its start in the old text, and whether it is an escape.
    begins, sources, whole = [0], [0], [False]
    done = length = 0
    for match in pattern.finditer(text):
        start, end = match.span()
        if start > done:
            pieces.append(text[done:start])
            begins.append(length)
            sources.append(done)
            whole.append(False)
            length += start - done
        plain = undo(match)
        pieces.append(plain)
        begins.append(length)
        sources.append(start)
        whole.append(True)
        length += len(plain)
        done = end
    begins.append(length)
    sources.append(done)
    whole.append(False)
    pieces.append(text[done:])

    def position(at: int, *, after: bool) -> int:
        piece = bisect_right(begins, at) - 1
        if whole[piece]:
            return sources[piece + after]
        return sources[piece] + at - begins[piece] + after

    def origin(start: int, end: int) -> tuple[int, int]:
        return layer.origin(position(start, after=False), position(end - 1, after=True))

    return Layer("".join(pieces), origin, layer.coded)


# -- codings ----------------------------------------------------------------------------------------------------------

_BLANKS = b" \t\n\r\f\v"
_BASE64 = bytes(
    b
    if chr(b).isalnum() and b < 128
    else {ord("-"): ord("+"), ord("_"): ord("/"), ord("+"): b, ord("/"): b}.get(b, ord("/"))
    for b in range(256)
)
_RUN = re.compile(rf"[^\x01-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]{{{_SHORTEST_TEXT},}}")
_NULS = re.compile(rb"\x00.(?:..)??\x00.(?:..)??\x00", re.DOTALL)
"""What every sign of UTF-16 has, found much faster than the sign itself."""
_UTF16_SIGN = re.compile(rb"(?P<le>(?:[ -~]\x00(?:..)??){3})|(?P<be>(?:\x00[ -~](?:..)??){3})", re.DOTALL)
_HEX_RUN = re.compile(r"(?:0x|\\x)?+[0-9a-f](?:[ \t\r\n:,;.\-]{0,3}+(?:0x|\\x)?+[0-9a-f]){11,}+", re.IGNORECASE)
_NO_HEX_DIGIT = re.compile(r"0x|[^0-9a-f]", re.IGNORECASE)
_HEX_DIGIT = re.compile(r"(?:0x)?+([0-9a-f])", re.IGNORECASE)


def _decoded(layer: Layer) -> Iterator[Layer]:
    """The texts that a layer contains in Base64 or hexadecimal."""
    raw = layer.text.encode("latin-1", "replace")
    compact = raw.translate(_BASE64, _BLANKS)
    places = _Places(raw) if len(compact) < len(raw) else None
    for shift in range(4):
        part = compact[shift:]
        data = binascii.a2b_base64(part + b"A" * (-len(part) % 4))
        for start, text, begins in _texts(data):
            yield Layer(text, _from_base64(layer, shift, start, begins, places), coded=True)
    for run in _HEX_RUN.finditer(layer.text):
        digits = _NO_HEX_DIGIT.sub("", run[0])
        for shift in range(2):
            data = bytes.fromhex(digits[shift : len(digits) - (len(digits) - shift) % 2])
            for start, text, begins in _texts(data):
                yield Layer(text, _from_hex(layer, run, shift, start, begins), coded=True)


def _texts(data: bytes) -> Iterator[tuple[int, str, list[int] | None]]:
    """Find texts in bytes that may be noise: offset, text, and the start of each character unless all have one byte."""
    if _NULS.search(data) and _UTF16_SIGN.search(data):
        yield from _utf16_texts(data)
    whole = data.decode("utf-8", "surrogateescape")
    at = offset = 0
    for run in _RUN.finditer(whole):
        text = run[0]
        offset += _utf8_length(whole[at : run.start()])
        at = run.start()
        if text.isascii() and "\0" not in text:
            yield offset, text, None
        elif len(_FOLDS.sub("", text)) >= _SHORTEST_TEXT or not text.isascii():
            yield offset, *_folded(text, _utf8_length)


def _utf16_texts(data: bytes) -> Iterator[tuple[int, str, list[int] | None]]:
    for start, codec in sorted({(sign.start() % 2, str(sign.lastgroup)) for sign in _UTF16_SIGN.finditer(data)}):
        units = data[start : len(data) - (len(data) - start) % 2]
        yield start, *_folded(units.decode(f"utf-16-{codec}", "surrogatepass"), _utf16_length)


def _folded(text: str, length: Callable[[str], int]) -> tuple[str, list[int]]:
    """A decoded text, folded, and the offset of each character in bytes, with the end of the last."""
    folded, begins, at = list[str](), list[int](), 0
    for char in text:
        plain = char if " " <= char <= "~" else fold(char)
        folded.append(plain)
        begins += [at] * len(plain)
        at += length(char)
    return "".join(folded), [*begins, at]


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _utf16_length(char: str) -> int:
    return 2 if char < "\U00010000" else 4


def _from_base64(layer: Layer, shift: int, offset: int, begins: list[int] | None, places: _Places | None) -> Origin:
    def origin(start: int, end: int) -> tuple[int, int]:
        first, last = (start, end) if begins is None else (begins[start], begins[end])
        begin, stop = shift + (offset + first) * 8 // 6, shift + ((offset + last) * 8 - 1) // 6
        if places is not None:
            begin, stop = places[begin], places[stop]
        size = len(layer.text)
        return layer.origin(min(begin, size - 1), min(stop + 1, size))

    return origin


def _from_hex(layer: Layer, run: re.Match[str], shift: int, offset: int, begins: list[int] | None) -> Origin:
    places: list[int] = []

    def origin(start: int, end: int) -> tuple[int, int]:
        first, last = (start, end) if begins is None else (begins[start], begins[end])
        if not places:
            places.extend(digit.start(1) for digit in _HEX_DIGIT.finditer(run.string, *run.span()))
        return layer.origin(places[shift + 2 * (offset + first)], places[shift + 2 * (offset + last) - 1] + 1)

    return origin


class _Places:
    """The positions of a text's characters that are not blank, computed on first use."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    @functools.cached_property
    def _found(self) -> list[int]:
        return [at for at, byte in enumerate(self._raw) if byte not in _BLANKS]

    def __getitem__(self, at: int) -> int:
        return self._found[min(at, len(self._found) - 1)]
