"""The rules on one answer, each from both sides: answers that keep it and answers that break it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from ringback import checks
from ringback.checks import Violation
from ringback.contract.clauses import CLAUSES
from ringback.deployment import Answer, Exchange, Poll, Trigger

Fields = tuple[float, float, int | None, httpx.Headers | None, bytes, str | None]


def exchange(method: str = "POST", leaks: tuple[str, ...] = ()) -> Exchange:
    return Exchange(1, "poll with something", "", 0, 0, method, "", (), "", 0, leaks=leaks)


def fields(body: object, status: int | None, content_type: str, failure: str | None) -> Fields:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = None if status is None else httpx.Headers({"content-type": content_type})
    return 0.0, 1.0, status, headers, raw, failure


def trigger(body: object = b"", status: int | None = 200, method: str = "POST", **more: Any) -> Trigger:
    return Trigger(exchange(method, **more), *fields(body, status, "application/json", None))


def poll(body: object = b"", status: int | None = 200, method: str = "POST", asked: tuple[str, ...] = ("a",)) -> Poll:
    return Poll(exchange(method), *fields(body, status, "application/json", None), asked=asked)


def of_type(content_type: str, status: int = 200) -> Answer:
    return Answer(exchange(), *fields(b"{}", status, content_type, None))


NO_ANSWER = Answer(exchange(), *fields(b"", None, "", "timeout"))


def entry(unique_id: object = "a", state: object = "Busy", **more: object) -> dict[str, object]:
    return {"UniqueId": unique_id, "CallRequestId": "", "CallState": state, **more}


def results(*entries: object) -> dict[str, object]:
    return {"CallResults": list(entries)}


ID, ERROR = {"UniqueId": "a"}, {"Error": "no"}

RIGHT = [
    checks.trigger_is_post_only(trigger(ERROR, 405, "PUT")),
    checks.trigger_is_post_only(trigger(b"", 501, "HEAD")),
    checks.trigger_is_post_only(trigger(b" ", 204, "OPTIONS")),
    checks.trigger_is_post_only(trigger(b"", None, "PUT")),
    checks.trigger_is_post_only(trigger(ID)),
    checks.poll_is_post_only(poll(results(entry()))),
    checks.poll_is_post_only(poll(b"", 405, "GET")),
    checks.poll_is_post_only(poll(b'{"allow": "POST"}', 200, "OPTIONS")),
    checks.trigger_is_post_only(trigger(b'{"allow": "POST"}', 200, "OPTIONS")),
    checks.content_type_is_json(of_type("application/json")),
    checks.content_type_is_json(of_type("Application/JSON; charset=utf-8")),
    checks.content_type_is_json(of_type("text/html", 404)),
    checks.content_type_is_json(NO_ANSWER),
    checks.is_one_json_text(trigger(ID)),
    checks.is_one_json_text(trigger(b"<html>", 502)),
    checks.members_are_named_once(trigger(ID)),
    checks.acceptance_is_200(trigger(ID)),
    checks.acceptance_is_200(trigger(ERROR, 400)),
    checks.acceptance_is_200(trigger(ID, 400)),
    checks.carries_a_unique_id(trigger(ID)),
    checks.carries_a_unique_id(trigger(ERROR, 400)),
    checks.invalid_trigger_is_not_accepted(trigger(ERROR, 400), "REQ-10", ""),
    checks.invalid_trigger_is_not_accepted(trigger(b"", None), "REQ-10", ""),
    checks.refusal_names_no_call(trigger(ERROR, 400)),
    checks.refusal_names_no_call(trigger(ID)),
    checks.trigger_is_post_only(trigger({"example": {"UniqueId": "string"}}, 200, "OPTIONS")),
    checks.poll_is_post_only(poll({"example": results(entry())}, method="OPTIONS")),
    checks.refusal_is_4xx(trigger(ERROR, 422)),
    checks.refusal_is_4xx(trigger(ID)),
    checks.refusal_is_4xx(trigger(b"", None)),
    checks.answers_200(poll(results())),
    checks.answers_200(poll(b"", None)),
    checks.call_results_is_an_array(poll(results())),
    checks.call_results_is_an_array(poll(ERROR, 400)),
    checks.entries_are_complete(poll(results(entry(), entry("b", "", More=1)))),
    checks.entries_are_complete(poll(results())),
    checks.names_only_asked_ids(poll(results(entry()))),
    checks.names_only_asked_ids(poll(results(entry("call-a")), asked=("CALL-A",))),
    checks.names_only_asked_ids(poll(results(entry("call-a")), asked=("call-abcd",)), {"call-abcd"}),
    checks.names_only_asked_ids(poll(results(entry("\ufffd", "")), asked=("\ud800",))),
    checks.names_only_asked_ids(poll(results(entry("?", "")), asked=("\ud800",))),
    checks.invalid_poll_is_refused(poll(ERROR, 400)),
    checks.invalid_poll_is_refused(poll(b"", 500)),
    checks.empty_poll_is_2xx_or_4xx(poll(results(), asked=())),
    checks.empty_poll_is_2xx_or_4xx(poll(ERROR, 400, asked=())),
    checks.states_are_documented(["Answered", "", "Ringing", "Temporarily Unavailable"], ["Ringing"]),
    checks.is_no_server_error(poll(ERROR, 499)),
    checks.is_no_server_error(NO_ANSWER),
    checks.is_answered(poll(b"", 500)),
    checks.repeats_no_token(trigger(ID)),
    checks.shows_no_internals("the access token is wrong"),
    checks.shows_no_internals("no scenario /ivr/main.ex; the line is 12, see https://docs.example.com/v2/errors.pl"),
]

WRONG = [
    ("TRN-03", "PUT /v2/call was answered 200", checks.trigger_is_post_only(trigger(ID, method="PUT"))),
    ("TRN-03", "HEAD", checks.trigger_is_post_only(trigger(b"", 200, "HEAD"))),
    ("TRN-03", "answered 405", checks.trigger_is_post_only(trigger(ID, 405, "PUT"))),
    ("TRN-03", "OPTIONS", checks.trigger_is_post_only(trigger(ID, 200, "OPTIONS"))),
    ("TRN-03", "OPTIONS", checks.poll_is_post_only(poll(results(entry()), method="OPTIONS"))),
    ("TRN-03", "answered 405", checks.poll_is_post_only(poll(results(entry()), 405, "GET"))),
    ("TRN-03", "GET /v2/callresult", checks.poll_is_post_only(poll(results(entry()), method="GET"))),
    ("TRN-04", "Content-Type: text/plain", checks.content_type_is_json(of_type("text/plain"))),
    ("TRN-04", "(none)", checks.content_type_is_json(of_type(""))),
    ("TRN-05", "byte-order mark", checks.is_one_json_text(trigger(b"\xef\xbb\xbf{}"))),
    ("TRN-06", "UniqueId twice", checks.members_are_named_once(trigger(b'{"UniqueId": "a", "UniqueId": "a"}'))),
    ("TRN-06", "(404)", checks.members_are_named_once(trigger(b'{"e": 1, "e": 2}', 404))),
    ("ACK-01", "answered 201", checks.acceptance_is_200(trigger(ID, 201))),
    ("ACK-01", "answered 204", checks.acceptance_is_200(trigger(b"", 204))),
    ("ACK-02", "has no member UniqueId; its members: uniqueId", checks.carries_a_unique_id(trigger({"uniqueId": "a"}))),
    ("ACK-02", "has the UniqueId null", checks.carries_a_unique_id(trigger({"UniqueId": None}))),
    ("ACK-02", "has the UniqueId 5", checks.carries_a_unique_id(trigger({"UniqueId": 5}))),
    ("ACK-02", "not a JSON object (the body is empty)", checks.carries_a_unique_id(trigger(b""))),
    ("ACK-02", "not a JSON object (an array)", checks.carries_a_unique_id(trigger([]))),
    ("REQ-12", "accepted Tenant null", checks.invalid_trigger_is_not_accepted(trigger(ID), "REQ-12", "Tenant null")),
    ("REQ-16", "the refusal of poll with something names", checks.refusal_names_no_call(trigger(ID, 400))),
    ("REQ-16", "not accepted, but answered 302", checks.refusal_is_4xx(trigger(ERROR, 302))),
    ("REQ-16", "answered 500", checks.refusal_is_4xx(trigger(ERROR, 500))),
    ("RES-01", "an accepted call was answered 404", checks.answers_200(poll(ERROR, 404))),
    ("RES-01", "2 accepted calls was answered 202", checks.answers_200(poll(results(), 202, asked=("a", "b")))),
    ("RES-02", "the body is not an object (an array)", checks.call_results_is_an_array(poll([entry()]))),
    ("RES-02", "missing; members: callResults", checks.call_results_is_an_array(poll({"callResults": []}))),
    ("RES-02", "not an array", checks.call_results_is_an_array(poll({"CallResults": {}}))),
    ("RES-03", "not an object but a string", checks.entries_are_complete(poll(results("a")))),
    ("RES-03", "CallRequestId is missing", checks.entries_are_complete(poll(results({"UniqueId": "a"})))),
    ("RES-03", "CallState is not a string", checks.entries_are_complete(poll(results(entry(state=None))))),
    ("RES-05", "names b", checks.names_only_asked_ids(poll(results(entry(), entry("b"))))),
    ("RES-05", "names call-a", checks.names_only_asked_ids(poll(results(entry("call-a")), asked=("call-b",)))),
    ("RES-08", "a poll with something was answered 200", checks.invalid_poll_is_refused(poll(results()))),
    ("RES-08", "answered 302", checks.empty_poll_is_2xx_or_4xx(poll(b"", 302, asked=()))),
    ("STA-01", "'answered' instead of 'Answered'", checks.states_are_documented(["", "answered"], ["Ringing"])),
    ("STA-01", "'Dialling', which is none", checks.states_are_documented(["Busy", "Dialling"], ["Ringing"])),
    ("ROB-01", "answered 503", checks.is_no_server_error(poll(b"", 503))),
    ("ROB-02", "timeout", checks.is_answered(NO_ANSWER)),
    ("ROB-04", "repeats the access token", checks.repeats_no_token(trigger(ID, leaks=("the access token",)))),
    ("ROB-05", "Traceback", checks.shows_no_internals("Traceback (most recent call last):\n ...")),
    ("ROB-05", "/srv/app/call.py", checks.shows_no_internals("failed at /srv/app/call.py")),
    ("ROB-05", "/srv/vendor/Call.pm", checks.shows_no_internals("no token at /srv/vendor/Call.pm line 212.")),
    ("ROB-05", "call.erl", checks.shows_no_internals('{call,start,1,[{file,"src/call.erl"},{line,17}]}')),
    ("ROB-05", "call.ex:12", checks.shows_no_internals("(ivr 1.0) lib/ivr/call.ex:12: IVR.Call.start/1")),
    ("ROB-05", "at row 1", checks.shows_no_internals("Data too long for column 'locale' at row 1")),
    ("ROB-05", "at row 1", checks.shows_no_internals("Incorrect string value for column `ivr`.`calls`.`a` at row 1")),
    ("ROB-05", "for key", checks.shows_no_internals("Duplicate entry 'a-b' for key 'calls.conversation'")),
    ("ROB-05", "pymysql.err", checks.shows_no_internals("pymysql.err.DataError: (1406, 'too long')")),
    ("ROB-05", "PG::UniqueViolation", checks.shows_no_internals("PG::UniqueViolation: ERROR")),
    ("ROB-05", "psycopg.", checks.shows_no_internals("psycopg.errors.NotNullViolation")),
    ("ROB-05", "PSQLException", checks.shows_no_internals("org.postgresql.util.PSQLException: ERROR")),
    ("ROB-05", "call.rb", checks.shows_no_internals("call.rb:12:in `start'")),
    ("ROB-05", "panicked at", checks.shows_no_internals("thread 'main' panicked at src/main.rs:12:5")),
]  # fmt: skip


@pytest.mark.parametrize("violation", RIGHT)
def test_an_answer_that_keeps_the_rule_breaks_none(violation: Violation | None) -> None:
    assert violation is None


@pytest.mark.parametrize(("clause", "words", "violation"), WRONG)
def test_an_answer_that_breaks_a_rule_is_described(clause: str, words: str, violation: Violation | None) -> None:
    assert violation is not None
    assert violation.clause == clause
    assert clause in CLAUSES
    assert words in violation.observed
