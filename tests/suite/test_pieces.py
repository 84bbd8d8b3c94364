"""Drafts, near misses, deliveries and history."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.contract.near_misses import near_miss_ids, near_miss_tokens, well_formed_unknown_ids
from ringback.contract.same_id import other_spellings, resembles, same_id
from ringback.deployment.access import dial_guard
from ringback.receiver import Delivery
from ringback.suite.calls.deliveries import foreign_ids, named_ids, names, reported_state
from ringback.suite.deviation import Inconclusive
from ringback.suite.history import regular_answers
from ringback.suite.probes.drafts import OPTIONAL, REQUIRED, Draft, DraftMaker
from ringback.suite.probes.samples import AWKWARD_VALUES, NAMES_IN_MANY_SCRIPTS

from .tiny import LINES, TOKEN, Tiny, running, settings

CONFIG = settings(9)
GUARD = dial_guard(CONFIG, None)

# -- drafts -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**31), st.sampled_from(list(LINES)), st.sampled_from(["empty", "absent", "named"]))
def test_a_draft_holds_no_digits_but_a_line_and_the_caller_id(seed: int, line: str, form: str) -> None:
    maker = DraftMaker(CONFIG, seed)
    for draft in (maker.example(line, form), maker.required(line, form)):  # type: ignore[arg-type]
        text = json.dumps({k: v for k, v in draft.body.items() if k != "AccessToken"})
        assert set(re.findall(r"\d+", text)) <= {LINES[line], "200"}
        assert draft.line == line
        GUARD.check("http://127.0.0.1:9/v2/call", draft.headers, draft.bytes)


@pytest.mark.parametrize("text", [*NAMES_IN_MANY_SCRIPTS.values(), *AWKWARD_VALUES.values()])
def test_no_sample_can_be_read_as_a_number(text: str) -> None:
    assert not any(character.isdigit() for character in text)
    draft = DraftMaker(CONFIG, 1).example("answered")
    draft.made_up_variable("note", text)
    draft.set("EndUser", {"Name": text})
    GUARD.check("http://127.0.0.1:9/v2/call", draft.headers, draft.bytes)


def test_the_same_seed_makes_the_same_drafts_and_no_two_are_the_same_conversation() -> None:
    one, other = DraftMaker(CONFIG, 7), DraftMaker(CONFIG, 7)
    first = [one.example("busy").bytes for _ in range(20)]
    assert first == [other.example("busy").bytes for _ in range(20)]
    assert len({json.loads(raw)["ConversationId"] for raw in first}) == 20
    assert DraftMaker(CONFIG, 8).example("busy").bytes != first[0]


def test_the_example_has_all_documented_parameters_and_the_required_draft_only_the_required_ones() -> None:
    maker = DraftMaker(CONFIG, 1)
    assert set(maker.example("answered").body) == {*REQUIRED, *OPTIONAL}
    draft = maker.required("answered")
    assert set(draft.body) == set(REQUIRED)
    assert [e["Name"] for e in draft.body["ScenarioInputParameters"]] == ["_DisplayNumber", "_Destination"]


def test_the_header_has_three_forms() -> None:
    maker = DraftMaker(CONFIG, 1)
    assert (maker.header("empty"), maker.header("absent"), maker.header("named")) == (
        [("Project", "")], [], [("Project", "Collections")],
    )  # fmt: skip


def test_a_draft_is_changed_in_one_aspect() -> None:
    draft = DraftMaker(CONFIG, 1).example("answered")
    draft.drop("Locale", "NoSuchThing")
    draft.drop_input("greeting")
    draft.order(lambda entries: entries[::-1])
    assert "Locale" not in draft.body
    assert [e["Name"] for e in draft.body["ScenarioInputParameters"]] == ["topic", "_Destination", "_DisplayNumber"]
    assert json.loads(draft.bytes) == draft.body
    assert Draft({}, [], "answered", b"raw").bytes == b"raw"


# -- near misses ------------------------------------------------------------------------------------------------------


@given(st.sampled_from("x%*Xn") | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40))
def test_no_near_miss_of_a_token_is_the_token(token: str) -> None:
    for how, make in near_miss_tokens().items():
        assert make(token) != token, how
        assert make(token), how


@given(st.binary(min_size=8, max_size=66), st.sampled_from([base64.urlsafe_b64encode, base64.b64encode]), st.booleans())
def test_no_near_miss_of_base64_text_decodes_to_the_same_bytes(
    content: bytes,
    encode: Callable[[bytes], bytes],
    padded: bool,
) -> None:
    """Lenient readers, as those of a JWT's signature, ignore padding and the unused bits of the last letter."""
    text = encode(content).decode()
    text = text if padded else text.rstrip("=")
    near = [near_miss_tokens()[how](text) for how in ("without its last character", "with another last character")]
    near += [near_miss_ids(text)[how] for how in ("without its last character", "with another last character")]
    for one in near:
        letters = one.translate(str.maketrans("-_", "+/")).rstrip("=")
        letters = letters[:-1] if len(letters) % 4 == 1 else letters
        assert base64.b64decode(letters + "=" * (-len(letters) % 4)) != content, one


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126) | st.sampled_from("éİß٣"), min_size=1, max_size=40))
def test_no_near_miss_of_an_id_is_the_id(unique_id: str) -> None:
    candidates = near_miss_ids(unique_id)
    assert not any(same_id(unique_id, text) for text in candidates.values())
    assert "" not in candidates.values()
    assert len(candidates) >= 4


