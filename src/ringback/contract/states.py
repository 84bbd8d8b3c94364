"""The seven documented call states, and which of them a misspelt word means."""

from __future__ import annotations

import re
from collections.abc import Collection

from ringback.config import LINE_STATES

__all__ = ["FINAL_STATES", "nearest_state", "undocumented_or_misspelt"]

FINAL_STATES: frozenset[str] = frozenset(LINE_STATES.values())
"""The documented states, letter for letter."""

_BY_LETTERS = {re.sub(r"[^a-z]", "", state.lower()): state for state in FINAL_STATES}


def nearest_state(text: str) -> str | None:
    """The documented state that a text means if case, blanks and punctuation are ignored; None if none."""
    return _BY_LETTERS.get(re.sub(r"[^a-z]", "", text.lower()))


def undocumented_or_misspelt(states: Collection[str]) -> str:
    """`misspelt` if each of these undocumented states means a documented one, else `undocumented`."""
    return "misspelt" if states and all(nearest_state(state) for state in states) else "undocumented"
