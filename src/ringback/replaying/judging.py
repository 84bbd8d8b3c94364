"""Is the deviation still there? Rules that read it off one exchange, for the clauses of which one exchange can tell.

A rule is trusted on the new answer only if it finds the deviation in the recorded one: what one exchange does not show
(that two calls share an id, that a call never ends) stays undecided. Nothing here sends anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ringback.config import LINE_STATES
from ringback.deployment import Answer, Poll, Trigger
from ringback.replaying.recorded import Cited, is_cut

__all__ = ["Judgement", "ReplayOutcome", "Seen", "judge_again"]


class ReplayOutcome(StrEnum):
    """What a replay says of a clause."""

    STILL_FAILS = "still there"
    FIXED = "as expected now"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer, with what a rule may need to know beside it."""

    answer: Answer
    method: str
    pending: tuple[str, ...] = ()
    """This vendor's words for a call in progress."""
    given_before: frozenset[str] = frozenset()
    """UniqueIds that other calls were given."""

    @property
    def trigger(self) -> Trigger | None:
        """The answer, if it is one to a trigger."""
        return self.answer if isinstance(self.answer, Trigger) else None

    @property
    def poll(self) -> Poll | None:
        """The answer, if it is one to a poll."""
        return self.answer if isinstance(self.answer, Poll) else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A clause, and what the replay says of it."""

    cited: Cited
    outcome: ReplayOutcome
    reason: str = ""
    """Why it is undecided."""


Rule = Callable[[Seen], bool | None]
"""Whether an answer deviates; None: it can't be told."""

_CREDENTIALS = frozenset({401, 403})
_STATES = frozenset(LINE_STATES.values())
_EMPTY_POLL = re.compile(r'\s*\{\s*"UniqueIds"\s*:\s*\[\s*\]\s*\}\s*')
"""The one poll that may be refused or answered with nothing, as a deployment likes."""


def _accepted(seen: Seen) -> bool | None:
    answer = seen.trigger
    if answer is None or answer.status is None or answer.status in _CREDENTIALS:
        return None
    return not answer.accepted


def _not_accepted(seen: Seen) -> bool | None:
    return None if seen.trigger is None or seen.answer.status is None else seen.trigger.accepted


def _refused_cleanly(seen: Seen) -> bool | None:
    answer = seen.trigger
    if answer is None or answer.status is None or answer.accepted:
        return None
    return not answer.refused or answer.names_a_call


def _post_only(seen: Seen) -> bool | None:
    answer = seen.answer
    if answer.status is None or seen.method == "POST":
        return None
    about_itself = seen.method == "OPTIONS" and answer.status in {200, 204} and not answer.body.strip()
    names = seen.trigger is not None and seen.trigger.names_a_call
    return names or not (answer.refused or answer.status == 501 or about_itself)


def _says_json(seen: Seen) -> bool | None:
    if seen.answer.status != 200 or seen.answer.headers is None:
        return None
    said: str = seen.answer.headers.get("content-type", "")
    return said.split(";", maxsplit=1)[0].strip().lower() != "application/json"


def _one_json_text(seen: Seen) -> bool | None:
    return None if seen.answer.status != 200 else seen.answer.json.problem is not None


def _members_once(seen: Seen) -> bool | None:
    return None if seen.answer.status is None else bool(seen.answer.json.twice)


def _accepted_by_200(seen: Seen) -> bool | None:
    return seen.answer.status != 200 if seen.trigger is not None and seen.trigger.names_a_call else None


def _carries_an_id(seen: Seen) -> bool | None:
    return seen.trigger.unique_id is None if seen.trigger is not None and seen.answer.status == 200 else None


def _own_id(seen: Seen) -> bool | None:
    shared = seen.trigger is not None and seen.trigger.found_id in seen.given_before
    return True if shared else None


def _poll_answered_200(seen: Seen) -> bool | None:
    return None if seen.poll is None or seen.answer.status is None else seen.answer.status != 200


def _results_are_a_list(seen: Seen) -> bool | None:
    if seen.poll is None or seen.answer.status != 200:
        return None
    value = seen.answer.json.value
    return not isinstance(value, dict) or not isinstance(value.get("CallResults"), list)


def _entries_are_whole(seen: Seen) -> bool | None:
    if seen.poll is None or not seen.poll.entries:
        return None
    members = ("UniqueId", "CallRequestId", "CallState")
    raw = [entry.raw for entry in seen.poll.entries]
    return any(not isinstance(r, dict) or any(not isinstance(r.get(m), str) for m in members) for r in raw)