UUID = "0f9619ff-8b86-d011-b42d-00cf4fc964ff"


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (UUID, UUID.upper()),
        (UUID, "{" + UUID.upper() + "}"),
        (UUID, UUID.replace("-", "")),
        (UUID, f"urn:uuid:{UUID}"),
        (UUID, UUID.replace("0f9619ff", "f9619ff")),
        (UUID, f'"{UUID}"'),
        ("call-Ab", "CALL-aB"),
        ("call-ab", " call-ab\t"),
        ("ｎｏｂｏｄｙ", "nobody"),
        ("\ud800", "\ufffd"),
        ("\ud800", "???"),
        ("before\ud800after", "before?after"),
        ("before\ud800after", "before\ufffd\ufffd\ufffdafter"),
    ],
)
def test_an_id_may_be_spelled_otherwise(asked: str, named: str) -> None:
    assert same_id(asked, named)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (UUID, UUID[:-1]),
        (UUID, UUID[:-1] + "e"),
        (UUID, f"{UUID},{UUID}"),
        (UUID, UUID[:18] + "%"),
        (UUID, UUID + "0"),
        ("call-ab", "{call-ab}"),
        ("call-ab", "callab"),
        ("\ud800", "x"),
        ("before\ud800after", "beforeXafter"),
        ("before\ud800after", "before"),
    ],
)
def test_what_is_only_similar_is_another_id(asked: str, named: str) -> None:
    assert not same_id(asked, named)


@pytest.mark.parametrize("unique_id", [UUID, UUID.replace("-", "").upper(), "call-ab", "48213", "çağrı-呼"])
def test_other_spellings_are_spelled_otherwise(unique_id: str) -> None:
    spellings = other_spellings(unique_id)
    assert unique_id not in spellings.values()
    assert ("in braces" in spellings) == (len(unique_id) in {32, 36})
    assert not set(spellings.values()) & set(near_miss_ids(unique_id).values())


@pytest.mark.parametrize("length", [8, 24, 36])
def test_near_misses_resemble_the_id(length: int) -> None:
    unique_id = "aBcDeFgHiJkLmNoPqRsTuVwXyZabcdefghijklmnop"[:length]
    for how, text in near_miss_ids(unique_id).items():
        if how != "with another last character":
            assert resembles(unique_id, text), how
    assert not resembles(unique_id, "zzzzzzzz")


@pytest.mark.parametrize(
    "unique_id", ["6f9619ff-8b86-d011-b42d-00cf4fc964ff", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "call-19af", "48213"]
)
def test_a_well_formed_unknown_id_has_the_form_of_a_real_one_and_is_no_calls(unique_id: str) -> None:
    known = {unique_id, "call-9af1"}
    unknown = well_formed_unknown_ids(unique_id, known, 3)
    assert len(unknown) == len(set(unknown)) >= 2
    assert not known & set(unknown)
    for one in unknown:
        assert sorted(one) == sorted(unique_id)
        assert [c.isalnum() for c in one] == [c.isalnum() for c in unique_id]
    assert well_formed_unknown_ids("0000", known) == []


# -- deliveries -------------------------------------------------------------------------------------------------------

ID = "call-a/b+c=d&e"


def delivery(body: bytes | object = b"", target: str = "/key") -> Delivery:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery("key", 0.0, "POST", target, (), content, 200)


@pytest.mark.parametrize(
    "sent",
    [
        delivery({"UniqueId": ID}),
        delivery(ID.encode()),
        delivery(json.dumps({"UniqueId": ID}).replace("/", "\\/").encode()),
        delivery(b'{"UniqueId": "%s"}' % b"".join(b"\\u%04X" % ord(c) for c in ID)),
        delivery(f"UniqueId={quote(ID, safe='')}&CallState=Busy".encode()),
        delivery(f"<id>{ID.replace('&', '&amp;')}</id>".encode()),
        delivery(target=f"/key?id={ID}"),
        delivery(target=f"/key/{ID}"),
        delivery([{"CallResults": [{"UniqueId": ID}]}]),
        delivery({"Type": "Notification", "Message": json.dumps({"UniqueId": ID}).replace("/", "\\/")}),
    ],
)
def test_an_id_is_found_however_it_is_written(sent: Delivery) -> None:
    assert names(sent, ID)
    assert not names(sent, "call-other")


def test_other_calls_ids_are_found_unless_they_are_part_of_the_own_id() -> None:
    sent = delivery({"UniqueId": "call-one-and-more", "Also": "call-two"})
    others = {"call-one", "call-two", "call-three", "one"}
    assert foreign_ids(sent, "call-one-and-more", others) == ["call-two"]
    assert foreign_ids(delivery({"UniqueId": "call-one"}), "call-one", {"call-one"}) == []


