"""Generated requests: their defects, what is sent, and what is found in deployments with one fault."""

from __future__ import annotations

import copy
import importlib
import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from ringback.deployment.access import dial_guard
from ringback.suite.deviation import Deviation, Inconclusive
from ringback.suite.generated.bodies import ASPECTS, PLAIN, TriggerVariation, made_safe, variations
from ringback.suite.generated.defects import defects_of_poll, defects_of_trigger
from ringback.suite.generated.requests import CALLS, generated_polls, invalid_triggers, valid_triggers
from ringback.suite.generated.runs import falsify
from ringback.suite.probes.drafts import Draft, DraftMaker
from ringback.suite.session import Session

from .tiny import LINES, TOKEN, Asked, Decision, PollAnswer, Tiny, running, settings

PROJECT = "Collections"
CONFIG = settings(9)
GUARD = dial_guard(CONFIG, None)
VALID = DraftMaker(CONFIG, 1).example("answered")


def clauses(raw: bytes) -> set[str]:
    return {defect.clause for defect in defects_of_trigger(raw, project=PROJECT, tokens=(TOKEN,))}


# -- defects ----------------------------------------------------------------------------------------------------------


def with_(**changes: Any) -> bytes:
    """The valid trigger with parameters changed; `...` leaves one out."""
    body = {**copy.deepcopy(VALID.body), **changes}
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


def with_input(name: str, **members: Any) -> bytes:
    body = copy.deepcopy(VALID.body)
    entry = next(e for e in body["ScenarioInputParameters"] if e["Name"] == name)
    entry.update(members)
    body["ScenarioInputParameters"] = [
        {m: v for m, v in e.items() if v is not ...} for e in body["ScenarioInputParameters"]
    ]
    return json.dumps(body).encode()


def inputs_without(name: str) -> bytes:
    return with_(ScenarioInputParameters=[e for e in VALID.body["ScenarioInputParameters"] if e["Name"] != name])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (with_(), set()),
        (with_(Locale=..., EndUser=..., ResultDestination=..., SendResultImmediately=...), set()),
        (with_(Locale=None, EndUser=None, ResultDestination=None, SendResultImmediately=None), set()),
        (with_(Unknown=5), set()),
        (with_(Locale=""), set()),
        (with_(EndUser={}), set()),
        (with_(EndUser={"Name": None}), set()),
        (with_(Project=...), {"REQ-10"}),
        (with_(ScenarioInputParameters=...), {"REQ-10"}),
        (inputs_without("_Destination"), {"REQ-11"}),
        (inputs_without("_DisplayNumber"), {"REQ-11"}),
        (with_(ScenarioInputParameters=[]), {"REQ-11"}),
        (with_(Tenant=None), {"REQ-12"}),
        (with_(Tenant=""), {"REQ-12"}),
        (with_(ScenarioInputParameters=None), {"REQ-12"}),
        (with_(AccessToken=""), {"REQ-12"}),
        (with_input("_Destination", Value=""), {"REQ-12"}),
        (with_input("_Destination", Value=None), {"REQ-12"}),
        (with_input("_DisplayNumber", Value=""), {"REQ-12"}),
        (with_input("_DisplayNumber", Value=...), {"REQ-12"}),
        (with_input("_Destination", Value=...), {"REQ-12"}),
        (b"\xef\xbb\xbf" + with_(), set()),
        (with_() + b" and so on", set()),
        (with_(Tenant="") + b"{}", {"REQ-12"}),
        (with_().replace(b"Ada", b"\xff\xc3"), set()),
        (with_input("topic", Value=""), set()),
        (with_input("topic", Value=None), {"REQ-13"}),
        (with_input("topic", Value=...), {"REQ-13"}),
        (with_input("topic", Name=...), {"REQ-13"}),
        (with_input("topic", Value=[]), {"REQ-13"}),
        (with_input("_Destination", Value=5), {"REQ-13"}),
        (with_input("_Destination", Name=5), {"REQ-11", "REQ-13"}),
        (with_(ConversationId=5), {"REQ-13"}),
        (with_(ScenarioPath=["x"]), {"REQ-13"}),
        (with_(Locale=False), {"REQ-13"}),
        (with_(SendResultImmediately="true"), {"REQ-13"}),
        (with_(SendResultImmediately=1), {"REQ-13"}),
        (with_(EndUser=["x"]), {"REQ-13"}),
        (with_(EndUser=[]), set()),
        (with_(EndUser={"Email": 5}), {"REQ-13"}),
        (with_(ScenarioInputParameters={}), {"REQ-13"}),
        (with_(ScenarioInputParameters=[*VALID.body["ScenarioInputParameters"], "x"]), {"REQ-13"}),
        (b"", {"REQ-14"}),
        (b"\xff", {"REQ-14"}),
        (with_()[:-1], {"REQ-14"}),
        (b"[" + with_() + b"]", {"REQ-14"}),
        (b'"text"', {"REQ-14"}),
        (b"null", {"REQ-14"}),
        (b"5", {"REQ-14"}),
        (b'{"Project": NaN}', {"REQ-14"}),
        (b"[" * 100_000, {"REQ-14"}),
        (with_(AccessToken="wrong"), {"REQ-15"}),
        (with_(Project="Other"), {"REQ-15"}),
        (with_(Project="Other", Tenant=""), {"REQ-12", "REQ-15"}),
    ],
)
def test_a_triggers_defects_name_their_clauses(raw: bytes, expected: set[str]) -> None:
    assert clauses(raw) == expected


