"""Which ids a database or a type system may take for the same one, and which are only similar.

Many do not compare bytes: they ignore case, accents and blanks around an id, or read a UUID in any of its forms.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["by_common_form", "common_form", "other_spellings", "resembles", "same_id"]

_UUID_GROUPS = (8, 4, 4, 4, 12)
_HEX = re.compile(r"[0-9a-f]+")
_NOT_TEXT = re.compile("[\ud800-\udfff\ufffd]+")
"""What no UTF-8 text can carry, and what readers put in its place."""


def same_id(asked: str, named: str) -> bool:
    """Whether `named` may be the deployment's spelling of the id `asked`.

    It may be that by a comparison that ignores case, accents or blanks around an id; as another textual form of the
    same UUID; or with U+FFFD or `?` in place of what is not text.
    """
    if asked == named or common_form(asked) == common_form(named):
        return True
    parts = _NOT_TEXT.split(asked)
    if len(parts) == 1 or len(named) > 4 * len(asked):
        return False
    return re.fullmatch("[\ufffd?\ud800-\udfff]*".join(map(re.escape, parts)), named) is not None


def by_common_form(asked: Sequence[str]) -> dict[str, str]:
    """Common form -> the id that was asked for, to find it by its spelling in an answer; of several, the first."""
    return {common_form(one): one for one in reversed(asked)}


def other_spellings(unique_id: str) -> dict[str, str]:
    """Other spellings of an id that `same_id` takes for it, by the difference."""
    candidates = {
        "in another case": unique_id.swapcase(),
        "with a blank appended": unique_id + " ",
        "after a blank": " " + unique_id,
        "with a line break appended": unique_id + "\n",
    }
    if (digits := _uuid(unique_id.casefold())) is not None:
        ends, groups = 0, []
        for length in _UUID_GROUPS:
            groups.append(digits[ends : ends + length])
            ends += length
        candidates |= {
            "without hyphens": digits,
            "with hyphens": "-".join(groups),
            "in braces": "{" + "-".join(groups) + "}",
            "as a URN": "urn:uuid:" + "-".join(groups),
        }
    return {how: text for how, text in candidates.items() if text != unique_id and same_id(unique_id, text)}


def resembles(one: str, other: str) -> bool:
    """Whether two ids differ only in case and punctuation, or one is the beginning or the end of the other.

    That tells which unknown id a deployment took for which call; it does not make them the same.
    """
    a, b = _letters_and_digits(one), _letters_and_digits(other)
    short, long = sorted((a, b), key=len)
    return a == b or (len(short) >= 4 and (long.startswith(short) or long.endswith(short)))


@lru_cache(1024)
def common_form(text: str) -> str:
    """An id as a comparison sees it that ignores case, accents, blanks around it, and the textual form of a UUID."""
    plain = unicodedata.normalize("NFKD", text.strip())
    folded = "".join(c for c in plain if not unicodedata.combining(c)).casefold().strip()
    return _uuid(folded) or folded


def _uuid(folded: str) -> str | None:
    """The 32 digits of a UUID in any textual form; None if it is none.

    Some readers leave out leading zeros of a group, or accept any pair of characters around the UUID.
    """
    text = folded.removeprefix("urn:").removeprefix("uuid:")
    if len(text) > 2 and not text[0].isalnum() and not text[-1].isalnum():
        text = text[1:-1]
    groups = text.split("-")
    if len(groups) == len(_UUID_GROUPS) and all(map(_HEX.fullmatch, groups)):
        text = "".join(group.zfill(length) for group, length in zip(groups, _UUID_GROUPS, strict=True))
    digits = text.replace("-", "")
    return digits if len(digits) == sum(_UUID_GROUPS) and _HEX.fullmatch(digits) else None


def _letters_and_digits(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum()) or text.strip()
