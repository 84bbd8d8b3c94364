"""A request with gaps for words. The guard checks it once, and only the words afterwards.

A load run sends the same trigger many times a second with a different id, made of letters. Words have only consonants:
no reader takes them for digits or for the end of a text, and they spell no name whose value might be dialled. A gap is
always at the end of a text value, never in a name, an escape or a number.
"""

from __future__ import annotations

import re
from itertools import pairwise

from ringback.deployment.guard.refusal import StrangerRefused

__all__ = ["LETTERS", "RequestTemplate"]

LETTERS = "bcdfghjklmnpqrst"
"""The letters of words."""
_LETTERS = LETTERS.encode()
_SHORTEST, _LONGEST = 4, 64
"""Letters of a word. Shorter words may be names of something that is dialled (`gsm`, `dst`)."""
_BEFORE = re.compile(rb"[:,\[]\s*\"[^\"\\]*[-/]\Z")
"""The end of the piece before a gap: the beginning of a text without escapes, and a separator."""
_BASE64 = re.compile(rb"\+[A-Za-z0-9+/]*\Z")
"""What may be the beginning of base64 in UTF-7, which letters would continue."""
_AFTER = re.compile(rb"\"\s*[,}\]]")
"""The beginning of the piece after a gap: the end of a text that is not a name."""


class RequestTemplate:
    """The pieces of a request around its gaps. Only `DialGuard.approve` makes it.

    `length` is the length of every word, so that Content-Length stays right. Raises `StrangerRefused` if a gap is not
    at the end of a text value.
    """

    __slots__ = ("_length", "_pieces")

    def __init__(self, pieces: tuple[bytes, ...], length: int) -> None:
        if not _SHORTEST <= length <= _LONGEST:
            raise ValueError(f"a word has {_SHORTEST} to {_LONGEST} letters")
        for before, after in pairwise(pieces):
            if not (_BEFORE.search(before) and _AFTER.match(after)) or _BASE64.search(before):
                raise StrangerRefused("a gap that is not at the end of a text", "a request")
        self._pieces = pieces
        self._length = length

    def fill(self, word: bytes) -> bytes:
        """The whole request with `word` in each gap; raises `StrangerRefused` for any other text than a word."""
        if len(word) != self._length or word.strip(_LETTERS):
            raise StrangerRefused("a word with other letters, or of another length", "a request's gap")
        return word.join(self._pieces)
