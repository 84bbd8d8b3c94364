"""Personal data is found by structure and by patterns; useful evidence stays legible."""

from __future__ import annotations

import json
import time

import pytest

from ringback.deployment.evidence import Exchange, Recorder
from ringback.deployment.redaction import Redactor

from .spellings import LINES, NAME, STRANGER, TOKEN


def clean(text: str) -> str:
    some = Redactor(TOKEN, LINES)
    cleaned = some.clean(text)
    assert some.clean(cleaned) == cleaned
    return cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('{"Phone":15559998877}', '{"Phone":<number>}'),
        ("tel:+15559998877", "tel:<number>"),
        ("Phone=%2B15559998877", "Phone=<number>"),
        ('"\\u002b15559998877"', '"<number>"'),
        ("call-15559998877", "call-<number>"),
        ("15559998877: busy", "<number>: busy"),
        ("0555/999/88/77", "<number>"),
        ("1555\u00a0999\u00a08877", "<number>"),
        ("１５５５９９９８８７７", "<number>"),
        ("+1 (555) 999-8877, or 555.999.8877", "<number>, or <number>"),
        ("15559998877 15559998877", "<number> <number>"),
        ("X15559998877x", "X<number>x"),
        ("{15559998877}\\n15559998877", "{<number>}\\n<number>"),
        ('{"timestamp": 15559998877}', '{"timestamp": <number>}'),
    ],
)
def test_telephone_numbers(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "address",
    [
        "user@localhost", '"given family"@example.com', '\\"given family\\"@example.com', "user%40example.com",
        "user&#64;example.com", "user&#x40;example.com", "user&commat;example.com", "user\\u0040example.com",
        "jürgen@müller.example", "user@xn--mller-kva.example", "user@[192.0.2.1]", "user@[IPv6:2001:db8::1]",
        "user@192.0.2.1", "first.last+tag@sub.example.co.uk", "user＠example.com", "user=40example.com",
    ],
)  # fmt: skip
def test_addresses(address: str) -> None:
    for before, after in (("", ""), ("<", ">"), ('{"a": "', '"}'), ("to ", ", and"), ("mailto:", "?x"), ("\\n", "\\n")):
        assert clean(f"{before}{address}{after}") == f"{before}<e-mail>{after}"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('{"EndUser":[{"Name":"Given Family","Phone":5551234567,"x":true}],"a":"b"}',
         '{"EndUser":[{"Name":"<name>","Phone":<phone>,"x":true}],"a":"b"}'),
        ('{"EndUser":"Given Family","a":"b"}', '{"EndUser":"<name>","a":"b"}'),
        ('{"EndUser":null,"a":"b"}', '{"EndUser":null,"a":"b"}'),
        ('{"EndUser":12345,"a":"b"}', '{"EndUser":<personal>,"a":"b"}'),
        ('{"EndUser": {"Name": "Na\\"me"}, "keep": "this"}', '{"EndUser": {"Name": "<name>"}, "keep": "this"}'),
        ('{"body": "{\\"EndUser\\": \\"Given Family\\", \\"a\\": \\"b\\"}"}',
         '{"body": "{\\"EndUser\\": \\"<name>\\", \\"a\\": \\"b\\"}"}'),
        ("{'EndUser': {'Name': \"O'Brien\", 'Email': None}, 'a': 'b'}",
         "{'EndUser': {'Name': \"<name>\", 'Email': None}, 'a': 'b'}"),
        ('Error: {"EndUser": {"Name": "Given Fam', 'Error: {"EndUser": {"Name": "<name>'),
        ('{"Name":"Given Family","Phone":"5"},{"Name":"_Destination","Value":"5"}',
         '{"Name":"<name>","Phone":"5"},{"Name":"_Destination","Value":"5"}'),
        ('{"Phone": "5", "Name": "Given Family"}', '{"Phone": "5", "Name": "<name>"}'),
        ("EndUser.Name=Given+Family&EndUser.Phone=555&x=1", "EndUser.Name=<name>&EndUser.Phone=<phone>&x=1"),
        ("EndUser%5BName%5D=Given%20Family&x=1", "EndUser%5BName%5D=<name>&x=1"),
        ("EndUser=Given+Family&x=1", "EndUser=<name>&x=1"),
        ("Name=Given+Family&Phone=555&x=1", "Name=<name>&Phone=555&x=1"),
        ("Phone=555&Name=Given+Family&x=1", "Phone=555&Name=<name>&x=1"),
        ("Name=_Destination&Value=5&Phone=1", "Name=_Destination&Value=5&Phone=1"),
        ("<EndUser><Name>Given Family</Name><Phone>555</Phone></EndUser><a>b</a>",
         "<EndUser><Name><name></Name><Phone><phone></Phone></EndUser><a>b</a>"),
        ("<n:EndUser Name=\"Given Family\" Phone='555'/><a>b</a>",
         "<n:EndUser Name=\"<name>\" Phone='<phone>'/><a>b</a>"),
        ("&lt;EndUser&gt;&lt;Name&gt;Given Family&lt;/Name&gt;&lt;/EndUser&gt;",
         "&lt;EndUser&gt;&lt;Name&gt;<name>&lt;/Name&gt;&lt;/EndUser&gt;"),
        ("EndUser(Name=Given Family, Phone=555, Email=null), a=b",
         "EndUser(Name=<name>, Phone=<phone>, Email=null), a=b"),
        ("Call(EndUser=EndUser(Name=Given Family), a=b)", "Call(EndUser=EndUser(Name=<name>), a=b)"),
        ("EndUser{name='Given Family'}, a=b", "EndUser{name='<name>'}, a=b"),
        ("EndUser [Name=Given Family, x=5] a", "EndUser [Name=<name>, x=<personal>] a"),
        ('EndUser { Name = "Given Family" }', 'EndUser { Name = "<name>" }'),
        ("EndUser: Given Family", "EndUser: <name>"),
        ("EndUser:\n  Name: Given Family\na: b", "EndUser:\n  Name: <name>\na: b"),
        ("EndUser must be an object, EndUser: must be one", "EndUser must be an object, EndUser: must be one"),
        ("EndUser's Name a number; EndUser with Name", "EndUser's Name a number; EndUser with Name"),
    ],
)  # fmt: skip
def test_persons_by_structure(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "550e8400-e29b-41d4-a716-446655440000", "{12345678-1234-1234-1234-123456789012}",
        "2026-11-27T05:49:55.123456789Z", "2026-11-27T05:49:55+01:00", "2026-11-27 05:49:55", "2026/11/27 05:49",
        "Fri, 27 Nov 2026 05:49:55 GMT",
        "05:49:55.123456789", "Content-Length: 12345678", "0.1234567890123", "12.3456789012345", "127.0.0.1:54321",
        "192.168.100.200", "10.20.30.40:8080 10.20.30.41:8080", '"33a64df551425fcc55e4d42a148795d9f25f89d4"',
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "nginx/1.25.3", "v1.2.3-rc.4",
        "ringback-abcdefghijklmnop", '"iat": 1732686595, "timestamp": 1732686595123', "pkg@1.2.3", "@media",
        '{"Name": "greeting", "Value": "good morning"}', "max-age=31536000", "HTTP/1.1 404 Not Found",
    ],
)  # fmt: skip
def test_evidence_stays_useful(text: str) -> None:
    assert clean(text) == text
    assert Redactor(TOKEN, LINES).clean_secrets(text) == text