@pytest.mark.parametrize(
    ("raw", "spoilt"),
    [
        (b'{"UniqueIds": ["a"]}', False),
        (b'{"UniqueIds": []}', False),
        (b'{"UniqueIds": ["a", ""], "More": 1}', False),
        (b'{"UniqueIds": {}}', False),
        (b'{"UniqueIds": {"a": "b"}}', True),
        (b'{"UniqueIds": "a"}', True),
        (b'{"UniqueIds": ["a", null]}', True),
        (b'{"UniqueIds": null}', True),
        (b"{}", True),
        (b"[]", True),
        (b"{", True),
        (b"", True),
    ],
)
def test_a_polls_defects_are_described(raw: bytes, spoilt: bool) -> None:
    assert {defect.clause for defect in defects_of_poll(raw)} == ({"RES-08"} if spoilt else set())


# -- what is sent ------------------------------------------------------------------------------------------------------


@bounds(deadline=None, suppress_health_check=list(HealthCheck))
@given(variations())
def test_every_variation_is_a_valid_trigger_that_may_be_dialled(variation: TriggerVariation) -> None:
    draft = varied(variation)
    assert clauses(draft.bytes) == set()
    GUARD.check("http://127.0.0.1:9/v2/call", draft.headers, draft.bytes)
    allowed = {LINES["answered"], "200"}
    text = json.dumps({k: v for k, v in draft.body.items() if k != "AccessToken"}, ensure_ascii=False)
    assert set(re.findall(r"\d+", text)) <= allowed
    for aspect in ASPECTS:
        assert variation.only(aspect).differs_in(aspect) == variation.differs_in(aspect)
        assert not variation.without(aspect).differs_in(aspect)


def varied(variation: TriggerVariation) -> Draft:
    draft = copy.deepcopy(VALID)
    variation.change(draft)
    return draft


def test_the_plain_variation_changes_nothing() -> None:
    assert varied(PLAIN).body == VALID.body
    assert varied(TriggerVariation(left_out=("Locale",), name="Ada")).body != VALID.body
    assert "Locale" in VALID.body


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@bounds(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(list(VALID.body)).flatmap(lambda p: st.tuples(st.just(p), st.dictionaries(st.just(p), JUNK))))
def test_an_invalid_body_holds_only_small_numbers(spoilt: tuple[str, dict[str, Any]]) -> None:
    parameter, body = spoilt
    safe = made_safe(body, VALID.body, parameter)
    text = json.dumps({k: v for k, v in safe.items() if k != "AccessToken"})
    assert set(re.findall(r"\d+", text)) <= {LINES["answered"], "200", "5", "0"}


# -- what is found -----------------------------------------------------------------------------------------------------


def conforming(asked: Asked) -> int:
    return 400 if clauses(asked.raw) else 200


def letting_pass(clause: str) -> Decision:
    return lambda asked: 400 if clauses(asked.raw) - {clause} else 200


def crashing_at(clause: str) -> Decision:
    return lambda asked: 500 if clause in clauses(asked.raw) else conforming(asked)


def redirecting(asked: Asked) -> int:
    return 302 if clauses(asked.raw) else 200


def but(reason: Callable[[dict[str, Any]], bool]) -> Decision:
    return lambda asked: 400 if clauses(asked.raw) or reason(asked.body) else 200


def beyond_latin(body: dict[str, Any]) -> bool:
    return any(ord(character) > 0x24F for character in json.dumps(body, ensure_ascii=False))


def without_locale(body: dict[str, Any]) -> bool:
    return "Locale" not in body


def strict_poll(ids: Any, tiny: Tiny) -> Any:
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        return 400, {}
    known = [(one, state) for one in dict.fromkeys(ids) if (state := tiny.state(one)) is not None]
    return {"CallResults": [{"UniqueId": i, "CallRequestId": "", "CallState": s} for i, s in known]}


def everybodys(ids: Any, tiny: Tiny) -> Any:
    if ids == ["*"] or "*" in ids:
        return strict_poll([*ids, *tiny.calls], tiny)
    return strict_poll(ids, tiny)


def lenient_poll(ids: Any, tiny: Tiny) -> Any:
    return strict_poll([one for one in ids if isinstance(one, str)] if isinstance(ids, list) else [], tiny)


def crashing_poll(ids: Any, tiny: Tiny) -> Any:
    return (500, {}) if ids == "" or (isinstance(ids, list) and "مرحبا" in ids) else strict_poll(ids, tiny)


def met(
    decide: Decision = conforming, report: PollAnswer = strict_poll, seed: int = 1
) -> Iterator[tuple[Session, Tiny]]:
    tiny = Tiny(decide, report, id_of=lambda _n: str(uuid.uuid4()))
    with running(tiny, pool=4) as session:
        session.seed = seed
        yield session, tiny


