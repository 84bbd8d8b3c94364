"""What is known of the calls in a conversation, and how a poll's answer contradicts it: pure functions.

A call is *known final* once a poll for it alone reported its state; from then on each answer must report the same.
Until then it may be left out, have an empty state, or a word that the vendor has declared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ringback import checks
from ringback.contract.same_id import resembles, same_id
from ringback.contract.states import nearest_state
from ringback.deployment import Entry, Poll
from ringback.suite.calls import Call

__all__ = ["Problem", "ProblemKind", "TrackedCall", "final_reported", "first_problem", "is_early", "problem_of"]

EARLY = 0.6
"""A state that is taken back came too early before this part of the age at which calls usually become final."""


@dataclass(slots=True)
class TrackedCall:
    """A call in a conversation, and what is known of it."""

    letter: str
    call: Call
    final: str | None = None
    """Its final state, once a poll for it alone reported one."""
    final_age: float = 0.0
    """Seconds from the trigger's answer to the poll that first reported it."""

    @property
    def unique_id(self) -> str:
        """The id in its trigger's answer."""
        return self.call.unique_id


class ProblemKind(Enum):
    """What can be wrong with a poll's answer; reads on after "a poll"."""

    REFUSED = "is refused"
    STATUS = "is answered with a status other than 200"
    BODY = "is answered without a CallResults array"
    ENTRY = "is answered with an entry that lacks a string member"
    FOREIGN = "is answered with an id that it did not ask for"
    UNKNOWN_HAS_STATE = "reports a state of an unknown id"
    WORD = "reports a word that is not a documented state"
    LEFT_OUT = "leaves out a final call"
    OTHERWISE = "reports a state other than before"
    TOO_OFTEN = "reports a call more often than it asked for"
    NOT_ALIKE = "reports a call twice, with different states"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an answer: what, about which id, and what was expected instead."""

    kind: ProblemKind
    about: str | None
    expected: str


def final_reported(poll: Poll, unique_id: str) -> str | None:
    """The documented state, in any spelling, that an answer reports of an id; None if it reports none."""
    return next((state for word in poll.states(unique_id) if (state := nearest_state(word)) is not None), None)


def problem_of(poll: Poll, known: TrackedCall) -> ProblemKind | None:
    """What is wrong with an answer's report of a call that is known final."""
    entries = [e for e in poll.entries if e.unique_id == known.unique_id]
    states = {nearest_state(word) or word for word in poll.states(known.unique_id)}
    if not states:
        return ProblemKind.LEFT_OUT
    if states != {known.final}:
        return ProblemKind.NOT_ALIKE if len(states) > 1 else ProblemKind.OTHERWISE
    if len(entries) > max(1, poll.asked.count(known.unique_id)):
        return ProblemKind.TOO_OFTEN
    if len({e.state or "" for e in entries}) > 1:
        return ProblemKind.NOT_ALIKE
    return None


def is_early(known: TrackedCall, now: str | None, typical_age: float | None) -> bool | None:
    """Whether a final state that was taken back came too early (True), was lost (False), or either (None)."""
    if now is not None:
        return known.final != known.call.known_state and now == known.call.known_state
    if typical_age is None:
        return None
    return known.final_age < EARLY * typical_age


def first_problem(
    poll: Poll, tracked: Sequence[TrackedCall], unknown_ids: Mapping[str, str], pending_words: Collection[str]
) -> Problem | None:
    """The first thing that is wrong with an answer, by what is known of the calls it asked for.

    `unknown_ids` maps ids that no call was given to their names. Missing answers, 5xx and what is not JSON are covered
    by other clauses, which look at every answer of a run.
    """
    if poll.status is None or poll.failure is not None or poll.status >= 500:
        return None
    asked = [known for known in tracked if known.unique_id in poll.asked]
    if poll.status != 200:
        return _not_200(poll, asked, unknown_ids)
    if not poll.json.readable:
        return None
    if violation := checks.call_results_is_an_array(poll):
        return Problem(ProblemKind.BODY, None, violation.expected)
    if violation := checks.entries_are_complete(poll):
        return Problem(ProblemKind.ENTRY, None, violation.expected)
    if foreign := checks.ids_not_asked_for(poll, unknown_ids):
        return Problem(ProblemKind.FOREIGN, foreign[0], "no entry for an id that was not asked for")
    return (
        _misspelt(poll, asked, pending_words)
        or _wrongly_reported(poll, asked)
        or _state_of_unknown(poll, tracked, unknown_ids, pending_words)
    )


def _not_200(poll: Poll, asked: Sequence[TrackedCall], unknown_ids: Mapping[str, str]) -> Problem | None:
    with_unknown = any(one in unknown_ids for one in poll.asked)
    finals = [known for known in asked if known.final is not None]
    if with_unknown:
        return Problem(ProblemKind.REFUSED, finals[0].unique_id, _expects(finals)) if finals and poll.refused else None
    if not asked:
        return None
    return Problem(
        ProblemKind.REFUSED if poll.refused else ProblemKind.STATUS,
        asked[0].unique_id,
        _expects(finals) or "status 200",
    )


def _expects(finals: Sequence[TrackedCall]) -> str:
    return ", ".join(f"{known.letter} {known.final}" for known in finals)


def _misspelt(poll: Poll, asked: Sequence[TrackedCall], pending_words: Collection[str]) -> Problem | None:
    for known in asked:
        if violation := checks.states_are_documented(poll.states(known.unique_id), pending_words):
            return Problem(ProblemKind.WORD, known.unique_id, violation.expected)
    return None


def _wrongly_reported(poll: Poll, asked: Sequence[TrackedCall]) -> Problem | None:
    for known in asked:
        if known.final is not None and (kind := problem_of(poll, known)) is not None:
            times = (
                "once"
                if poll.asked.count(known.unique_id) == 1
                else "with the same state, and no more often than asked for"
            )
            return Problem(kind, known.unique_id, f"{known.letter} {known.final}, {times}")
    return None


def _state_of_unknown(
    poll: Poll, tracked: Sequence[TrackedCall], unknown_ids: Mapping[str, str], pending_words: Collection[str]
) -> Problem | None:
    alone = all(one in unknown_ids for one in poll.asked)

    def is_of(entry: Entry, one: str) -> bool:
        if entry.unique_id is None or entry.unique_id in poll.asked:
            return entry.unique_id == one
        spelled = [asked for asked in poll.asked if same_id(asked, entry.unique_id)]
        return one in spelled or (alone and not spelled and resembles(entry.unique_id, one))

    for one in dict.fromkeys(poll.asked):
        if one not in unknown_ids:
            continue
        meant = next((known for known in tracked if same_id(known.unique_id, one)), None)
        for entry in poll.entries:
            if is_of(entry, one) and _has_state(entry, pending_words) and not _is_its_state(entry, meant):
                return Problem(ProblemKind.UNKNOWN_HAS_STATE, one, f"no state of {unknown_ids[one]}")
    return None


def _is_its_state(entry: Entry, meant: TrackedCall | None) -> bool:
    """Whether an id that spells a call's id otherwise was given that call's state, as far as it is known."""
    return meant is not None and (meant.final is None or nearest_state(entry.state or "") == meant.final)


def _has_state(entry: Entry, pending_words: Collection[str]) -> bool:
    return bool(entry.state) and entry.state not in pending_words