def test_clean_secrets_leaves_everything_else() -> None:
    text = f"{STRANGER} somebody@example.com EndUser(Name={NAME}) 101"
    assert Redactor(TOKEN, LINES).clean_secrets(text) == text


def record(recorder: Recorder, request: object, answer: str = "", **changes: object) -> Exchange:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    now = time.monotonic()
    values = {"purpose": "p", "begun": now, "ended": now, "method": "POST", "url": "https://x.example.com/v2/call"}
    return recorder.record(**{**values, "request_headers": (), "request_body": body, "status": 200,
                              "response_body": answer.encode(), **changes})  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(
    "person",
    [{"Name": "Quirin Zollner", "Email": "qz@example.net"}, [{"Name": ["Quirin Zollner"], "Email": "qz@example.net"}]],
)
def test_a_person_in_a_request_is_redacted_in_its_answer_and_later(person: object) -> None:
    recorder = Recorder(Redactor(TOKEN, LINES))
    first = record(recorder, {"EndUser": person}, "refused: QUIRIN ZOLLNER, Quirin%20Zollner, qz at example.net")
    assert "zollner" not in json.dumps(first.as_json()).lower()
    later = record(
        recorder, {}, "called Quirin  Zollner <b>qz@example.net</b>", response_headers=[("X-Who", "Quirin Zollner")]
    )
    assert later.response_body == "called <name> <b><e-mail></b>"
    assert later.response_headers == (("X-Who", "<name>"),)


def test_a_header_cleaned_before_a_name_was_known() -> None:
    recorder = Recorder(Redactor(TOKEN, LINES))
    headers = [("X-Who", "Quirin Zollner")]
    assert record(recorder, {}, response_headers=headers).response_headers == (("X-Who", "Quirin Zollner"),)
    assert record(recorder, {"EndUser": "Quirin Zollner"}, response_headers=headers).response_headers == (
        ("X-Who", "<name>"),
    )


@pytest.mark.parametrize("body", [b"EndUser {", b'{"EndUser": 5}', b'["EndUser"]', b'{"EndUser": {"Name": {"a": 1}}}'])
def test_a_request_without_a_person(body: bytes) -> None:
    assert record(Recorder(Redactor(TOKEN, LINES)), body).id == 1


def test_short_names_are_not_searched_for() -> None:
    some = Redactor(TOKEN, LINES)
    for value in ("", "a", "Busy", "-", "\u200b"):
        some.add_personal(value, "<name>")
    assert some.clean('{"CallState": "Busy", "a": "-"}') == '{"CallState": "Busy", "a": "-"}'


def test_the_id_in_an_answer_is_legible_in_that_answer() -> None:
    recorder = Recorder(Redactor(TOKEN, LINES))
    assert record(recorder, {}, '{"UniqueId": "100000123456"}').response_body == '{"UniqueId": "100000123456"}'
    assert record(recorder, {}, '{"UniqueId": 100000123457}').response_body == '{"UniqueId": 100000123457}'
    assert record(recorder, {}, '{"UniqueId": "+15559998877"}').response_body == '{"UniqueId": "<number>"}'
    assert (
        record(recorder, {}, '{"UniqueId": "5550000001"}').response_body == '{"UniqueId": "$RINGBACK_LINES__ANSWERED"}'
    )
    assert record(recorder, {}, '{"UniqueId": "15559998877"}', status=400).response_body == '{"UniqueId": "<number>"}'


@pytest.mark.parametrize("known", [1, 100, 5000])
def test_many_persons(known: int) -> None:
    """Generated requests have thousands of names."""
    some = Redactor(TOKEN, LINES)
    for at in range(known):
        some.add_personal(f"Given{at:04} Family{at:04}", "<name>")
    assert some.clean("it was Given0000 Family0000, not Given0000 Family") == "it was <name>, not Given0000 Family"
