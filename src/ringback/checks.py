"""The contract's rules on one answer: pure functions, one for each rule, that return a `Violation` or None.

Contract tests, generated requests, stateful tests and replay all use these. Nothing here sends, waits or knows of a
run; rules on a call's whole record are in `ringback.suite.calls.lifecycle`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ringback.contract.same_id import resembles, same_id
from ringback.contract.states import FINAL_STATES, nearest_state
from ringback.deployment import Answer, Poll, Trigger

__all__ = [
    "Violation",
    "acceptance_is_200",
    "answers_200",
    "call_results_is_an_array",
    "carries_a_unique_id",
    "content_type_is_json",
    "empty_poll_is_2xx_or_4xx",
    "entries_are_complete",
    "ids_not_asked_for",
    "invalid_poll_is_refused",
    "invalid_trigger_is_not_accepted",
    "is_answered",
    "is_no_server_error",
    "is_one_json_text",
    "members_are_named_once",
    "names_only_asked_ids",
    "poll_is_post_only",
    "refusal_is_4xx",
    "refusal_names_no_call",
    "repeats_no_token",
    "seems_accepted",
    "shows_no_internals",
    "states_are_documented",
    "trigger_is_post_only",
]

_INTERNALS = re.compile(
    r"Traceback \(most recent call last\)"
    r"|^[ \t]{1,64}at [\w$.<>]+\([\w$]+\.(?:java|kt|scala|groovy):\d+\)"
    r"|^[ \t]{1,64}at (?:.{1,200}\()?(?:/|[A-Z]:\\|node:|file:).{1,200}:\d+:\d+\)?"
    r"|^[ \t]{1,64}at [\w.<>`]+\(.{0,200}\) in .{1,200}:line \d+"
    r"|goroutine \d+ \["
    r"|(?:/usr/|/home/|/opt/|/srv/|/app/|/var/www/)[\w./-]{1,200}\.(?:py|js|ts|rb|php|go|java|cs|pl|pm|lua|exs?|erl|rs|c|cc|cpp)\b"
    r"|\{file,\s{0,9}\"[^\"\n]{1,200}\.erl\""
    r"|\blib/[\w./-]{1,200}\.exs?:\d+:"
    r"|\bpanicked at [^\n]{1,200}\.rs:\d+:\d+"
    r"|[A-Z]:\\[\w\\. -]{1,200}\.(?:cs|vb|py|js|php|java)\b"
    r"|\b(?:ORA-\d{5}|SQLSTATE\[?\w{5}|PG::[A-Z]\w+|psycopg[23]?\.|sqlite3\.\w+Error|MySqlException|[PS]?SqlException)"
    r"|\b(?:Mysql2::Error|pymysql\.err\b|ActiveRecord::\w+|You have an error in your SQL syntax)"
    r"|\bcolumn [`'\"][\w`'\".]{1,200} (?:at row \d+|of relation )|\bDuplicate entry '.{0,200}' for key "
    r"|[\w./-]{1,200}\.rb:\d+:in [`']"
    r"|\b(?:SELECT\s.{1,200}\sFROM\s+\w|INSERT\s+INTO\s+\w+\s*\(|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s+\w)"
    r"|\bFile \"[^\"]{1,200}\", line \d+"
    r"|#\d+ /[\w./-]{1,200}\.php\(\d+\)",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    clause: str
    observed: str
    """What came, in one sentence."""
    expected: str = ""
    """What should have come; empty where the clause's own words say it best."""


def _kind(value: object) -> str:
    """What JSON calls a value."""
    match value:
        case None | bool():
            return json.dumps(value)
        case dict():
            return "an object"
        case list():
            return "an array"
        case str():
            return "a string"
        case _:
            return "a number"


# -- TRN: how an answer travels ---------------------------------------------------------------------------------------


def trigger_is_post_only(answer: Trigger) -> Violation | None:
    """TRN-03: a trigger sent by a method other than POST is refused and names no call."""
    if answer.status is None or answer.exchange.method == "POST":
        return None
    if answer.found_id is None and _refuses_the_method(answer):
        return None
    return Violation("TRN-03", f"{answer.exchange.method} /v2/call was {answer.describe_outcome()}")


def poll_is_post_only(answer: Answer) -> Violation | None:
    """TRN-03: a poll sent by a method other than POST is refused and reports no call."""
    if answer.status is None or answer.exchange.method == "POST":
        return None
    if _refuses_the_method(answer) and not _reports_calls(answer.json.value):
        return None
    return Violation("TRN-03", f"{answer.exchange.method} /v2/callresult was {answer.describe_outcome()}")


