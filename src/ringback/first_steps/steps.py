"""`Step`: one thing that was looked at before a check, what was found, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """The finding on one thing."""

    name: str
    """A word or two, such as `name` or `TLS`."""
    found: str
    well: bool = True
    """Whether nothing stands in the way."""
    fix: str = ""
    """What to do if it is not well."""
