"""Probes: triggers that tests declare, for the campaign to send and the tests to read about.

A probe changes a valid trigger in one aspect and says what a deployment that keeps the contract does with it. Tests get
hold of what became of it by the `outcome` fixture; the campaign learns of it by the marker or parameter that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ringback.receiver import Behaviour
from ringback.suite.probes.drafts import Draft, HeaderForm

__all__ = ["Destination", "Probe", "accepted", "combined", "either", "lines_in_turn", "refused", "unchanged"]

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

    @property
    def troubled(self) -> bool:
        """Whether deliveries there go wrong."""
        return self.dead or self.behaviour != WELL


@dataclass(frozen=True, eq=False, slots=True)
class Probe:
    """One trigger to be sent. Two probes are never the same, however alike."""

    title: str
    """What is sent, readable: "without Locale"."""
    change: Callable[[Draft], None]
    expect: Expectation
    base: Literal["example", "required"] = "example"
    line: str | None = "answered"
    """None: any line; they take turns, so that no one line has to take most of the calls."""
    header: HeaderForm | None = None
    """None: the form that the deployment was seen to accept."""
    destination: Destination | None = None
    """None: a queued one where a receiver is configured."""
    parts: tuple[Probe, ...] = ()
    """What this one combines; if it is refused, halving finds the part that is to blame."""

    def __repr__(self) -> str:
        return self.title


def unchanged(_draft: Draft) -> None:
    """The valid trigger itself."""


def accepted(
    title: str,
    change: Callable[[Draft], None] = unchanged,
    *,
    base: Literal["example", "required"] = "example",
    line: str | None = "answered",
    header: HeaderForm | None = None,
    destination: Destination | None = None,
    parts: tuple[Probe, ...] = (),
) -> Probe:
    """A trigger that must be accepted."""
    return Probe(title, change, "accepted", base, line, header, destination, parts)


def combined(title: str, parts: tuple[Probe, ...]) -> Probe:
    """A trigger with the peculiarities of several: one call for many observations."""

    def change(draft: Draft) -> None:
        for part in parts:
            part.change(draft)

    return accepted(title, change, parts=parts)


def lines_in_turn(probes: Iterable[Probe], lines: Sequence[str]) -> dict[Probe, str]:
    """The line that each probe dials, in the order in which they are sent: its own if that is configured, or any."""
    found: dict[Probe, str] = {}
    turn = 0
    for probe in dict.fromkeys(probes):
        if probe.line is None:
            found[probe] = lines[turn % len(lines)]
            turn += 1
        else:
            found[probe] = probe.line if probe.line in lines else lines[0]
    return found


def refused(title: str, change: Callable[[Draft], None]) -> Probe:
    """A trigger that must not be accepted."""
    return Probe(title, change, "refused")


def either(title: str, change: Callable[[Draft], None]) -> Probe:
    """A trigger that may be accepted or refused: only how it is answered matters."""
    return Probe(title, change, "either")
