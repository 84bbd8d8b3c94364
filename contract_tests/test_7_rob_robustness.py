"""ROB: robustness and security."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ringback import checks
from ringback.deployment import Answer
from ringback.deployment.reading import decoded_text
from ringback.suite.campaign import AT_ONCE
from ringback.suite.deviation import Deviation, Inconclusive, NotExercised, must_all_hold, must_hold
from ringback.suite.history import apart, wait_for_the_run
from ringback.suite.probes import Probe, either, refused
from ringback.suite.probes.common import not_for_their_order
from ringback.suite.probes.drafts import OPTIONAL, Draft, NotTried
from ringback.suite.probes.fields import ALL_ODD, ODD_CREDENTIALS, ODD_TEXTS, covering, with_parts
from ringback.suite.session import Session

LONG = 64 * 1024
HUGE = 1024 * 1024


def changed(make: Callable[[bytes], bytes]) -> Callable[[Draft], None]:
    """Send a body that is made from the valid body's bytes."""
    return lambda draft: draft.malformed(make)


def nothing_optional(draft: Draft) -> None:
    """Send null for every optional parameter."""
    for parameter in OPTIONAL:
        draft.set(parameter, None)


def under(content_type: str | None) -> Callable[[Draft], None]:
    """Send the valid body with a wrong access token, and with this Content-Type or none."""

    def change(draft: Draft) -> None:
        draft.set("AccessToken", "wrong")
        others = [(name, value) for name, value in draft.headers if name.lower() != "content-type"]
        draft.headers = others + ([("content-type", content_type)] if content_type is not None else [])

    return change


def wrong(make: Callable[[bytes], bytes]) -> Callable[[Draft], None]:
    """Send a body that is made from the valid body's bytes, with a wrong access token."""

    def change(draft: Draft) -> None:
        draft.set("AccessToken", "wrong")
        draft.malformed(make)

    return change


LEFT_OPEN: dict[str, Callable[[bytes], bytes]] = {
    "another brace behind the trigger": lambda body: body + b"}",
    "words behind the trigger": lambda body: body + b" and so on",
    "another object behind the trigger": lambda body: body + b"{}",
    "a byte-order mark before the trigger": lambda body: b"\xef\xbb\xbf" + body,
    "a member given twice": lambda body: body[:-1] + b', "Tenant": "Default"}',
    "bytes that are not UTF-8": lambda body: body[:-1] + b', "Note": "\xff\xc3"}',
    "a ConversationId that is not UTF-8": lambda body: body.replace(b'"ringback-', b'"\xff\xc3-'),
}
"""What the contract leaves open: readers of JSON differ in it. It may be accepted or refused, but not by 5xx."""
MALFORMED = [
    ALL_ODD,
    *ODD_CREDENTIALS,
    either("null for every optional parameter", nothing_optional, ordinary=True),
    refused("a body of 1 MiB", changed(lambda _: json.dumps("x" * HUGE).encode())),
    refused("deep nesting", changed(lambda _: b'{"ScenarioInputParameters": ' + b"[" * 20_000 + b"]" * 20_000 + b"}")),
    refused("a body that is not UTF-8", changed(lambda body: body.replace(b'"greeting"', b'"\xff\xc3"')[:-1])),
    refused("the access token given twice, wrong both times",
            changed(lambda _: b'{"AccessToken": "wrong", "AccessToken": "wrong too"}')),
    *(refused(f"{what}, and a wrong access token", wrong(make)) for what, make in LEFT_OPEN.items()),
    refused("single quotes", changed(lambda _: b"{'Project': 'demo'}")),
    refused("NaN for a project", changed(lambda _: b'{"Project": NaN}')),
    refused("Infinity for a project", changed(lambda _: b'{"Project": Infinity, "Tenant": -Infinity}')),
    refused("no Content-Type, and a wrong access token", under(None)),
    refused("Content-Type text/plain, and a wrong access token", under("text/plain")),
    refused("Content-Type with a charset, and a wrong access token", under("Application/JSON;charset=UTF-8")),
]  # fmt: skip
MALFORMED_POLLS: dict[str, bytes] = {
    "no body": b"",
    "a JSON string": b'"no-such-call"',
    "a JSON number": b"5",
    "the JSON value null": b"null",
    "an array": b'["no-such-call"]',
    "bad JSON": b'{"UniqueIds": [',
    "deep nesting": b'{"UniqueIds": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "an id that holds NUL": json.dumps({"UniqueIds": ["before\0after"]}).encode(),
    "an empty id": b'{"UniqueIds": [""]}',
    "an id of ten thousand characters": json.dumps({"UniqueIds": ["x" * 10_000]}).encode(),
    "an id of 64 KiB": json.dumps({"UniqueIds": ["x" * LONG]}).encode(),
    "a body of 1 MiB": json.dumps({"UniqueIds": ["x" * HUGE]}).encode(),
    "UniqueIds given twice": b'{"UniqueIds": ["a"], "UniqueIds": ["b"]}',
    "an id in many scripts": json.dumps({"UniqueIds": ["你好 مرحبا 🎉 \u0000\u202e"]}, ensure_ascii=False).encode(),
    "a lone surrogate": b'{"UniqueIds": ["\\ud800"]}',
    "bytes that are not UTF-8": b'{"UniqueIds": ["\xff\xc3"]}',
    "wrong types": b'{"UniqueIds": [[], {}, 5, true, null]}',
    "many ids": json.dumps({"UniqueIds": [f"no-such-call-{n}" for n in range(5000)]}).encode(),
    "a number of five thousand digits": b'{"UniqueIds": [' + b"9" * 5000 + b"]}",
    "a number beyond all bounds": b'{"UniqueIds": [1e9999, -1e9999, 1e-9999]}',
    "NaN": b'{"UniqueIds": [NaN, Infinity]}',
    "quotes and percent signs": json.dumps({"UniqueIds": ["' \" %s %n ` ; -- \\"]}).encode(),
}


