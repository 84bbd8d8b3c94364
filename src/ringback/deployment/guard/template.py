"""A request whose words change and whose numbers can't: looked at once, and filled in as often as one likes.

A load run sends the same trigger tens of thousands of times a second, but for an id in letters. The guard looks at the
whole of it once; after that only the words need be looked at, and they may hold nothing but the letters a to p, which
no reader takes for a digit, a quotation mark, or the end of anything.
"""

from __future__ import annotations

from ringback.deployment.guard.refusal import StrangerRefused

__all__ = ["LETTERS", "RequestTemplate"]

LETTERS = "abcdefghijklmnop"
"""All that a word may be made of."""
_LETTERS = LETTERS.encode()
_LONGEST = 64


class RequestTemplate:
    """The pieces of a request between which a word is put. Made by `DialGuard.approve` alone.

    `length` is the word's, always the same, so that lengths told in the request's headers stay true.
    """

    __slots__ = ("_length", "_pieces")

    def __init__(self, pieces: tuple[bytes, ...], length: int) -> None:
        if not 1 <= length <= _LONGEST:
            raise ValueError(f"a word has 1 to {_LONGEST} letters")
        self._pieces = pieces
        self._length = length

    def fill(self, word: bytes) -> bytes:
        """The whole request, with `word` in each gap. Raises `StrangerRefused` if it is not such a word."""
        if len(word) != self._length or word.strip(_LETTERS):
            raise StrangerRefused("a word that is not of the letters a to p", "a request's gap")
        return word.join(self._pieces)