def test_a_counted_id_is_not_found_in_a_longer_number() -> None:
    sent = delivery({"UniqueId": "70012", "At": 1764270013123, "Line": "5550700110", "Next": "/calls/70014?x=%2070015"})
    assert names(sent, "70012")
    assert not names(sent, "7001")
    assert sorted(foreign_ids(sent, "70012", {"70011", "70012", "70013", "70014", "70015"})) == ["70014", "70015"]


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"UniqueId": ID, "CallState": "Busy"}, "Busy"),
        ({"UniqueId": ID, "callState": "NO ANSWER"}, "NO ANSWER"),
        ({"UniqueId": ID, "status": "NO ANSWER"}, "No Answer"),
        ({"CallResults": [{"UniqueId": "x", "CallState": "Busy"}, {"UniqueId": ID, "CallState": "Error"}]}, "Error"),
        ({"UniqueId": "x", "CallState": "Busy"}, None),
        ({"Type": "Notification", "Message": json.dumps({"UniqueId": ID, "CallState": "No Answer"})}, "No Answer"),
        (json.dumps({"UniqueId": ID, "CallState": "No Answer"}), "No Answer"),
        ({"Message": "{broken", "UniqueId": ID, "CallState": "Busy"}, "Busy"),
        ({"UniqueId": ID, "CallState": "Completed"}, "Completed"),
        ({"UniqueId": ID, "Comment": "Busy"}, None),
        ({"Result": "Error", "uniqueid": "x", "UniqueId": ID, "CallState": "Busy"}, "Busy"),
        ({"events": [{"state": "Busy"}, {"state": "Answered"}], "UniqueId": ID, "CallState": "Answered"}, "Answered"),
        ({"events": [{"state": "Busy"}, {"state": "Answered"}], "UniqueId": ID}, None),
        ({"UniqueId": ID}, None),
        (b"UniqueId=x&CallState=Rejected", "Rejected"),
        (b"{", None),
        (b"[" * 5000, None),
        (b"", None),
    ],
)
def test_the_state_that_a_delivery_reports(body: object, state: str | None) -> None:
    assert reported_state(delivery(body), ID) == state


def test_ids_are_read_from_members_named_unique_id() -> None:
    body = {"UniqueId": "one", "CallResults": [{"uniqueId": "two", "ParentUniqueId": "three", "Id": "four"}]}
    assert named_ids(delivery(body)) == ["one", "two"]
    assert named_ids(delivery(b"<r><UniqueId>one</UniqueId></r>", "/key?uniqueid=two")) == ["one", "two"]
    assert named_ids(delivery(b"one ended")) == []


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b'\xef\xbb\xbf{"CallState": "Busy"}', "Busy"),
        ('{"CallState": "Busy"}'.encode("utf-16"), "Busy"),
        (b'{"CallState": "BUSY"}', "BUSY"),
        (b'{"CallState": "Completed"}', "Completed"),
        (b"<Result><CallState>No Answer</CallState></Result>", "No Answer"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><r:Call xmlns:r="urn:x" r:CallState="Busy"/>', "Busy"),
        (
            b"<r><c><UniqueId>other</UniqueId><State>Busy</State></c><c id='a'>"  # noqa: ISC004 - one text
            b"<UniqueId>call-a/b+c=d&amp;e</UniqueId><State>Error</State></c></r>",
            "Error",
        ),
        (b'<!DOCTYPE x [<!ENTITY s "Busy">]><x><CallState>&s;</CallState></x>', None),
        (b"<x><CallState>Busy</x>", None),
        (b"UniqueId: call-x\nCallState: Temporarily Unavailable\n", "Temporarily Unavailable"),
        (b"UniqueId=call-x&CallState=No+Answer", "No Answer"),
        (b"call-x;Rejected;2 s", "Rejected"),
        (b"call-x was Rejected", None),
        (b"call-x", None),
    ],
)
def test_a_state_is_read_in_any_usual_form(body: bytes, state: str | None) -> None:
    assert reported_state(delivery(body), ID) == state


@given(st.binary(max_size=100), st.text(max_size=40))
def test_any_delivery_can_be_read(body: bytes, target: str) -> None:
    sent = delivery(body, "/" + target)
    assert reported_state(sent, ID) is None or body or target
    assert isinstance(names(sent, ID), bool)
    assert (
        foreign_ids(sent, ID, {"\u2603" * 50}) == []
    )  # longer than what is drawn, which may be any text in the source


# -- history ----------------------------------------------------------------------------------------------------------


def test_only_answers_that_the_contract_describes_are_regular() -> None:
    tiny = Tiny()
    with running(tiny, pool=2) as session:
        session.record.final_calls(2)
        session.send.poll_with(b"no json", "a spoilt poll")
        found = regular_answers(session)
        assert found
        assert all(answer.status == 200 for answer in found)
        assert not any(answer.exchange.purpose == "a spoilt poll" for answer in found)
    assert TOKEN not in str(session.recorder.exchanges)


def test_a_run_without_regular_answers_is_inconclusive() -> None:
    with running(Tiny(lambda _: 400)) as session, pytest.raises(Inconclusive):
        regular_answers(session)
