"""The facts of a run: `Findings`, and `RunReport`, from which reports are made and which `verdict` reads back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ringback import __version__
from ringback.contract.clauses import Level
from ringback.contract.verdict import ClauseResult, Conclusion, LimitResult, Verdict
from ringback.contract.waivers import WaiverUse
from ringback.rundir.sink import SINK

__all__ = ["Findings", "RunReport"]

_FROM_OUTSIDE = (
    *("base_url", "faults", "dialects", "results", "limits", "conclusion", "load", "notes", "waivers", "again"),
    "version",
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a run found, from which its report is made."""

    results: tuple[ClauseResult, ...] = ()
    limits: tuple[LimitResult, ...] = ()
    accepted: int = 0
    """Calls that the deployment accepted."""
    budget: int = 0
    """Calls that the run was allowed; 0 for no limit."""
    may_have_dialled: int = 0
    """Triggers without a confirmed acceptance that may have placed a call."""
    load: Mapping[str, Any] | None = None
    open_questions: tuple[str, ...] = ()
    """Reasons outside any clause why the run did not pass."""
    notes: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()
    """Files of evidence that were not written or end early, each with the reason."""
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run: what it was, what it found, and its conclusion."""

    command: str
    """`check`, `load` or `gate`."""
    started: datetime
    """When the run began, in UTC."""
    seconds: float
    """How long it took."""
    base_url: str
    embedded: bool
    """Whether the deployment was the embedded sandbox."""
    seed: int
    level: Level
    """The lowest level whose deviations fail the run."""
    results: tuple[ClauseResult, ...]
    limits: tuple[LimitResult, ...]
    calls_accepted: int
    calls_budget: int
    """The largest number of calls that the run was allowed; 0 for no limit (an embedded sandbox under load)."""
    calls_may_have_dialled: int
    """Triggers without a confirmed acceptance that may have placed a call."""
    conclusion: Conclusion
    faults: tuple[str, ...] = ()
    """The faults of the embedded sandbox; empty for any other deployment."""
    dialects: tuple[str, ...] = ()
    """The dialects of the embedded sandbox; empty for any other deployment."""
    load: Mapping[str, Any] | None = None
    """The load section of `verdict.json`; None if no load was run."""
    notes: tuple[str, ...] = ()
    """Remarks that are not deviations, such as `17 triggers waited for a rate limit`."""

    waivers: tuple[WaiverUse, ...] = ()
    """The waivers of the configuration, and whether each was applied."""

    again: str = ""
    """The command line that repeats the run; empty if it is not known."""

    version: str = __version__
    """The version of Ringback that made the run."""

    def __post_init__(self) -> None:
        """Clean all texts, before a report is made of them."""
        for name in _FROM_OUTSIDE:
            object.__setattr__(self, name, SINK.values(getattr(self, name)))

    @property
    def variation(self) -> tuple[str, ...]:
        """The faults and dialects of the embedded sandbox."""
        return (*self.faults, *self.dialects)

    def calls_placed(self) -> str:
        """The calls of the run in words: `3 of 70 calls placed, 2 more may have dialled`."""
        budget = f" of {self.calls_budget:,}" if self.calls_budget else ""
        more = f", {self.calls_may_have_dialled:,} more may have dialled" if self.calls_may_have_dialled else ""
        return f"{self.calls_accepted:,}{budget} calls placed{more}"

    def counts(self) -> dict[Verdict, int]:
        """Verdict -> number of clauses with it, for all verdicts."""
        counts = dict.fromkeys(Verdict, 0)
        for result in self.results:
            counts[result.verdict] += 1
        return counts