@pytest.mark.clause("ROB-01")
@pytest.mark.parametrize("probe", MALFORMED)
def test_a_malformed_trigger(suite: Session, probe: Probe) -> None:
    """A malformed or extreme trigger is not answered 5xx."""
    outcome = suite.record.outcome(probe)
    if crashed(outcome.answer) and outcome.draft is not None:
        # Repeated by itself: crashes that need other requests are covered by ROB-03.
        must_not_be_5xx(suite.send.trigger(outcome.draft, f"{probe.title}, sent again"))
        return
    must_not_be_5xx(outcome.answer)


@pytest.mark.clause("ROB-01")
@pytest.mark.sends(ALL_ODD)
@pytest.mark.parametrize(("kind", "where"), list(ODD_TEXTS))
def test_odd_text_in_every_field(suite: Session, kind: str, where: str) -> None:
    """NUL, long text, odd Unicode, quotes or a lone surrogate in any text field is not answered 5xx.

    All of it is sent in one trigger, then fewer kinds until one trigger is accepted. Where none is, one kind or field
    may hide another: each kind is sent, then halves of it, until one is accepted or single fields are left.
    """
    for more in covering(kind, where):
        together = suite.record.outcome(more).answer
        if together is not None and together.accepted:
            return
        if together is None or crashed(together):
            break  # it may have placed a call: more of the same would cost more
    probe = ODD_TEXTS[kind, where]
    outcome = suite.record.outcome(probe)
    if outcome.answer is None:
        raise Inconclusive(str(outcome.trouble))
    waiting: list[tuple[Probe, ...]] = []
    answer, parts, found = outcome.answer, probe.parts, crashed(outcome.answer)
    while found or not parts or not answer.accepted:
        if parts and crashed(answer):
            found, waiting = True, []
        if len(parts) > 1 and (crashed(answer) or answer.refused):
            waiting += [parts[: len(parts) // 2], parts[len(parts) // 2 :]]
        elif parts and crashed(answer):
            must_not_be_5xx(suite.send.trigger(suite.campaign.draft(parts[0]), f"{parts[0].title}, sent again"))
        if not waiting:
            break
        parts = waiting.pop()
        part = parts[0] if len(parts) == 1 else with_parts(f"{probe.title}: {len(parts)} of them", parts)
        try:
            answer = suite.send.trigger(suite.campaign.draft(part), part.title)
        except NotTried:
            parts = ()  # with these project variables it can't be tried
    if found and outcome.draft is not None:
        must_not_be_5xx(suite.send.trigger(outcome.draft, f"{probe.title}, sent again"))


@pytest.mark.clause("ROB-01")
@pytest.mark.parametrize("what", list(MALFORMED_POLLS))
def test_a_malformed_poll(suite: Session, what: str) -> None:
    """A malformed or extreme poll is not answered 5xx."""
    answer = suite.send.poll_with(MALFORMED_POLLS[what], f"poll with {what}")
    if crashed(answer):
        answer = suite.send.poll_with(MALFORMED_POLLS[what], f"poll with {what}, sent again")
    must_not_be_5xx(answer)


@pytest.mark.clause("ROB-01")
@pytest.mark.parametrize("content_type", [None, "text/plain", "Application/JSON;charset=UTF-8"])
def test_a_poll_with_another_content_type(suite: Session, content_type: str | None) -> None:
    """A poll whose Content-Type is wrong or absent is not answered 5xx."""
    headers = [("accept", "application/json"), *([("content-type", content_type)] if content_type else [])]
    must_not_be_5xx(
        suite.send.poll_with(
            {"UniqueIds": ["no-such-call"]}, f"poll with Content-Type {content_type or '(none)'}", headers=headers
        )
    )


@pytest.mark.clause("ROB-01")
@pytest.mark.at_end
@pytest.mark.pool(1)
@pytest.mark.looks_back_on("REQ-07", "REQ-13", "REQ-14")
def test_every_request_of_the_run(suite: Session) -> None:
    """No request of the run is answered 5xx."""
    suite.record.accepted_calls()
    elsewhere = apart(suite)
    burst = suite.campaign.burst
    together = [answer for answer in (*burst.triggers, *burst.polls) if crashed(answer)]
    if any(not crashed(burst.alone.get(answer.exchange.id)) for answer in together):  # by itself it is no error
        raise Inconclusive("requests that were sent at once were answered 5xx (see ROB-03)")
    must_all_hold(checks.is_no_server_error, [a for a in suite.record.history if a.exchange.id not in elsewhere])


def crashed(answer: Answer | None) -> bool:
    """Whether an answer is a server error."""
    return answer is not None and checks.is_no_server_error(answer) is not None


def must_not_be_5xx(answer: Answer | None) -> None:
    """Raise if an answer is 5xx."""
    if answer is None:
        raise Inconclusive("the request was not sent")
    must_hold(checks.is_no_server_error(answer), answer)


@pytest.mark.clause("ROB-02")
@pytest.mark.parametrize("what", ["bad JSON", "wrong types", "quotes and percent signs"])
def test_a_malformed_poll_waits_for_its_answer(suite: Session, what: str) -> None:
    """A poll that may upset a parser is answered."""
    answer = suite.send.poll_with(MALFORMED_POLLS[what], f"poll with {what}")
    must_hold(checks.is_answered(answer), answer)


@pytest.mark.clause("ROB-02")
@pytest.mark.at_end
@pytest.mark.pool(20)
@pytest.mark.looks_back_on("REQ-14", "REQ-15", "ROB-01")
def test_every_request_that_reached_the_deployment(suite: Session) -> None:
    """Every request of the run that reached the deployment is answered."""
    wait_for_the_run(suite)
    elsewhere = apart(suite)
    seen = [answer for answer in suite.record.history if answer.exchange.id not in elsewhere]
    must_all_hold(checks.is_answered, seen)
    if not seen:
        raise Inconclusive(suite.record.why_no_call())


@pytest.mark.clause("ROB-03")
@pytest.mark.burst
@pytest.mark.pool(2)
def test_sixteen_triggers_at_once(suite: Session) -> None:
    """Sixteen valid triggers at once are accepted like single ones."""
    suite.record.accepted_calls()
    burst = suite.campaign.burst
    enough(suite)
    lost = [answer for answer in burst.triggers if not answer.accepted and (answer.status or 500) // 100 != 2]
    alone = {answer.exchange.id: burst.alone.get(answer.exchange.id) for answer in lost}
    # What is refused by itself too is covered by the clauses on triggers.
    lost = [answer for answer in lost if (again := alone[answer.exchange.id]) is None or again.accepted]
    if any(again is not None and again.accepted for again in alone.values()):
        raise Deviation(
            f"{len(lost)} of {burst.at_once} triggers sent at once were not accepted ({lost[0].describe_answer()}); "
            "one sent by itself is",
            evidence=lost,
        )
    if len(alone) > burst.at_once // 2:
        first = next(iter(burst.alone.values()), burst.triggers[0])
        raise Inconclusive(
            f"triggers sent by themselves afterwards were not accepted either ({first.describe_answer()})"
        )


@pytest.mark.clause("ROB-03")
@pytest.mark.burst
@pytest.mark.pool(2)
def test_sixteen_polls_at_once(suite: Session) -> None:
    """Sixteen polls at once are answered like single ones."""
    suite.record.accepted_calls()
    if len(suite.campaign.burst.polls) < AT_ONCE:
        enough(suite)
    for poll in suite.campaign.burst.polls:
        if poll.status is None or poll.status // 100 != 2:
            alone = suite.send.poll(poll.asked, "one of the polls at once, sent by itself")
            if alone.status is not None and alone.status // 100 == 2:
                outcome = poll.describe_outcome()
                raise Deviation(
                    f"a poll sent at once with others was {outcome}; by itself {alone.status}", evidence=[poll]
                )
        if poll.foreign and not suite.send.poll(poll.asked, "one of the polls at once, sent by itself").foreign:
            raise Deviation(
                f"a poll sent at once with others got an entry for another poll's call, {poll.foreign[0]}",
                evidence=[poll],
            )


@pytest.mark.clause("ROB-03")
@pytest.mark.after_final
@pytest.mark.pool(16)
def test_polls_at_once_for_different_calls(suite: Session) -> None:
    """Polls at once, each for another final call, report that call; three times on the same connections."""
    known = suite.record.steady_calls(2)
    calls = [known[index % len(known)] for index in range(AT_ONCE)]
    for _ in range(3):
        together = suite.send.polls_at_once([[c.unique_id] for c in calls], f"one of {len(calls)} polls at once")
        for call, poll in zip(calls, together, strict=True):
            if poll.failure is None and not poll.states(call.unique_id):
                alone = suite.send.poll([call.unique_id], "one of the polls at once, sent by itself")
                # A call whose result comes and goes is covered by STA-04.
                if alone.states(call.unique_id) and suite.send.reports_one_state(call):
                    raise Deviation(
                        f"a poll sent at once with others was {poll.describe_outcome()} and does not report its call; "
                        "sent by itself it does",
                        evidence=[poll],
                    )


@pytest.mark.clause("ROB-03")
@pytest.mark.burst
@pytest.mark.after_final
@pytest.mark.pool(2)
def test_calls_placed_at_once(suite: Session) -> None:
    """Calls placed at once on several lines end in the states of their lines."""
    calls = [c for c in not_for_their_order(suite.record.steady_calls()) if c.group == "burst"]
    others = [
        c for c in suite.record.calls if c.regular and c.group not in {"burst", "identical"} and c.state is not None
    ]
    if any(c.state != c.known_state for c in others):
        raise Inconclusive("calls placed by themselves also ended in a wrong state (see STA-03)")
    alone_right = {
        c.line for c in suite.record.calls if c.group not in {"burst", "identical"} and c.state == c.known_state
    }
    for call in calls:
        if call.state not in {None, call.known_state}:
            suite.send.poll_call(call, "poll for one call, as a control")
        if call.state not in {None, call.known_state} and call.line in alone_right:
            raise Deviation(
                f"a call to the line {call.line}, placed at once with others, ended as {call.state}",
                evidence=[call.trigger, call.finals[-1].exchange],
            )


def enough(suite: Session) -> None:
    """Raise if fewer than sixteen triggers could be sent at once."""
    burst = suite.campaign.burst
    if burst.trouble is not None:
        raise Inconclusive(str(burst.trouble))
    if burst.at_once < AT_ONCE:
        rate, left = suite.config.budget.triggers_per_second, suite.config.budget.calls
        if suite.client.transport.rate.burst >= AT_ONCE and not suite.campaign.places.limited:
            raise Inconclusive(f"a budget of {left} calls does not suffice for {AT_ONCE} triggers at once")
        lines = " and with lines that take so few calls" if suite.campaign.places.limited else ""
        raise NotExercised(
            f"with budget.triggers_per_second = {rate:g} and budget.calls = {left}{lines}, only {burst.at_once} "
            "triggers can be sent at once, and 16 are needed"
        )


@pytest.mark.clause("ROB-04")
@pytest.mark.at_end
@pytest.mark.pool(1)
@pytest.mark.looks_back_on("REQ-10", "REQ-13", "REQ-14", "REQ-15", "ROB-01")
def test_access_tokens_in_every_request(suite: Session) -> None:
    """No answer of the run repeats an access token, right or wrong, in its headers or body."""
    suite.record.placed()
    must_all_hold(checks.repeats_no_token, suite.record.history)
    if not suite.record.history:
        raise Inconclusive(suite.record.why_no_call())


@pytest.mark.clause("ROB-05")
@pytest.mark.at_end
@pytest.mark.pool(1)
@pytest.mark.looks_back_on("REQ-10", "REQ-13", "REQ-14", "REQ-15", "ROB-01")
def test_every_refused_request(suite: Session) -> None:
    """No refusal of the run shows a stack trace, a source path or SQL."""
    suite.record.placed()
    for what in ("no body", "bad JSON", "wrong types", "quotes and percent signs", "an id that holds NUL"):
        suite.send.poll_with(MALFORMED_POLLS[what], f"poll with {what}")
    refusals = [answer for answer in suite.record.history if answer.status is not None and answer.status >= 400]
    if not refusals:
        raise Inconclusive("nothing was refused")
    for answer in refusals:
        must_hold(checks.shows_no_internals(decoded_text(answer.body[:65536])), answer)
