"""What one of a load run's processes is told to do. Values only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from ringback.loadgen.schedule.plan import LoadPlan

__all__ = ["Role", "Task"]

Role = Literal["alone", "company", "master", "worker"]
"""Alone; with workers that it starts itself; with workers that come by themselves; as such a worker."""


@dataclass(frozen=True, slots=True)
class Task:
    """A role, and what it needs. Workers get their plan from their master."""

    role: Role
    plan: LoadPlan | None = None
    directory: str = ""
    """The run's directory."""
    budget: int | None = None
    """Calls that may be accepted in all; None: no bound (an embedded sandbox)."""
    host: str = ""
    """Where the master listens: of its own addresses for a master, the master's for a worker."""
    port: int = 0
    name: str = ""
    """What a worker is called in reports."""
    patience: float = 0.0
    """Seconds that a master waits for its workers."""

    def to_text(self) -> str:
        """The task as one line of JSON."""
        plain: dict[str, Any] = asdict(self)
        return json.dumps(plain)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The task that `to_text` wrote."""
        plain = json.loads(text)
        plan = plain.pop("plan")
        return cls(plan=None if plan is None else LoadPlan(**plan), **plain)
