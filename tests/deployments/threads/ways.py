"""Shared by the parts of the threads deployment: settings, the active dialect and fault, refusals."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.deployments.threads.dialects import Dialect

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """The project that is served, and its lines with the state that each produces. Times are in seconds."""

    project: str
    access_token: str
    tenant: str
    lines: Mapping[str, str]
    ring_seconds: float
    delivery_seconds: float
    queued_delivery_seconds: float

    @classmethod
    def load(cls, path: Path) -> "Settings":
        """Read a JSON file; raises OSError, ValueError or TypeError if it is not a settings file."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Ways:
    """The active dialect and fault (or none)."""

    settings: Settings
    dialect: Dialect
    broken: str = ""

    def fault(self, *names: str) -> bool:
        """Whether one of these faults is active."""
        return self.broken in names

    def of_fault(self, table: Mapping[str, T]) -> T | None:
        """The entry of a table for the active fault."""
        return table.get(self.broken)


class Refused(Exception):
    """A request that is refused. The kind decides the status: see `STATUSES` and the dialects."""

    def __init__(self, kind: str, reason: str, *, reference: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.reference = reference


class Crashed(Exception):
    """A fault makes the deployment answer 500."""


class Dropped(Exception):
    """A fault makes the deployment close the connection without an answer."""


class Hung(Exception):
    """A fault makes the deployment never answer."""


STATUSES: Mapping[str, int] = {
    "path": 404,
    "method": 405,
    "verb": 501,
    "timeout": 408,
    "size": 413,
    "batch": 413,
    "unknown": 404,
    "pressure": 429,
    "firewall": 403,
    "unavailable": 503,
}
"""The status by kind of refusal; 400 for all others."""
