"""Where a request comes from: its kind, the line that it dials, and the tags of its task. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

__all__ = ["KINDS", "POLL", "TRIGGER", "Origin", "origin"]


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A request's origin; also, which requests are wanted. Made by `origin` only, so that equal ones are the same."""

    kind: str
    """`trigger` or `poll`."""
    line: str = ""
    """The line that a trigger dials; empty for polls. Wanted: empty for any."""
    tags: frozenset[str] = frozenset()
    """The tags of the task that began it; none for polls that follow calls. Wanted: those that it has at least."""

    def covers(self, other: Origin) -> bool:
        """Whether requests of the other origin are among those that are wanted."""
        return self.kind == other.kind and self.line in {"", other.line} and self.tags <= other.tags


_made = cache(Origin)


def origin(kind: str, line: str = "", tags: frozenset[str] = frozenset()) -> Origin:
    """The origin with these members."""
    return _made(kind, line, tags)


TRIGGER, POLL = origin("trigger"), origin("poll")
"""All requests of a kind."""
KINDS = (TRIGGER, POLL)
