"""Digits of any script, and characters that look like Latin letters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["count_digits", "has_look_alikes", "letters", "plain"]

_NOT_A_LETTER = re.compile(r"[^a-z]+")
_TO_LOWER = bytes(range(256)).lower()
_NOT_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())
_ASCII_DIGIT = re.compile(r"[0-9]")
_LOOK_ALIKES = {
    ord(alike): latin
    for latin, alikes in {
        "a": "аαɑ", "b": "ьβƅ", "c": "сϲ", "d": "ԁɗ", "e": "еєεҽ", "h": "һн", "i": "іιıɩӏ", "k": "кκ", "l": "ӏⅼ",
        "m": "мⅿ", "n": "пηոν", "o": "оοօσ", "p": "рρ", "r": "гᴦ", "s": "ѕꜱ", "t": "тτ", "u": "υսц", "v": "ѵ",
        "x": "хχ", "y": "уγ",
    }.items()
    for alike in alikes
}  # fmt: skip
"""Cyrillic, Greek and Armenian letters (lower case) that look like Latin ones."""


def count_digits(text: str) -> int:
    """The number of digits in a text, of any script or style."""
    count = len(_ASCII_DIGIT.findall(text))
    return count if text.isascii() else count + sum(map(_is_foreign_digit, text))


def has_look_alikes(text: str) -> bool:
    """Whether a text has characters that some readers convert to ASCII digits or marks (`+`, `@`, `:`)."""
    return not text.isascii() and any(map(_is_look_alike, set(text)))


def letters(text: str) -> str:
    """The Latin letters of a name in lower case, without punctuation, digits, accents and invisible characters."""
    if text.isascii():
        return text.encode().translate(_TO_LOWER, _NOT_LETTERS).decode()
    return _NOT_A_LETTER.sub("", "".join(map(_latin, text)).lower())


def plain(text: str) -> str:
    """A form that is equal for names which a careless server may treat as the same."""
    if text.isascii():
        return text.strip().casefold()
    return "".join(map(_visible, text)).strip().casefold()


@lru_cache(maxsize=16384)
def _is_foreign_digit(char: str) -> bool:
    return char > "\x7f" and any(c.isdigit() for c in (char, *unicodedata.normalize("NFKC", char)))


@lru_cache(maxsize=16384)
def _is_look_alike(char: str) -> bool:
    plain = unicodedata.normalize("NFKC", char)
    return _is_foreign_digit(char) or (
        char > "\x7f" and any(c.isascii() and not c.isalpha() and c != " " for c in plain)
    )


@lru_cache(maxsize=16384)
def _latin(char: str) -> str:
    return unicodedata.normalize("NFKD", char).casefold().translate(_LOOK_ALIKES)


@lru_cache(maxsize=16384)
def _visible(char: str) -> str:
    return "" if unicodedata.category(char) in {"Cc", "Cf", "Mn", "Me"} else unicodedata.normalize("NFKC", char)
