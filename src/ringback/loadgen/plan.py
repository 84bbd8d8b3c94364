"""What a load run is asked to do, and what it answers. Values only: no process, no clock, no network."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from ringback.contract.verdict import LimitResult

__all__ = ["SCENARIOS", "LoadOutcome", "LoadPlan"]

SCENARIOS = ("lifecycle",)
"""The scenarios that `load/` has a module for."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One load run. ValueError if a value makes no sense."""

    scenario: str
    rate: float | None
    """Arrivals a second, whether or not answers come (open model); None: as many as can be (closed model)."""
    connections: int
    """Back-to-back requesters of the closed model; the open model opens what it needs."""
    duration: float
    """Seconds during which calls are triggered. Following them to their end comes on top."""
    seed: int

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise ValueError(f"no such scenario: {self.scenario}; use one of {', '.join(SCENARIOS)}")
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError("a rate is more than 0 arrivals a second; leave it out for as many as can be")
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise ValueError("a duration is more than 0 seconds")
        if self.connections < 1:
            raise ValueError("a run needs at least 1 connection")

    def expected_calls(self) -> int | None:
        """How many calls the run sets out to place; None in the closed model, where answers decide."""
        if self.rate is None:
            return None
        return max(1, math.ceil(self.rate * self.duration - 1e-9))

    def to_text(self) -> str:
        """The plan as one line of JSON, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> LoadPlan:
        """The plan that `to_text` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """What a load run found out."""

    section: dict[str, Any]
    """The `load` section of `verdict.json`."""
    limits: tuple[LimitResult, ...]
    open_questions: tuple[str, ...]
    """Reasons for which the run cannot be called passed: unreachable, budget spent, generator limited, cut short."""
    interrupted: bool
    accepted: int
    """Calls that the deployment accepted."""
