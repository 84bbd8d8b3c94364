"""Stateful tests: what they find in deployments with one fault, on which clause, and with how many steps and calls."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ringback.suite.deviation import Deviation, Inconclusive
from ringback.suite.session import Session
from ringback.suite.stateful.converse import converse
from ringback.suite.stateful.script import letter
from ringback.suite.stateful.talk import POLLS, SHRINKING_POLLS

from .tiny import PollAnswer, Tiny, running

Entry = tuple[str, str]


def entries(ids: list[str], tiny: Tiny) -> list[Entry]:
    return [(one, state) for one in dict.fromkeys(ids) if (state := tiny.state(one)) is not None]


def reported(found: list[Entry]) -> dict[str, Any]:
    return {"CallResults": [{"UniqueId": i, "CallRequestId": "", "CallState": s} for i, s in found]}


def unknown(ids: list[str], tiny: Tiny) -> list[str]:
    return [one for one in ids if one not in tiny.calls]


# -- faults, each in one way -------------------------------------------------------------------------------------------


def well(ids: list[str], tiny: Tiny) -> Any:
    return reported(entries(ids, tiny))


def last_dropped(ids: list[str], tiny: Tiny) -> Any:
    found = entries(ids, tiny)
    return reported(found[:-1] if len(found) > 1 else found)


def ten_at_most(ids: list[str], tiny: Tiny) -> Any:
    return reported(entries(ids, tiny)[:10])


def swapped(ids: list[str], tiny: Tiny) -> Any:
    found = entries(ids, tiny)
    if len(found) > 1:
        (a, one), (b, other) = found[0], found[-1]
        found[0], found[-1] = (a, other), (b, one)
    return reported(found)


def first_twice(ids: list[str], tiny: Tiny) -> Any:
    found = entries(ids, tiny)
    return reported(found[:1] + found if len(found) > 1 else found)


def batches_refused(ids: list[str], tiny: Tiny) -> Any:
    return (413, {}) if len(set(ids)) > 3 else well(ids, tiny)


def unknown_refuses_all(ids: list[str], tiny: Tiny) -> Any:
    return (404, {}) if unknown(ids, tiny) else well(ids, tiny)


def unknown_empties(ids: list[str], tiny: Tiny) -> Any:
    return reported([]) if unknown(ids, tiny) else well(ids, tiny)


def unknown_in_error(ids: list[str], tiny: Tiny) -> Any:
    return reported([*entries(ids, tiny), *((one, "Error") for one in dict.fromkeys(unknown(ids, tiny)))])


def case_ignored(ids: list[str], tiny: Tiny) -> Any:
    return reported([(one, s) for one in dict.fromkeys(ids) if (s := tiny.state(one.lower())) is not None])


def forms_of_uuids(ids: list[str], tiny: Tiny) -> Any:
    """Reads any form of a UUID, and answers in capitals what was not asked in the form in which it was issued."""
    found = []
    for one in dict.fromkeys(ids):
        with contextlib.suppress(ValueError):
            issued = str(uuid.UUID(one.strip()))
            if state := tiny.state(issued):
                found.append((one if one == issued else issued.upper(), state))
    return reported(found)


def other_case_in_error(ids: list[str], tiny: Tiny) -> Any:
    other = [one for one in ids if one not in tiny.calls and one.lower() in tiny.calls]
    return reported([*entries(ids, tiny), *((one, "Error") for one in other if tiny.state(one.lower()) != "Error")])


def duplicate_refused(ids: list[str], tiny: Tiny) -> Any:
    return (400, {}) if len(set(ids)) < len(ids) else well(ids, tiny)


def duplicate_lost(ids: list[str], tiny: Tiny) -> Any:
    return reported([(one, s) for one, s in entries(ids, tiny) if ids.count(one) == 1])


def duplicate_contradicted(ids: list[str], tiny: Tiny) -> Any:
    found = entries(ids, tiny)
    return reported(found + [(one, "Busy" if s != "Busy" else "Error") for one, s in found if ids.count(one) > 1])


def neighbour(ids: list[str], tiny: Tiny) -> Any:
    others = [one for one in tiny.calls if one not in ids and tiny.state(one)]
    return reported([*entries(ids, tiny), *((one, str(tiny.state(one))) for one in others[:1])])


def bare_list(ids: list[str], tiny: Tiny) -> Any:
    return well(ids, tiny)["CallResults"] if len(ids) > 4 else well(ids, tiny)


def no_call_request_id(ids: list[str], tiny: Tiny) -> Any:
    answer = well(ids, tiny)
    for entry in answer["CallResults"] if len(ids) > 2 else ():
        del entry["CallRequestId"]
    return answer


def misspelt(ids: list[str], tiny: Tiny) -> Any:
    return reported([(one, s.upper() if len(ids) == 3 else s) for one, s in entries(ids, tiny)])


FAULTS: dict[str, tuple[PollAnswer, str]] = {
    "last dropped": (last_dropped, "RES-04"),
    "ten at most": (ten_at_most, "RES-04"),
    "states swapped": (swapped, "RES-04"),
    "first twice": (first_twice, "RES-04"),
    "batches refused": (batches_refused, "RES-04"),
    "unknown refuses all": (unknown_refuses_all, "RES-07"),
    "unknown empties": (unknown_empties, "RES-07"),
    "unknown in error": (unknown_in_error, "RES-06"),
    "other case in error": (other_case_in_error, "RES-06"),
    "duplicate refused": (duplicate_refused, "RES-09"),
    "duplicate lost": (duplicate_lost, "RES-09"),
    "duplicate contradicted": (duplicate_contradicted, "RES-09"),
    "neighbour": (neighbour, "RES-05"),
    "bare list": (bare_list, "RES-02"),
    "no CallRequestId": (no_call_request_id, "RES-03"),
    "misspelt": (misspelt, "STA-01"),
}


class Forgetful:
    """From `begun` on, each result is reported once and then never again."""

    def __init__(self) -> None:
        self.begun = False
        self.read: set[str] = set()

    def __call__(self, ids: list[str], tiny: Tiny) -> Any:
        found = [entry for entry in entries(ids, tiny) if entry[0] not in self.read]
        if self.begun:
            self.read |= {one for one, _ in found}
        return reported(found)


# -- the tests ---------------------------------------------------------------------------------------------------------


def new_id(_nth: int) -> str:
    return str(uuid.uuid4())


def steady(report: PollAnswer | None, seed: int = 1, pool: int = 24) -> Iterator[Session]:
    with running(Tiny(report=report, id_of=new_id), pool=pool) as session:
        session.seed = seed
        session.record.settled_calls()
        yield session


def outcome(session: Session) -> Deviation | Inconclusive | None:
    try:
        converse(session)
    except (Deviation, Inconclusive) as found:
        return found
    return None


def spoken(session: Session) -> list[list[str]]:
    """The ids of all polls in conversations; calls are given by their position."""
    order = {call.unique_id: str(at) for at, call in enumerate(session.record.calls)}
    bodies = [e.request_body for e in session.recorder.exchanges if e.purpose == "poll in a conversation"]
    return [[order.get(one, "somebody") for one in json.loads(body)["UniqueIds"]] for body in bodies]


@pytest.mark.parametrize("seed", range(10))
def test_a_conforming_deployment_passes(seed: int) -> None:
    must_pass(None, seed)


@pytest.mark.parametrize("report", [case_ignored, forms_of_uuids])
def test_a_deployment_that_does_not_compare_bytes_passes(report: PollAnswer) -> None:
    for seed in range(4):
        must_pass(report, seed)


def must_pass(report: PollAnswer | None, seed: int) -> None:
    for session in steady(report, seed):
        before = session.budget.accepted
        assert outcome(session) is None
        assert session.budget.accepted == before
        assert 40 <= len(spoken(session)) <= POLLS


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_fails_its_clause(what: str) -> None:
    report, clause = FAULTS[what]
    for session in steady(report):
        before = session.budget.accepted
        found = outcome(session)
        assert isinstance(found, Deviation), found
        assert found.clause == clause, found.observed
        assert found.expected
        assert found.evidence
        assert session.budget.accepted == before
        polls = [e for e in session.recorder.exchanges if "in a conversation" in e.purpose and "result" in e.url]
        assert len(polls) <= POLLS + SHRINKING_POLLS + 30


@pytest.mark.parametrize(
    ("report", "script"),
    [
        (last_dropped, r"triggers to \w+, \w+ -> A to B; poll \[\w, \w\] -> 200: \w [A-Z][\w ]+; but poll \[\w\] .*"),
        (duplicate_lost, r"trigger to \w+ -> A; poll \[A, A\] -> 200: no entries; but poll \[A\] -> 200: A [\w ]+ .*"),
        (
            unknown_empties,
            r"trigger to \w+ -> A; poll \[(A, unknown|unknown, A)\] -> 200: no entries; but .*",
        ),
        (unknown_in_error, r"poll \[made up\] -> 200: made up Error \(made up is '[a-z-]+'\)"),
    ],
)
def test_the_script_is_as_short_as_possible(report: PollAnswer, script: str) -> None:
    for session in steady(report):
        found = outcome(session)
        assert isinstance(found, Deviation)
        assert re.fullmatch(script, found.observed), found.observed


def test_the_same_seed_sends_the_same_polls_and_another_sends_others() -> None:
    asked: dict[str, list[list[str]]] = {}
    for name, seed in (("first", 7), ("again", 7), ("other", 8)):
        for session in steady(None, seed):
            # The order of acceptance is that of the campaign's own concurrency; a line's calls are alike.
            line = {str(at): call.line for at, call in enumerate(session.record.calls)}
            assert outcome(session) is None
            asked[name] = [[line.get(one, one) for one in ids] for ids in spoken(session)]
    assert asked["first"] == asked["again"]
    assert asked["first"] != asked["other"]


def test_a_result_that_is_lost_during_a_conversation_does_not_fail_res_04() -> None:
    forgetful = Forgetful()
    for session in steady(forgetful):
        session.record.steady_calls()
        forgetful.begun = True
        found = outcome(session)
        assert not isinstance(found, Deviation) or found.clause in {"STA-04", "STA-05"}, found.observed
        assert found is not None


def test_a_fault_that_is_not_repeated_is_reported_as_first_seen_or_inconclusive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One poll for several calls lacks its last entry; no other poll does."""
    struck: list[int] = []

    def once(ids: list[str], tiny: Tiny) -> Any:
        found = entries(ids, tiny)
        if begun and len(found) > 2 and not struck:
            struck.append(1)
            return reported(found[:-1])
        return reported(found)

    async def no_round() -> None:
        """The watch polls nothing from now on."""

    begun: list[int] = []
    for session in steady(once):
        session.record.steady_calls()
        monkeypatch.setattr(session.campaign.watch, "_round", no_round)
        begun.append(1)
        found = outcome(session)
        assert isinstance(found, Inconclusive), found


