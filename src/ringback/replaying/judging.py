"""Is the deviation still there? Rules for the clauses that one exchange can decide.

A rule is applied to the new answer only if it finds the deviation in the recorded one. What one exchange cannot show
(that two calls share an id, that a call never ends) stays undecided.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from ringback import checks
from ringback.checks import Violation
from ringback.deployment import Answer, Poll, Trigger
from ringback.deployment.reading import decoded_text
from ringback.replaying.recorded import Cited, is_cut

__all__ = ["Judgement", "ReplayOutcome", "Seen", "judge_again"]


class ReplayOutcome(StrEnum):
    """The result of a replay for a clause."""

    STILL_FAILS = "still there"
    FIXED = "as expected now"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer, and what rules need to know besides."""

    answer: Answer
    pending: tuple[str, ...] = ()
    """This vendor's words for a call in progress."""
    given_before: frozenset[str] = frozenset()
    """UniqueIds of other calls."""

    @property
    def trigger(self) -> Trigger | None:
        """The answer, if it answers a trigger."""
        return self.answer if isinstance(self.answer, Trigger) else None

    @property
    def poll(self) -> Poll | None:
        """The answer, if it answers a poll."""
        return self.answer if isinstance(self.answer, Poll) else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A clause, and the result of the replay for it."""

    cited: Cited
    outcome: ReplayOutcome
    reason: str = ""
    """Why it is undecided, or for what it holds."""


A = TypeVar("A", bound=Answer)

Rule = Callable[[Seen], bool | None]
"""Whether an answer deviates; None if it cannot show that."""

_CREDENTIALS = frozenset({401, 403})
_EMPTY_POLL = re.compile(r'\s*\{\s*"UniqueIds"\s*:\s*\[\s*\]\s*\}\s*')
"""A poll with an empty list, which may be refused or answered."""


def _of(kind: type[A], check: Callable[[A], Violation | None], applies: Callable[[A], bool]) -> Rule:
    """The rule of a check on answers of a kind, for those to which it applies."""

    def rule(seen: Seen) -> bool | None:
        return check(seen.answer) is not None if isinstance(seen.answer, kind) and applies(seen.answer) else None

    return rule


def _answered(answer: Answer) -> bool:
    return answer.status is not None


def _answered_200(answer: Answer) -> bool:
    return answer.status == 200


def _accepted(seen: Seen) -> bool | None:
    answer = seen.trigger
    if answer is None or answer.status is None or answer.status in _CREDENTIALS:
        return None
    return not answer.accepted


def _not_accepted(clause: str) -> Rule:
    return _of(Trigger, lambda answer: checks.invalid_trigger_is_not_accepted(answer, clause, ""), _answered)


def _post_only(seen: Seen) -> bool | None:
    if seen.answer.status is None or seen.answer.exchange.method == "POST":
        return None
    if seen.trigger is not None:
        return checks.trigger_is_post_only(seen.trigger) is not None
    return checks.poll_is_post_only(seen.answer) is not None


def _own_id(seen: Seen) -> bool | None:
    shared = seen.trigger is not None and seen.trigger.found_id in seen.given_before
    return True if shared else None


def _poll_refused(poll: Poll) -> Violation | None:
    empty = _EMPTY_POLL.fullmatch(poll.exchange.request_body) is not None
    return checks.empty_poll_is_2xx_or_4xx(poll) if empty else checks.invalid_poll_is_refused(poll)


def _documented_states(seen: Seen) -> bool | None:
    if seen.poll is None or not (words := [entry.state for entry in seen.poll.entries if entry.state]):
        return None
    return checks.states_are_documented(words, seen.pending) is not None


def _no_internals(answer: Answer) -> Violation | None:
    return checks.shows_no_internals(decoded_text(answer.body))


RULES: Final[Mapping[str, Rule]] = {
    "TRN-03": _post_only,
    "TRN-04": _of(
        Answer, checks.content_type_is_json, lambda answer: _answered_200(answer) and answer.headers is not None
    ),
    "TRN-05": _of(Answer, checks.is_one_json_text, _answered_200),
    "TRN-06": _of(Answer, checks.members_are_named_once, _answered),
    **{f"REQ-{n:02}": _accepted for n in range(1, 10)},
    **{f"REQ-{n:02}": _not_accepted(f"REQ-{n:02}") for n in range(10, 16)},
    "REQ-16": _of(
        Trigger,
        lambda answer: checks.refusal_names_no_call(answer) or checks.refusal_is_4xx(answer),
        lambda answer: _answered(answer) and not answer.accepted,
    ),
    "ACK-01": _of(Trigger, checks.acceptance_is_200, checks.seems_accepted),
    "ACK-02": _of(Trigger, checks.carries_a_unique_id, checks.seems_accepted),
    "ACK-03": _own_id,
    "RES-01": _of(Poll, checks.answers_200, _answered),
    "RES-02": _of(Poll, checks.call_results_is_an_array, _answered_200),
    "RES-03": _of(Poll, checks.entries_are_complete, lambda poll: _answered_200(poll) and bool(poll.entries)),
    "RES-05": _of(Poll, checks.names_only_asked_ids, _answered_200),
    "RES-08": _of(Poll, _poll_refused, lambda poll: poll.status is not None and poll.status < 500),
    "STA-01": _documented_states,
    "ROB-01": _of(Answer, checks.is_no_server_error, _answered),
    "ROB-02": _of(Answer, checks.is_answered, lambda _: True),
    "ROB-04": _of(Answer, checks.repeats_no_token, lambda _: True),
    "ROB-05": _of(Answer, _no_internals, lambda answer: answer.status is not None and answer.status >= 400),
}
"""Clause -> rule, for clauses whose deviations one exchange can show."""
_BY_THE_BODY = frozenset({"TRN-05", "TRN-06", "RES-02", "RES-03", "RES-05", "STA-01", "ACK-02", "ACK-03", "ROB-05"})
"""Clauses whose rules read the whole body of an answer."""
_ABOUT_CALLS = frozenset({"RES-03", "RES-05", "STA-01"})
"""Clauses about calls that a deployment knows; a sandbox that was started for the replay knows none."""


def judge_again(cited: Cited, then: Seen, now: Seen, *, fresh: bool) -> Judgement:
    """The result of a replay for a clause. `fresh`: the deployment was started for it and knows no earlier calls."""
    rule = RULES.get(cited.clause.id)
    if rule is None:
        return _undecided(cited, "one exchange cannot show whether this clause holds; check the clause again")
    if cited.clause.id in _BY_THE_BODY and is_cut(then.answer.exchange):
        return _undecided(cited, "only the beginning of the answer was recorded")
    if rule(then) is not True:
        return _undecided(cited, "the recorded exchange alone does not show the deviation; check the clause again")
    deviates = rule(now)
    if deviates is True:
        return Judgement(cited, ReplayOutcome.STILL_FAILS)
    if deviates is None and cited.clause.id == "ACK-03" and now.trigger is not None and now.trigger.accepted:
        return _undecided(
            cited, "the new id is a different one, but others may still be shared; check the clause again"
        )
    if deviates is None:
        return _undecided(cited, _why_open(now))
    if fresh and cited.clause.id in _ABOUT_CALLS:
        return _undecided(cited, "the sandbox was started for this replay and knows none of the run's calls")
    if then.poll is not None and now.poll is not None and then.poll.entries and not now.poll.entries:
        return _undecided(cited, "the deployment does not report these calls any more")
    return Judgement(cited, ReplayOutcome.FIXED)


def _undecided(cited: Cited, reason: str) -> Judgement:
    return Judgement(cited, ReplayOutcome.UNDECIDED, reason)


def _why_open(now: Seen) -> str:
    if now.answer.status is None:
        return f"there is no answer to judge: {now.answer.describe_answer()}"
    if now.answer.status in _CREDENTIALS:
        return f"answered {now.answer.status}: check project, tenant and access token in the configuration"
    return f"the new answer is of another kind ({now.answer.describe_answer()}) and does not show it"
