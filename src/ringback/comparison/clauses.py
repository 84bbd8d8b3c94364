"""How the verdict of each clause and limit changed between two runs.

`changed` is the one rule for a pair of verdicts. A clause that one of the runs did not observe is neither a regression
nor unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ringback.contract.clauses import CLAUSES, Level
from ringback.contract.verdict import ClauseResult, LimitResult, Verdict

__all__ = ["Change", "ClauseChange", "LimitChange", "compare_clauses", "compare_limits", "in_words"]

_DEVIATES = frozenset({Verdict.FAIL, Verdict.WARN})
_OPEN = frozenset({Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED, None})
_RANKS = {Level.MUST: 0, Level.SHOULD: 1, Level.ADVISORY: 2}


class Change(StrEnum):
    """The meaning of a pair of verdicts."""

    SAME = "same"
    REGRESSION = "regression"
    """It held and is broken now."""
    FIXED = "fixed"
    """It was broken and holds now."""
    UNDECIDED = "undecided"
    """One run did not observe it, and the verdict of the other leaves a regression possible."""
    OTHER = "other"
    """Any other change, such as the end of a waiver."""


@dataclass(frozen=True, slots=True)
class ClauseChange:
    """One clause in both runs; a verdict is None if the run did not select the clause."""

    id: str
    level: Level
    title: str
    old: Verdict | None
    new: Verdict | None
    change: Change
    counts: bool
    """Whether the change affects the exit code: the level of the clause is at or above the chosen one."""
    summary: str
    """The newer run's summary."""


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


def in_words(verdict: Verdict | None) -> str:
    """A verdict in words; `not selected` if the run did not select the clause."""
    return "not selected" if verdict is None else verdict.value.replace("-", " ")


def changed(old: Verdict | None, new: Verdict | None) -> Change:
    """The meaning of a change from one verdict to another; None if the run did not select the clause."""
    if old is new:
        return Change.SAME
    if old in _OPEN:
        return Change.UNDECIDED if new in _DEVIATES else Change.OTHER
    if new in _OPEN:
        return Change.UNDECIDED if old is Verdict.PASS else Change.OTHER
    if new is Verdict.PASS:
        return Change.FIXED
    if old is Verdict.PASS and new in _DEVIATES:
        return Change.REGRESSION
    return Change.OTHER


def compare_clauses(
    old: Mapping[str, ClauseResult], new: Mapping[str, ClauseResult], level: Level
) -> tuple[ClauseChange, ...]:
    """All clauses of both runs, in the contract's order. `level` is the lowest whose changes affect the exit code."""
    known = {name: place for place, name in enumerate(CLAUSES)}
    found = []
    for name in sorted({*old, *new}, key=lambda name: (known.get(name, len(known)), name)):
        before, after = old.get(name), new.get(name)
        either = after or before
        assert either is not None  # noqa: S101 - the name came from one of them
        was, now = (side.verdict if side else None for side in (before, after))
        counts = _RANKS[either.clause.level] <= _RANKS[level]
        change = changed(was, now)
        summary = after.summary if after else "the newer run did not select it"
        found.append(ClauseChange(name, either.clause.level, either.clause.title, was, now, change, counts, summary))
    return tuple(found)


def compare_limits(old: Sequence[LimitResult], new: Sequence[LimitResult]) -> tuple[LimitChange, ...]:
    """The limits of both runs; a limit with another bound counts as another limit."""
    before, after = ({(held.metric, held.limit): held for held in side} for side in (old, new))
    found = []
    for key in dict.fromkeys([*after, *before]):
        was, now = before.get(key), after.get(key)
        # A limit of only one run can't change.
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
