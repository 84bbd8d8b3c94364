"""Waivers held against the catalogue, and against what a run found.

A waiver for a clause that does not exist waives nothing, and is a mistake; one whose clause passed is not needed any
more, and is told so that it gets deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ringback.config import ConfigError, Waiver
from ringback.contract.clauses import UnknownClause, clause
from ringback.contract.verdict import ClauseResult, Verdict

__all__ = ["WaiverUse", "waiver_notes", "waiver_uses", "waivers_in_force"]


@dataclass(frozen=True, slots=True)
class WaiverUse:
    """A waiver of the configuration, and what became of it in a run."""

    clause: str
    reason: str
    expires: date
    verdict: Verdict | None
    """How its clause ended; None if the run was not asked about it."""
    shadowed: bool = False
    """Whether a later waiver of the same clause stands in its place."""

    @property
    def applied(self) -> bool:
        """Whether it waived a deviation."""
        return self.verdict is Verdict.WAIVED and not self.shadowed

    @property
    def needless(self) -> bool:
        """Whether it may be deleted: its clause was seen to hold, or another waiver stands in its place."""
        return self.verdict is Verdict.PASS or self.shadowed


def waivers_in_force(waivers: Iterable[Waiver]) -> dict[str, str]:
    """Clause id -> reason, of the waivers (none is expired: configuration saw to that); raises `ConfigError`."""
    return {_clause_of(waiver): f"{waiver.reason} (until {waiver.expires})" for waiver in waivers}


def waiver_uses(waivers: Iterable[Waiver], results: Iterable[ClauseResult]) -> tuple[WaiverUse, ...]:
    """What became of each waiver, in the configuration's order; raises `ConfigError`."""
    verdicts = {result.clause.id: result.verdict for result in results}
    named = [(_clause_of(waiver), waiver) for waiver in waivers]
    last = {name: index for index, (name, _) in enumerate(named)}
    return tuple(
        WaiverUse(name, waiver.reason, waiver.expires, verdicts.get(name), shadowed=last[name] != index)
        for index, (name, waiver) in enumerate(named)
    )


def waiver_notes(uses: Iterable[WaiverUse]) -> tuple[str, ...]:
    """A sentence on each waiver that may be deleted. What could not be decided says nothing of a waiver."""
    return tuple(
        f"the waiver of {use.clause} ({use.reason}, until {use.expires}) "
        + ("is followed by another of the same clause" if use.shadowed else "is not needed any more: the clause passed")
        + "; delete it"
        for use in uses
        if use.needless
    )


def _clause_of(waiver: Waiver) -> str:
    try:
        return clause(waiver.clause).id
    except UnknownClause as unknown:
        near = f"did you mean {unknown.near[0]}?" if unknown.near else "see docs/clauses.md for the ids"
        raise ConfigError("configuration", "waivers.clause", "no such clause", near, waiver.clause) from None
