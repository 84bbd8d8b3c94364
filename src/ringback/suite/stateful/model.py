"""What a conversation has taught, and what a poll's answer says against it: pure functions, nothing is sent here.

A call is *known final* once a poll for it alone told its state; from then on each answer must tell the same. Until then
it may be left out, be an entry without a state, or carry a word that the vendor has declared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ringback.contract import checks
from ringback.contract.states import nearest_state
from ringback.deployment import Entry, Poll
from ringback.suite.calls import Call

__all__ = ["Fault", "Known", "Oddity", "fault_of", "final_told", "first_oddity", "is_early"]

EARLY = 0.6
"""Part of the usual age of calls that become final, before which a state that is taken back was too early."""


@dataclass(slots=True)
class Known:
    """A call in a conversation."""

    letter: str
    call: Call
    final: str | None = None
    """Its final state, once a poll for it alone told of one."""
    final_age: float = 0.0
    """Seconds from the trigger's answer to the poll that first told of it."""

    @property
    def unique_id(self) -> str:
        """The id that its trigger was answered with."""
        return self.call.unique_id


class Fault(Enum):
    """What may be wrong with a poll's answer."""

    REFUSED = "is refused"
    STATUS = "is answered with another status than 200"
    BODY = "is answered without a CallResults array"
    ENTRY = "is answered with an entry that lacks a member, or text in it"
    FOREIGN = "is told of somebody else"
    UNKNOWN_HAS_STATE = "is given a state of an unknown id"
    WORD = "is told a word that is no documented state"
    LEFT_OUT = "is not told of a final call"
    OTHERWISE = "is told another state than before"
    TOO_OFTEN = "is told of a call more often than it asked"
    NOT_ALIKE = "is told of a call twice, and not alike"


@dataclass(frozen=True, slots=True)
class Oddity:
    """One thing that is wrong with an answer: what, about which id, and what was expected instead."""

    fault: Fault
    about: str | None
    expected: str


def final_told(poll: Poll, unique_id: str) -> str | None:
    """The documented state, spelling aside, that an answer tells of an id; None if it tells none."""
    return next((state for word in poll.states(unique_id) if (state := nearest_state(word)) is not None), None)


def fault_of(poll: Poll, known: Known) -> Fault | None:
    """What is wrong with what an answer tells of a call that is known final."""
    entries = [e for e in poll.entries if e.unique_id == known.unique_id]
    states = {nearest_state(word) or word for word in poll.states(known.unique_id)}
    if not states:
        return Fault.LEFT_OUT
    if states != {known.final}:
        return Fault.NOT_ALIKE if len(states) > 1 else Fault.OTHERWISE
    if len(entries) > max(1, poll.asked.count(known.unique_id)):
        return Fault.TOO_OFTEN
    if len({e.state or "" for e in entries}) > 1:
        return Fault.NOT_ALIKE
    return None


def is_early(known: Known, now: str | None, typical_age: float | None) -> bool | None:
    """Whether a final state that was taken back came too early, rather than got lost; None if it can't be told."""
    if now is not None:
        return known.final != known.call.known_state and now == known.call.known_state
    if typical_age is None:
        return None
    return known.final_age < EARLY * typical_age


def first_oddity(
    poll: Poll, party: Sequence[Known], strangers: Mapping[str, str], pending_words: Collection[str]
) -> Oddity | None:
    """The first thing that is wrong with an answer, by what is known of those it asked for.

    `strangers` maps ids that nobody was given to their names. An answer that did not come, one with 5xx and one that is
    no JSON tell nothing here: other clauses look at every answer of a run for these.
    """
    if poll.status is None or poll.failure is not None or poll.status >= 500:
        return None
    asked = [known for known in party if known.unique_id in poll.asked]
    if poll.status != 200:
        return _not_200(poll, asked, strangers)
    if not poll.json.readable:
        return None
    if violation := checks.call_results_is_an_array(poll):
        return Oddity(Fault.BODY, None, violation.expected)
    if violation := checks.entries_are_complete(poll):
        return Oddity(Fault.ENTRY, None, violation.expected)
    if foreign := checks.ids_not_asked_for(poll, strangers):
        return Oddity(Fault.FOREIGN, foreign[0], "no entry for an id that was not asked for")
    return (
        _misspelt(poll, asked, pending_words)
        or _wrongly_told(poll, asked)
        or _known_stranger(poll, strangers, pending_words)
    )


def _not_200(poll: Poll, asked: Sequence[Known], strangers: Mapping[str, str]) -> Oddity | None:
    with_strangers = any(one in strangers for one in poll.asked)
    finals = [known for known in asked if known.final is not None]
    if with_strangers:
        return Oddity(Fault.REFUSED, finals[0].unique_id, _expects(finals)) if finals and poll.refused else None
    if not asked:
        return None
    return Oddity(Fault.REFUSED if poll.refused else Fault.STATUS, asked[0].unique_id, _expects(finals) or "status 200")


def _expects(finals: Sequence[Known]) -> str:
    return ", ".join(f"{known.letter} {known.final}" for known in finals)


def _misspelt(poll: Poll, asked: Sequence[Known], pending_words: Collection[str]) -> Oddity | None:
    for known in asked:
        if violation := checks.states_are_documented(poll.states(known.unique_id), pending_words):
            return Oddity(Fault.WORD, known.unique_id, violation.expected)
    return None


def _wrongly_told(poll: Poll, asked: Sequence[Known]) -> Oddity | None:
    for known in asked:
        if known.final is not None and (fault := fault_of(poll, known)) is not None:
            times = "once" if poll.asked.count(known.unique_id) == 1 else "alike, and no more often than asked for"
            return Oddity(fault, known.unique_id, f"{known.letter} {known.final}, {times}")
    return None


def _known_stranger(poll: Poll, strangers: Mapping[str, str], pending_words: Collection[str]) -> Oddity | None:
    alone = all(one in strangers for one in poll.asked)
    for one in dict.fromkeys(poll.asked):
        if one not in strangers:
            continue
        for entry in poll.entries:
            mine = entry.unique_id == one or (
                alone and entry.unique_id is not None and checks.may_be_the_same_id(entry.unique_id, one)
            )
            if mine and _has_state(entry, pending_words):
                return Oddity(Fault.UNKNOWN_HAS_STATE, one, f"no state of {strangers[one]}, which nobody was given")
    return None


def _has_state(entry: Entry, pending_words: Collection[str]) -> bool:
    return bool(entry.state) and entry.state not in pending_words
