"""What all conversations of a run share: calls to use, limits, and what was found so far."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ringback import clock
from ringback.contract.guessing import why_guessable
from ringback.deployment import ExchangeError, Poll
from ringback.suite.calls import Call
from ringback.suite.deviation import Deviation, Inconclusive
from ringback.suite.session import Session
from ringback.suite.stateful.model import Problem, TrackedCall
from ringback.suite.stateful.script import Script

__all__ = ["POLLS", "SHRINKING_POLLS", "DeviationFound", "Talk"]

POLLS = 90
"""Polls in all while no deviation is found."""
SECONDS = 6.0
"""How long conversations may take while no deviation is found."""
SHRINKING_POLLS = 150
"""Polls that finding a shorter script may take, controls included."""
POLISHING_POLLS = 40
"""How many of these are reserved for trying the last poll by itself."""
SHRINKING_SECONDS = 15.0
"""How long finding a shorter script may take."""


class DeviationFound(Exception):
    """A conversation found a deviation."""

    def __init__(
        self,
        clause: str,
        problem: Problem,
        poll: Poll,
        script: Script,
        *,
        steps: Iterable[Callable[[Any], None]],
        tracked: Iterable[TrackedCall],
        unknown_ids: Mapping[str, str],
    ) -> None:
        super().__init__(clause)
        self.clause = clause
        self.expected = problem.expected
        self.steps = tuple(steps)
        """The steps that another conversation takes to repeat this one."""
        self.tracked = tuple(tracked)
        self.unknown_ids = dict(unknown_ids)
        self.asked = list(poll.asked)
        self.text = script.text(problem.about)
        self.evidence = (poll.exchange, *script.exchanges)
        self.length = len(script.steps), sum(map(len, script.steps))
        """How long the script is to read: steps, then characters."""

    def deviation(self) -> Deviation:
        """The deviation as the suite reports it."""
        # The smallest request is shown first; it must not be a control that was answered correctly.
        least = self.evidence[0].request_bytes
        evidence = [exchange for exchange in self.evidence if exchange.request_bytes >= least]
        return Deviation(self.text, expected=self.expected, evidence=evidence, clause=self.clause)


@dataclass(slots=True)
class Talk:
    """What all conversations of a run share: the calls that they may use, and what they may still send."""

    suite: Session
    roster: list[Call] = field(init=False)
    """Final calls of the campaign, over all lines in turn."""
    first: DeviationFound | None = None
    """The first deviation that was found, with its controls."""
    shortest: DeviationFound | None = None
    """The shortest script that deviated from the same clause."""
    final: DeviationFound | None = None
    """The shortest script as it deviated when it was repeated at the end."""
    doubt: str | None = None
    """A problem that a control did not confirm."""
    trouble: ExchangeError | None = None
    polls: int = 0
    waits: int = 0
    remembered: dict[tuple[tuple[str, ...], int], Poll] = field(default_factory=dict)
    """While a script is made shorter: answers to its polls, by ids and by how often these were asked for before in the
    same script. Most attempts then send nothing; the final replay ignores these answers."""
    allowed: int = POLLS
    """Polls that may be sent until further notice."""
    confirmed: bool = False
    """Whether the first deviation came again when its script was repeated."""
    _until: float = 0.0
    _unknown_ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        calls = self.suite.record.steady_calls()
        self.roster = _in_turn(calls, list(self.suite.config.lines.configured))
        self._until = clock.monotonic() + SECONDS
        self._unknown_ids = _well_formed_ids([call.unique_id for call in self.suite.record.calls], self.suite.seed)

    @property
    def exhausted(self) -> bool:
        """Whether no further conversation is to be held."""
        if self.trouble is not None:
            return True
        return self.polls >= self.allowed or clock.monotonic() > self._until

    def broke(self, broken: DeviationFound, *, replay: bool) -> None:
        """Record a deviation; after the first, conversations only look for a shorter script of it."""
        if self.first is None:
            self.first = broken
            self.polls, self.allowed = 0, SHRINKING_POLLS - POLISHING_POLLS
            self._until = clock.monotonic() + SHRINKING_SECONDS
        elif replay:
            self.final = broken
        else:
            self.confirmed = True
            if self.shortest is None or broken.length < self.shortest.length:
                self.shortest = broken

    def conclude(self) -> None:
        """Raise the result of the conversations: a `Deviation`, `Inconclusive`, or nothing."""
        found = self.final or self.first
        if found is not None:
            raise found.deviation()
        if self.trouble is not None:
            raise Inconclusive(str(self.trouble))
        if self.doubt is not None:
            raise Inconclusive(self.doubt)

    @property
    def can_be_guessed(self) -> bool:
        """Whether ids can be guessed, so that an id that is made up may be another client's call."""
        return not self._unknown_ids

    def unknown_id(self, index: int) -> str | None:
        """An id that no call was given, formed like real ones; None where it could be another client's id."""
        return self._unknown_ids[index % len(self._unknown_ids)] if self._unknown_ids else None


def _in_turn(calls: Sequence[Call], lines: Sequence[str]) -> list[Call]:
    """Calls by lines in turn: the first of each line, then the second of each, and so on."""
    by_line = [[call for call in calls if call.line == line] for line in lines]
    most = max(map(len, by_line), default=0)
    return [of_line[at] for at in range(most) for of_line in by_line if at < len(of_line)]


def _well_formed_ids(ids: Sequence[str], seed: int) -> list[str]:
    """Unknown ids in the form of real ones: each place holds a character that a real id has there.

    Empty where ids can be guessed, as a made-up id could then be another client's call.
    """
    if len(ids) < 4 or why_guessable(ids) is not None:
        return []
    length = max({len(i) for i in ids}, key=[len(i) for i in ids].count)
    usual = [i for i in ids if len(i) == length]
    dice = random.Random(f"unknown ids {seed}")
    mixed = ["".join(dice.choice(usual)[at] for at in range(length)) for _ in range(24)]
    near = {i.casefold() for i in ids}
    return list(dict.fromkeys(i for i in mixed if i.casefold() not in near))[:3]
