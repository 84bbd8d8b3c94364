"""RES, and what STA says of words: the poll's answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ringback.contract.checks.violation import PollRead, Violation
from ringback.contract.same_id import resembles, same_id
from ringback.contract.states import FINAL_STATES, nearest_state

__all__ = [
    "answers_200",
    "call_results_is_an_array",
    "empty_poll_is_2xx_or_4xx",
    "entries_are_complete",
    "ids_not_asked_for",
    "invalid_poll_is_refused",
    "names_only_asked_ids",
    "states_are_documented",
]


def answers_200(poll: PollRead) -> Violation | None:
    """RES-01: a poll for accepted calls is answered 200."""
    if poll.status is None or poll.status == 200:
        return None
    what = "an accepted call" if len(poll.asked) == 1 else f"{len(poll.asked)} accepted calls"
    return Violation("RES-01", f"a poll for {what} was {poll.describe_outcome()}", "status 200")


def call_results_is_an_array(poll: PollRead) -> Violation | None:
    """RES-02: the body of a 200 answer is an object whose member CallResults is an array."""
    if poll.status != 200:
        return None
    value = poll.json.value if poll.json.readable else None
    if not isinstance(value, dict):
        observed = f"the body is not an object ({poll.json.problem or type(value).__name__})"
    elif "CallResults" not in value:
        observed = f"CallResults is missing; members: {', '.join(map(str, list(value)[:5])) or 'none'}"
    elif not isinstance(value["CallResults"], list):
        observed = "CallResults is not an array"
    else:
        return None
    return Violation("RES-02", observed, "an object with an array CallResults")


def entries_are_complete(poll: PollRead) -> Violation | None:
    """RES-03: each entry of a 200 answer is an object with UniqueId, CallRequestId and CallState, all strings."""
    if poll.status != 200:
        return None
    for entry in poll.entries:
        if not isinstance(entry.raw, dict):
            return Violation(
                "RES-03", f"an entry is not an object but {type(entry.raw).__name__}", "entries that are objects"
            )
        for member in ("UniqueId", "CallRequestId", "CallState"):
            if not isinstance(entry.raw.get(member), str):
                problem = "is not a string" if member in entry.raw else "is missing"
                return Violation("RES-03", f"an entry's {member} {problem}", f"{member} as a string in every entry")
    return None


def ids_not_asked_for(poll: PollRead, unknown_ids: Collection[str] = ()) -> list[str]:
    """The UniqueIds that entries name and the poll did not ask for, in any spelling (`same_id`).

    `unknown_ids` were given to no call. Where the poll asked for one of them, RES-06 covers a call that is similar.
    """
    unknown = [one for one in poll.asked if one in unknown_ids]
    return [
        name
        for name in poll.foreign
        if not any(same_id(one, name) for one in poll.asked) and not any(resembles(one, name) for one in unknown)
    ]


def names_only_asked_ids(poll: PollRead, unknown_ids: Collection[str] = ()) -> Violation | None:
    """RES-05: no entry names a UniqueId that was not asked for; `unknown_ids` as in `ids_not_asked_for`."""
    if not (names := ids_not_asked_for(poll, unknown_ids)):
        return None
    observed = f"an entry names {names[0]}, which was not asked for"
    return Violation("RES-05", observed, "no entry for an id that was not asked for")


def invalid_poll_is_refused(poll: PollRead) -> Violation | None:
    """RES-08: a poll that is not what the documents show is answered 4xx; ROB-01 covers 5xx."""
    if poll.status is None or poll.refused or poll.status >= 500:
        return None
    return Violation("RES-08", f"a {poll.exchange.purpose} was {poll.describe_outcome()}")


def empty_poll_is_2xx_or_4xx(poll: PollRead) -> Violation | None:
    """RES-08: a poll with an empty list is answered 4xx or 2xx; RES-05 covers the entries."""
    if poll.status is None or poll.refused or 200 <= poll.status < 300:
        return None
    return Violation("RES-08", f"a poll with an empty list was {poll.describe_outcome()}")


def states_are_documented(words: Iterable[str], pending_states: Collection[str]) -> Violation | None:
    """STA-01: each reported state is one of the seven documented, letter for letter.

    Empty words, and those that the vendor declared for a call in progress (`pending_states`), are not states.
    """
    for word in words:
        if word in FINAL_STATES or word in pending_states or not word:
            continue
        expected = f"one of the seven documented states in place of {word!r}"
        if meant := nearest_state(word):
            return Violation("STA-01", f"a call is reported as {word!r} instead of {meant!r}", expected)
        return Violation(
            "STA-01",
            f"a call is reported as {word!r}, which is none of the seven documented states; if it means a call in "
            "progress, declare it in [dialect] pending_states",
            expected,
        )
    return None
