"""Is the deviation still there? Rules for clauses that several exchanges decide: triggers, and polls for their calls.

The rules are those of the contract tests, on the record of a call (`ringback.suite.calls`). As with one exchange, a
rule is applied to the new answers only if it finds the deviation in the recorded ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ringback import checks
from ringback.config import Config
from ringback.deployment import Answer, Poll, Trigger
from ringback.replaying.judging import Judgement, ReplayOutcome
from ringback.replaying.recorded import Cited, is_cut
from ringback.suite.calls import Call, Observation
from ringback.suite.calls.lifecycle import is_steady, late_final

__all__ = ["Together", "is_undecided", "judge_together"]


@dataclass(frozen=True, slots=True)
class Together:
    """Answers that show something together, in the order of their requests, with instants on one clock."""

    answers: Sequence[Answer]
    lines: Sequence[str | None]
    """The line that each accepted trigger dialled, in their order; None if it is not known."""
    config: Config

    @property
    def triggers(self) -> list[Trigger]:
        """The answers to triggers."""
        return [answer for answer in self.answers if isinstance(answer, Trigger)]

    @property
    def polls(self) -> list[Poll]:
        """The answers to polls."""
        return [answer for answer in self.answers if isinstance(answer, Poll)]

    @property
    def calls(self) -> list[Call]:
        """The calls with what polls reported of them; none if a line is not known or a poll could not be read."""
        calls: list[Call] = []
        for trigger, line in zip(self.triggers, self.lines, strict=True):
            if line is None or trigger.found_id is None:
                return []
            calls.append(Call(trigger.found_id, trigger, line))
        for poll in self.polls:
            if poll.status is None or not 200 <= poll.status < 300 or not poll.json.readable:
                return []
            for call in calls:
                if call.unique_id in poll.asked:
                    words = tuple(poll.states(call.unique_id))
                    # The check had a control of each poll that it cites, so a poll for several calls counts as well.
                    call.observations.append(Observation(poll.begun, poll.ended, words, True, poll.exchange))
        return calls


Rule = Callable[[Together], bool | None]
"""Whether the answers deviate; None if they cannot show that."""


def _documented(seen: Together) -> bool | None:
    words = [word for call in seen.calls for observation in call.observations for word in observation.words]
    if checks.states_are_documented(words, seen.config.dialect.pending_states) is not None:
        return True
    return False if any(call.finals for call in seen.calls) else None


def _final_in_time(seen: Together) -> bool | None:
    for call in seen.calls:
        late = late_final(call, seen.config.timing.settle)
        if late is not None and checks.states_are_documented(late.words, seen.config.dialect.pending_states) is None:
            return True
    return False if seen.calls and all(call.finals for call in seen.calls) else None


def _as_the_line(seen: Together) -> bool | None:
    calls = seen.calls
    if not calls or not all(call.finals and is_steady(call) for call in calls):
        return None
    return any(call.state != call.known_state for call in calls)


def _steady(seen: Together, *, pending_first: bool) -> bool | None:
    calls = seen.calls
    if any(not is_steady(call) for call in calls):
        return True
    shown = [call for call in calls if call.finals and (call.observations[0].final is None) is pending_first]
    return False if shown and len(shown) == len(calls) else None


def _own_ids(seen: Together) -> bool | None:
    ids = [trigger.found_id for trigger in seen.triggers if trigger.accepted]
    if len(set(ids)) < len(ids):
        return True
    # Triggers that were sent at once may be given different ids by chance.
    ends = [trigger.ended for trigger in seen.triggers]
    at_once = any(later.begun < end for later, end in zip(seen.triggers[1:], ends[:-1], strict=True))
    return None if at_once or len(ids) < max(2, len(seen.triggers)) else False


RULES: Final[Mapping[str, Rule]] = {
    "ACK-03": _own_ids,
    "STA-01": _documented,
    "STA-02": _final_in_time,
    "STA-03": _as_the_line,
    "STA-04": lambda seen: _steady(seen, pending_first=False),
    "STA-05": lambda seen: _steady(seen, pending_first=True),
}
"""Clause -> rule."""
_LONGER: Final = 2.5
"""Seconds for which a state must stay, beyond twice the time after which it changed."""
_UNTIL_FINAL: Final = frozenset({"STA-01", "STA-02", "STA-03"})
"""Clauses that a call may only decide once it is final, which may take longer than it did."""


def is_undecided(clause: str, then: Together, now: Together) -> bool:
    """Whether further polls for the calls may decide a clause."""
    if not now.calls or clause not in RULES:
        return False
    found = RULES[clause](now)
    if clause in _UNTIL_FINAL:
        return found is None
    # That a state stays is shown by polls for longer than it took to change.
    return clause == "STA-04" and found is not True and _watched(now) < 2 * _watched(then) + _LONGER


def _watched(seen: Together) -> float:
    """Seconds from the first poll that reported a call as final to the last poll."""
    finals = [call.finals[0].asked_at for call in seen.calls if call.finals]
    return seen.polls[-1].begun - min(finals) if finals and seen.polls else 0.0


def judge_together(cited: Cited, then: Together, now: Together) -> Judgement:
    """The result of a replay of several exchanges for the clause that cites them."""
    rule = RULES.get(cited.clause.id)
    reason = ""
    if rule is None:
        reason = "these exchanges alone cannot show whether this clause holds; check the clause again"
    elif any(is_cut(answer.exchange) for answer in then.answers):
        reason = "only the beginning of an answer was recorded"
    elif rule(then) is not True:
        reason = "the recorded exchanges alone do not show the deviation; check the clause again"
    else:
        deviates = rule(now)
        if deviates is True:
            return Judgement(cited, ReplayOutcome.STILL_FAILS)
        if deviates is False:
            return Judgement(cited, ReplayOutcome.FIXED, "for these requests; check the clause again for all others")
        reason = _why_open(now)
    return Judgement(cited, ReplayOutcome.UNDECIDED, reason)


def _why_open(now: Together) -> str:
    for answer in now.answers:
        if answer.status is None or answer.status >= 400:
            return f"a {'poll' if isinstance(answer, Poll) else 'trigger'} was {answer.describe_outcome()}"
    if any(call.first_final is None for call in now.calls):
        return "a call was still in progress"
    return "the new answers do not show it; check the clause again"
