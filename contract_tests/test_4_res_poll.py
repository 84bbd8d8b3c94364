"""RES: the poll's answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from ringback import checks
from ringback.contract.guessing import why_guessable
from ringback.contract.near_misses import may_be_a_calls_id, near_miss_ids, well_formed_unknown_ids
from ringback.contract.same_id import other_spellings, resembles, same_id
from ringback.deployment import Entry, Poll
from ringback.suite.calls import Call
from ringback.suite.calls.lifecycle import is_steady
from ringback.suite.deviation import Deviation, Inconclusive, must_all_hold, must_be_answered, must_hold
from ringback.suite.history import polls
from ringback.suite.probes.common import LINE_CALLS
from ringback.suite.session import Session

NOT_A_POLL: dict[str, object] = {
    "no body": b"",
    "a body that is not JSON": b"UniqueIds=none",
    "a body cut off": b'{"UniqueIds": ["abc"',
    "no UniqueIds": {},
    "UniqueIds null": {"UniqueIds": None},
    "UniqueIds a string": {"UniqueIds": "no-such-call"},
    "UniqueIds a number": {"UniqueIds": 5},
    # Not an empty one: PHP's usual reader takes {} and [] for the same.
    "UniqueIds an object": {"UniqueIds": {"UniqueId": "no-such-call"}},
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
UNKNOWN_IDS = (
    "no-such-call", "", "%", "*", "' OR '1'='1", '" OR ""="', "../..", "{$ne: null}", "\u0000", "ｎｏｂｏｄｙ", "null",
)  # fmt: skip

BATCH = 20
"""Ids that a poll may carry in any case."""
SHORT = 12
"""Characters of a UniqueId: near misses of a shorter one may be ids of other calls."""
OFTEN = 3
"""Batches that contradict polls for one call: as many are no coincidence, even if each is right when sent again."""
MANY = 300
"""Unknown ids in one poll: so long a batch may be refused, but not answered in part."""


def body_of(content: object) -> bytes:
    """The bytes to send for an entry of NOT_A_POLL."""
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def reported(poll: Poll, call: Call) -> list[str]:
    """The states that an answer reports of a call, as spelled."""
    return poll.states(call.unique_id)


def agrees(poll: Poll, call: Call) -> bool:
    """Whether an answer reports a call once, in its line's state; other calls need a control."""
    entries = [e for e in poll.entries if e.unique_id == call.unique_id]
    return len(entries) == 1 and reported(poll, call) == [call.known_state]


def documented(entry: Entry) -> tuple[object, ...]:
    """The values of an entry that must be the same if its id is asked for again; others may be times."""
    return entry.state, entry.raw.get("CallRequestId") if isinstance(entry.raw, dict) else entry.raw


def call_words(call: Call) -> set[str]:
    """Every final state, as spelled, that polls reported of a call."""
    return {word for seen in call.finals for word in seen.words}


