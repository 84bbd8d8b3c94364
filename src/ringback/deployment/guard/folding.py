"""What characters look like to a lenient reader: every digit as ASCII, look-alike letters as Latin."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["HIDDEN", "decimals", "fold", "has_foreign_digits", "letters"]

HIDDEN = "\x01"
"""Stands for a character that cannot be seen: a reader may drop it, stop at it or take it for a gap."""

_HANGUL_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NOT_A_LETTER = re.compile(r"[^a-z]+")
_LOOK_ALIKES = {
    ord(alike): latin
    for latin, alikes in {
        "a": "аαɑ", "b": "ьβƅ", "c": "сϲ", "d": "ԁɗ", "e": "еєεҽ", "h": "һн", "i": "іιıɩӏ", "k": "кκ", "l": "ӏⅼ",
        "m": "мⅿ", "n": "пηոν", "o": "оοօσ", "p": "рρ", "r": "гᴦ", "s": "ѕꜱ", "t": "тτ", "u": "υսц", "v": "ѵ",
        "x": "хχ", "y": "уγ",
    }.items()
    for alike in alikes
}  # fmt: skip
"""Cyrillic, Greek and Armenian letters (lower case) that pass for Latin ones."""


def fold(text: str) -> str:
    """Text with each digit of any script as its ASCII digit, blanks as spaces, dashes as `-`, unseen ones `HIDDEN`.

    Characters are folded one by one: normalising whole texts costs quadratic time on long runs of marks.
    """
    if not text.isascii():
        return text.translate({ord(c): _folded(c) for c in set(text) if c >= "\x7f" or c < " "})
    return _ASCII_CONTROL.sub(HIDDEN, text) if not text.isprintable() else text


def has_foreign_digits(text: str) -> bool:
    """Whether text has digits that some readers take for digits and others do not."""
    return not text.isascii() and any(any(map(str.isdigit, _folded(c))) for c in set(text) if c > "\x7f")


def decimals(text: str) -> str:
    """Text with the decimal digits of any script as ASCII, and nothing else changed.

    For speculative readings, in which a superscript is a likelier sign of a wrong guess than of a number.
    """
    if text.isascii():
        return text
    return text.translate({ord(c): str(unicodedata.decimal(c)) for c in set(text) if c > "\x7f" and c.isdecimal()})


def letters(text: str) -> str:
    """The Latin letters of a name, in lower case: punctuation, digits, accents and what can't be seen are left out."""
    if text.isascii():
        return _NOT_A_LETTER.sub("", text.lower())
    plain = text.translate({ord(c): _latin(c) for c in set(text) if c >= "\x7f"})
    return _NOT_A_LETTER.sub("", plain.lower())


@lru_cache(maxsize=16384)
def _folded(char: str) -> str:
    if char in "\t\n\r":
        return char
    category = unicodedata.category(char)
    if category in {"Cc", "Cf", "Mn", "Me"} or char in _HANGUL_FILLERS:
        return HIDDEN
    return "".join(map(_plain, unicodedata.normalize("NFKC", char)))


def _plain(char: str) -> str:
    if char.isascii():
        return char
    if char.isdigit():
        return str(unicodedata.digit(char))
    return {"Zs": " ", "Zl": "\n", "Zp": "\n", "Pd": "-"}.get(unicodedata.category(char), char)


@lru_cache(maxsize=16384)
def _latin(char: str) -> str:
    return unicodedata.normalize("NFKD", char).casefold().translate(_LOOK_ALIKES)
