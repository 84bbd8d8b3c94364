"""The guard's one exception, and how a place in a request is named without repeating what stands there."""

from __future__ import annotations

import re
from typing import TypeAlias

from ringback.deployment.errors import NotSent

__all__ = ["StrangerRefused", "Where"]

Where: TypeAlias = "str | tuple[Where, str | int]"
"""A place in a request: words, or a place and the member's name or the index that leads further in."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,39}")


class StrangerRefused(NotSent):
    """A request was not sent, for it might have dialled a number that is not a configured line.

    The message tells what was found and where; it never repeats a number, a name or any other value.
    """

    def __init__(self, found: str, where: Where) -> None:
        self.found = found
        self.where = _told(where)
        super().__init__(f"not sent: {found}, in {self.where}")


def _told(where: Where) -> str:
    """A place in words; of members' names, only those that are plain letters."""
    steps: list[str] = []
    while not isinstance(where, str):
        where, member = where
        if isinstance(member, int):
            steps.append(f"[{member}]")
        else:
            steps.append(f".{member}" if _PLAIN_NAME.fullmatch(member) else ".*")
    return where + "".join(reversed(steps[-12:]))
