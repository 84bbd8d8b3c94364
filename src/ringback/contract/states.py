"""The seven documented call states, and which of them a misspelt word means."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ringback.config import LINE_STATES

__all__ = ["FINAL_STATES", "nearest_state", "undocumented_reports"]

FINAL_STATES: frozenset[str] = frozenset(LINE_STATES.values())
"""The documented states, letter for letter."""

_LISTED = 4
_BY_LETTERS = {re.sub(r"[^a-z]", "", state.lower()): state for state in FINAL_STATES}


def nearest_state(text: str) -> str | None:
    """The documented state that a text means if case, blanks and punctuation are ignored; None if none."""
    return _BY_LETTERS.get(re.sub(r"[^a-z]", "", text.lower()))


def undocumented_reports(states: Sequence[str]) -> str:
    """That polls reported these undocumented states, which may explain lost calls: the first few; empty if none."""
    if not states:
        return ""
    kind = "misspelt" if all(nearest_state(state) for state in states) else "undocumented"
    return f"polls reported {kind} states: " + ", ".join(f'"{state}"' for state in states[:_LISTED])
