"""What passes between a load run's processes: the task that one is given, and the files that it leaves. Values only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import TypeAdapter

from ringback.loadgen.schedule.plan import LoadPlan
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import LOAD_FILE, WINDOWS_FILE

__all__ = ["LOAD_FILE", "MASTER_PORT", "WINDOWS_FILE", "MasterAddress", "Role", "Task", "usable_cores", "write_load"]

MASTER_PORT = 5557
"""Locust's own."""

Role = Literal["alone", "local-workers", "master", "worker"]
"""Alone; with workers that it starts itself; with workers that connect by themselves; such a worker."""


@dataclass(frozen=True, slots=True)
class MasterAddress:
    """Where a master listens, and its workers connect."""

    host: str
    port: int = MASTER_PORT
    patience: float = 60.0
    """Seconds that a master waits for its workers, and a worker for its master."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Task:
    """A role, and what it needs. Workers get their plan from their master."""

    role: Role
    plan: LoadPlan | None = None
    directory: str = ""
    """The run's directory."""
    budget: int | None = None
    """Calls that may be accepted in all; None: no limit (an embedded sandbox)."""
    address: MasterAddress | None = None
    """Of a master and its workers."""
    name: str = ""
    """What a worker is called in reports."""
    live: bool = False
    """Whether the parent is to get readings while the run lasts."""

    @property
    def arguments(self) -> list[str]:
        """Arguments for the child's command line, for people who list processes; the child does not read them."""
        return [self.role, self.name or self.directory]

    def to_plain(self) -> dict[str, Any]:
        """The task in JSON's types."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The task that `to_plain` gave."""
        return TypeAdapter(cls).validate_python(plain)


def write_load(directory: Path, section: Mapping[str, Any], lines: Iterable[Mapping[str, Any]] = ()) -> None:
    """Write both files, each in one step, the section first. Raises OSError."""
    write_whole(directory / LOAD_FILE, SINK.json(section, indent=2))
    write_whole(directory / WINDOWS_FILE, SINK.json_lines(lines))


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