def found_by(do: Callable[[Session], None], session: Session) -> Deviation:
    with pytest.raises(Deviation) as caught:
        do(session)
    return caught.value


@pytest.mark.parametrize("seed", range(10))
def test_a_conforming_deployment_passes(seed: int) -> None:
    for session, tiny in met(seed=seed):
        before, triggers, polls = session.budget.accepted, len(tiny.triggers), len(tiny.polls)
        valid_triggers(session)
        assert session.budget.accepted - before == CALLS
        invalid_triggers(session)
        generated_polls(session)
        assert session.budget.accepted - before == CALLS
        assert len(tiny.triggers) - triggers <= CALLS + 18
        assert len(tiny.polls) > polls


@pytest.mark.parametrize(
    ("decide", "clause"),
    [*((letting_pass(clause), clause) for clause in ("REQ-12", "REQ-13", "REQ-14")),
     (crashing_at("REQ-13"), "ROB-01"), (crashing_at("REQ-14"), "ROB-01"), (redirecting, "REQ-16")],
)  # fmt: skip
def test_an_accepted_invalid_trigger_fails_its_clause_and_costs_two_calls(decide: Decision, clause: str) -> None:
    for session, tiny in met(decide):
        before = session.budget.accepted
        found = found_by(invalid_triggers, session)
        assert found.clause == clause, found.observed
        assert session.budget.accepted - before <= 2
        [exchange] = found.evidence
        assert exchange.request_body.encode() in {asked.raw for asked in tiny.triggers} or "$RINGBACK" in (
            exchange.request_body
        )


def test_an_invalid_trigger_is_shrunk_to_one_defect() -> None:
    for session, tiny in met(letting_pass("REQ-13")):
        found_by(invalid_triggers, session)
        body = tiny.triggers[-1].body
        changed = {name for name, value in VALID.body.items() if body.get(name) != value} - {"ConversationId"}
        assert len(changed | ({"ConversationId"} if not isinstance(body.get("ConversationId"), str) else set())) == 1


@pytest.mark.parametrize(
    ("reason", "clause"),
    [
        (beyond_latin, "REQ-08"),
        (without_locale, "REQ-03"),
        (lambda body: "Name" not in body.get("EndUser", {"Name": ""}), "REQ-07"),
        (lambda body: body["ScenarioInputParameters"][0]["Name"] != "_DisplayNumber", "REQ-05"),
        (lambda body: body.get("SendResultImmediately") is True, "REQ-09"),
        (lambda body: len(body["ScenarioInputParameters"]) > 6, "REQ-04"),
    ],
)
def test_a_refused_valid_trigger_fails_its_clause(reason: Callable[[dict[str, Any]], bool], clause: str) -> None:
    found = []
    for seed in range(4):
        for session, _tiny in met(but(reason), seed=seed):
            before = session.budget.accepted
            try:
                valid_triggers(session)
            except Deviation as deviation:
                found.append(deviation.clause)
            except Inconclusive:
                continue
            assert session.budget.accepted - before <= CALLS + 3
    assert set(found) == {clause}


@pytest.mark.parametrize(
    ("report", "clause"), [(everybodys, "RES-05"), (lenient_poll, "RES-08"), (crashing_poll, "ROB-01")]
)
def test_a_wrongly_answered_poll_fails_its_clause(report: PollAnswer, clause: str) -> None:
    found = []
    for seed in range(3):
        for session, _tiny in met(report=report, seed=seed):
            session.record.settled_calls()
            try:
                generated_polls(session)
            except Deviation as deviation:
                found.append(deviation.clause)
    assert set(found) == {clause}


def test_the_same_seed_sends_the_same_requests_and_another_sends_others() -> None:
    sent: list[list[bytes]] = []
    for seed in (5, 5, 6):
        for session, tiny in met(seed=seed):
            before = len(tiny.triggers)
            invalid_triggers(session)
            words = re.compile(rb"ringback-[a-z]{16}")
            sent.append([words.sub(b"", asked.raw) for asked in tiny.triggers[before:]])
    assert sent[0] == sent[1]
    assert sent[0] != sent[2]


def test_an_imported_module_does_not_change_what_a_seed_generates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hypothesis draws constants from the source of imported modules, and keeps them for the whole process."""
    constants = [f"constant {at}" for at in range(200)]
    (tmp_path / "users_own_module.py").write_text(f"{constants=}\n")

    def draw() -> list[str]:
        drawn: list[str] = []
        falsify(st.text(), lambda value, _stage: drawn.append(value), seed=1, examples=200, shrinking=0)
        return drawn

    before = draw()
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("users_own_module")
    assert draw() == before


def test_nothing_is_printed_and_no_file_is_left(
    capfd: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for session, _tiny in met(letting_pass("REQ-12")):
        capfd.readouterr()
        found_by(invalid_triggers, session)
        assert capfd.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_spent_budget_is_inconclusive() -> None:
    tiny = Tiny(conforming, strict_poll)
    with running(tiny, pool=4, budget={"calls": 3}) as session, pytest.raises(Inconclusive, match="budget"):
        valid_triggers(session)
