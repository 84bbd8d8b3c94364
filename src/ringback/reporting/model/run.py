"""One finished (or interrupted) run, as every report sees it.

What lives here: the facts that reports are made of. Judging is the contract's business, writing is the business of
the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ringback import __version__
from ringback.contract.clauses import Level
from ringback.contract.verdict import ClauseResult, Conclusion, LimitResult, Verdict
from ringback.contract.waivers import WaiverUse
from ringback.rundir import SINK

__all__ = ["RunReport"]

_FROM_OUTSIDE = (
    *("base_url", "faults", "dialects", "results", "limits", "conclusion", "load", "notes", "waivers", "again"),
    "version",
)


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run was, what it found, and what follows."""

    command: str
    """`check`, `load` or `gate`."""
    started: datetime
    """When the run began; aware, UTC."""
    seconds: float
    """How long it took."""
    base_url: str
    embedded: bool
    """Whether the deployment was the sandbox that the run itself started."""
    seed: int
    level: Level
    """The mildest level whose deviations fail the run."""
    results: tuple[ClauseResult, ...]
    limits: tuple[LimitResult, ...]
    calls_accepted: int
    calls_budget: int
    """The most calls that the run might have placed; 0 if there was no bound (an embedded sandbox under load)."""
    calls_may_have_dialled: int
    """Triggers beyond the accepted ones that may have placed a call without saying so."""
    conclusion: Conclusion
    faults: tuple[str, ...] = ()
    """The faults of the embedded sandbox; empty for any other deployment."""
    dialects: tuple[str, ...] = ()
    """The dialects of the embedded sandbox; empty for any other deployment."""
    load: Mapping[str, Any] | None = None
    """The load section of `verdict.json`; None if no load was run."""
    notes: tuple[str, ...] = ()
    """What a reader should know that is nobody's deviation, such as `17 triggers waited for a rate limit`."""

    waivers: tuple[WaiverUse, ...] = ()
    """The waivers of the configuration, and what became of each."""

    again: str = ""
    """The command line that repeats the run; empty if it is not known."""

    version: str = __version__
    """The version of Ringback that made the run."""

    def __post_init__(self) -> None:
        """Whatever a report is made of is clean before anything is made of it."""
        for name in _FROM_OUTSIDE:
            object.__setattr__(self, name, SINK.values(getattr(self, name)))

    @property
    def variation(self) -> tuple[str, ...]:
        """The faults and dialects of the embedded sandbox."""
        return (*self.faults, *self.dialects)

    def calls_placed(self) -> str:
        """The calls of the run, in a few words: `3 of 70 calls placed, 2 more may have dialled`."""
        budget = f" of {self.calls_budget:,}" if self.calls_budget else ""
        more = f", {self.calls_may_have_dialled:,} more may have dialled" if self.calls_may_have_dialled else ""
        return f"{self.calls_accepted:,}{budget} calls placed{more}"

    def counts(self) -> dict[Verdict, int]:
        """How many clauses ended in each verdict; every verdict is present."""
        counts = dict.fromkeys(Verdict, 0)
        for result in self.results:
            counts[result.verdict] += 1
        return counts
