"""The outcome of one probe, and of the triggers and polls sent at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ringback.checks import seems_accepted
from ringback.deployment import ExchangeError, Poll, Trigger
from ringback.deployment.causes import Cause
from ringback.suite.calls import Call
from ringback.suite.probes.bundles import Bundle
from ringback.suite.probes.drafts import Draft
from ringback.suite.probes.probe import Probe

__all__ = ["Burst", "Outcome", "Shot"]


@dataclass(slots=True)
class Outcome:
    """The outcome of one probe."""

    probe: Probe
    answer: Trigger | None = None
    """None if nothing was sent or no connection was made; `trouble` then has the reason."""
    trouble: ExchangeError | None = None
    draft: Draft | None = None
    control: Trigger | None = None
    """The answer to the same trigger without the probe's change, if a valid probe was not accepted."""
    again: Trigger | None = None
    """The answer to the probe sent again by itself, if the control was accepted."""
    culprit: Outcome | None = None
    """For a refused combination of probes: the outcome of the part that halving found."""
    refused_together: Trigger | None = None
    """The answer to a trigger that carried this probe and others, if it was refused although each is accepted alone."""
    call: Call | None = None
    cause: Cause | None = None
    """For the documents' example: why no valid trigger is accepted, if the deployment fails for one cause."""

    @property
    def accepted(self) -> bool:
        """Whether the trigger was answered as if a call had been placed."""
        return self.answer is not None and seems_accepted(self.answer)

    @property
    def not_accepted(self) -> bool:
        """Whether the trigger was sent, and not answered as if a call had been placed."""
        return self.answer is not None and not seems_accepted(self.answer)


@dataclass(slots=True)
class Shot:
    """One of the triggers sent at once: a bundle, a copy of the baseline, a plain call, or an invalid trigger."""

    title: str
    draft: Draft
    bundle: Bundle | None = None
    group: str = "burst"
    expects_call: bool = True

    def rightly_refused(self, answer: object) -> bool:
        """Whether it is an invalid trigger, and this is a refusal."""
        return self.group == "invalid" and isinstance(answer, Trigger) and answer.refused


@dataclass(slots=True)
class Burst:
    """The outcome of the triggers and polls that were sent at once."""

    triggers: list[Trigger] = field(default_factory=list)
    alone: dict[int, Trigger] = field(default_factory=dict)
    """Exchange of a trigger that was not accepted -> the answer to the same one, sent by itself afterwards."""
    polls: list[Poll] = field(default_factory=list)
    trouble: ExchangeError | None = None
    at_once: int = 0

    def take(self, ended: Trigger | Poll | BaseException) -> None:
        """Record how one of them ended; raises what is no `ExchangeError`."""
        match ended:
            case Trigger():
                self.triggers.append(ended)
            case Poll():
                self.polls.append(ended)
            case ExchangeError():
                self.trouble = ended
            case _:
                raise ended

    def take_all(self, ended: Iterable[Poll | BaseException]) -> None:
        """Record how each of them ended."""
        for one in ended:
            self.take(one)
