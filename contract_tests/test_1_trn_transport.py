"""TRN: how requests and answers travel."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from ringback import checks
from ringback.deployment import NotSent
from ringback.deployment.connections import accepts_outdated_tls, inspect_tls
from ringback.suite.deviation import Deviation, Inconclusive, NotExercised, must_be_answered, must_hold
from ringback.suite.history import dialled, regular_answers, wait_for_the_run
from ringback.suite.probes import Probe, accepted, refused
from ringback.suite.probes.common import LINE_CALLS
from ringback.suite.probes.drafts import Draft
from ringback.suite.session import Session

METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE")


def by_method(method: str) -> Probe:
    """A valid trigger sent by another method."""

    def change(draft: Draft) -> None:
        draft.method = method

    return refused(f"a trigger sent by {method}", change)


@pytest.mark.clause("TRN-01")
def test_the_base_url_is_https(suite: Session) -> None:
    """The scheme of the base URL."""
    url = suite.config.deployment.base_url
    if not url.startswith("https://"):
        raise Deviation(f"the base URL is plain HTTP: {url}")


@pytest.mark.clause("TRN-02")
def test_a_verifying_tls_handshake(suite: Session) -> None:
    """A TLS handshake that verifies dates, host name and chain succeeds."""
    seen = suite.on_own_connections(inspect_tls)
    if seen is None:
        raise NotExercised("the base URL is plain HTTP")
    if seen.unreachable:
        raise Inconclusive(seen.unreachable)
    if seen.problem:
        raise Deviation(seen.problem)


@pytest.mark.clause("TRN-02")
def test_a_handshake_by_outdated_tls(suite: Session) -> None:
    """A handshake that offers TLS 1.0 and 1.1 only fails."""
    if suite.on_own_connections(inspect_tls) is None:
        raise NotExercised("the base URL is plain HTTP")
    if version := suite.on_own_connections(accepts_outdated_tls):
        raise Deviation(f"the deployment also accepts {version}")


@pytest.mark.clause("TRN-03")
@pytest.mark.parametrize("probe", [by_method(method) for method in METHODS])
def test_a_trigger_by_another_method(suite: Session, probe: Probe) -> None:
    """A trigger sent by a method other than POST is refused."""
    outcome = suite.record.outcome(probe)
    if outcome.answer is None:
        raise Inconclusive(str(outcome.trouble))
    must_be_answered(outcome.answer)
    must_hold(checks.trigger_is_post_only(outcome.answer), outcome.answer)


@pytest.mark.clause("TRN-03")
@pytest.mark.pool(1)
@pytest.mark.parametrize("method", METHODS)
def test_a_poll_by_another_method(suite: Session, method: str) -> None:
    """A poll sent by a method other than POST is refused."""
    ids = [call.unique_id for call in suite.record.accepted_calls()[:1]]
    answer = suite.send.poll_with({"UniqueIds": ids}, f"a poll sent by {method}", method=method)
    must_be_answered(answer)
    must_hold(checks.poll_is_post_only(answer), answer)


@pytest.mark.clause("TRN-03")
@pytest.mark.pool(1)
@pytest.mark.parametrize("method", [*METHODS, "TRACE"])  # TRACE has no body
def test_a_poll_in_the_query_by_another_method(suite: Session, method: str) -> None:
    """A poll whose UniqueIds are in the query, sent by a method other than POST, is refused and reports no call."""
    call = suite.record.final_calls()[0]
    query = f"UniqueIds={quote(call.unique_id, safe='')}"
    purpose = f"a poll sent by {method}, its UniqueIds in the query"
    answer = suite.send.poll_with(b"", purpose, method=method, query=query)
    if answer.status is None:
        answer = suite.send.poll_with(b"", f"{purpose}, sent again", method=method, query=query)
    if answer.status is None:
        # A server may close the connection on a body that it does not read; here, there is none.
        raise Deviation(f"{method} /v2/callresult, without a body, was {answer.describe_outcome()}", evidence=[answer])
    must_hold(checks.poll_is_post_only(answer), answer)


@pytest.mark.clause("TRN-03")
@pytest.mark.parametrize("method", METHODS)
def test_a_trigger_in_the_query_by_another_method(suite: Session, method: str) -> None:
    """A trigger whose parameters are in the query, sent by a method other than POST, is refused."""
    suite.record.placed()
    purpose = f"a trigger sent by {method}, its parameters in the query"
    draft = suite.campaign.draft(accepted("a valid trigger"))
    right = draft.body["AccessToken"]
    for token in ("wrong", right):
        draft.set("AccessToken", token)
        draft.as_query(method)
        try:
            answer = suite.send.trigger(draft, f"{purpose}{'' if token == right else ', and a wrong access token'}")
        except NotSent:
            raise NotExercised("the configured values hold digits or signs that are not safe in a query") from None
        must_be_answered(answer)
        must_hold(checks.trigger_is_post_only(answer), answer)
        if answer.status in {404, 405, 501}:
            return  # refused for its method: the right token, which proxies may log with the URL, would change nothing


@pytest.mark.clause("TRN-03")
@pytest.mark.at_end
@pytest.mark.sends(LINE_CALLS["answered"])
@pytest.mark.looks_back_on("TRN-03")
def test_triggers_by_other_methods_place_no_call(suite: Session) -> None:
    """No result is delivered for a trigger that was sent by another method and refused."""
    suite.record.settled_calls()
    for answer in dialled(suite, lambda draft: draft.method != "POST"):
        raise Deviation(f"{answer.exchange.method} /v2/call placed a call: its result was delivered", evidence=[answer])


@pytest.mark.clause("TRN-04")
@pytest.mark.at_end
@pytest.mark.sends(*LINE_CALLS.values())
def test_the_content_type_of_every_answer(suite: Session) -> None:
    """Every 200 answer of the run has the content type application/json."""
    wait_for_the_run(suite)
    for answer in regular_answers(suite):
        must_hold(checks.content_type_is_json(answer), answer)


@pytest.mark.clause("TRN-05")
@pytest.mark.at_end
@pytest.mark.sends(*LINE_CALLS.values())
def test_the_body_of_every_answer(suite: Session) -> None:
    """The body of every 200 answer of the run is one JSON text for a strict parser."""
    wait_for_the_run(suite)
    for answer in regular_answers(suite):
        must_hold(checks.is_one_json_text(answer), answer)


@pytest.mark.clause("TRN-06")
@pytest.mark.at_end
@pytest.mark.sends(*LINE_CALLS.values())
def test_the_members_of_every_answer(suite: Session) -> None:
    """No object in any answer of the run, refusals included, names a member twice."""
    wait_for_the_run(suite)
    regular_answers(suite)
    for answer in suite.record.history:
        must_hold(checks.members_are_named_once(answer), answer)
