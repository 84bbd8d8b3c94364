"""Recorded exchanges: read back, restored or refused, and judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ringback.config import Config
from ringback.config.loading import Sources
from ringback.contract.clauses import CLAUSES
from ringback.contract.near_misses import near_miss_tokens
from ringback.deployment import Exchange, Recorder, Redactor
from ringback.replaying import (
    CannotReplay,
    Cited,
    RecordedRun,
    ReplayOutcome,
    Seen,
    judge_again,
    read_recorded,
    restore,
)
from ringback.replaying.judging import RULES
from ringback.replaying.recorded import answer_of
from ringback.rundir.verdict import SavedRun, saved_run
from ringback.rundir.windows import SavedWindows
from ringback.suite.probes.drafts import DraftMaker

TOKEN = "rb-replayed-token-SECRET"
BASE = "https://ivr.example.com:22222"


def settings(token: str = TOKEN, **lines: str) -> Config:
    tree: dict[str, Any] = {
        "deployment": {
            "base_url": BASE,
            "project": "Demo",
            "scenario_path": "/ivr/demo",
            "orchestrator_url": "https://orchestrator.example.com",
            "display_number": "200",
        },
        "lines": lines or {"answered": "+15550000001", "busy": "5550000002"},
    }
    return Sources("test", tree).build(token=token)


def saved(folder: Path, clauses: list[dict[str, Any]]) -> SavedRun:
    """A run of these clauses, as `verdict.json` describes it."""
    facts = {"verdict": "fail", "exit_code": 1, "command": "check", "started": "2026-03-01T12:00:00Z"}
    deployment = {"base_url": BASE, "embedded": False}
    document = {**facts, "deployment": deployment, "level": "should", "clauses": clauses}
    return saved_run(document, folder, SavedWindows())


class Recording:
    """Exchanges as a run records them."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder, self.config, self.maker = folder, config, DraftMaker(config, 7)
        self._recorder = Recorder(Redactor(TOKEN, config.lines.configured), folder / "exchanges.ndjson")

    def exchange(
        self,
        body: bytes,
        path: str = "/v2/call",
        purpose: str = "trigger",
        answer: bytes = b'{"UniqueId": "abc"}',
        **more: Any,
    ) -> Exchange:
        headers = [
            ("host", "ivr.example.com"),
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
        ]
        facts = {"status": 200, "method": "POST", "response_headers": [("content-type", "application/json")], **more}
        return self._recorder.record(
            purpose=purpose, begun=0, ended=0.1, url=BASE + path, request_headers=headers, request_body=body,
            response_body=answer, **facts,
        )  # fmt: skip

    def read(self, clauses: list[dict[str, Any]] | None = None) -> RecordedRun:
        self._recorder.close()
        return read_recorded(self.folder, saved(self.folder, clauses or []))


@pytest.fixture
def recording(tmp_path: Path) -> Any:
    made = Recording(tmp_path, settings())
    yield made
    made.read()


def restored_body(run: RecordedRun, number: int, config: Config) -> bytes:
    return restore(run, run.exchanges[number], config).body


def test_a_trigger_is_restored_byte_for_byte(recording: Recording) -> None:
    bodies = [recording.maker.example(line).bytes for line in ("answered", "busy")]
    bodies.append(recording.maker.required("busy").bytes)
    bodies.append(b'{"Note": "nothing \\u00e9 secret \xc3\xa9 \x00"}')
    bodies.append(b"")
    for body in bodies:
        recording.exchange(body)
    run = recording.read()
    assert TOKEN not in run.exchanges[1].request_body
    assert [restored_body(run, number, recording.config) for number in range(1, 6)] == bodies
    assert all("content-length" not in dict(restore(run, e, recording.config).headers) for e in run.exchanges.values())
    assert restore(run, run.exchanges[1], recording.config).restored == ("the access token", "the line answered")


