"""The oracle of the guard's property tests: readers of careless servers, and the numbers that they would dial.

Each reader is small, careless in its own way, and shares no code with the guard. `dialled` returns the numbers that any
of them would dial.
"""

from __future__ import annotations

import base64
import codecs
import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote

import yaml

__all__ = ["dialled"]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SHORTEST = 3
_TO = {"_destination", "destination", "phone", "msisdn", "to", "tel", "callee"}


def dialled(body: bytes) -> set[str]:
    """Every number that one of the readers would dial for this body."""
    found: set[str] = set()
    for text in _texts(body):
        for reader in _READERS:
            try:
                values = list(reader(text))
            except (ValueError, RecursionError, yaml.YAMLError, LookupError, TypeError, AttributeError):
                continue
            for value in values:
                found.update(_coerced(value))
    return {number for number in found if len(number.lstrip("+")) >= _SHORTEST}


def _texts(body: bytes) -> Iterator[str]:
    seen = set()
    for text in _decoded(body):
        if text not in seen:
            seen.add(text)
            yield text


def _decoded(body: bytes) -> Iterator[str]:
    yield body.decode("utf-8-sig", "replace")
    yield body.decode("utf-8", "ignore").lstrip("\ufeff")
    if b"\0" in body or body.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
            try:
                yield body.decode(encoding).lstrip("\ufeff")
            except UnicodeDecodeError:
                continue
        yield body.replace(b"\0", b"").decode("utf-8", "replace")
    if not body.isascii():
        for encoding in ("cp037", "gb18030"):
            yield body.decode(encoding, "replace")
    elif b"+" in body:
        yield body.decode("utf-7", "replace")


