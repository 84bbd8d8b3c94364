"""The clause catalogue: the requirements on a deployment, by id and level.

The texts are data, in ``clauses.toml`` beside this module. Verdicts on clauses are in :mod:`ringback.contract.verdict`.

Errors::

    LookupError
    └── UnknownClause    an id that the catalogue does not have
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

__all__ = ["CLAUSES", "SECTIONS", "Clause", "Level", "UnknownClause", "clause"]


class Level(StrEnum):
    """How binding a clause is."""

    MUST = "must"
    """The API's documentation says so; a deviation fails the run."""
    SHOULD = "should"
    """Documentation, HTTP or JSON imply it; a deviation fails the run unless only ``must`` is asked for."""
    ADVISORY = "advisory"
    """Good practice beyond the documentation; a deviation is a warning and never fails."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One requirement on a deployment."""

    our_own: ClassVar[bool] = True
    """Ringback wrote these texts, not a deployment: they need no cleaning before they are printed."""

    id: str
    """Section and number, such as ``ACK-03``; stable, never reused."""
    level: Level
    section: str
    """Key into :data:`SECTIONS`, such as ``ACK``."""
    title: str
    """One line for lists, at most 70 characters."""
    statement: str
    """The requirement, in one or two sentences."""
    basis: str
    """Its source: the documented passage, or what it was concluded from."""
    expects: str
    """What a failure shows after "expected:"."""
    fix: str
    """What to look at first when the clause fails."""


class UnknownClause(LookupError):
    """An id that is not in the catalogue; the message names the nearest ones."""

    def __init__(self, clause_id: str, near: tuple[str, ...]) -> None:
        self.clause_id = clause_id
        self.near = near
        hint = f"did you mean {' or '.join(near)}?" if near else "docs/clauses.md lists them all"
        super().__init__(f"unknown clause {clause_id!r}: {hint}")


def _load() -> tuple[Mapping[str, str], Mapping[str, Clause]]:
    with Path(__file__).with_name("clauses.toml").open("rb") as file:
        data = tomllib.load(file)
    clauses = {}
    for entry in data["clause"]:
        section, _, _ = entry["id"].partition("-")
        clauses[entry["id"]] = Clause(**{**entry, "level": Level(entry["level"]), "section": section})
    return MappingProxyType(data["sections"]), MappingProxyType(clauses)


_CATALOGUE = _load()

SECTIONS: Final[Mapping[str, str]] = _CATALOGUE[0]
"""Section key to title, in contract order: ``{"TRN": "Transport", ...}``."""
CLAUSES: Final[Mapping[str, Clause]] = _CATALOGUE[1]
"""Every clause by id, in contract order."""


def clause(clause_id: str) -> Clause:
    """Return the clause with this id, in either letter case.

    Raises :class:`UnknownClause`, which names the nearest ids, if there is none.
    """
    found = CLAUSES.get(clause_id.strip().upper())
    if found is None:
        near = difflib.get_close_matches(clause_id.strip().upper(), CLAUSES, n=3, cutoff=0.6)
        raise UnknownClause(clause_id, tuple(near))
    return found
