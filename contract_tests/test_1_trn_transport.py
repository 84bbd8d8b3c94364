"""TRN: how requests and answers travel."""

from __future__ import annotations

import pytest

from ringback.deployment import Answer
from ringback.deployment.tls import accepts_outdated_tls, inspect_tls
from ringback.suite.common_probes import LINE_CALLS
from ringback.suite.drafts import Draft
from ringback.suite.history import dialled, regular_answers, wait_for_the_run
from ringback.suite.outcomes import Deviation, Inconclusive, NotExercised
from ringback.suite.probes import Probe, refused
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
    seen = suite.apart_from_client(inspect_tls)
    if seen is None:
        raise NotExercised("the deployment is used over plain HTTP")
    if seen.unreachable:
        raise Inconclusive(seen.unreachable)
    if seen.problem:
        raise Deviation(seen.problem)


@pytest.mark.clause("TRN-02")
def test_outdated_tls_is_not_spoken(suite: Session) -> None:
    """A handshake that offers TLS 1.0 and 1.1 only."""
    if suite.apart_from_client(inspect_tls) is None:
        raise NotExercised("the deployment is used over plain HTTP")
    if version := suite.apart_from_client(accepts_outdated_tls):
        raise Deviation(f"the deployment also speaks {version}")


@pytest.mark.clause("TRN-03")
@pytest.mark.parametrize("probe", [by_method(method) for method in METHODS])
def test_a_trigger_by_another_method_is_refused(suite: Session, probe: Probe) -> None:
    """A trigger sent by a method other than POST."""
    outcome = suite.outcome(probe)
    if outcome.answer is None:
        raise Inconclusive(str(outcome.trouble))
    answer = outcome.answer
    if answer.status is None:
        raise Inconclusive(f"no answer to judge: {answer.describe_answer()} (see ROB-02)")
    if answer.names_a_call or not is_refusal(answer):
        raise Deviation(f"{answer.exchange.method} /v2/call was {answer.describe_outcome()}", evidence=[answer])


def is_refusal(answer: Answer) -> bool:
    """Whether another method than POST was refused: by 4xx or 501; OPTIONS may be answered for what it is.

    Many frameworks answer OPTIONS by themselves, with the methods that are allowed: that serves no trigger and no poll.
    """
    about_itself = answer.exchange.method == "OPTIONS" and answer.status in {200, 204} and not answer.body.strip()
    return answer.refused or answer.status == 501 or about_itself


@pytest.mark.clause("TRN-03")
@pytest.mark.pool(1)
@pytest.mark.parametrize("method", METHODS)
def test_a_poll_by_another_method_is_refused(suite: Session, method: str) -> None:
    """A poll sent by a method other than POST."""
    ids = [call.unique_id for call in suite.accepted_calls()[:1]]
    answer = suite.poll_with({"UniqueIds": ids}, f"a poll sent by {method}", method=method)
    if answer.status is None:
        raise Inconclusive(f"no answer to judge: {answer.describe_answer()} (see ROB-02)")
    if not is_refusal(answer):
        raise Deviation(f"{method} /v2/callresult was {answer.describe_outcome()}", evidence=[answer])


@pytest.mark.clause("TRN-03")
@pytest.mark.at_end
@pytest.mark.sends(LINE_CALLS["answered"])
@pytest.mark.looks_back_on("TRN-03")
def test_a_trigger_by_another_method_dials_nobody(suite: Session) -> None:
    """Refused triggers by other methods, watched for a result that shows that they dialled all the same."""
    suite.settled_calls()
    for answer in dialled(suite, lambda draft: draft.method != "POST"):
        raise Deviation(f"{answer.exchange.method} /v2/call dialled: its result was delivered", evidence=[answer])


@pytest.mark.clause("TRN-04")
@pytest.mark.at_end
@pytest.mark.pool(1)
def test_answers_say_that_they_are_json(suite: Session) -> None:
    """The content type of every 200 answer of the run."""
    wait_for_the_run(suite)
    for answer in regular_answers(suite):
        assert answer.headers is not None
        said = answer.headers.get("content-type", "")
        if said.split(";")[0].strip().lower() != "application/json":
            raise Deviation(f"a 200 answer says Content-Type: {said or '(none)'}", evidence=[answer])


@pytest.mark.clause("TRN-05")
@pytest.mark.at_end
@pytest.mark.pool(1)
def test_answers_are_one_json_text(suite: Session) -> None:
    """The body of every 200 answer of the run, read strictly."""
    wait_for_the_run(suite)
    for answer in regular_answers(suite):
        if answer.json.problem:
            raise Deviation(f"a 200 answer is not one JSON text: {answer.json.problem}", evidence=[answer])


@pytest.mark.clause("TRN-06")
@pytest.mark.at_end
@pytest.mark.pool(1)
def test_answers_name_no_member_twice(suite: Session) -> None:
    """The members of every object in every answer of the run, refusals too."""
    wait_for_the_run(suite)
    regular_answers(suite)
    for answer in suite.history:
        if answer.status is not None and answer.json.twice:
            told = f"an answer ({answer.status}) names {answer.json.twice[0]} twice in one object"
            raise Deviation(told, evidence=[answer])