def _refuses_the_method(answer: Answer) -> bool:
    """Whether the answer is 4xx or 501, or a 2xx answer to OPTIONS, by which a server describes itself."""
    to_options = answer.exchange.method == "OPTIONS" and answer.status is not None and answer.status // 100 == 2
    return answer.refused or answer.status == 501 or to_options


def _reports_calls(value: object) -> bool:
    return isinstance(value, dict) and bool(value.get("CallResults"))


def content_type_is_json(answer: Answer) -> Violation | None:
    """TRN-04: a 200 answer has the content type application/json; parameters are allowed."""
    if answer.status != 200 or answer.headers is None:
        return None
    content_type = answer.headers.get("content-type", "")
    if content_type.split(";", maxsplit=1)[0].strip().lower() == "application/json":
        return None
    return Violation("TRN-04", f"a 200 answer has Content-Type: {content_type or '(none)'}")


def is_one_json_text(answer: Answer) -> Violation | None:
    """TRN-05: the body of a 200 answer is one JSON text, as RFC 8259 defines it."""
    if answer.status != 200 or answer.json.problem is None:
        return None
    return Violation("TRN-05", f"a 200 answer is not one JSON text: {answer.json.problem}")


def members_are_named_once(answer: Answer) -> Violation | None:
    """TRN-06: no object in an answer of any status names a member twice."""
    if answer.status is None or not answer.json.twice:
        return None
    return Violation("TRN-06", f"an answer ({answer.status}) names {answer.json.twice[0]} twice in one object")


# -- ACK, and what REQ says of a refusal: the trigger's answer ---------------------------------------------------------


def seems_accepted(answer: Trigger) -> bool:
    """Whether a trigger was answered as if a call had been placed: by a UniqueId, or by any 2xx."""
    return answer.accepted or (answer.status is not None and 200 <= answer.status < 300)


def acceptance_is_200(answer: Trigger) -> Violation | None:
    """ACK-01: a trigger that is accepted is answered 200."""
    if not seems_accepted(answer) or answer.status == 200:
        return None
    return Violation("ACK-01", f"an accepted trigger was answered {answer.status}", "status 200")


def carries_a_unique_id(answer: Trigger) -> Violation | None:
    """ACK-02: the answer to an accepted trigger is an object whose member UniqueId is a string that is not empty."""
    if not seems_accepted(answer) or answer.unique_id is not None:
        return None
    value = answer.json.value if answer.json.readable else None
    if not isinstance(value, dict):
        what = f"is not a JSON object ({answer.json.problem or _kind(value)})"
    elif "UniqueId" in value:
        what = f"has the UniqueId {json.dumps(value['UniqueId'], ensure_ascii=False)}"
    else:
        what = f"has no member UniqueId; its members: {', '.join(map(str, list(value)[:5])) or 'none'}"
    return Violation("ACK-02", f"the answer to an accepted trigger {what}")


def invalid_trigger_is_not_accepted(answer: Trigger, clause: str, title: str) -> Violation | None:
    """REQ-10 to REQ-15: a trigger that `clause` forbids is not accepted; `title` names what is wrong with it."""
    if not answer.accepted:
        return None
    observed = f"accepted {title}: {answer.status} with UniqueId {answer.found_id}"
    return Violation(clause, observed, "no UniqueId, and a 4xx status")


def refusal_names_no_call(answer: Trigger) -> Violation | None:
    """REQ-16: the answer to a trigger that is not accepted carries no UniqueId."""
    if answer.accepted or answer.found_id is None:
        return None
    return Violation("REQ-16", f"the refusal of {answer.exchange.purpose} names the UniqueId {answer.found_id}")


def refusal_is_4xx(answer: Trigger) -> Violation | None:
    """REQ-16: a trigger that is not accepted is answered 4xx."""
    if answer.accepted or answer.status is None or answer.refused:
        return None
    return Violation("REQ-16", f"{answer.exchange.purpose} was not accepted, but {answer.describe_outcome()}")


# -- RES, and what STA says of words: the poll's answer ----------------------------------------------------------------