@pytest.mark.clause("RES-01")
@pytest.mark.sends(*LINE_CALLS.values())
@pytest.mark.after_final
def test_polls_for_accepted_calls(suite: Session) -> None:
    """Polls for accepted calls, in progress and final, are answered 200."""
    calls = suite.record.accepted_calls()
    own = {call.unique_id for call in calls}
    suite.send.poll([calls[0].unique_id], "poll for one call")
    asked = [a for a in polls(suite) if a.valid and a.asked and set(a.asked) <= own]
    # Batches that are answered 4xx or 5xx are covered by RES-04.
    answers = [a for a in asked if len(a.asked) == 1 or (a.status or 0) // 100 in {2, 3}]
    burst = {id(poll) for poll in suite.campaign.burst.polls}
    wrong = [a for a in answers if checks.answers_200(a) and id(a) not in burst]
    if wrong and wrong[0].status is not None and wrong[0].status >= 500:
        alone = suite.send.poll(wrong[0].asked, "the same poll, with no other poll under way")
        if alone.status == 200:
            among_others = wrong[0].describe_outcome()
            raise Inconclusive(f"a poll was {among_others} among others, and answered 200 by itself (see ROB-03)")
    must_all_hold(checks.answers_200, wrong)
    if all(a.status is None for a in answers):
        raise Inconclusive(f"no poll was answered ({answers[0].describe_answer()}, see ROB-02)")


@pytest.mark.clause("RES-02")
@pytest.mark.sends(*LINE_CALLS.values())
@pytest.mark.after_final
def test_polls_with_and_without_results(suite: Session) -> None:
    """Every 200 answer to a poll is an object with an array CallResults."""
    calls = suite.record.settled_calls()
    suite.send.poll([], "poll with an empty list")
    for unknown in well_formed_unknown_ids(calls[0].unique_id, {call.unique_id for call in suite.record.calls}):
        suite.send.poll([unknown], "poll for an unknown id")
    answers = [a for a in polls(suite) if a.status == 200 and a.valid and not a.failure]
    if not any(a.asked for a in answers):
        raise Inconclusive("no poll was answered 200")
    must_all_hold(checks.call_results_is_an_array, answers)


@pytest.mark.clause("RES-03")
@pytest.mark.sends(*LINE_CALLS.values())
@pytest.mark.after_final
def test_the_entries_of_every_poll(suite: Session) -> None:
    """Every entry has UniqueId, CallRequestId and CallState as strings."""
    suite.record.settled_calls()
    with_entries = [answer for answer in polls(suite) if answer.status == 200 and answer.entries]
    must_all_hold(checks.entries_are_complete, with_entries)
    if not with_entries:
        raise Inconclusive("no answer to a poll has an entry")


@pytest.mark.clause("RES-04")
@pytest.mark.pool(21)
@pytest.mark.after_final
@pytest.mark.parametrize("size", [2, 11, 20])
def test_a_poll_for_several_final_calls(suite: Session, size: int) -> None:
    """A poll for several final calls, in either order, reports each of them once."""
    calls = suite.record.all_steady_calls(size)
    for batch in (calls[:size], calls[-size:][::-1]):
        poll = suite.send.poll([call.unique_id for call in batch], f"poll for {size} final calls")
        must_report(suite, poll, batch)


@pytest.mark.clause("RES-04")
@pytest.mark.pool(21)
@pytest.mark.after_final
def test_a_poll_for_more_than_twenty_final_calls(suite: Session) -> None:
    """A poll for more than twenty final calls reports all of them, or is refused with 4xx."""
    calls = suite.record.all_steady_calls(21)
    poll = suite.send.poll([call.unique_id for call in calls], f"poll for {len(calls)} final calls")
    if not poll.refused:
        must_report(suite, poll, calls)


@pytest.mark.clause("RES-04")
@pytest.mark.pool(21)
@pytest.mark.at_end
def test_a_poll_for_all_calls_or_for_many_unknown_ids(suite: Session) -> None:
    """Polls for every final call of the run, and for two calls after many unknown ids, are not answered in part."""
    calls = suite.record.all_steady_calls(21)
    known = {call.unique_id for call in suite.record.calls}
    unknown = [one for call in calls for one in well_formed_unknown_ids(call.unique_id, known, 10)]
    few = calls[-2:]
    beside_one = suite.send.poll(
        [*unknown[:1], *(call.unique_id for call in few)], "poll for an unknown id and two calls"
    )
    if not all(reported(beside_one, call) for call in few):
        unknown = []  # covered by RES-07: one unknown id is enough to lose the results
    for batch, extra in ((calls, []), (few, unknown[:MANY])):
        ids = [*extra, *(call.unique_id for call in batch)]
        poll = suite.send.poll(ids, f"poll for {len(ids)} ids")
        if not poll.refused and poll.status is not None and poll.status < 500:  # ROB-01 covers 5xx
            must_report(suite, poll, batch)


@pytest.mark.clause("RES-04")
@pytest.mark.pool(2)
@pytest.mark.at_end
def test_batches_beside_polls_for_one_call(suite: Session) -> None:
    """Every batch of the watch reports what polls for one call reported at the same time."""
    suite.record.settled_calls()
    right_when_repeated: dict[int, Poll] = {}
    for poll, call, alone in suite.campaign.watch.contradicted:
        if not (call.regular and is_steady(call)) or poll.foreign:
            continue  # the call's own results change, or another poll's answer came: covered by STA-04 and ROB-03
        if reported(suite.send.poll(poll.asked, "the same poll again"), call):
            right_when_repeated[poll.exchange.id] = poll
            if len(right_when_repeated) < OFTEN:
                continue  # one may be a coincidence
        suite.record.results_must_stay()
        raise Deviation(
            f"a poll for {len(poll.asked)} calls reported {reported(poll, call) or 'nothing'} of a call; "
            f"a poll for it alone reported {alone.final}",
            evidence=[poll],
        )


def must_report(suite: Session, poll: Poll, batch: Sequence[Call]) -> None:
    """Raise if a call of the batch is not reported once in its state, which polls for it alone decide."""
    must_be_answered(poll)
    if (poll.status or 0) // 100 != 2:
        raise Deviation(f"a poll for {len(batch)} final calls was {poll.describe_outcome()}", evidence=[poll])
    for call in batch:
        if agrees(poll, call):
            continue
        alone = suite.send.poll([call.unique_id], "poll for one call, as a control")
        entries = [e for e in poll.entries if e.unique_id == call.unique_id]
        if len(entries) == 1 and reported(poll, call) == reported(alone, call):
            continue
        if not reported(alone, call) or not suite.send.reports_one_state(call):
            continue  # the call itself has lost its result: covered by STA-04
        suite.record.results_must_stay()
        how = f"{len(entries)} times" if len(entries) != 1 else f"as {reported(poll, call) or 'having no state'}"
        place = poll.asked.index(call.unique_id) + 1
        raise Deviation(
            f"call {place} of {len(poll.asked)} is reported {how}; a poll for it alone reports "
            f"{reported(alone, call)[0]}",
            evidence=[poll],
        )


@pytest.mark.clause("RES-05")
@pytest.mark.pool(2)
@pytest.mark.after_final
@pytest.mark.parametrize("what", [*NOT_A_POLL, "an empty list", "every kind of unknown id"])
def test_a_poll_for_no_accepted_call(suite: Session, what: str) -> None:
    """A poll that asks for no accepted call gets no entries."""
    suite.record.settled_calls()
    contents: list[object] = [NOT_A_POLL[what]] if what in NOT_A_POLL else [{"UniqueIds": []}]
    if what == "every kind of unknown id":
        contents = [{"UniqueIds": [one]} for one in UNKNOWN_IDS]
    for content in contents:
        poll = suite.send.poll_with(body_of(content), f"poll with {what}")
        must_name_only(suite, poll)


@pytest.mark.clause("RES-05")
@pytest.mark.pool(4)
@pytest.mark.identical(2)
@pytest.mark.after_final
def test_polls_for_one_call_each(suite: Session) -> None:
    """A poll for one call gets no entry of another call, not even of one in the same conversation."""
    calls = suite.record.settled_calls()
    chosen = dict.fromkeys([*calls[:6], *(call for call in calls if call.repeated)])
    for call in chosen:
        must_name_only(suite, suite.send.poll([call.unique_id], "poll for one call"))


@pytest.mark.clause("RES-05")
@pytest.mark.pool(2)
@pytest.mark.at_end
def test_the_ids_in_every_polls_answer(suite: Session) -> None:
    """No poll of the run got an entry for an id that it did not ask for."""
    suite.record.settled_calls()
    for poll in polls(suite):
        must_name_only(suite, poll)


def must_name_only(suite: Session, poll: Poll) -> None:
    """Raise if an entry names an id that was not asked for; crossed answers are covered by ROB-03."""
    violation = checks.names_only_asked_ids(poll)
    own = {call.unique_id for call in suite.record.calls}
    if violation is not None and poll.valid and (set(poll.asked) <= own or set(poll.foreign) <= own):
        alone = suite.send.poll(poll.asked, "the same poll, with no other poll under way")
        if all(e.unique_id in poll.asked for e in alone.entries):
            return
    must_hold(violation, poll)


@pytest.mark.clause("RES-06")
@pytest.mark.pool(1)
@pytest.mark.after_final
def test_polls_for_unknown_ids(suite: Session) -> None:
    """Ids that no call has, near misses of a real one included, get no state."""
    final = suite.record.steady_calls()
    real = final[0].unique_id
    known = {call.unique_id for call in suite.record.calls}
    unknown = {how: text for how, text in near_miss_ids(real).items() if text not in known}
    alike = well_formed_unknown_ids(real, known, BATCH - 1)
    in_order = sorted(suite.record.calls.watched, key=lambda call: call.trigger.ended)
    if len(real) < SHORT or why_guessable([call.unique_id for call in in_order]):
        # Ids like a counted one may be ids of another client's calls, or of an earlier run's.
        unknown = {how: text for how, text in unknown.items() if not may_be_a_calls_id(text)}
        alike = []
    unknown |= dict(zip(["of the same form"], alike[:1], strict=True)) if alike else {}
    unknown |= {f"made up ({text})": text for text in UNKNOWN_IDS}
    for how, text in unknown.items():
        poll = suite.send.poll([text], f"poll for an unknown id: {how}")
        # RES-05 covers entries that name other ids.
        mine = [e for e in poll.entries if e.unique_id in {None, text} or resembles(e.unique_id, text)]
        states = [e.state for e in mine if e.state and e.state not in suite.config.dialect.pending_states]
        if states:
            raise Deviation(f"an unknown id ({how}) is reported as {states[0]}", evidence=[poll])
    others = alike or list(UNKNOWN_IDS[:1])
    for ids in ([real, others[0]], [others[0], real], [*others, real]):
        poll = suite.send.poll(ids, "poll for an unknown id beside a final call")
        states = [state for other in others for state in poll.states(other)]
        if states := [state for state in states if state not in suite.config.dialect.pending_states]:
            raise Deviation(f"an unknown id is reported as {states[0]} beside a real one", evidence=[poll])


@pytest.mark.clause("RES-06")
@pytest.mark.pool(4)
@pytest.mark.after_final
def test_a_final_call_by_another_spelling_of_its_id(suite: Session) -> None:
    """A real id in another case, with blanks, or in another form of a UUID gets no state, or that call's."""
    call = suite.record.steady_calls()[0]
    known = {other.unique_id for other in suite.record.calls}
    for how, text in other_spellings(call.unique_id).items():
        if text in known:
            continue
        poll = suite.send.poll([text], f"poll for the id of a final call, spelled otherwise: {how}")
        entries = [e for e in poll.entries if e.unique_id is None or same_id(text, e.unique_id)]
        states = {e.state for e in entries if e.state and e.state not in suite.config.dialect.pending_states}
        if wrong := states - call_words(call):
            raise Deviation(
                f"the id of a final call, spelled otherwise ({how}), is reported as {min(wrong)}; spelled as issued it "
                f"is reported as {call.state}",
                evidence=[poll],
            )


@pytest.mark.clause("RES-07")
@pytest.mark.pool(3)
@pytest.mark.after_final
@pytest.mark.parametrize("place", ["first", "in the middle", "last", "last and in another form"])
def test_an_unknown_id_beside_final_calls(suite: Session, place: str) -> None:
    """A poll for an unknown id and final calls reports the final calls."""
    calls = suite.record.steady_calls(2)[:3]
    ids = [call.unique_id for call in calls]
    at = {"first": 0, "in the middle": 1}.get(place, len(ids))
    alike = well_formed_unknown_ids(ids[0], {c.unique_id for c in suite.record.calls})
    ids.insert(at, alike[0] if alike and "another form" not in place else "no-such-call")
    poll = suite.send.poll(ids, f"poll for final calls, an unknown id {place}")
    must_be_answered(poll)
    for call in calls:
        if not reported(poll, call):
            alone = suite.send.poll([c.unique_id for c in calls], "the same poll without the unknown id")
            if not reported(alone, call):
                raise Inconclusive("the same poll without the unknown id did not report the call either")
            if not suite.send.reports_one_state(call):
                raise Inconclusive("the result of the call comes and goes (see STA-04)")
            suite.record.results_must_stay()
            raise Deviation(
                f"a final call is not reported beside an unknown id ({poll.describe_answer()})", evidence=[poll]
            )


@pytest.mark.clause("RES-08")
@pytest.mark.parametrize("what", list(NOT_A_POLL))
def test_bodies_that_are_not_a_poll(suite: Session, what: str) -> None:
    """A body that is not what the documents show is refused with 4xx."""
    must_be_refused(suite.send.poll_with(body_of(NOT_A_POLL[what]), f"poll with {what}"))


def must_be_no_error(poll: Poll) -> None:
    """Raise `Inconclusive` if no answer came, or one of 5xx."""
    must_be_answered(poll)
    if checks.is_no_server_error(poll):
        raise Inconclusive(f"answered {poll.describe_answer()} (see ROB-01)")


def must_be_refused(poll: Poll) -> None:
    """Raise if a poll is not answered 4xx."""
    must_be_no_error(poll)
    must_hold(checks.invalid_poll_is_refused(poll), poll)


@pytest.mark.clause("RES-08")
@pytest.mark.pool(1)
@pytest.mark.parametrize("what", list(NOT_QUITE_A_POLL))
def test_bodies_that_are_not_a_poll_and_hold_a_real_id(suite: Session, what: str) -> None:
    """A body that is not what the documents show is refused with 4xx, also if it names an accepted call."""
    real = suite.record.accepted_calls()[0].unique_id
    must_be_refused(suite.send.poll_with(NOT_QUITE_A_POLL[what](real), f"poll with {what}"))


@pytest.mark.clause("RES-08")
def test_an_empty_list(suite: Session) -> None:
    """A poll with an empty list is refused or answered."""
    poll = suite.send.poll_with({"UniqueIds": []}, "poll with an empty list")
    must_be_no_error(poll)
    must_hold(checks.empty_poll_is_2xx_or_4xx(poll), poll)


@pytest.mark.clause("RES-09")
@pytest.mark.pool(2)
@pytest.mark.after_final
def test_a_poll_that_names_an_id_twice(suite: Session) -> None:
    """A final call that is asked for twice in one poll is reported once or twice, alike; another beside it is too."""
    calls = suite.record.steady_calls()
    call, other = calls[0], calls[-1]
    batches = [[call.unique_id] * 2]
    if other is not call:
        batches += [[call.unique_id, other.unique_id, call.unique_id], [*batches[0], other.unique_id]]
    for ids in batches:
        poll = suite.send.poll(ids, "poll that names a call twice")
        must_be_answered(poll)
        entries = [e for e in poll.entries if e.unique_id == call.unique_id]
        alike = all(documented(e) == documented(entries[0]) for e in entries)
        once = suite.send.poll(list(dict.fromkeys(ids)), "the same poll, each call named once")
        if not reported(once, call):
            raise Inconclusive("a poll that names the call once does not report it either (see RES-04)")
        if (poll.status or 0) // 100 != 2 or not 1 <= len(entries) <= 2 or not alike:
            if not suite.send.reports_one_state(call):
                raise Inconclusive("the result of the call comes and goes (see STA-04)")
            suite.record.results_must_stay()
            how = f"{len(entries)} times" + ("" if alike else ", and differently")
            raise Deviation(f"a call that is named twice is reported {how} ({poll.describe_answer()})", evidence=[poll])
        if reported(poll, call) and not set(reported(poll, call)) <= call_words(call):
            raise Deviation(f"a call that is named twice is reported as {reported(poll, call)[0]}", evidence=[poll])
        if other.unique_id in ids and not reported(poll, other) and reported(once, other):
            if not suite.send.reports_one_state(other):
                raise Inconclusive("the result of another call comes and goes (see STA-04)")
            raise Deviation("a call beside one that is named twice is not reported", evidence=[poll])
