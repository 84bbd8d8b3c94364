"""Encodings of text, and the secrets that must not be left in any of them."""

from __future__ import annotations

import base64
import html
import json
import quopri
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

Spell = Callable[[str], str]

TOKEN = "tok-Q8w7/e6R5+t4=z3Yx_K"
LINE, PLUS_LINE = "5550000001", "+4955500003"
LINES = {"answered": LINE, "busy": PLUS_LINE, "no_answer": "101"}
STRANGER, NAME, EMAIL = "15559998877", "Given Family", "somebody@example.com"
PERSONAL = (STRANGER, NAME, EMAIL)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def wrapped(text: str, end: str, before: bytes = b"a longer text that goes before it, so that it is wrapped: ") -> str:
    coded = b64(before + text.encode() + b" and some more")
    return end.join(coded[at : at + 76] for at in range(0, len(coded), 76))


def every(form: str) -> Spell:
    """Encode each character in a form; `{}` is its code."""
    return lambda text: "".join(form.format(ord(char)) for char in text)


def each_byte(form: str, between: str = "") -> Spell:
    return lambda text: between.join(form.format(byte) for byte in text.encode())


def with_within(char: str) -> Spell:
    return char.join


ESCAPES: Mapping[str, Spell] = {
    "plain": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "JSON, slashes": lambda text: text.replace("/", "\\/"),
    "JSON, all": every("\\u{:04x}"),
    "JSON, all, upper case": every("\\u{:04X}"),
    "JSON in JSON, all": every("\\\\u{:04x}"),
    "JavaScript": every("\\u{{{:x}}}"),
    "\\x": each_byte("\\x{:02x}"),
    "octal": each_byte("\\{:03o}"),
    "URL": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "URL, all": each_byte("%{:02X}"),
    "URL, all, lower case": each_byte("%{:02x}"),
    "URL twice": each_byte("%25{:02X}"),
    "URL three times": each_byte("%2525{:02X}"),
    "HTML": html.escape,
    "HTML twice": lambda text: html.escape(html.escape(text)),
    "HTML, decimal": every("&#{};"),
    "HTML, hexadecimal": every("&#x{:X};"),
    "HTML, padded": every("&#{:05};"),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "quoted-printable, all": each_byte("={:02X}"),
    "quoted-printable, all, lower case": each_byte("={:02x}"),
    "quoted-printable, soft breaks": lambda text: text.replace("=", "=3D")[:6] + "=\r\n" + text.replace("=", "=3D")[6:],
}
INVISIBLE: Mapping[str, Spell] = {
    f"U+{ord(char):04X} within": with_within(char)
    for char in "\u200b\u200c\u200d\u200e\u00ad\u2060\ufeff\u061c\u180e\u034f\ufe0f\0\U000e0020"
}
CODINGS: Mapping[str, Spell] = {
    "Base64": lambda text: b64(text.encode()),
    "Base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "Base64, no padding": lambda text: b64(text.encode()).rstrip("="),
    "Base64, second offset": lambda text: b64(b"x" + text.encode() + b" tail"),
    "Base64, third offset": lambda text: b64(b"xy" + text.encode() + b" tail"),
    "Base64 after letters": lambda text: "n" + b64(text.encode()),
    "Base64 of user and secret": lambda text: "Basic " + b64(b"user:" + text.encode()),
    "Base64, wrapped": lambda text: wrapped(text, "\r\n"),
    "Base64, wrapped and escaped": lambda text: wrapped(text, "\\r\\n"),
    "Base64, wrapped and folded": lambda text: wrapped(text, "\n "),
    "Base64 of UTF-16 LE": lambda text: b64(text.encode("utf-16-le")),
    "Base64 of UTF-16 BE": lambda text: b64(text.encode("utf-16-be")),
    "Base64 of UTF-16 with a mark": lambda text: b64(text.encode("utf-16")),
    "Base64 twice": lambda text: b64(b64(text.encode()).encode()),
    "Base64 three times": lambda text: b64(b64(b64(text.encode()).encode()).encode()),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal, upper case": lambda text: text.encode().hex().upper(),
    "hexadecimal with colons": lambda text: text.encode().hex(":"),
    "hexadecimal with blanks": lambda text: text.encode().hex(" "),
    "hexadecimal with dashes": lambda text: text.encode().hex("-"),
    "hexadecimal with 0x": each_byte("0x{:02x}", ", "),
    "hexadecimal, 0x once": lambda text: "0x" + text.encode().hex(),
    "hexadecimal of UTF-16": lambda text: text.encode("utf-16-le").hex(),
    "Base64 of hexadecimal": lambda text: b64(text.encode().hex().encode()),
    "hexadecimal of Base64": lambda text: b64(text.encode()).encode().hex(),
    "URL of quoted-printable": lambda text: quote(each_byte("={:02X}")(text), safe=""),
    "URL of Base64": lambda text: quote(b64(text.encode()), safe=""),
    "JSON of Base64": lambda text: every("\\u{:04x}")(b64(text.encode())),
}
SPELLINGS: Mapping[str, Spell] = {**ESCAPES, **INVISIBLE, **CODINGS}

DIGITS: Mapping[str, Spell] = {
    "full width": lambda text: text.translate({0x30 + n: 0xFF10 + n for n in range(10)}),
    "Arabic": lambda text: text.translate({0x30 + n: 0x660 + n for n in range(10)}),
    "Devanagari": lambda text: text.translate({0x30 + n: 0x966 + n for n in range(10)}),
    "superscript": lambda text: text.translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")),
    "blanks": lambda text: f"{text[:-7]} {text[-7:-4]} {text[-4:-2]} {text[-2:]}",
    "NBSP": lambda text: f"{text[:-7]}\u00a0{text[-7:-4]}\u00a0{text[-4:]}",
    "narrow NBSP": lambda text: f"{text[:-7]}\u202f{text[-7:-4]}\u202f{text[-4:]}",
    "NBSP in HTML": lambda text: f"{text[:-7]}&nbsp;{text[-7:-4]}&nbsp;{text[-4:]}",
    "NBSP in JSON": lambda text: f"{text[:-7]}\\u00a0{text[-7:-4]}\\u00a0{text[-4:]}",
    "dots": lambda text: f"{text[:-7]}.{text[-7:-4]}.{text[-4:]}",
    "dashes": lambda text: f"{text[:-7]}-{text[-7:-4]}-{text[-4:]}",
    "other dashes": lambda text: f"{text[:-7]}\u2011{text[-7:-4]}\u2013{text[-4:]}",
    "slashes": lambda text: f"{text[:-7]}/{text[-7:-4]}/{text[-4:-2]}/{text[-2:]}",
    "parentheses": lambda text: f"({text[:-7]}) {text[-7:-4]}-{text[-4:]}",
}