@pytest.mark.parametrize("how", list(near_miss_tokens()))
def test_a_wrong_token_is_restored_exactly_or_refused(recording: Recording, how: str) -> None:
    """Never as the right one, which redaction's mark may well look like."""
    draft = recording.maker.example("answered")
    draft.set("AccessToken", near_miss_tokens()[how](TOKEN))
    recording.exchange(draft.bytes, purpose=f"trigger: the access token {how}")
    assert restored_body(recording.read(), 1, recording.config) == draft.bytes


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"x": 20260301123456}', "<number>"),
        (b'{"x": "someone@example.org"}', "<e-mail>"),
        (b'{"EndUser": {"Name": "Ada Tester \xe5\xb1\xb1"}}', "bytes"),
        (b'{"EndUser": {"Phone": "555"}}', "Phone"),
        (b'{"x": "rb-replayed-"}', "part of"),
        (b'{"x": "\xff\xfe"}', "not text"),
        (b'{"x": "' + b"y" * 20_000 + b'"}', "cut"),
    ],
)
def test_a_body_that_cannot_be_restored_is_refused(recording: Recording, body: bytes, why: str) -> None:
    recording.exchange(body)
    run = recording.read()
    with pytest.raises(CannotReplay, match=why):
        restored_body(run, 1, recording.config)


def test_the_current_token_replaces_the_old_one(recording: Recording) -> None:
    for _ in range(4):
        recording.exchange(recording.maker.example("answered").bytes)
    run = recording.read()
    same_length, longer = "x" * len(TOKEN), "a-much-longer-token-than-the-old-one"
    assert json.loads(restored_body(run, 1, settings(same_length)))["AccessToken"] == same_length
    assert json.loads(restored_body(run, 1, settings(longer)))["AccessToken"] == longer


def test_a_length_that_only_one_request_has_does_not_show_another_token(recording: Recording) -> None:
    draft = recording.maker.example("answered")
    draft.body["EndUser"]["Name"] = "Ada Tester Somebody"
    recording.exchange(draft.bytes)
    for _ in range(4):
        recording.exchange(recording.maker.example("answered").bytes)
    run = recording.read()
    for config in (recording.config, settings("a-much-longer-token-than-the-old-one")):
        with pytest.raises(CannotReplay, match="personal"):
            restored_body(run, 1, config)


def test_another_person_serves_where_the_request_matters_only_for_its_call(recording: Recording) -> None:
    draft = recording.maker.example("busy")
    draft.body["EndUser"]["Name"] = "Ada Tester \u5c71\u7530 \u0628\u0627\u0628\u0643"
    recording.exchange(draft.bytes)
    recording.exchange(b'{"EndUser": {"Name": "Ada \xe5\xb1\xb1"}, "Note": "' + b"y" * 20_000 + b'"}')
    run = recording.read()
    again = restore(run, run.exchanges[1], recording.config, any_person=True)
    sent = json.loads(again.body)
    assert {**sent, "EndUser": None} == {**json.loads(draft.bytes), "EndUser": None}
    assert sent["EndUser"]["Name"] != draft.body["EndUser"]["Name"]
    assert "another EndUser" in again.restored
    with pytest.raises(CannotReplay, match="cut"):
        restore(run, run.exchanges[2], recording.config, any_person=True)


def test_a_line_that_is_not_configured_any_more_is_refused(recording: Recording) -> None:
    recording.exchange(recording.maker.example("busy").bytes)
    with pytest.raises(CannotReplay, match=r"the line busy.*set lines\.busy"):
        restored_body(recording.read(), 1, settings(answered="+15550000001"))


@pytest.mark.parametrize("path", ["/v2/other", "/v2/call/", "/v2/call?x=1", "/elsewhere/v2/call"])
def test_only_the_two_endpoints_are_asked(recording: Recording, path: str) -> None:
    recording.exchange(b"{}", path)
    with pytest.raises(CannotReplay, match="neither of the two endpoints"):
        restored_body(recording.read(), 1, recording.config)


