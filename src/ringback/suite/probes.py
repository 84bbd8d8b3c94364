"""Probes: triggers that tests declare, for the campaign to send and the tests to read about.

A probe changes a valid trigger in one aspect and says what a deployment that keeps the contract does with it. Tests get
hold of what became of it by the `outcome` fixture; the campaign learns of it by the marker or parameter that names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ringback.receiver import Behaviour
from ringback.suite.drafts import Draft, HeaderForm

__all__ = ["Destination", "Probe", "accepted", "either", "refused", "unchanged"]

Expectation = Literal["accepted", "refused", "either"]


WELL = Behaviour()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a probe's result is to be sent: how the receiver behaves there, and what SendResultImmediately says."""

    immediately: bool | None = True
    """True or False as sent; None: left out."""
    behaviour: Behaviour = WELL
    dead: bool = False
    """An address at which nobody listens."""


@dataclass(frozen=True, eq=False, slots=True)
class Probe:
    """One trigger to be sent. Two probes are never the same, however alike."""

    title: str
    """What is sent, readable: "without Locale"."""
    change: Callable[[Draft], None]
    expect: Expectation
    base: Literal["example", "required"] = "example"
    line: str = "answered"
    header: HeaderForm | None = None
    """None: the form that the deployment was seen to accept."""
    destination: Destination | None = None
    """None: a queued one where a receiver is configured."""
    parts: tuple[Probe, ...] = ()
    """What this one combines: sent one by one if it is refused, to see which part it is."""

    def __repr__(self) -> str:
        return self.title


def unchanged(_draft: Draft) -> None:
    """The valid trigger itself."""


def accepted(
    title: str,
    change: Callable[[Draft], None] = unchanged,
    *,
    base: Literal["example", "required"] = "example",
    line: str = "answered",
    header: HeaderForm | None = None,
    destination: Destination | None = None,
    parts: tuple[Probe, ...] = (),
) -> Probe:
    """A trigger that must be accepted."""
    return Probe(title, change, "accepted", base, line, header, destination, parts)


def refused(title: str, change: Callable[[Draft], None]) -> Probe:
    """A trigger that must not be accepted."""
    return Probe(title, change, "refused")


def either(title: str, change: Callable[[Draft], None]) -> Probe:
    """A trigger that may be accepted or refused: only how it is answered matters."""
    return Probe(title, change, "either")
