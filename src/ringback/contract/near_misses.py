"""Near misses: wrong access tokens and UniqueIds that are similar to right ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from ringback.contract.same_id import same_id

__all__ = ["may_be_a_calls_id", "near_miss_ids", "near_miss_tokens", "well_formed_unknown_ids"]


_SHUFFLED = 12


def near_miss_tokens() -> dict[str, Callable[[str], str]]:
    """Functions that make a wrong token from the right one, by the difference."""
    return {
        "in another case": lambda token: token.swapcase() if token.swapcase() != token else token[::-1] + "x",
        "in capitals": lambda token: token.upper() if token.upper() != token else token.lower() + "x",
        "without its last character": lambda token: _unpadded(token)[:-1] or token + "x",
        "without its first half": lambda token: token[len(token) // 2 :] if len(token) > 1 else token + "x",
        "with a letter appended": lambda token: token + "x",
        "with a blank appended": lambda token: token + " ",
        "after a blank": lambda token: " " + token,
        "with a line break appended": lambda token: token + "\n",
        "with a NUL and more appended": lambda token: token + "\0x",
        "with another last character": lambda token: _with_another_last(token, "x", "Xwxyz0123456789+/-_", "A"),
        "with another character in its middle": _with_another_middle,
        "in fullwidth letters": lambda token: _in_fullwidth(token) if _in_fullwidth(token) != token else token + "x",
        "twice": lambda token: token + token,
        "replaced by another of its length": lambda token: ("notthetokenatall" * len(token))[: max(6, len(token))],
        "replaced by a wildcard": lambda token: "*" if "%" in token else "%",
    }


def _unpadded(text: str) -> str:
    """The text without the padding of base64, which lenient readers do without."""
    return text.rstrip("=") or text


def _with_another_last(text: str, other: str, similar: str, otherwise: str) -> str:
    """The text with `other` as its last letter, or with `otherwise` in place of a letter that is `similar` to `other`.

    As digits of base64, similar letters have their first two bits in common. Lenient readers, as those of a JWT's
    signature, ignore the other bits where they complete no byte: for them, such texts are the same.
    """
    letters = _unpadded(text)
    return letters[:-1] + (otherwise if letters[-1] in similar else other) + text[len(letters) :]


def _in_fullwidth(token: str) -> str:
    """The token with its Latin letters in their fullwidth forms, which Unicode's NFKC takes for the same."""
    return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalpha() else c for c in token)


def _with_another_middle(token: str) -> str:
    at = len(token) // 2
    return token[:at] + ("x" if token[at] != "x" else "y") + token[at + 1 :]


def near_miss_ids(unique_id: str) -> dict[str, str]:
    """Unknown UniqueIds that are similar to a known one, by the difference. `same_id` takes none of them for it."""
    last = unique_id[-1]
    other = "a"
    if last.isdigit():
        other = str((int(last) + 5) % 10) if last.isascii() else "5"
    candidates = {
        "without its last character": _unpadded(unique_id)[:-1],
        "its first half": unique_id[: len(unique_id) // 2],
        "with a letter appended": unique_id + "x",
        "with another last character": _with_another_last(unique_id, other, "AQRSTUVWXYZabcdef", "5"),
        "without its first character": unique_id[1:],
        "twice": unique_id + unique_id,
        "beside another id": f"{unique_id},no-such-call",
        "with a wildcard in place of its end": unique_id[: max(1, len(unique_id) // 2)] + "%",
        "with a NUL and more appended": unique_id + "\0x",
    }
    return {how: text for how, text in candidates.items() if text and not same_id(unique_id, text)}


def may_be_a_calls_id(text: str) -> bool:
    """Whether a near miss is formed like an id: where ids can be guessed, it may be that of another client's call."""
    return re.fullmatch(r"[\w.:-]+", text) is not None


def well_formed_unknown_ids(unique_id: str, known: Collection[str], count: int = 1) -> list[str]:
    """Unknown UniqueIds in the form of a known one: its last letters and digits in another order.

    Length, alphabet and dashes stay the same, so that a deployment that parses ids can parse these. There are fewer
    than `count` if the id has too few different characters.
    """
    places = [i for i, character in enumerate(unique_id) if character.isalnum()][-_SHUFFLED:]
    found: dict[str, None] = {}
    for shift in range(1, len(places)):
        text = list(unique_id)
        for index, place in enumerate(places):
            text[place] = unique_id[places[(index + shift) % len(places)]]
        unknown = "".join(text)
        if not any(same_id(one, unknown) for one in (unique_id, *known)):
            found[unknown] = None
    return list(found)[:count]