def _nothing_foreign(seen: Seen) -> bool | None:
    return None if seen.poll is None or seen.answer.status != 200 else bool(seen.poll.foreign)


def _poll_refused(seen: Seen) -> bool | None:
    poll = seen.poll
    if poll is None or poll.status is None:
        return None
    for_nothing = _EMPTY_POLL.fullmatch(poll.exchange.request_body) is not None
    return not poll.refused and not (for_nothing and poll.status == 200 and not poll.entries)


def _documented_states(seen: Seen) -> bool | None:
    if seen.poll is None or not (words := [entry.state for entry in seen.poll.entries if entry.state]):
        return None
    return any(word not in _STATES and word not in seen.pending for word in words)


def _no_server_error(seen: Seen) -> bool | None:
    return None if seen.answer.status is None else seen.answer.status >= 500


def _answered(seen: Seen) -> bool | None:
    return seen.answer.failure is not None


def _no_leak(seen: Seen) -> bool | None:
    return bool(seen.answer.exchange.leaks)


RULES: Final[Mapping[str, Rule]] = {
    "TRN-03": _post_only,
    "TRN-04": _says_json,
    "TRN-05": _one_json_text,
    "TRN-06": _members_once,
    **{f"REQ-{n:02}": _accepted for n in range(1, 10)},
    **{f"REQ-{n:02}": _not_accepted for n in range(10, 16)},
    "REQ-16": _refused_cleanly,
    "ACK-01": _accepted_by_200,
    "ACK-02": _carries_an_id,
    "ACK-03": _own_id,
    "RES-01": _poll_answered_200,
    "RES-02": _results_are_a_list,
    "RES-03": _entries_are_whole,
    "RES-05": _nothing_foreign,
    "RES-08": _poll_refused,
    "STA-01": _documented_states,
    "ROB-01": _no_server_error,
    "ROB-02": _answered,
    "ROB-04": _no_leak,
}
"""Clause -> rule, where one exchange can show a deviation."""
_BY_THE_BODY = frozenset({"TRN-05", "TRN-06", "RES-02", "RES-03", "RES-05", "STA-01", "ACK-02", "ACK-03"})
"""Rules that read the whole body of an answer."""
_ABOUT_CALLS = frozenset({"RES-03", "RES-05", "STA-01"})
"""Rules about calls that a deployment knows: one that was started for the replay knows none."""


def judge_again(cited: Cited, then: Seen, now: Seen, *, fresh: bool) -> Judgement:
    """What a replay says of a clause; `fresh`: the deployment was started for it, and knows of no earlier call."""
    rule = RULES.get(cited.clause.id)
    if rule is None:
        return _undecided(cited, "one exchange can't show whether this clause holds; check it anew")
    if cited.clause.id in _BY_THE_BODY and is_cut(then.answer.exchange):
        return _undecided(cited, "only the beginning of the recorded answer was kept")
    if rule(then) is not True:
        return _undecided(cited, "the recorded exchange by itself does not show the deviation; check the clause anew")
    deviates = rule(now)
    if deviates is True:
        return Judgement(cited, ReplayOutcome.STILL_FAILS)
    if deviates is None and cited.clause.id == "ACK-03" and now.trigger is not None and now.trigger.accepted:
        return _undecided(
            cited, "this id is another one, which does not show that none is shared; check the clause anew"
        )
    if deviates is None:
        return _undecided(cited, _why_open(now))
    if fresh and cited.clause.id in _ABOUT_CALLS:
        return _undecided(cited, "the sandbox was started anew, and knows of none of the run's calls")
    if then.poll is not None and now.poll is not None and then.poll.entries and not now.poll.entries:
        return _undecided(cited, "the deployment does not tell of these calls any more")
    return Judgement(cited, ReplayOutcome.FIXED)


def _undecided(cited: Cited, reason: str) -> Judgement:
    return Judgement(cited, ReplayOutcome.UNDECIDED, reason)


def _why_open(now: Seen) -> str:
    if now.answer.status is None:
        return f"there is no answer to judge: {now.answer.describe_answer()}"
    if now.answer.status in _CREDENTIALS:
        return f"answered {now.answer.status}: check project, tenant and access token in the configuration"
    return f"the answer is of another kind now ({now.answer.describe_answer()}), and does not show it"
