"""Examples for the dial guard: what passes, what is refused, its messages, its speed."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest

from ringback.deployment.errors import NotSent
from ringback.deployment.guard import DialGuard, StrangerRefused

from .guard_bodies import BASE, CALLER, HARMLESS, LINES
from .guard_readers import dialled

LINE = LINES[0]
STRANGER = "5559998877"
CALL, POLL = f"{BASE}/v2/call", f"{BASE}/v2/callresult"
JSON = (("Content-Type", "application/json"),)
GUARD = DialGuard(LINES, CALLER, HARMLESS)


def check(body: bytes | str | dict[str, Any] | list[Any], url: str = CALL, headers: Any = JSON) -> None:
    if isinstance(body, dict | list):
        body = json.dumps(body, ensure_ascii=False)
    GUARD.check(url, headers, body.encode() if isinstance(body, str) else body)


def refusal(body: bytes | str | dict[str, Any] | list[Any], url: str = CALL, headers: Any = JSON) -> str:
    with pytest.raises(StrangerRefused) as caught:
        check(body, url, headers)
    return str(caught.value)


def trigger(value: Any = LINE, name: Any = "_Destination", **changes: Any) -> dict[str, Any]:
    parameters = [{"Name": "_DisplayNumber", "Value": CALLER}, {"Name": name, "Value": value}]
    return {
        "Project": HARMLESS[0],
        "AccessToken": HARMLESS[1],
        "ConversationId": "rb-conversation",
        "ScenarioInputParameters": parameters,
        **changes,
    }


@pytest.mark.parametrize(
    "value",
    [LINE, LINES[2], None, "", " ", True, [], {}, int(LINE), [LINE, None], {"number": LINE}],
    ids=repr,
)
def test_a_destination_may_be_a_line_or_empty(value: Any) -> None:
    check(trigger(value))


@pytest.mark.parametrize(
    "value",
    [
        STRANGER,
        "112",
        f" {LINE}",
        f"+{LINE}",
        LINES[2][1:],
        f"{LINE}0",
        LINE[:-1],
        CALLER,
        int(STRANGER),
        112,
        5550000001.0,
        [STRANGER],
        {"number": STRANGER},
        {STRANGER: ""},
        f"sip:{LINE}@example.com",
        "FLOWERS",
        f"{LINE},{LINE}",
        "５５５０００００01",
        "555-000-0001",
        HARMLESS[1],
        [[["112"]]],
        [LINE, LINES[1]],
        {"a": LINE, "b": LINES[1]},
        {LINE: LINES[1]},
    ],
    ids=repr,
)
def test_a_destination_may_be_nothing_else(value: Any) -> None:
    refusal(trigger(value))


@pytest.mark.parametrize(
    "name",
    [
        "_Destination",
        "destination",
        "_DESTINATION",
        "Destination number",
        "_ＤＥＳＴＩＮＡＴＩＯＮ",
        "_Desti\u200bnation",
        "\\u005fDestination",
        "%5FDestination",
        "&#95;Destination",
        "_Dеstination",
        " " * 100 + "_Destination",
        "Phone",
        "msisdn",
        "To",
        "Callee",
        "Phone2",
    ],
)
def test_the_name_of_the_destination_is_recognised_in_any_spelling(name: str) -> None:
    refusal(trigger("112", name))
    refusal({name: "112"})
    refusal({"a": [{"b": {name: {"c": ["112"]}}}]})


@pytest.mark.parametrize(
    "body",
    [
        ["_Destination", "112"],
        [["_Destination", "112"]],
        {"Names": ["_Destination"], "Values": ["112"]},
        {"Name": ["_Destination"], "Value": "112"},
        {"Name": {"x": "_Destination"}, "Value": "112"},
        {"Name": {"x": "Phone"}, "Value": "112"},
        {"Entry": {"Name": "_Destination"}, "Value": "112"},
        {"Entries": [{"Name": "_Destination"}], "Others": ["112"]},
        {"Parameter": {"@Name": "_Destination", "#text": "112"}},
        [{"Name": "_Destination"}, {"Value": "112"}],
        {"Extra": '{"to": "112"}'},
        {"Extra": '"{\\"to\\": \\"112\\"}"'},
        {"Extra": "_Destination=112"},
        {"Tenant": f"call {STRANGER} now"},
        {"Tenant": "555 999-88.77"},
        {"Tenant": "555\u200b999\u03018877"},
        {"Tenant": "٥٥٥٩٩٩٨٨٧٧"},
        {"Tenant": "%35%35%35%39%39%39%38%38%37%37"},
        {"Tenant": f"{LINE} {LINE}"},
        {"x": int(STRANGER)},
        {"x": 5.559998877e9},
        {"x": 1e300},
        {STRANGER: "x"},
        {"ResultDestination": STRANGER},
        {"ResultDestination": f"tel:{LINE}"},
        {"ResultDestination": f"http://example.com/{STRANGER}"},
        {"EndUser": {"Phone": "112"}},
        {"UniqueIds": [STRANGER]},
    ],
    ids=repr,
)
def test_refused_in_clean_json(body: Any) -> None:
    refusal(body)


@pytest.mark.parametrize(
    "body",
    [
        {"EndUser": {"Name": "O'Neil <b>", "Phone": LINE, "Email": "a.b+c@example.com"}},
        {"ConversationId": "rb-2 of 17"},
        {"Tenant": f"call {LINE}"},
        {"AccessToken": HARMLESS[1], "ScenarioPath": HARMLESS[2], "OrchestratorUrl": HARMLESS[3]},
        {"ResultDestination": HARMLESS[4] + "/destination"},
        {"ResultDestination": None},
        {"SendResultImmediately": 1, "x": 3.14, "y": 1e3, "z": -12},
        trigger(Extra="x" * 65536),
        trigger(Extra="100% <b>\\ & “quoted”\n"),
    ],
    ids=lambda body: repr(body)[:60],
)
def test_passes_in_clean_json(body: Any) -> None:
    check(body)


def test_the_caller_id_is_allowed_in_its_entry_only() -> None:
    abroad = DialGuard(LINES, ABROAD, HARMLESS)
    entry = [{"Name": "_DisplayNumber", "Value": ABROAD}, {"Name": "_Destination", "Value": LINE}]
    abroad.check(CALL, JSON, json.dumps({"ScenarioInputParameters": entry}).encode())
    for elsewhere in ({"Name": "topic", "Value": ABROAD}, {"Tenant": ABROAD}, {"Name": "to\ud800xxxx", "Value": "112"}):
        with pytest.raises(StrangerRefused):
            abroad.check(CALL, JSON, json.dumps(elsewhere).encode())
    check({"_DisplayNumber": CALLER})
    check({"Name": "CallerId", "Value": int(CALLER)})
    refusal({"_DisplayNumber": "112"})
    unclosed = '{"ScenarioInputParameters": [{"Name": "%s", "Value": "200"}'
    for name in ("_DisplayNumber", "_Destination", "variable"):
        refusal(unclosed % name)
    refusal('{"Name": "_DisplayNumber", "Value": "200", "Name": "_Destination"')


@pytest.mark.parametrize(
    "body",
    [
        f'{{"a": "{LINE}", "a": "112"}}',
        f'{{"a": "{LINE}", "A ": "112"}}',
        '{"a": "112"',
        "{'a': '112'}",
        '{"a": "112"} x',
        f"_Destination={STRANGER}",
        f"_Destination=%2B{LINE}",
        f"_Destination=+{LINE}",
        f"_Destination={LINES[2]}",
        f"[{LINES[3]},]",
        f'["{LINE[:-1]}',
        f'["{LINE}" "{LINES[1]}",]',
        f"[{LINE}_{LINES[1]},]",
        f"[{LINE}e3,]",
        f"[x{LINE},]",
        '["5550\\\n000001",]',
        f'["{LINE}",] base64',
        f'["{LINE[:-1]}１",]',
        f'["\u200b{LINE}",]',
        '{"_Destination": "\\u0035550000001"}',
        f'{{"_Destination": {{"x": "{HARMLESS[1]}"}},}}',
        f'{{"_Destination": {{"a": "{LINE}", "b": "{LINES[1]}"}},}}',
        f'{{"_Destination": ["{LINE}", "{LINES[1]}"],}}',
        f"<_Destination><a>{LINE}</a><b>{LINES[1]}</b></_Destination>",
        f'{{"_Destination": "\uff0b {LINE}", "a": "", "a": ""}}',
        f'{{"_Destination": "\u207a{LINE}", "a": "", "a": ""}}',
        '{"_Destination": "somebody@example.com.elsewhere.example", "a": "", "a": ""}',
        '{"_Destination": "somebody\uff20elsewhere.example", "a": "", "a": ""}',
        '{"_Destination": "MTEyCg", "a": "", "a": ""}',
        '{"_Destination": "MQAxADIA", "a": "", "a": ""}',
        f'{{"Tenant": "_Phone: ", "AccessToken": "{HARMLESS[1]}", "Locale": "en", ',
        '{&to="Value":"tel" "5550000001"}5550000001',
    ],
)
def test_refused_in_other_bodies(body: str) -> None:
    refusal(body)


def malformed(**changes: Any) -> bytes:
    """A trigger of the suite that is not clean JSON: all its digits belong to lines and configured texts."""
    whole = trigger(EndUser={"Name": "Jane Doe", "Phone": LINE}, **changes)
    whole["ScenarioInputParameters"][0]["Value"] = LINE
    return json.dumps(whole, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + json.dumps(trigger()).encode(),
        malformed() + b"}",
        malformed() + b" and so on",
        malformed() + b"{}",
        malformed()[:-1],
        malformed().replace(b'{"Project"', b'{"Tenant": "x", "Tenant": "y", "Project"', 1),
        malformed(x="\xff\n").replace("\xff".encode(), b"\xff"),
        malformed(x="y").replace(b'"y"', b'"\0"'),
        b"AccessToken=" + HARMLESS[1].encode() + b"&_DisplayNumber=5550000001&_Destination=5550000002",
        f"_Destination={LINE}".encode(),
        f'["{LINES[2]}",]'.encode(),
        f'["{LINES[3]}",]'.encode(),
        b"",
        b"not JSON",
        b"[" * 100_000,
        b"\0",
    ],
    ids=lambda body: repr(body)[:50],
)
def test_passes_in_other_bodies(body: bytes) -> None:
    check(body)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp037", "utf-7"])
@pytest.mark.parametrize("number", [STRANGER, "５５５９９９８８７７"])
def test_refused_in_other_encodings(encoding: str, number: str) -> None:
    text = f'{{"_Destination": "{number}"}}'
    refusal(
        text.encode(encoding, "replace") if encoding != "cp037" else text.replace("５", "5").encode(encoding, "ignore")
    )


ABROAD = "+4930123456"
"""A caller id that is a telephone number."""
NAMED_TWICE = [
    '{"p":[{"Name":"_DisplayNumber","Value":"CALLER","x":{},"Name":"_Destination"}]}',
    '{"p":[{"Name":"_DisplayNumber","Value":"CALLER","x":"&","Name":"_Destination"}]}',
    '{"p":[{"Name":"_DisplayNumber","Value":"CALLER","x":"}","Name":"_Destination"}]}',
    '{"p":[{"Name":"_DisplayNumber","Value":"CALLER",' + " " * 520 + '"Name":"_Destination"}]}',
    '{"p":[{"Name":"_DisplayNumber","Value":"CALLER","x":{},"name":"_Destination"}]}',
    '{"p":[{"Name":"_Destination","x":{},"Value":"CALLER","Name":"_DisplayNumber"}]}',
    '{"p":[{"Name":"_Destination","x":"}","Value":"CALLER","name":"_DisplayNumber"}]}',
]


@pytest.mark.parametrize("body", NAMED_TWICE)
def test_the_caller_id_is_refused_as_destination_under_repeated_names(body: str) -> None:
    body = body.replace("CALLER", ABROAD)
    assert ABROAD in dialled(body.encode())
    with pytest.raises(StrangerRefused):
        DialGuard([LINE], ABROAD, HARMLESS).check(CALL, JSON, body.encode())


@pytest.mark.parametrize(
    ("value", "rung"),
    [
        (f'+\\"{LINE}', f"+{LINE}"),
        (f"+ tel {LINE}", f"+{LINE}"),
        (f"AccessToken {HARMLESS[1]}", "8847362910"),
        (f"{LINE}','{LINES[1]}", LINE + LINES[1]),
        (f'{LINE}\\",\\"x\\":\\"{LINES[1]}', LINE + LINES[1]),
        ("sip:somebody@elsewhere.example", "somebody@elsewhere.example"),
        ("MTEy", "112"),
        ("KzQ5MzAxMjM0NTY=", ABROAD),
    ],
)
def test_a_value_that_a_reader_converts_to_a_number_is_refused(value: str, rung: str) -> None:
    body = f'{{"_Destination":"{value}","a":"","a":""}}'
    assert rung in dialled(body.encode())
    refusal(body)
    refusal(body.replace(',"a":"","a":""', ""))


def test_a_name_with_nul_is_recognised_as_the_destination() -> None:
    body = '{"Name":"_Destination\\u0000' + "x" * 54 + '","Value":"112"}'
    assert "112" in dialled(body.encode())
    refusal(body)


def test_refused_as_a_number_that_may_be_read_as_octal() -> None:
    octal = next(line for line in LINES if line.startswith("0"))
    refusal(f'{{"Phone": {octal}}}', headers=(("Content-Type", "text/plain"),))


def test_refused_with_a_plus_sign_near_a_line() -> None:
    refusal(f"{{'_Destination': '+}}{LINE}'}}")
    refusal(f"{{'_Destination': '+ ({LINE}'}}")


def test_refused_in_an_encoding_whose_digits_are_escaped() -> None:
    refusal('{"_Destination": "%31%31%32"}'.encode("cp037"))
    refusal('{ _Destination": "%35%35%35'.encode("cp037"), POLL)
    refusal(b'{"UniqueIds": ["1"], "_Dest%\x0069nation": "112"', POLL)


def test_json_that_may_be_read_as_a_form_is_checked_as_a_form() -> None:
    body = {"x": "&to=112&"}
    check(body)
    refusal(body, headers=[("Content-Type", "application/x-www-form-urlencoded")])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Encoding", "gzip"),
        ("content-encoding", "BR"),
        ("Transfer-Encoding", "gzip, chunked"),
        ("Content-Type", "application/json; charset=utf-16"),
        ("Content-Type", "application/json; CHARSET='UTF-7'"),
        ("Content-Type", "application/json; charset*=utf-16"),
        ("Content-Type", "image/png"),
        ("X-Destination", "112"),
        ("X-Forward", f"_Destination={STRANGER}"),
        ("X-Note", "%35559998877"),
        ("Project", STRANGER),
        ("Content-Length", "5559998877"),
    ],
)
def test_refused_in_headers(name: str, value: str) -> None:
    refusal(trigger(), headers=[(name, value)])


def test_the_usual_headers_pass() -> None:
    body = b'"' + b"x" * 1_234_565 + b'"'
    usual = {
        "Host": "ivr.example.com:22222",
        "Content-Type": 'application/json; charset="UTF-8"',
        "Content-Encoding": "identity",
        "Content-Length": str(len(body)),
        "User-Agent": "ringback/0.1.0",
        "Accept": "*/*",
        "Project": HARMLESS[0],
    }
    check(body, headers=usual.items())
    on_a_number = DialGuard(LINES, CALLER, ["https://192.168.100.200:22222"])
    on_a_number.check("https://192.168.100.200:22222/v2/call", [("Host", "192.168.100.200:22222")], b"")


@pytest.mark.parametrize(
    "url",
    [f"{CALL}?_Destination=112", f"{CALL}?to=112", f"{CALL}/{STRANGER}", f"{CALL}/112", f"{CALL};Phone={STRANGER}",
     f"{CALL}?x=%31%31%32", f"{BASE}/v2/%35%35%35%39%39%39%38%38", "http://[/v2/call"],
)  # fmt: skip
def test_refused_in_urls(url: str) -> None:
    refusal(b"", url)


def test_polls_may_have_any_ids() -> None:
    ids = {"UniqueIds": [STRANGER, "+49 30 1234567", "call:tel/5551234567", "a%35", "+ADU-", "9" * 40]}
    check(ids, POLL)
    check({"UniqueIds": ["ab+ADU-cd", 5, None, {}, ["+ADU-"]]}, POLL)
    check(["ab+ADU-cd"], POLL)
    check({"UniqueIds": {"UniqueId": "ab+ADU-cd"}}, POLL)
    check({"UniqueIds": 1234567890}, POLL)
    check('{"UniqueIds": ["abc", "def"', POLL)
    refusal('{"UniqueIds": ["1234567890", "4912345678"', POLL)
    check(b'{"UniqueIds": ["\xff\xc3"]}', POLL)
    refusal(b'{"UniqueIds": ["1234567890\xff"]}', POLL)
    for path in (
        "/v2/call",
        "/v2/",
        "/v2/call/../callresult",
        "/v2/callresult?x",
        "/v2/callresult/",
        "/v2/callresult%3f",
    ):
        refusal(ids, BASE + path)


@pytest.mark.parametrize(
    "body", ['{"UniqueIds": ["+ADU-+ADU-+ADU-"', '{"UniqueIds": ["a"], "x": "+ADU-"}', "x=+ADU-+ADU-"]
)
def test_only_a_list_of_ids_may_contain_utf_7(body: str) -> None:
    refusal(body, POLL)


@pytest.mark.parametrize(
    "body",
    [
        {"UniqueIds": ["a"], "_Destination": "112"},
        {"UniqueIds": ["a"], "to": "112"},
        {"UniqueIds": ["a", {"Name": "_Destination", "Value": "112"}]},
        trigger(STRANGER),
        '{"UniqueIds": ["1"], "_Destination": "112"',
        '{"UniqueIds": ["1"], "\\u005fD\\u0065stination": "112"',
        "UniqueIds=1&%5FDestination=112",
        json.dumps(trigger(STRANGER)).encode("utf-16"),
        gzip.compress(json.dumps(trigger(STRANGER)).encode(), mtime=0),
    ],
    ids=lambda body: repr(body)[:50],
)
def test_a_trigger_is_recognised_at_any_path(body: Any) -> None:
    refusal(body, POLL)


def test_a_refusal_names_the_place_but_not_the_number() -> None:
    message = refusal(trigger(STRANGER))
    assert message == "not sent: digits that are not a configured line, in body.ScenarioInputParameters[1].Value"
    assert issubclass(StrangerRefused, NotSent)
    for body in ({STRANGER: {STRANGER: STRANGER}}, f"_Destination={STRANGER}", {"_Destination": {"Jane Doe": "112"}}):
        message = refusal(body)
        assert not any(map(str.isdigit, message))
        assert "Jane" not in message


def test_a_configured_text_of_digits_is_not_a_line() -> None:
    guard = DialGuard([LINE], CALLER, [STRANGER, "123456789012"])
    guard.check(CALL, JSON, json.dumps(trigger(Project=STRANGER, AccessToken="123456789012")).encode())
    for body in (trigger(STRANGER), f"_Destination={STRANGER}", f'{{"Project": "{STRANGER}",'):
        with pytest.raises(StrangerRefused):
            guard.check(CALL, JSON, body.encode() if isinstance(body, str) else json.dumps(body).encode())


def test_a_clean_trigger_is_checked_quickly() -> None:
    body = json.dumps(trigger(EndUser={"Name": "Jane", "Phone": LINE}, Notes="é" * 300), ensure_ascii=False).encode()
    best = min(_seconds(body, repeat=20) for _ in range(3)) / 20
    assert best < 0.1, "a hundred times the usual time"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'"' + b"\\\\" * 500_000 + b'"',
        b"[" + b"[]," * 300_000 + b"[]]",
        b"5" + b" " * 1_000_000,
        b"+" * 1_000_000,
        b"\0" * 1_000_000,
        b"\xff" * 1_000_000,
        b"&amp;" * 200_000,
        b"%25" * 350_000,
        b"+ABC" * 250_000,
        b"5550000001," * 95_000,
        b'["' + b"a-1 b" * 200_000 + b'"]',
        b'"' + "é\u0302\u0323".encode() * 150_000 + b'"',
        json.dumps(trigger()).encode() * 3_000,
        b'{"UniqueIds": ["' + b'abc-123", "' * 90_000 + b'"]}',
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("url", [CALL, POLL])
def test_a_mebibyte_is_checked_in_linear_time(body: bytes, url: str) -> None:
    """The limit is many times the usual time, and far below any quadratic time."""
    assert _seconds(body, url=url) < 10


def _seconds(body: bytes, repeat: int = 1, url: str = CALL) -> float:
    begun = time.process_time()
    for _ in range(repeat):
        try:
            GUARD.check(url, JSON, body)
        except StrangerRefused:
            continue
    return time.process_time() - begun


# -- queries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "UniqueIds=6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        f"UniqueIds={STRANGER}&UniqueId=48213",
        f"_DisplayNumber={LINE}&_Destination={LINE}",
    ],
)
def test_a_query_may_ask_for_ids_and_hold_lines(query: str) -> None:
    GUARD.check(f"{BASE}/v2/callresult?{query}", (), b"")


@pytest.mark.parametrize(
    "url",
    [
        f"{BASE}/v2/call?UniqueIds={STRANGER}",
        f"{BASE}/v2/call?_Destination={STRANGER}",
        f"{BASE}/v2/callresult?_Destination={STRANGER}",
        f"{BASE}/v2/callresult?UniqueIds=x&_Destination={STRANGER}",
        f"{BASE}/v2/callresult?UniqueIds=x;_Destination={STRANGER}",
        f"{BASE}/v2/callresult?UniqueIds=x%26_Destination%3D{STRANGER}",
        f"{BASE}/v2/callresult?UniqueIds=x%2526_Destination%253D{STRANGER}",
        f"{BASE}/v2/callresult/../call?UniqueIds={STRANGER}",
        f"{BASE}/v2/callresult?UniqueIds={STRANGER}#",
    ],
)
def test_a_query_that_may_be_a_trigger_holds_no_other_number(url: str) -> None:
    if url.endswith("#"):
        GUARD.check(url, (), b"")  # a fragment is never sent
        return
    with pytest.raises(StrangerRefused):
        GUARD.check(url, (), b"")