def _coerced(value: Any) -> Iterator[str]:
    """A value as a number, as several languages convert it."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, float):
        if value == value and abs(value) < 1e18:
            yield str(int(value))
    elif isinstance(value, int):
        if value.bit_length() < 80:
            yield str(abs(value))
    elif isinstance(value, str):
        plain = "".join(
            str(unicodedata.digit(c)) if c.isdigit() else c
            for c in unicodedata.normalize("NFKC", value[:200]).strip()
            if unicodedata.category(c) not in {"Cf", "Cc", "Mn"}
        )
        plus = "+" if plain.startswith("+") else ""
        digits = "".join(c for c in plain if c in "0123456789")
        yield plus + digits
        if digits and "+" in plain.partition(digits[0])[0]:
            yield "+" + digits  # a reader that strips all but digits and plus signs
        yield from _in_base64(plain)
        if plain.lower().startswith(("sip:", "sips:")):
            yield plain.partition(":")[2]
        if match := re.match(r"[0-9 ().-]+", plain.removeprefix("+")):
            yield plus + re.sub(r"\D", "", match[0])
    elif isinstance(value, list):
        for element in value[:1]:
            yield from _coerced(element)
    elif isinstance(value, dict):
        for key, element in list(value.items())[:1]:
            yield from _coerced(element)
            yield from _coerced(key)


def _in_base64(text: str) -> Iterator[str]:
    try:
        plain = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return
    if re.fullmatch(r"\+?[0-9 ().-]+", plain):
        yield re.sub(r"[^0-9+]", "", plain)


def _name(text: Any) -> str:
    if not isinstance(text, str):
        return ""
    text = text.partition("\0")[0] or text  # as in C
    plain = unicodedata.normalize("NFKC", html.unescape(text[:200]))
    return "".join(c for c in plain if unicodedata.category(c) not in {"Cf", "Cc", "Mn"}).strip().casefold()


def _from_tree(node: Any, depth: int = 0) -> Iterator[Any]:
    """The values of destinations in a tree, at any depth."""
    if depth > 40:
        return
    if isinstance(node, _Pairs):
        folded = [(_name(key), value) for key, value in node]
        for key, value in folded:
            if key in _TO:
                yield value
            yield from _from_tree(value, depth + 1)
        names = [value for key, value in folded if key in {"name", "key", "@name", "field"}]
        if any(_is_destination(name) for name in names):
            yield from (value for key, value in folded if key not in {"name", "key", "@name", "field"})
    elif isinstance(node, list):
        if len(node) >= 2 and any(_is_destination(element) for element in node[:1]):
            yield node[1]
        for element in node:
            yield from _from_tree(element, depth + 1)
    elif isinstance(node, str) and node.lstrip()[:1] in {"{", "[", '"'} and depth < 6:
        try:
            yield from _from_tree(_pairs(node), depth + 1)
        except ValueError:
            return


def _is_destination(name: Any) -> bool:
    if isinstance(name, list):
        return any(map(_is_destination, name[:1]))
    return _name(name) in {"_destination", "destination"}


class _Pairs(list[tuple[str, Any]]):
    """An object with all its members, including repeated names."""


def _pairs(text: str) -> Any:
    value, _ = json.JSONDecoder(object_pairs_hook=_Pairs, strict=False).raw_decode(text.strip())
    return value


def _json_all_members(text: str) -> Iterable[Any]:
    """JSON; text after the first value is ignored, and any of several members with the same name may count."""
    return _from_tree(_pairs(text))


def _json_lines(text: str) -> Iterable[Any]:
    """One JSON text per line; text before a brace is ignored."""
    for line in text.splitlines()[:50]:
        at = min((i for i in (line.find("{"), line.find("[")) if i >= 0), default=-1)
        if at >= 0:
            try:
                yield from _from_tree(_pairs(line[at:]))
            except ValueError:
                continue


def _json5(text: str) -> Iterable[Any]:
    """JSON after repairing comments, single quotes, bare names and trailing commas."""
    text = re.sub(r"/\*.*?\*/|//[^\n\"']*$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"'((?:[^'\\\"]|\\.)*)'", r'"\1"', text)
    text = re.sub(r"([{,]\s*)([A-Za-z_]\w*)\s*:", r'\1"\2":', text)
    text = re.sub(r",\s*([}\]])", r"\1", text)
    return _from_tree(_pairs(text))


def _repaired(text: str) -> Iterable[Any]:
    """JSON that was cut off, with everything open closed."""
    closing: list[str] = []
    quoted = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char in "{[":
            closing.append("}" if char == "{" else "]")
        elif char in "}]" and closing:
            closing.pop()
    return _from_tree(_pairs(text + '"' * quoted + "".join(reversed(closing))))


def _form(text: str) -> Iterable[Any]:
    """Form data, with the bracketed names of some frameworks."""
    fields = parse_qsl(text, keep_blank_values=True)
    for index, (name, value) in enumerate(fields):
        plain = _name(name).split("[")[-1].strip("]")
        if _name(name) in _TO or plain in _TO:
            yield value
        if _is_destination(value) and index + 1 < len(fields):
            yield fields[index + 1][1]


def _multipart(text: str) -> Iterable[Any]:
    """The parts of multipart data, by name."""
    for name, value in re.findall(r'name="([^"]*)"[^\n]*\n(?:[^\r\n]+\n)*\r?\n([^\r\n]*)', text):
        if _name(name) in _TO:
            yield value


def _markup(text: str) -> Iterable[Any]:
    """XML, read with regular expressions."""
    for name, value in re.findall(r"<(\w+)>([^<]*)</", text):
        if _name(name) in _TO:
            yield value
    yield from re.findall(r"(?i)<name>_?destination</name>\s*<value>([^<]*)", text)
    yield from re.findall(r"(?i)name=[\"']_?destination[\"']\s+value=[\"']([^\"']*)", text)


def _yaml(text: str) -> Iterable[Any]:
    """YAML 1.1, which includes most JSON."""
    return _from_tree(_as_pairs(yaml.load(text, _Loader)))


def _as_pairs(node: Any) -> Any:
    if isinstance(node, dict):
        return _Pairs((str(key), _as_pairs(value)) for key, value in node.items())
    return [_as_pairs(element) for element in node] if isinstance(node, list) else node


_BESIDE = re.compile(
    r"_?destination(?:\\?[\"'])?\s*[\]})]*\s*[,:=]\s*[\[{(]*\s*"
    r"(?:\\?[\"']?(?:value|val)\\?[\"']?\s*[:=]\s*)?[\[{(]*\s*\\?[\"']?\s*(\+?[\d][\d ().-]*)",
    re.IGNORECASE,
)


def _pattern(text: str) -> Iterable[Any]:
    """A regular expression that looks for digits right after the name."""
    return _BESIDE.findall(text)


def _after(undo: Callable[[str], str], reader: Callable[[str], Iterable[Any]]) -> Callable[[str], Iterable[Any]]:
    def read(text: str) -> Iterable[Any]:
        plain = undo(text)
        return reader(plain) if plain != text else ()

    return read


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text).replace('\\"', '"')


def _halved(text: str) -> str:
    return text.replace("\\\\", "\\").replace('\\"', '"')


_READERS: tuple[Callable[[str], Iterable[Any]], ...] = (
    _json_all_members,
    _json_lines,
    _json5,
    _repaired,
    _form,
    _multipart,
    _markup,
    _yaml,
    _pattern,
    _after(_unescaped, _pattern),
    _after(unquote, _pattern),
    _after(unquote, _json_all_members),
    _after(html.unescape, _pattern),
    _after(html.unescape, _json_all_members),
    _after(_halved, _repaired),
)
