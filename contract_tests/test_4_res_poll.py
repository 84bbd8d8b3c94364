"""RES: the poll's answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from ringback.contract.guessing import why_guessable
from ringback.contract.near_misses import near_miss_ids, well_formed_strangers
from ringback.deployment import Poll
from ringback.suite.calls import Call
from ringback.suite.common_probes import LINE_CALLS
from ringback.suite.history import is_near, polls
from ringback.suite.lifecycle import is_steady
from ringback.suite.outcomes import Deviation, Inconclusive
from ringback.suite.session import Session

NOT_A_POLL: dict[str, object] = {
    "no body": b"",
    "a body that is not JSON": b"UniqueIds=none",
    "a body cut off": b'{"UniqueIds": ["abc"',
    "no UniqueIds": {},
    "UniqueIds null": {"UniqueIds": None},
    "UniqueIds a string": {"UniqueIds": "no-such-call"},
    "UniqueIds a number": {"UniqueIds": 5},
    "UniqueIds an object": {"UniqueIds": {}},
    "UniqueIds true": {"UniqueIds": True},
    "a number among UniqueIds": {"UniqueIds": [5]},
    "null among UniqueIds": {"UniqueIds": [None]},
    "an object among UniqueIds": {"UniqueIds": [{}]},
    "an array among UniqueIds": {"UniqueIds": [["no-such-call"]]},
    "an array in place of the object": ["no-such-call"],
    "a JSON string": '"UniqueIds"',
}
NOT_QUITE_A_POLL: dict[str, Callable[[str], object]] = {
    "a number beside a real id": lambda real: {"UniqueIds": [real, 5]},
    "null beside a real id": lambda real: {"UniqueIds": [real, None]},
    "an object beside a real id": lambda real: {"UniqueIds": [real, {}]},
    "an array beside a real id": lambda real: {"UniqueIds": [real, []]},
    "a real id in place of the list": lambda real: {"UniqueIds": real},
    "a real id in a list within the list": lambda real: {"UniqueIds": [[real]]},
    "a real id in an object in place of the list": lambda real: {"UniqueIds": {"UniqueId": real}},
    "a list in place of the object": lambda real: [real],
}
NOBODYS = (
    "no-such-call",
    "",
    "%",
    "*",
    "' OR '1'='1",
    '" OR ""="',
    "../..",
    "{$ne: null}",
    "\u0000",
    "ｎｏｂｏｄｙ",
    "null",
)

SHORT = 12
"""Characters of a UniqueId below which near misses may well be other calls."""
OFTEN = 3
"""Batches that contradicted polls for one call, at which that is no chance, even if asked again they do not."""
MANY = 300
"""Strangers in one poll: more than a batch may have to hold, so that it may be refused, but not answered in part."""


def body_of(content: object) -> bytes:
    """What is sent for an entry of NOT_A_POLL."""
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def told(poll: Poll, call: Call) -> list[str]:
    """What a poll's answer says of a call, spelling as it is."""
    return poll.states(call.unique_id)


def agrees(poll: Poll, call: Call) -> bool:
    """Whether an answer reports a call once, with its line's state; any other is asked for again, for it alone."""
    entries = [e for e in poll.entries if e.unique_id == call.unique_id]
    return len(entries) == 1 and told(poll, call) == [call.known_state]


def call_words(call: Call) -> set[str]:
    """Every final state, as spelt, that polls reported of a call."""
    return {word for seen in call.finals for word in seen.words}


