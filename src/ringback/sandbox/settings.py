"""The settings of a sandbox. Their defaults are what `ringback sandbox` serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

STATE_OF_LINE: Final[Mapping[str, str]] = {
    "answered": "Answered",
    "busy": "Busy",
    "error": "Error",
    "invalid_number": "Invalid Number",
    "no_answer": "No Answer",
    "rejected": "Rejected",
    "temporarily_unavailable": "Temporarily Unavailable",
}
"""The documented call state that each kind of line ends in."""

DEMO_LINES: Final[Mapping[str, str]] = {name: f"555000000{digit}" for digit, name in enumerate(STATE_OF_LINE, start=1)}


class SandboxError(Exception):
    """The sandbox cannot start or has ended; the message is one line that says how to fix it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """The settings of one sandbox. All times are in seconds.

    Raises SandboxError for an invalid value.
    """

    host: str = "127.0.0.1"
    port: int = 22222
    """0 takes any free port."""
    tls: bool = True
    project: str = "Demo"
    tenant: str = "Default"
    access_token: str = field(default="demo-access-token", repr=False)
    scenario_path: str = "/ivr/demo"
    orchestrator_url: str = "https://orchestrator.example.com"
    display_number: str = "200"
    locale: str = "en-US"
    lines: Mapping[str, str] = field(default_factory=lambda: dict(DEMO_LINES))
    """Numbers by kind of line. A call to any other number ends as Invalid Number."""
    ring_seconds: float = 2.0
    ring_jitter: float = 0.1
    """The fraction by which a ring time varies, up and down."""
    channels: int = 64
    """How many calls ring at once; further calls wait."""
    calls_per_line: int | None = None
    """How many calls a line takes at once, as a handset takes one: further ones end as Busy. None for any number."""
    queued_delivery_seconds: float = 1.0
    """Pause between two deliveries of queued results."""
    settle_limit_seconds: float = 30.0
    """How long clients allow from trigger to final state, and `delivery_limit_seconds` from there to an immediate
    result: faults of lateness exceed these limits, dialects come near them."""
    delivery_limit_seconds: float = 5.0
    keep_finished_seconds: float = 3600.0
    keep_finished_calls: int = 100_000
    seed: int | None = None
    """Makes ring times and shuffles reproducible. UniqueIds are random even with a seed."""
    faults: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SandboxError(f"port {self.port} does not exist: choose one from 0 (any free one) to 65535")
        for name in ("project", "tenant", "access_token"):
            if not getattr(self, name):
                raise SandboxError(f"{name} is empty: give it a value")
        for name in ("ring_seconds", "keep_finished_seconds"):
            if getattr(self, name) < 0:
                raise SandboxError(f"{name} is negative: give seconds, 0 or more")
        if self.queued_delivery_seconds <= 0:
            raise SandboxError("queued_delivery_seconds must be more than 0 seconds")
        if not 0 <= self.ring_jitter <= 1:
            raise SandboxError("ring_jitter is a fraction: give a number from 0 to 1")
        if self.calls_per_line is not None and self.calls_per_line < 1:
            raise SandboxError("calls_per_line must be at least 1")
        if self.channels < 1 or self.keep_finished_calls < 0:
            raise SandboxError("channels must be at least 1, and keep_finished_calls at least 0")
        for line in self.lines:
            if line not in STATE_OF_LINE:
                raise did_you_mean("line", line, STATE_OF_LINE, f"choose from {', '.join(STATE_OF_LINE)}")
        if len(set(self.lines.values())) != len(self.lines):
            raise SandboxError("two lines have the same number: give each line its own")

    def states_by_number(self) -> dict[str, str]:
        """Return the final state of each number that is one of the lines."""
        return {number: STATE_OF_LINE[line] for line, number in self.lines.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values, including the access token."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SandboxSettings:
        """Rebuild settings from `to_json`."""
        lists = {name: tuple(values[name]) for name in ("faults", "dialects") if name in values}
        return cls(**{**values, **lists})


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that answers requests. `ca_bundle` is None without TLS; `settings` are the effective ones."""

    base_url: str
    ca_bundle: Path | None
    settings: SandboxSettings
    pid: int


def did_you_mean(kind: str, name: str, known: Mapping[str, object], otherwise: str) -> SandboxError:
    """Return the error for a name that is not in `known`; it suggests the nearest known name, or what to do else."""
    near = get_close_matches(name, known, n=1)
    return SandboxError(f"unknown {kind} {name!r}: {f'did you mean {near[0]!r}?' if near else otherwise}")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