def test_evidence_is_named_by_number_or_clause(recording: Recording) -> None:
    for size in (30, 10, 20):
        recording.exchange(b"x" * size)
    shown = [{"exchange": n, "test": "t", "expected": "e", "observed": "o"} for n in (1, 2, None, 99)]
    run = recording.read([{"id": "ACK-03", "level": "must", "verdict": "fail", "evidence": shown}])
    assert [[one.id for one in run.find(name)] for name in ("3", "ack-03")] == [[3], [2]]
    for name in ("4", "0", "ACK-04", "ACK-99", "-1", "", "²", "9" * 5000):
        with pytest.raises(CannotReplay):
            run.find(name)


def test_lines_that_are_not_an_exchange_are_skipped(recording: Recording) -> None:
    recording.exchange(b"{}")
    with (recording.folder / "exchanges.ndjson").open("ab") as file:
        file.write(b'{"id": 2}\n[]\nnull\n\xff\n{"id": "x", "request": 5, "response": 5}\n' + b"[" * 50_000 + b"\n{")
    assert list(recording.read().exchanges) == [1]


def test_a_run_without_exchanges_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotReplay, match="check or a gate"):
        read_recorded(tmp_path, saved(tmp_path, []))


# -- judging -----------------------------------------------------------------------------------------------------------


def cited(clause: str) -> Cited:
    return Cited(CLAUSES[clause], "fail", "a test", "", "a deviation")


def seen(
    recording: Recording, path: str, body: bytes, answer: bytes, before: frozenset[str] = frozenset(), **more: Any
) -> Seen:
    exchange = recording.exchange(body, path, answer=answer, **more)
    return Seen(answer_of(exchange, BASE), given_before=before)


CALL, RESULT = "/v2/call", "/v2/callresult"
GOOD, REFUSED, IDS = b'{"UniqueId": "abc"}', b'{"Error": "no"}', b'{"UniqueIds": ["abc"]}'
TEXT = [("content-type", "text/plain")]
ENTRY = b'{"CallResults": [{"UniqueId": "abc", "CallRequestId": "", "CallState": "Busy"}]}'

DEVIATES: dict[str, tuple[tuple[str, bytes, bytes, dict[str, Any]], tuple[str, bytes, bytes, dict[str, Any]]]] = {
    "TRN-03": ((CALL, b"", GOOD, {"method": "PUT"}), (CALL, b"", b"", {"method": "PUT", "status": 405})),
    "TRN-04": ((CALL, b"", GOOD, {"response_headers": TEXT}), (CALL, b"", GOOD, {})),
    "TRN-05": ((CALL, b"", b"\xef\xbb\xbf" + GOOD, {}), (CALL, b"", GOOD, {})),
    "TRN-06": ((CALL, b"", b'{"UniqueId": "a", "UniqueId": "a"}', {}), (CALL, b"", GOOD, {})),
    "REQ-03": ((CALL, b"{}", REFUSED, {"status": 400}), (CALL, b"{}", GOOD, {})),
    "REQ-12": ((CALL, b"{}", GOOD, {}), (CALL, b"{}", REFUSED, {"status": 400})),
    "REQ-16": ((CALL, b"{}", REFUSED, {"status": 302}), (CALL, b"{}", REFUSED, {"status": 400})),
    "ACK-01": ((CALL, b"{}", GOOD, {"status": 201}), (CALL, b"{}", GOOD, {})),
    "ACK-02": ((CALL, b"{}", b'{"uniqueId": "abc"}', {}), (CALL, b"{}", GOOD, {})),
    "RES-01": ((RESULT, IDS, ENTRY, {"status": 202}), (RESULT, IDS, ENTRY, {})),
    "RES-02": ((RESULT, IDS, b"[]", {}), (RESULT, IDS, ENTRY, {})),
    "RES-03": ((RESULT, IDS, b'{"CallResults": [{"UniqueId": "abc"}]}', {}), (RESULT, IDS, ENTRY, {})),
    "RES-05": ((RESULT, b'{"UniqueIds": ["x"]}', ENTRY, {}), (RESULT, IDS, ENTRY, {})),
    "RES-08": ((RESULT, b"", b'{"CallResults": []}', {}), (RESULT, b"", REFUSED, {"status": 400})),
    "STA-01": ((RESULT, IDS, ENTRY.replace(b"Busy", b"busy"), {}), (RESULT, IDS, ENTRY, {})),
    "ROB-01": ((RESULT, b"", b"", {"status": 500}), (RESULT, b"", b"", {"status": 400})),
    "ROB-02": ((RESULT, b"", b"", {"status": None, "failure": "timeout"}), (RESULT, b"", b"", {"status": 400})),
    "ROB-05": (
        (CALL, b"{}", b'{"e": "at /srv/app/call.py"}', {"status": 400}),
        (CALL, b"{}", REFUSED, {"status": 400}),
    ),
    "ROB-04": ((CALL, b"", TOKEN.encode(), {"status": 400}), (CALL, b"", b"", {"status": 400})),
}