def test_no_ids_are_made_up_if_ids_can_be_guessed() -> None:
    with running(Tiny(id_of=lambda n: f"call-{1000 + n}"), pool=12) as session:
        session.record.settled_calls()
        assert outcome(session) is None
        assert {one for ids in spoken(session) for one in ids} > {"somebody"}
        made_up = {
            one
            for e in session.recorder.exchanges
            if e.purpose == "poll in a conversation"
            for one in json.loads(e.request_body)["UniqueIds"]
            if session.record.calls.by_id(one) is None
        }
        assert not any(re.fullmatch(r"call-\d+", one) for one in made_up)


def test_an_interruption_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for session in steady(None, pool=6):
        left = iter(range(5))
        real = session.send.poll

        def interrupted(ids: Any, purpose: str, left: Iterator[int] = left, real: Callable[..., Any] = real) -> Any:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return real(ids, purpose)

        monkeypatch.setattr(session.send, "poll", interrupted)
        with pytest.raises(KeyboardInterrupt):
            converse(session)


def test_nothing_is_printed_and_no_file_is_left(
    capfd: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for session in steady(last_dropped):
        capfd.readouterr()
        assert isinstance(outcome(session), Deviation)
        assert capfd.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_letters_go_on_after_z() -> None:
    assert [letter(at) for at in (0, 25, 26, 51, 52)] == ["A", "Z", "AA", "AZ", "BA"]
