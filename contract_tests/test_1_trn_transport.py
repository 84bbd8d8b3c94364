"""TRN: how requests and answers travel."""

from __future__ import annotations

import pytest

from ringback.contract import checks
from ringback.deployment.tls import accepts_outdated_tls, inspect_tls
from ringback.suite.deviation import Deviation, Inconclusive, NotExercised, must_all_hold, must_be_answered, must_hold
from ringback.suite.history import dialled, regular_answers, wait_for_the_run
from ringback.suite.probes import Probe, refused
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
    """The base URL's scheme."""
    url = suite.config.deployment.base_url
    if not url.startswith("https://"):
        raise Deviation(f"the deployment is used over plain HTTP: {url}")


@pytest.mark.clause("TRN-02")
def test_the_certificate_is_trustworthy(suite: Session) -> None:
    """A TLS handshake that checks dates, host name and chain."""
    seen = suite.on_own_connections(inspect_tls)
    if seen is None:
        raise NotExercised("the deployment is used over plain HTTP")
    if seen.unreachable:
        raise Inconclusive(seen.unreachable)
    if seen.problem:
        raise Deviation(seen.problem)


@pytest.mark.clause("TRN-02")
def test_outdated_tls_is_not_spoken(suite: Session) -> None:
    """A handshake that offers TLS 1.0 and 1.1 only."""
    if suite.on_own_connections(inspect_tls) is None:
        raise NotExercised("the deployment is used over plain HTTP")
    if version := suite.on_own_connections(accepts_outdated_tls):
        raise Deviation(f"the deployment also speaks {version}")


@pytest.mark.clause("TRN-03")
@pytest.mark.parametrize("probe", [by_method(method) for method in METHODS])
def test_a_trigger_by_another_method_is_refused(suite: Session, probe: Probe) -> None:
    """A trigger sent by a method other than POST."""
    outcome = suite.record.outcome(probe)
    if outcome.answer is None:
        raise Inconclusive(str(outcome.trouble))
    must_be_answered(outcome.answer)
    must_hold(checks.trigger_is_post_only(outcome.answer), outcome.answer)


@pytest.mark.clause("TRN-03")
@pytest.mark.pool(1)
@pytest.mark.parametrize("method", METHODS)
def test_a_poll_by_another_method_is_refused(suite: Session, method: str) -> None:
    """A poll sent by a method other than POST."""
    ids = [call.unique_id for call in suite.record.accepted_calls()[:1]]
    answer = suite.send.poll_with({"UniqueIds": ids}, f"a poll sent by {method}", method=method)
    must_be_answered(answer)
    must_hold(checks.poll_is_post_only(answer), answer)


@pytest.mark.clause("TRN-03")
@pytest.mark.at_end
@pytest.mark.sends(LINE_CALLS["answered"])
@pytest.mark.looks_back_on("TRN-03")
def test_a_trigger_by_another_method_dials_nobody(suite: Session) -> None:
    """Refused triggers by other methods, watched for a result that shows that they dialled all the same."""
    suite.record.settled_calls()
    for answer in dialled(suite, lambda draft: draft.method != "POST"):
        raise Deviation(f"{answer.exchange.method} /v2/call dialled: its result was delivered", evidence=[answer])


@pytest.mark.clause("TRN-04")
@pytest.mark.at_end
@pytest.mark.pool(1)
def test_answers_say_that_they_are_json(suite: Session) -> None:
    """The content type of every 200 answer of the run."""
    wait_for_the_run(suite)
    must_all_hold(checks.content_type_is_json, regular_answers(suite))


@pytest.mark.clause("TRN-05")
@pytest.mark.at_end
@pytest.mark.pool(1)
def test_answers_are_one_json_text(suite: Session) -> None:
    """The body of every 200 answer of the run, read strictly."""
    wait_for_the_run(suite)
    must_all_hold(checks.is_one_json_text, regular_answers(suite))


@pytest.mark.clause("TRN-06")
@pytest.mark.at_end
@pytest.mark.pool(1)
def test_answers_name_no_member_twice(suite: Session) -> None:
    """The members of every object in every answer of the run, refusals too."""
    wait_for_the_run(suite)
    regular_answers(suite)
    must_all_hold(checks.members_are_named_once, suite.record.history)
