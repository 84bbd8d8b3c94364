"""Waivers: which clauses they name, and whether a run still needed them.

A waiver of an unknown clause is an error. A waiver whose clause passed is not needed any more: a note asks the user to
delete it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ringback.config import ConfigError, Waiver
from ringback.contract.clauses import UnknownClause, clause
from ringback.contract.verdict import ClauseResult, Verdict

__all__ = ["WaiverUse", "check_clause", "waiver_notes", "waiver_uses", "waivers_in_force"]


@dataclass(frozen=True, slots=True)
class WaiverUse:
    """A configured waiver and its effect on a run."""

    clause: str
    reason: str
    expires: date
    verdict: Verdict | None
    """How its clause ended; None if the run did not select the clause."""
    shadowed: bool = False
    """Whether a later waiver of the same clause replaces it."""

    @property
    def applied(self) -> bool:
        """Whether it waived a deviation."""
        return self.verdict is Verdict.WAIVED and not self.shadowed

    @property
    def needless(self) -> bool:
        """Whether it may be deleted: its clause passed, or another waiver replaces it."""
        return self.verdict is Verdict.PASS or self.shadowed


def waivers_in_force(waivers: Iterable[Waiver]) -> dict[str, str]:
    """Clause id -> reason. (The configuration refuses expired waivers.) Raises `ConfigError`."""
    return {_clause_of(waiver): f"{waiver.reason} (until {waiver.expires})" for waiver in waivers}


def waiver_uses(waivers: Iterable[Waiver], results: Iterable[ClauseResult]) -> tuple[WaiverUse, ...]:
    """The effect of each waiver, in the configuration's order; raises `ConfigError`."""
    verdicts = {result.clause.id: result.verdict for result in results}
    named = [(_clause_of(waiver), waiver) for waiver in waivers]
    last = {name: index for index, (name, _) in enumerate(named)}
    return tuple(
        WaiverUse(name, waiver.reason, waiver.expires, verdicts.get(name), shadowed=last[name] != index)
        for index, (name, waiver) in enumerate(named)
    )


def waiver_notes(uses: Iterable[WaiverUse]) -> tuple[str, ...]:
    """A sentence on each waiver that may be deleted; an undecided clause's waiver is not among them."""
    return tuple(
        f"the waiver of {use.clause} ({use.reason}, until {use.expires}) "
        + (
            "is replaced by a later one of the same clause"
            if use.shadowed
            else "is not needed any more: the clause passed"
        )
        + "; delete it"
        for use in uses
        if use.needless
    )


def _clause_of(waiver: Waiver) -> str:
    return check_clause(waiver.clause)


def check_clause(name: str) -> str:
    """The id of the clause that a waiver names, in the catalogue's spelling; raises `ConfigError`."""
    try:
        return clause(name).id
    except UnknownClause as unknown:
        near = f"did you mean {unknown.near[0]}?" if unknown.near else "see docs/clauses.md for the ids"
        raise ConfigError("configuration", "waivers.clause", "no such clause", near, name) from None
