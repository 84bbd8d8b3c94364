"""Keeps values of `load.variables_file` out of reports: a deployment may repeat them in the ids that it gives out."""

from __future__ import annotations

import re

from ringback.loadgen.data.rows import Rows

__all__ = ["PersonalValues"]

_HIDDEN = "<an id with a value of load.variables_file>"
_SHORTEST_PART, _SHORTEST_WORD = 4, 2
"""Characters of a value that is found within other text, and of one that is found as a word by itself."""
_LONGEST_ID = 128
"""Characters of an id that is searched; a longer one is hidden whole."""
_WORD = re.compile(r"[^\W_]+")


class PersonalValues:
    """Recognises ids that contain a value of the file, in whatever case. The file's size costs no time."""

    def __init__(self, rows: Rows | None) -> None:
        every = {value.strip().casefold() for row in rows.values for value in row} if rows is not None else set()
        self._values = frozenset(value for value in every if len(value) >= _SHORTEST_WORD)
        self._lengths = sorted({len(value) for value in self._values if len(value) >= _SHORTEST_PART})

    def clean(self, unique_id: str) -> str:
        """The id, or a text in its place."""
        return (
            _HIDDEN if self._values and (len(unique_id) > _LONGEST_ID or self._in(unique_id.casefold())) else unique_id
        )

    def _in(self, text: str) -> bool:
        words = set(_WORD.findall(text))
        parts = {
            text[at : at + length]
            for length in self._lengths
            if length <= len(text)
            for at in range(len(text) - length + 1)
        }
        return not self._values.isdisjoint(words | parts)
