"""The ways in which one text may be spelt in an answer or a log: regular expressions that know them all.

Each character may come plain, as a JSON, URL or HTML escape, or between NULs, mixed at will; whole texts may come in
Base64 (at any offset within a longer text) or in hexadecimal. Patterns are bounded: they match in linear time.
"""

from __future__ import annotations

import base64
import html.entities
import re
from collections.abc import Iterator
from urllib.parse import quote

__all__ = ["any_spelling", "base64_forms"]

_SHORTEST_CODED = 6
"""Bytes from which on a text's Base64 says enough to be looked for."""
_ENTITIES: dict[str, list[str]] = {}
for _name, _char in html.entities.html5.items():
    if len(_char) == 1 and _name.endswith(";"):
        _ENTITIES.setdefault(_char, []).append(rf"&(?:amp;){{0,3}}{_name}")


def any_spelling(text: str, gap: str = "") -> str:
    """A pattern (for `re.IGNORECASE`) for text however it is escaped; `gap` may stand between its characters."""
    between = rf"\x00{{0,3}}{gap}"
    return between.join(_character(char) for char in text)


def base64_forms(text: str) -> Iterator[str]:
    """Patterns for text in Base64, standard or URL-safe, at each of its three offsets, and in hexadecimal."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) < _SHORTEST_CODED:
        return
    for offset in range(3):
        # The characters at both ends carry bits of the neighbours, too: only those between are certain.
        coded = base64.b64encode(b"\0" * offset + raw).decode()
        first = (0, 2, 3)[offset]
        last = (offset + len(raw)) * 8 // 6
        yield re.escape(coded[first:last]).replace(r"\+", "[+-]").replace("/", "[/_]")
    yield raw.hex()


def _character(char: str) -> str:
    code = ord(char)
    units = char.encode("utf-16-be", "surrogatepass")
    utf16 = "".join(rf"\\{{1,8}}u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
    percent = "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    forms = [re.escape(char), utf16, percent, rf"\\{{1,8}}u\{{0{{0,4}}{code:x}\}}"]
    forms += [re.escape(cased) for cased in (char.upper(), char.lower(), char.casefold()) if len(cased) > 1]
    forms += [rf"&(?:amp;){{0,3}}#0{{0,4}}{code};", rf"&(?:amp;){{0,3}}#x0{{0,4}}{code:x};"]
    if code < 256:
        forms += [rf"\\{{1,8}}x{code:02x}", rf"\\{{1,8}}{code:03o}"]
    if not char.isalnum():
        forms += [rf"\\{{1,8}}{re.escape(char)}", *_ENTITIES.get(char, ())]
    if char == " ":
        forms.append(re.escape("+"))
    if char.isdigit() and char.isascii():
        forms.append(chr(code - 0x30 + 0xFF10))
    if quote(char, safe="") == char and not char.isalnum():
        forms.append(f"%(?:25){{0,3}}{code:02x}")
    return f"(?:{'|'.join(dict.fromkeys(forms))})"