@pytest.mark.clause("RES-01")
@pytest.mark.sends(*LINE_CALLS.values())
@pytest.mark.after_final
def test_a_poll_for_accepted_calls_is_answered_200(suite: Session) -> None:
    """The status of polls for accepted calls, in progress and final, one alone and several together."""
    calls = suite.accepted_calls()
    own = {call.unique_id for call in calls}
    suite.poll([calls[0].unique_id], "poll for one call")
    asked = [a for a in polls(suite) if a.valid and a.asked and set(a.asked) <= own]
    # A batch that is refused or crashes is RES-04's matter; what is said when it is answered is not.
    answers = [a for a in asked if len(a.asked) == 1 or (a.status or 0) // 100 in {2, 3}]
    burst = {id(poll) for poll in suite.campaign.burst.polls}
    wrong = [a for a in answers if a.status is not None and a.status != 200 and id(a) not in burst]
    if wrong and wrong[0].status is not None and wrong[0].status >= 500:
        alone = suite.poll_alone(wrong[0].asked, "the same poll, with no other request under way")
        if alone.status == 200:
            raise Inconclusive(f"a poll was {wrong[0].was()} among others, and {alone.was()} by itself (see ROB-03)")
    if wrong:
        what = "an accepted call" if len(wrong[0].asked) == 1 else f"{len(wrong[0].asked)} accepted calls"
        raise Deviation(f"a poll for {what} was {wrong[0].was()}", evidence=wrong)
    if all(a.status is None for a in answers):
        raise Inconclusive(f"no poll was answered ({answers[0].told()}, see ROB-02)")


@pytest.mark.clause("RES-02")
@pytest.mark.sends(*LINE_CALLS.values())
@pytest.mark.after_final
def test_the_answer_is_an_object_with_call_results(suite: Session) -> None:
    """The body of every 200 answer to a poll, in progress and final."""
    calls = suite.settled_calls()
    # Polls that have nothing to tell, too.
    suite.poll([], "poll with an empty list")
    for stranger in well_formed_strangers(calls[0].unique_id, {call.unique_id for call in suite.calls}):
        suite.poll([stranger], "poll for an unknown id")
    answers = [a for a in polls(suite) if a.status == 200 and a.valid and not a.failure]
    if not any(a.asked for a in answers):
        raise Inconclusive("no poll was answered 200")
    for answer in answers:
        value = answer.json.value if answer.json.readable else None
        if not isinstance(value, dict):
            raise Deviation(
                f"the body is not an object ({answer.json.problem or type(value).__name__})", evidence=[answer]
            )
        if not isinstance(value.get("CallResults"), list):
            names = ", ".join(map(str, list(value)[:5])) or "none"
            found = "is no array" if "CallResults" in value else f"is missing; members: {names}"
            raise Deviation(f"CallResults {found}", evidence=[answer])


@pytest.mark.clause("RES-03")
@pytest.mark.sends(*LINE_CALLS.values())
@pytest.mark.after_final
def test_each_entry_has_its_three_members_as_text(suite: Session) -> None:
    """Every entry of every 200 answer to a poll."""
    suite.settled_calls()
    seen = 0
    for answer in (a for a in polls(suite) if a.status == 200):
        for entry in answer.entries:
            seen += 1
            if not isinstance(entry.raw, dict):
                raise Deviation(f"an entry is no object but {type(entry.raw).__name__}", evidence=[answer])
            for member in ("UniqueId", "CallRequestId", "CallState"):
                if not isinstance(entry.raw.get(member), str):
                    what = "is not text" if member in entry.raw else "is missing"
                    raise Deviation(f"an entry's {member} {what}", evidence=[answer])
    if not seen:
        raise Inconclusive("no poll's answer held an entry")


@pytest.mark.clause("RES-04")
@pytest.mark.pool(21)
@pytest.mark.after_final
@pytest.mark.parametrize("size", [2, 11, 20])
def test_a_batch_reports_every_final_call_once(suite: Session, size: int) -> None:
    """Polls for several final calls, in two orders."""
    calls = suite.steady_calls(size)
    for batch in (calls[:size], calls[-size:][::-1]):
        poll = suite.poll([call.unique_id for call in batch], f"poll for {size} final calls")
        must_report(suite, poll, batch)


@pytest.mark.clause("RES-04")
@pytest.mark.pool(21)
@pytest.mark.after_final
def test_a_larger_batch_is_answered_in_full_or_refused(suite: Session) -> None:
    """A poll for more than twenty final calls at once."""
    calls = suite.steady_calls(21)
    poll = suite.poll([call.unique_id for call in calls], f"poll for {len(calls)} final calls")
    if not poll.refused:
        must_report(suite, poll, calls)


@pytest.mark.clause("RES-04")
@pytest.mark.pool(21)
@pytest.mark.at_end
def test_a_batch_of_all_calls_is_answered_in_full_or_refused(suite: Session) -> None:
    """One poll for every final call of the run, and one in which strangers come before the last of them."""
    calls = suite.steady_calls(21)
    known = {call.unique_id for call in suite.calls}
    strangers = [one for call in calls for one in well_formed_strangers(call.unique_id, known, 10)]
    few = calls[-2:]
    beside_one = suite.poll([*strangers[:1], *(call.unique_id for call in few)], "poll for an unknown id and two calls")
    if not all(told(beside_one, call) for call in few):
        strangers = []  # that a single one costs the others their results is RES-07's matter
    for batch, extra in ((calls, []), (few, strangers[:MANY])):
        ids = [*extra, *(call.unique_id for call in batch)]
        poll = suite.poll(ids, f"poll for {len(ids)} ids")
        if not poll.refused and poll.status is not None and poll.status < 500:  # more is ROB-01's matter
            must_report(suite, poll, batch)


@pytest.mark.clause("RES-04")
@pytest.mark.pool(2)
@pytest.mark.at_end
def test_batches_agreed_with_polls_for_one_call(suite: Session) -> None:
    """Every batch polled while calls were watched, against polls for one call at the same time."""
    suite.settled_calls()
    only_once: dict[int, Poll] = {}
    for poll, call, alone in suite.campaign.watch.contradicted:
        if not (call.regular and is_steady(call)) or poll.foreign:
            continue  # the call itself came and went, or the answer is another's: STA-04 and ROB-03 look into that
        if told(suite.poll(poll.asked, "the same batch again"), call):
            only_once[poll.exchange.id] = poll
            if len(only_once) < OFTEN:
                continue  # once is a glitch; often is a rule, such as that all calls of a batch must be final
        suite.results_must_stay()
        raise Deviation(
            f"a poll for {len(poll.asked)} calls said {told(poll, call) or 'nothing'} of a call; "
            f"the poll for it alone says {alone.final}",
            evidence=[poll],
        )


def must_report(suite: Session, poll: Poll, batch: Sequence[Call]) -> None:
    """Every call of a batch is reported once with its state; a poll for one call decides what its state is."""
    if poll.status is None:
        raise Inconclusive(f"no answer to judge: {poll.told()} (see ROB-02)")
    if poll.status // 100 != 2:
        raise Deviation(f"a poll for {len(batch)} final calls was {poll.was()}", evidence=[poll])
    for call in batch:
        if agrees(poll, call):
            continue
        alone = suite.poll([call.unique_id], "poll for one call, as a control")
        entries = [e for e in poll.entries if e.unique_id == call.unique_id]
        if len(entries) == 1 and told(poll, call) == told(alone, call):
            continue
        if not told(alone, call) or not suite.tells_always(call):
            continue  # the call itself has lost its result: STA-04 looks into that
        suite.results_must_stay()
        said = f"{len(entries)} times" if len(entries) != 1 else f"as {told(poll, call) or 'having no state'}"
        place = poll.asked.index(call.unique_id) + 1
        raise Deviation(
            f"call {place} of {len(poll.asked)} is reported {said}; a poll for it alone says {told(alone, call)[0]}",
            evidence=[poll],
        )


@pytest.mark.clause("RES-05")
@pytest.mark.pool(2)
@pytest.mark.after_final
@pytest.mark.parametrize("what", [*NOT_A_POLL, "an empty list", "every kind of foreign id"])
def test_a_poll_for_nobody_tells_of_nobody(suite: Session, what: str) -> None:
    """Polls that ask for no call of anybody's."""
    suite.settled_calls()
    contents: list[object] = [NOT_A_POLL[what]] if what in NOT_A_POLL else [{"UniqueIds": []}]
    if what == "every kind of foreign id":
        contents = [{"UniqueIds": [one]} for one in NOBODYS]
    for content in contents:
        poll = suite.poll_with(body_of(content), f"poll with {what}")
        must_name_only(suite, poll)


@pytest.mark.clause("RES-05")
@pytest.mark.pool(4)
@pytest.mark.identical(2)
@pytest.mark.after_final
def test_a_poll_for_one_call_tells_of_no_other(suite: Session) -> None:
    """Polls for one call each, while others are there, some of them in the same conversation."""
    calls = suite.settled_calls()
    chosen = dict.fromkeys([*calls[:6], *(call for call in calls if call.group == "identical")])
    for poll in suite.polls([[call.unique_id] for call in chosen], "poll for one call"):
        must_name_only(suite, poll)


@pytest.mark.clause("RES-05")
@pytest.mark.pool(2)
@pytest.mark.at_end
def test_no_poll_told_of_a_call_not_asked_for(suite: Session) -> None:
    """Every poll of the run: its entries against what it asked for."""
    suite.settled_calls()
    for poll in polls(suite):
        must_name_only(suite, poll)


def must_name_only(suite: Session, poll: Poll) -> None:
    """No entry names a UniqueId that was not asked for; crossed answers are ROB-03's matter."""
    for name in poll.foreign:
        own = {call.unique_id for call in suite.calls}
        if poll.asked and set(poll.asked) <= own:
            alone = suite.poll_alone(poll.asked, "the same poll, with no other request under way")
            if all(e.unique_id in poll.asked for e in alone.entries):
                continue
        raise Deviation(f"an entry names {name}, which was not asked for", evidence=[poll])


@pytest.mark.clause("RES-06")
@pytest.mark.pool(1)
@pytest.mark.after_final
def test_an_unknown_id_has_no_state(suite: Session) -> None:
    """Polls for ids that nobody was given, near misses of a real one among them."""
    final = suite.steady_calls()
    real = final[0].unique_id
    known = {call.unique_id for call in suite.calls}
    unknown = {how: text for how, text in near_miss_ids(real).items() if text not in known}
    unknown |= dict(zip(["of the same form"], well_formed_strangers(real, known), strict=False))
    in_order = sorted(suite.calls.watched, key=lambda call: call.trigger.ended)
    if len(real) < SHORT or why_guessable([call.unique_id for call in in_order]):
        # What comes near an id that is counted may be another's call, of an earlier run or of somebody else.
        plain = {how for how, text in unknown.items() if text.isalnum() and text.casefold() != real.casefold()}
        unknown = {how: text for how, text in unknown.items() if how not in plain}
    unknown |= {f"made up ({text})": text for text in NOBODYS}
    for how, text in unknown.items():
        poll = suite.poll([text], f"poll for an unknown id: {how}")
        # An entry that names somebody else is RES-05's matter.
        mine = [e for e in poll.entries if e.unique_id in {None, text} or is_near(e.unique_id, text)]
        states = [e.state for e in mine if e.state and e.state not in suite.config.dialect.pending_states]
        if states:
            raise Deviation(f"an id that nobody was given ({how}) is reported as {states[0]}", evidence=[poll])
    for stranger in well_formed_strangers(real, known):
        for ids in ([real, stranger], [stranger, real]):
            poll = suite.poll(ids, "poll for an unknown id beside a final call")
            if told := [state for state in poll.states(stranger) if state not in suite.config.dialect.pending_states]:
                raise Deviation(
                    f"an id that nobody was given is reported as {told[0]} beside a real one", evidence=[poll]
                )


@pytest.mark.clause("RES-07")
@pytest.mark.pool(3)
@pytest.mark.after_final
@pytest.mark.parametrize("place", ["first", "in the middle", "last", "last, and of another form"])
def test_an_unknown_id_costs_known_ones_nothing(suite: Session, place: str) -> None:
    """A poll for an unknown id beside final calls."""
    calls = suite.steady_calls(2)[:3]
    ids = [call.unique_id for call in calls]
    at = {"first": 0, "in the middle": 1}.get(place, len(ids))
    alike = well_formed_strangers(ids[0], {c.unique_id for c in suite.calls})
    ids.insert(at, alike[0] if alike and "another form" not in place else "no-such-call")
    poll = suite.poll(ids, f"poll for final calls, an unknown id {place}")
    if poll.status is None:
        raise Inconclusive(f"no answer to judge: {poll.told()} (see ROB-02)")
    for call in calls:
        if not told(poll, call):
            alone = suite.poll([c.unique_id for c in calls], "the same poll without the unknown id")
            if not told(alone, call):
                raise Inconclusive("the same poll without the unknown id does not report the call either")
            if not suite.tells_always(call):
                raise Inconclusive("the result of the call comes and goes (see STA-04)")
            suite.results_must_stay()
            raise Deviation(f"beside an unknown id a final call is not reported ({poll.told()})", evidence=[poll])


@pytest.mark.clause("RES-08")
@pytest.mark.parametrize("what", list(NOT_A_POLL))
def test_what_is_no_poll_is_refused(suite: Session, what: str) -> None:
    """Bodies that are not what the documents show."""
    must_be_refused(suite.poll_with(body_of(NOT_A_POLL[what]), f"poll with {what}"))


def must_be_refused(poll: Poll) -> None:
    """A poll is answered 4xx."""
    if poll.status is None:
        raise Inconclusive(f"no answer to judge: {poll.told()} (see ROB-02)")
    if poll.status >= 500:
        raise Inconclusive(f"answered {poll.told()} (see ROB-01)")
    if not poll.refused:
        raise Deviation(f"a {poll.exchange.purpose} was {poll.was()}", evidence=[poll])


@pytest.mark.clause("RES-08")
@pytest.mark.pool(1)
@pytest.mark.parametrize("what", list(NOT_QUITE_A_POLL))
def test_a_real_id_makes_no_poll_of_what_is_none(suite: Session, what: str) -> None:
    """Bodies that are not what the documents show, though they name an accepted call."""
    real = suite.accepted_calls()[0].unique_id
    must_be_refused(suite.poll_with(NOT_QUITE_A_POLL[what](real), f"poll with {what}"))


@pytest.mark.clause("RES-08")
def test_an_empty_list_is_refused_or_answered_with_no_entries(suite: Session) -> None:
    """A poll with an empty list of UniqueIds."""
    poll = suite.poll_with({"UniqueIds": []}, "poll with an empty list")
    if poll.status is None:
        raise Inconclusive(f"no answer to judge: {poll.told()} (see ROB-02)")
    if not poll.refused and poll.status // 100 != 2:
        raise Deviation(f"a poll with an empty list was {poll.was()}", evidence=[poll])


@pytest.mark.clause("RES-09")
@pytest.mark.pool(2)
@pytest.mark.after_final
def test_an_id_asked_for_twice(suite: Session) -> None:
    """A final call asked for twice in one poll, alone and beside another."""
    calls = suite.steady_calls()
    call, other = calls[0], calls[-1]
    for ids in ([call.unique_id] * 2, [call.unique_id, other.unique_id, call.unique_id]):
        poll = suite.poll(ids, "poll that asks for a call twice")
        if poll.status is None:
            raise Inconclusive(f"no answer to judge: {poll.told()} (see ROB-02)")
        entries = [e for e in poll.entries if e.unique_id == call.unique_id]
        alike = all(e.raw == entries[0].raw for e in entries)
        once = suite.poll(list(dict.fromkeys(ids)), "the same poll, each call asked for once")
        if not told(once, call):
            raise Inconclusive("asked for once in such a poll, the call is not reported either (see RES-04)")
        if poll.status // 100 != 2 or not 1 <= len(entries) <= 2 or not alike:
            if not suite.tells_always(call):
                raise Inconclusive("the result of the call comes and goes (see STA-04)")
            suite.results_must_stay()
            reported = f"reported {len(entries)} times" + ("" if alike else ", and not alike")
            raise Deviation(f"a call asked for twice is {reported} ({poll.told()})", evidence=[poll])
        if told(poll, call) and not set(told(poll, call)) <= call_words(call):
            raise Deviation(f"a call asked for twice is reported as {told(poll, call)[0]}", evidence=[poll])
