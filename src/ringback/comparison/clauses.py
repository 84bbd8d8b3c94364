"""What became of each clause and each limit between two runs.

One rule, `changed`, says what a pair of verdicts means. A clause that nothing was observed of in one of the runs is
never called a regression, and never called unchanged either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ringback.contract.clauses import CLAUSES, Level
from ringback.contract.verdict import LimitResult, Verdict
from ringback.rundir.verdict import SavedClause

__all__ = ["Change", "ClauseChange", "LimitChange", "compare_clauses", "compare_limits"]

_DEVIATES = frozenset({Verdict.FAIL, Verdict.WARN})
_OPEN = frozenset({Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED, None})
_MILDNESS = {Level.MUST: 0, Level.SHOULD: 1, Level.ADVISORY: 2}


class Change(StrEnum):
    """What a pair of verdicts means."""

    SAME = "same"
    REGRESSION = "regression"
    """It held, and is broken now."""
    MEND = "mend"
    """It was broken, and holds now."""
    UNDECIDED = "undecided"
    """One of the runs did not observe it, and the other gives reason to ask."""
    OTHER = "other"
    """Another verdict that is neither worse nor better news of the deployment, such as a waiver that ended."""


@dataclass(frozen=True, slots=True)
class ClauseChange:
    """One clause in both runs; a verdict is None where the run was not asked about it."""

    id: str
    level: Level
    title: str
    old: Verdict | None
    new: Verdict | None
    change: Change
    counts: bool
    """Whether the change bears on the exit code: the clause's level is within the one asked for."""
    summary: str
    """The newer run's words on it."""


@dataclass(frozen=True, slots=True)
class LimitChange:
    """One of the user's limits in both runs."""

    metric: str
    limit: str
    old: Verdict | None
    new: Verdict | None
    old_value: float | None
    new_value: float | None
    change: Change


def changed(old: Verdict | None, new: Verdict | None) -> Change:
    """What it means that a clause went from one verdict to another; None: the run was not asked about it."""
    if old is new:
        return Change.SAME
    if old in _OPEN:
        return Change.UNDECIDED if new in _DEVIATES else Change.OTHER
    if new in _OPEN:
        return Change.UNDECIDED if old is Verdict.PASS else Change.OTHER
    if new is Verdict.PASS:
        return Change.MEND
    if old is Verdict.PASS and new in _DEVIATES:
        return Change.REGRESSION
    return Change.OTHER


def compare_clauses(
    old: Mapping[str, SavedClause], new: Mapping[str, SavedClause], level: Level
) -> tuple[ClauseChange, ...]:
    """All clauses of both runs, in the contract's order. `level` is the mildest whose changes bear on the exit code."""
    known = {name: place for place, name in enumerate(CLAUSES)}
    found = []
    for name in sorted({*old, *new}, key=lambda name: (known.get(name, len(known)), name)):
        before, after = old.get(name), new.get(name)
        either = after or before
        assert either is not None  # noqa: S101 - the name came from one of them
        was, now = (side.verdict if side else None for side in (before, after))
        counts = _MILDNESS[either.level] <= _MILDNESS[level]
        change = changed(was, now)
        summary = after.summary if after else "the newer run was not asked about it"
        found.append(ClauseChange(name, either.level, either.title, was, now, change, counts, summary))
    return tuple(found)


def compare_limits(old: Sequence[LimitResult], new: Sequence[LimitResult]) -> tuple[LimitChange, ...]:
    """The limits that either run was held to; one whose bound was changed counts as another limit."""
    before, after = ({(held.metric, held.limit): held for held in side} for side in (old, new))
    found = []
    for key in dict.fromkeys([*after, *before]):
        was, now = before.get(key), after.get(key)
        # A limit that only one of the runs had says nothing of a change.
        change = changed(was.verdict, now.verdict) if was and now else Change.OTHER
        found.append(
            LimitChange(
                *key,
                was.verdict if was else None,
                now.verdict if now else None,
                was.value if was else None,
                now.value if now else None,
                change,
            )
        )
    return tuple(found)