@pytest.mark.parametrize("clause", list(DEVIATES))
def test_one_exchange_shows_whether_a_deviation_is_still_there(recording: Recording, clause: str) -> None:
    then, right = (seen(recording, path, body, answer, **more) for path, body, answer, more in DEVIATES[clause])
    assert judge_again(cited(clause), then, then, fresh=False).outcome is ReplayOutcome.STILL_FAILS
    assert judge_again(cited(clause), then, right, fresh=False).outcome is ReplayOutcome.FIXED
    assert judge_again(cited(clause), right, then, fresh=False).outcome is ReplayOutcome.UNDECIDED, (
        "the recorded answer does not deviate"
    )


def test_clauses_that_one_exchange_cannot_show_stay_undecided(recording: Recording) -> None:
    then = seen(recording, CALL, b"{}", GOOD)
    for clause in sorted(set(CLAUSES) - set(RULES)):
        assert judge_again(cited(clause), then, then, fresh=False).outcome is ReplayOutcome.UNDECIDED


def test_an_id_that_is_given_again_is_shared_and_a_new_one_is_undecided(recording: Recording) -> None:
    then = seen(recording, CALL, b"{}", GOOD, frozenset({"abc"}))
    other = seen(recording, CALL, b"{}", b'{"UniqueId": "xyz"}', frozenset({"abc"}))
    assert judge_again(cited("ACK-03"), then, then, fresh=False).outcome is ReplayOutcome.STILL_FAILS
    assert judge_again(cited("ACK-03"), then, other, fresh=False).outcome is ReplayOutcome.UNDECIDED


@pytest.mark.parametrize("status", [401, 403, None])
def test_wrong_credentials_and_timeouts_stay_undecided(recording: Recording, status: int | None) -> None:
    then = seen(recording, CALL, b"{}", REFUSED, status=400)
    now = seen(recording, CALL, b"{}", b"", status=status, failure=None if status else "timeout")
    assert judge_again(cited("REQ-03"), then, now, fresh=False).outcome is ReplayOutcome.UNDECIDED


def test_a_deployment_that_forgot_the_calls_is_undecided(recording: Recording) -> None:
    then = seen(recording, RESULT, IDS, ENTRY.replace(b"Busy", b"busy"))
    empty = seen(recording, RESULT, IDS, b'{"CallResults": []}')
    for clause in ("STA-01", "RES-03", "RES-05"):
        assert judge_again(cited(clause), then, empty, fresh=False).outcome is ReplayOutcome.UNDECIDED
    unknown = seen(recording, RESULT, b'{"UniqueIds": ["x"]}', ENTRY)
    assert judge_again(cited("RES-05"), unknown, empty, fresh=True).outcome is ReplayOutcome.UNDECIDED


def test_a_cut_answer_is_not_judged_by_its_body(recording: Recording) -> None:
    then = seen(recording, CALL, b"{}", b"[" + b"1," * 20_000 + b"1]")
    assert judge_again(cited("TRN-05"), then, then, fresh=False).outcome is ReplayOutcome.UNDECIDED
    assert replace(then).trigger is not None
