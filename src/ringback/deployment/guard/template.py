"""A request whose words change and whose numbers can't: looked at once, and filled in as often as one likes.

A load run sends the same trigger tens of thousands of times a second, but for an id in letters. The guard looks at the
whole of it once; after that only the words need be looked at. They hold nothing but consonants, which no reader takes
for a digit, a quotation mark, or the end of anything, and which spell no name that a number is dialled from. And they
stand at the end of a text of their own, never in a name, an escape or a number.
"""

from __future__ import annotations

import re
from itertools import pairwise

from ringback.deployment.guard.refusal import StrangerRefused

__all__ = ["LETTERS", "RequestTemplate"]

LETTERS = "bcdfghjklmnpqrst"
"""All that a word may be made of."""
_LETTERS = LETTERS.encode()
_SHORTEST, _LONGEST = 4, 64
"""Letters of a word; shorter ones are the names of something here and there (`gsm`, `dst`)."""
_BEFORE = re.compile(rb"[:,\[]\s*\"[^\"\\]*[-/]\Z")
"""How what stands before a gap ends: with the beginning of a text that holds no escape, and something between."""
_BASE64 = re.compile(rb"\+[A-Za-z0-9+/]*\Z")
"""What may be the beginning of UTF-7's base64, which letters would continue."""
_AFTER = re.compile(rb"\"\s*[,}\]]")
"""How what stands behind a gap begins: with the end of a text that is no name."""


class RequestTemplate:
    """The pieces of a request between which a word is put. Made by `DialGuard.approve` alone.

    `length` is the word's, always the same, so that lengths told in the request's headers stay true. Raises
    `StrangerRefused` if a gap is anywhere but at the end of a text's value.
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
        """The whole request, with `word` in each gap. Raises `StrangerRefused` if it is not such a word."""
        if len(word) != self._length or word.strip(_LETTERS):
            raise StrangerRefused("a word that is not of the letters for words", "a request's gap")
        return word.join(self._pieces)
