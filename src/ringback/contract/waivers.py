"""Waivers held against the catalogue: a waiver for a clause that does not exist waives nothing, and is a mistake."""

from __future__ import annotations

from collections.abc import Iterable

from ringback.config import ConfigError, Waiver
from ringback.contract.clauses import UnknownClause, clause

__all__ = ["waivers_in_force"]


def waivers_in_force(waivers: Iterable[Waiver]) -> dict[str, str]:
    """Clause id -> reason, of the waivers (none is expired: configuration saw to that); raises `ConfigError`."""
    found: dict[str, str] = {}
    for waiver in waivers:
        try:
            found[clause(waiver.clause).id] = f"{waiver.reason} (until {waiver.expires})"
        except UnknownClause as unknown:
            near = f"did you mean {unknown.near[0]}?" if unknown.near else "see docs/clauses.md for the ids"
            raise ConfigError("configuration", "waivers.clause", "no such clause", near, waiver.clause) from None
    return found
