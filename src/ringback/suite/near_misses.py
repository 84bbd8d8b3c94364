"""Values that come near the right one without being it: access tokens and UniqueIds."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["near_miss_ids", "near_miss_tokens"]


def near_miss_tokens() -> dict[str, Callable[[str], str]]:
    """How a wrong token is made from the right one, by what is done to it."""
    return {
        "in another case": lambda token: token.swapcase() if token.swapcase() != token else token[::-1] + "x",
        "in capitals": lambda token: token.upper() if token.upper() != token else token.lower() + "x",
        "without its last character": lambda token: token[:-1] or token + "x",
        "without its first half": lambda token: token[len(token) // 2 :] if len(token) > 1 else token + "x",
        "with a letter appended": lambda token: token + "x",
        "with a blank appended": lambda token: token + " ",
        "after a blank": lambda token: " " + token,
        "twice": lambda token: token + token,
        "replaced by another of its length": lambda token: ("notthetokenatall" * len(token))[: max(6, len(token))],
        "replaced by a wildcard": lambda token: "*" if "%" in token else "%",
    }


def near_miss_ids(unique_id: str) -> dict[str, str]:
    """UniqueIds that nobody was given, by how they differ from a real one."""
    last = unique_id[-1]
    other = "b" if last == "a" else "a"
    if last.isdigit():
        other = str((int(last) + 5) % 10) if last.isascii() else "5"
    candidates = {
        "in another case": unique_id.swapcase(),
        "without its last character": unique_id[:-1],
        "its first half": unique_id[: len(unique_id) // 2],
        "with a letter appended": unique_id + "x",
        "with a blank appended": unique_id + " ",
        "after a blank": " " + unique_id,
        "with a line break appended": unique_id + "\n",
        "with another last character": unique_id[:-1] + other,
        "with a wildcard in place of its end": unique_id[: max(1, len(unique_id) // 2)] + "%",
        "with a NUL appended": unique_id + "\0",
    }
    return {how: text for how, text in candidates.items() if text and text != unique_id}