def answers_200(poll: Poll) -> Violation | None:
    """RES-01: a poll for accepted calls is answered 200."""
    if poll.status is None or poll.status == 200:
        return None
    what = "an accepted call" if len(poll.asked) == 1 else f"{len(poll.asked)} accepted calls"
    return Violation("RES-01", f"a poll for {what} was {poll.describe_outcome()}", "status 200")


def call_results_is_an_array(poll: Poll) -> Violation | None:
    """RES-02: the body of a 200 answer is an object whose member CallResults is an array."""
    if poll.status != 200:
        return None
    value = poll.json.value if poll.json.readable else None
    if not isinstance(value, dict):
        observed = f"the body is not an object ({poll.json.problem or _kind(value)})"
    elif "CallResults" not in value:
        observed = f"CallResults is missing; members: {', '.join(map(str, list(value)[:5])) or 'none'}"
    elif not isinstance(value["CallResults"], list):
        observed = "CallResults is not an array"
    else:
        return None
    return Violation("RES-02", observed, "an object with an array CallResults")


def entries_are_complete(poll: Poll) -> Violation | None:
    """RES-03: each entry of a 200 answer is an object with UniqueId, CallRequestId and CallState, all strings."""
    if poll.status != 200:
        return None
    for entry in poll.entries:
        if not isinstance(entry.raw, dict):
            return Violation("RES-03", f"an entry is not an object but {_kind(entry.raw)}", "entries that are objects")
        for member in ("UniqueId", "CallRequestId", "CallState"):
            if not isinstance(entry.raw.get(member), str):
                problem = "is not a string" if member in entry.raw else "is missing"
                return Violation("RES-03", f"an entry's {member} {problem}", f"{member} as a string in every entry")
    return None


def ids_not_asked_for(poll: Poll, unknown_ids: Collection[str] = ()) -> list[str]:
    """The UniqueIds that entries name and the poll did not ask for, in any spelling (`same_id`).

    `unknown_ids` were given to no call. Where the poll asked for one of them, RES-06 covers a call that is similar.
    """
    unknown = [one for one in poll.asked if one in unknown_ids]
    return [
        name
        for name in poll.foreign
        if not any(same_id(one, name) for one in poll.asked) and not any(resembles(one, name) for one in unknown)
    ]


def names_only_asked_ids(poll: Poll, unknown_ids: Collection[str] = ()) -> Violation | None:
    """RES-05: no entry names a UniqueId that was not asked for; `unknown_ids` as in `ids_not_asked_for`."""
    if not (names := ids_not_asked_for(poll, unknown_ids)):
        return None
    observed = f"an entry names {names[0]}, which was not asked for"
    return Violation("RES-05", observed, "no entry for an id that was not asked for")


def invalid_poll_is_refused(poll: Poll) -> Violation | None:
    """RES-08: a poll that is not what the documents show is answered 4xx; ROB-01 covers 5xx."""
    if poll.status is None or poll.refused or poll.status >= 500:
        return None
    return Violation("RES-08", f"a {poll.exchange.purpose} was {poll.describe_outcome()}")


def empty_poll_is_2xx_or_4xx(poll: Poll) -> Violation | None:
    """RES-08: a poll with an empty list is answered 4xx or 2xx; RES-05 covers the entries, ROB-01 5xx."""
    if poll.status is None or poll.refused or 200 <= poll.status < 300 or poll.status >= 500:
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


# -- ROB: what holds for every answer ----------------------------------------------------------------------------------


def is_no_server_error(answer: Answer) -> Violation | None:
    """ROB-01: no request is answered 5xx."""
    if answer.status is None or answer.status < 500:
        return None
    return Violation("ROB-01", f"{answer.exchange.purpose} was {answer.describe_outcome()}")


def is_answered(answer: Answer) -> Violation | None:
    """ROB-02: every request is answered in full within the request timeout."""
    if answer.failure is None:
        return None
    return Violation("ROB-02", f"{answer.exchange.purpose} was {answer.describe_outcome()}")


def repeats_no_token(answer: Answer) -> Violation | None:
    """ROB-04: no answer repeats an access token, right or wrong."""
    if not answer.exchange.leaks:
        return None
    return Violation("ROB-04", f"an answer repeats {answer.exchange.leaks[0]}")


def shows_no_internals(text: str) -> Violation | None:
    """ROB-05: the text of a refusal shows no stack trace, source path or SQL."""
    if (found := _INTERNALS.search(text)) is None:
        return None
    return Violation("ROB-05", f"a refusal shows the inside of the deployment: {found[0].strip()!r}")
