"""Probes: triggers that tests declare and the campaign sends.

A probe changes a valid trigger in one aspect, and states what a conforming deployment does with it. A test names it in
a marker or parameter and reads its outcome from the session's record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ringback.receiver import AddressBehaviour
from ringback.suite.probes.drafts import Draft, HeaderForm, NotTried

__all__ = [
    "Destination",
    "Probe",
    "accepted",
    "all_changes",
    "combined",
    "either",
    "lines_in_turn",
    "refused",
    "unchanged",
]

Expectation = Literal["accepted", "refused", "either"]


WELL = AddressBehaviour()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a probe's result is sent: how the receiver behaves there, and the value of SendResultImmediately."""

    immediately: bool | None = True
    """True or False as sent; None: left out."""
    behaviour: AddressBehaviour = WELL
    dead: bool = False
    """Whether the address is a closed port."""

    @property
    def slow(self) -> bool:
        """Whether the receiver keeps a sender waiting there."""
        return self.behaviour.seconds > 0

    @property
    def troubled(self) -> bool:
        """Whether deliveries there fail or are slow."""
        return self.dead or self.behaviour != WELL


@dataclass(frozen=True, eq=False, slots=True)
class Probe:
    """One trigger to be sent. Two probes are never equal."""

    title: str
    """What is sent, for a reader: "without Locale"."""
    change: Callable[[Draft], None]
    expect: Expectation
    base: Literal["example", "required"] = "example"
    line: str | None = "answered"
    """None: any line, in turn, so that calls are spread over all lines."""
    header: HeaderForm | None = None
    """None: the form that the deployment accepts."""
    destination: Destination | None = None
    """None: a queued result, if a receiver is configured."""
    parts: tuple[Probe, ...] = ()
    """The probes that this one combines; if it is refused, halving finds the part that is refused."""
    touches: frozenset[str] | None = None
    """The parts of a trigger that the probe decides. One trigger can carry probes that touch different parts. None: the
    probe needs a trigger of its own."""
    last: bool = False
    """Whether it is sent after everything else, as it may lock the client out."""
    ordinary: bool = False
    """Whether a call that it places is like any other, although the trigger may be refused."""

    @property
    def valid(self) -> bool:
        """Whether the contract applies to a call that it places; it is sent among the valid triggers."""
        return self.expect == "accepted" or self.ordinary

    def __repr__(self) -> str:
        return self.title

    def title_on(self, line: str) -> str:
        """Its title when it dials this line, because its own is not configured."""
        return self.title.replace(f"the line {self.line}", f"the line {line}")


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
    touches: Iterable[str] | None = None,
) -> Probe:
    """A trigger that must be accepted."""
    touched = None if touches is None else frozenset(touches)
    return Probe(title, change, "accepted", base, line, header, destination, parts, touched)


def combined(title: str, parts: tuple[Probe, ...], *, touches: Iterable[str] | None = None) -> Probe:
    """A trigger with the changes of several probes: one call for many observations."""
    return accepted(title, all_changes(parts), parts=parts, touches=touches)


def all_changes(parts: tuple[Probe, ...]) -> Callable[[Draft], None]:
    """The changes of several probes, without those that the project's variables do not allow."""

    def change(draft: Draft) -> None:
        untried = 0
        for part in parts:
            try:
                part.change(draft)
            except NotTried:
                untried += 1
                if untried == len(parts):
                    raise

    return change


def lines_in_turn(probes: Iterable[Probe], lines: Sequence[str], *, backwards: bool = False) -> dict[Probe, str]:
    """The line that each probe dials: its own if configured, else the first; or any line in turn.

    `backwards`: the last line has the first turn.
    """
    found: dict[Probe, str] = {}
    turns = lines[::-1] if backwards else lines
    turn = 0
    for probe in dict.fromkeys(probes):
        if probe.line is None:
            found[probe] = turns[turn % len(turns)]
            turn += 1
        else:
            found[probe] = probe.line if probe.line in lines else lines[0]
    return found


def refused(title: str, change: Callable[[Draft], None], *, last: bool = False) -> Probe:
    """A trigger that must not be accepted."""
    return Probe(title, change, "refused", last=last)


def either(
    title: str, change: Callable[[Draft], None], *, parts: tuple[Probe, ...] = (), ordinary: bool = False
) -> Probe:
    """A trigger that may be accepted or refused; tests look at other properties of its answer."""
    return Probe(title, change, "either", parts=parts, ordinary=ordinary)
