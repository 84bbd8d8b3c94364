"""What all conversations of a run share: calls to take over, limits, and what was found so far."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ringback import clock
from ringback.contract.guessing import why_guessable
from ringback.deployment import ExchangeError, Poll, Unreachable
from ringback.suite.calls import Call
from ringback.suite.deviation import Deviation, Inconclusive
from ringback.suite.probes import accepted
from ringback.suite.session import Session
from ringback.suite.stateful.model import Known, Oddity
from ringback.suite.stateful.script import Script

__all__ = ["ALLOTMENT", "POLLS", "SHRINKING_POLLS", "Broken", "Talk"]

ALLOTMENT = 1
"""Calls that a run's conversations place themselves."""
POLLS = 90
"""Polls in all while nothing is wrong."""
SECONDS = 6.0
"""How long conversations may take while nothing is wrong, where each poll is slow."""
SHRINKING_POLLS = 150
"""Polls that finding a shorter script may take, its controls included."""
POLISHING_POLLS = 40
"""How many of these are kept for the last poll by itself."""
SHRINKING_SECONDS = 15.0
"""How long that may take."""


class Broken(Exception):
    """A conversation came upon a deviation."""

    def __init__(
        self,
        clause: str,
        odd: Oddity,
        poll: Poll,
        script: Script,
        *,
        steps: Iterable[Callable[[Any], None]],
        party: Iterable[Known],
        strangers: Mapping[str, str],
    ) -> None:
        super().__init__(clause)
        self.clause = clause
        self.expected = odd.expected
        self.steps = tuple(steps)
        """What a conversation has to do to go the same way."""
        self.party = tuple(party)
        self.strangers = dict(strangers)
        self.asked = list(poll.asked)
        self.told = script.text(odd.about)
        self.evidence = (poll.exchange, *script.exchanges)
        self.length = len(script.steps), sum(map(len, script.steps))
        """How much there is to read."""

    def deviation(self) -> Deviation:
        """The same as the suite reports it."""
        # The smallest request is shown first: that must not be a control that was answered well.
        least = self.evidence[0].request_bytes
        evidence = [exchange for exchange in self.evidence if exchange.request_bytes >= least]
        return Deviation(self.told, expected=self.expected, evidence=evidence, clause=self.clause)


@dataclass(slots=True)
class Talk:
    """What all conversations of a run share: the calls that they may take over, and what may still be sent."""

    suite: Session
    roster: list[Call] = field(init=False)
    """Final calls of the campaign, over all lines in turn."""
    first: Broken | None = None
    """The first deviation, as it was met, with its controls."""
    shortest: Broken | None = None
    """The shortest that deviated from the same clause."""
    final: Broken | None = None
    """The shortest, as it was met once more in the end."""
    doubt: str | None = None
    """Something odd that could not be pinned down."""
    trouble: ExchangeError | None = None
    placed: int = 0
    polls: int = 0
    waits: int = 0
    remembered: dict[tuple[tuple[str, ...], int], Poll] = field(default_factory=dict)
    """While a script is made shorter: what came of the polls sent for that, by ids and by how often these were asked
    for before in the same script. So most attempts cost nothing; the last word has a replay that remembers nothing."""
    allowed: int = POLLS
    """Polls that may be sent until further notice."""
    confirmed: bool = False
    """Whether the first deviation was met again when its script was sent once more."""
    _until: float = 0.0
    _strangers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        calls = self.suite.record.steady_calls()
        self.roster = _in_turn(calls, list(self.suite.config.lines.configured))
        self._until = clock.monotonic() + SECONDS
        self._strangers = _well_formed_strangers([call.unique_id for call in self.suite.record.calls], self.suite.seed)

    @property
    def exhausted(self) -> bool:
        """Whether no further conversation is to be held."""
        if self.trouble is not None:
            return True
        return self.polls >= self.allowed or clock.monotonic() > self._until

    def broke(self, broken: Broken, *, replay: bool) -> None:
        """Take note of a deviation; from the first on, all is about finding it again in fewer words."""
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
        """Raise what the conversations came to."""
        found = self.final or self.first
        if found is not None:
            raise found.deviation()
        if self.trouble is not None:
            raise Inconclusive(str(self.trouble))
        if self.doubt is not None:
            raise Inconclusive(self.doubt)

    def stranger(self, index: int) -> str | None:
        """An id that nobody was given, formed like those that were; None where such an id could be somebody's."""
        return self._strangers[index % len(self._strangers)] if self._strangers else None

    def fresh(self, line: str) -> Call | None:
        """Place a call, if the run may place one more and it is accepted."""
        if self.placed >= ALLOTMENT or self.first is not None:
            return None
        self.placed += 1
        known = {call.unique_id for call in self.suite.record.calls}
        draft = self.suite.campaign.draft(accepted("a call in a conversation", line=line))
        try:
            answer = self.suite.send.trigger(draft, "in a conversation", expect_call=True)
        except Unreachable as trouble:
            self.trouble = trouble
            return None
        except ExchangeError:
            return None  # the budget is spent, or triggers are held back: there are other calls
        if not answer.accepted or answer.found_id is None or answer.found_id in known:
            return None
        return self.suite.record.calls.by_id(answer.found_id)


def _in_turn(calls: Sequence[Call], lines: Sequence[str]) -> list[Call]:
    """Calls over all lines in turn: the first of each line, then the second of each, and so on."""
    by_line = [[call for call in calls if call.line == line] for line in lines]
    most = max(map(len, by_line), default=0)
    return [of_line[at] for at in range(most) for of_line in by_line if at < len(of_line)]


def _well_formed_strangers(ids: Sequence[str], seed: int) -> list[str]:
    """Ids that nobody was given: each place holds a character that real ids have there, so that the form is theirs.

    None where ids can be guessed: what is made up could then be a call of somebody else's.
    """
    if len(ids) < 4 or why_guessable(ids) is not None:
        return []
    length = max({len(i) for i in ids}, key=[len(i) for i in ids].count)
    usual = [i for i in ids if len(i) == length]
    dice = random.Random(f"strangers {seed}")
    mixed = ["".join(dice.choice(usual)[at] for at in range(length)) for _ in range(24)]
    near = {i.casefold() for i in ids}
    return list(dict.fromkeys(i for i in mixed if i.casefold() not in near))[:3]
