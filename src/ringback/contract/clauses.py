"""The clause catalogue: the requirements on a deployment, by id and level.

The texts are data, in ``clauses.toml`` beside this module. Verdicts on clauses are in :mod:`ringback.contract.verdict`.

Errors::

    LookupError
    └── UnknownClause    an id that the catalogue does not have
    ValueError
    └── WrongCatalogue   a user's clauses that cannot be added
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

__all__ = [
    "CLAUSES",
    "SECTIONS",
    "Clause",
    "Level",
    "UnknownClause",
    "WrongCatalogue",
    "add_clauses",
    "add_section",
    "clause",
]


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


class WrongCatalogue(ValueError):
    """A catalogue of further clauses that cannot be used; the message is ``problem; fix``."""


def _load(file: Path) -> tuple[dict[str, str], dict[str, Clause]]:
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    clauses = {}
    for entry in data["clause"]:
        section, _, _ = entry["id"].partition("-")
        clauses[entry["id"]] = Clause(**{**entry, "level": Level(entry["level"]), "section": section})
    return data["sections"], clauses


_SECTIONS, _CLAUSES = _load(Path(__file__).with_name("clauses.toml"))
_OURS: Final = frozenset(_SECTIONS)
_ID = re.compile(r"[A-Z]{3}-[0-9]{2}")
_TEXTS = ("id", "level", "title", "statement", "basis", "expects", "fix")
_LONGEST = 1_000
"""Characters of a text of the catalogue."""

SECTIONS: Final[Mapping[str, str]] = MappingProxyType(_SECTIONS)
"""Section key to title, in contract order: ``{"TRN": "Transport", ...}``."""
CLAUSES: Final[Mapping[str, Clause]] = MappingProxyType(_CLAUSES)
"""Every clause by id, in contract order."""


def add_clauses(file: Path) -> None:
    """Add a user's clauses to the catalogue of this process, behind ours.

    The file has the form of ours: ``[sections]``, and a ``[[clause]]`` for each clause, with all texts. Raises
    `WrongCatalogue`.
    """
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        sections, entries = data["sections"], data["clause"]
        for entry in entries:
            _check_entry(entry, sections)
        added = _load(file)
    except OSError as error:
        raise WrongCatalogue(f"{file} can't be read ({error.strerror}); name a folder with clauses.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongCatalogue(f"{file} is not TOML ({error}); correct it") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise WrongCatalogue(f"{file} has no [sections] or no [[clause]] ({error}); add them") from None
    _SECTIONS.update(added[0])
    _CLAUSES.update(added[1])


def add_section(key: str) -> None:
    """Make a section known that only a run names, which was checked with a user's clauses."""
    _SECTIONS.setdefault(key, key)


def _check_entry(entry: Mapping[str, object], sections: Mapping[str, object]) -> None:
    name = entry.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise WrongCatalogue(f"the id {name!r} has not the form ABC-01; correct it")
    section = name[:3]
    if section in _OURS:
        raise WrongCatalogue(f"the section {section} of {name} is the contract's; choose another name")
    if not isinstance(sections.get(section), str):
        raise WrongCatalogue(f'[sections] has no title for {section}; add {section} = "..."')
    wrong = [
        text for text in _TEXTS if not isinstance(entry.get(text), str) or not 0 < len(str(entry[text])) < _LONGEST
    ]
    if wrong or entry.keys() != {*_TEXTS}:
        what = f"lacks {wrong[0]}" if wrong else f"has more than {', '.join(_TEXTS)}"
        raise WrongCatalogue(f"{name} {what}; a clause has these as texts of at most {_LONGEST} characters")
    if entry["level"] not in {*Level}:
        raise WrongCatalogue(f"the level of {name} is none of {', '.join(Level)}; choose one")


def clause(clause_id: str) -> Clause:
    """Return the clause with this id, in either letter case.

    Raises :class:`UnknownClause`, which names the nearest ids, if there is none.
    """
    found = CLAUSES.get(clause_id.strip().upper())
    if found is None:
        near = difflib.get_close_matches(clause_id.strip().upper(), CLAUSES, n=3, cutoff=0.6)
        raise UnknownClause(clause_id, tuple(near))
    return found
