"""The guard's exception, and how it names a place in a request without quoting its value."""

from __future__ import annotations

import re
from typing import TypeAlias

from ringback.deployment.errors import NotSent

__all__ = ["StrangerRefused", "Where"]

Where: TypeAlias = "str | tuple[Where, str | int]"
"""A place in a request: words, or a place and the member name or index within it."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,39}")


class StrangerRefused(NotSent):
    """A request was not sent, because it might have dialled a number that is not a configured line.

    The message says what was found and where, without quoting any number, name or other value.
    """

    def __init__(self, found: str, where: Where) -> None:
        self.found = found
        self.where = _describe(where)
        super().__init__(f"not sent: {found}, in {self.where}")


def _describe(where: Where) -> str:
    """A place in words. Only member names of plain letters are shown."""
    steps: list[str] = []
    while not isinstance(where, str):
        where, member = where
        if isinstance(member, int):
            steps.append(f"[{member}]")
        else:
            steps.append(f".{member}" if _PLAIN_NAME.fullmatch(member) else ".*")
    return where + "".join(reversed(steps[-12:]))
