"""What became of what the campaign sent: of one probe, and of those sent at once. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from ringback.deployment import ExchangeError, Poll, Trigger
from ringback.suite.calls import Call
from ringback.suite.probes.drafts import Draft
from ringback.suite.probes.probe import Probe

__all__ = ["Burst", "Outcome"]


@dataclass(slots=True)
class Outcome:
    """What became of one probe."""

    probe: Probe
    answer: Trigger | None = None
    """None when nothing was sent or no connection was made; `trouble` then says why."""
    trouble: ExchangeError | None = None
    draft: Draft | None = None
    control: Trigger | None = None
    """The answer to the same trigger without the peculiarity, if the probe was not accepted as it should be."""
    again: Trigger | None = None
    """The answer to the probe sent once more by itself, if the control was accepted."""
    culprit: Outcome | None = None
    """Of a probe that combines several parts and was not accepted: what became of the part to which halving led."""
    call: Call | None = None


@dataclass(slots=True)
class Burst:
    """What became of the triggers and polls that were sent at once."""

    triggers: list[Trigger] = field(default_factory=list)
    alone: list[Trigger] = field(default_factory=list)
    """Triggers like those that were not accepted, sent by themselves afterwards."""
    polls: list[Poll] = field(default_factory=list)
    trouble: ExchangeError | None = None
    at_once: int = 0
