"""Redaction removes token and lines in any context and any encoding."""

from __future__ import annotations

import base64
import html
import json
import re
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.deployment.redaction import TOKEN_LABEL, Redactor

TOKEN = "Tk-88:q/9+Zé=\"x\\y' z"
LINES = {"answered": "5550000001", "busy": "+4955500003", "error": "200"}

Spell = Callable[[str], str]
SPELLINGS: dict[str, Spell] = {
    "plain": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, Unicode": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "JSON, slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON, all escapes": lambda text: "".join(f"\\u{ord(c):04X}" for c in text),
    "HTML": html.escape,
    "HTML, decimal": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(c):x};" for c in text),
    "HTML twice": lambda text: html.escape(html.escape(text)),
    "URL": lambda text: quote(text, safe=""),
    "URL, path": quote,
    "URL, lower case": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "URL twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "upper case": str.upper,
    "lower case": str.lower,
    "UTF-16 read as UTF-8": "\0".join,
    "hexadecimal": lambda text: text.encode().hex(),
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
}


def redactor(token: str = TOKEN) -> Redactor:
    return Redactor(token, LINES)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_token_in_any_spelling(spelling: str) -> None:
    spelt = SPELLINGS[spelling](TOKEN)
    text = f'{{"a": "{spelt}"}}'
    if "Base64" not in spelling:  # whose first and last characters are shared with what surrounds it
        assert redactor().clean(text) == f'{{"a": "{TOKEN_LABEL}"}}'
    assert spelt not in redactor().clean(text)
    assert redactor().leaked(text) == (TOKEN_LABEL,)


@pytest.mark.parametrize("before", ["", "u", "us", "user:", "Basic:é"])
def test_the_token_within_base64(before: str) -> None:
    coded = base64.b64encode(f"{before}{TOKEN} after".encode()).decode()
    cleaned = redactor().clean(f"Authorization: Basic {coded}")
    assert TOKEN_LABEL in cleaned
    assert coded[12:24] not in cleaned


tokens = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_categories=("Cc", "Cs", "Cn")),
    min_size=6,
    max_size=40,
).filter(lambda token: len(token.strip()) >= 6 and "RINGBACK" not in token.upper())
around = st.text(max_size=80)
OPEN_ESCAPE = re.compile(r"(?:\\(?:u\{?\w*|x\w?|[0-7]{0,2})|%\w{0,2}|&#?\w*|=\w?)$")


@settings(deadline=None, max_examples=300)
@given(tokens, around, around, st.sampled_from(sorted(SPELLINGS)), st.integers(1, 3))
def test_no_token_survives(token: str, before: str, after: str, spelling: str, times: int) -> None:
    spelt = SPELLINGS[spelling](token)
    # An escape before the token can include its first characters: see the next test.
    if len(spelt) < 6 or OPEN_ESCAPE.search(before) or OPEN_ESCAPE.search(after):
        return
    text = before + (spelt + after) * times
    cleaned = redactor(token).clean(text)
    for label in (TOKEN_LABEL, "<part of", "<number>", "<e-mail>", "$RINGBACK_LINES__"):
        cleaned = cleaned.replace(label, "\ufffe")
    assert token not in cleaned
    if not spelling.startswith("Base64"):
        assert spelt not in cleaned
        assert redactor(token).leaked(text)


@pytest.mark.parametrize("before", ["\\", "\\0", "\\x4", "\\u004", "%", "%2", "&", "&#", "&#x", "=", "=4"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_escape_that_begins_before_a_long_token(before: str, spelling: str) -> None:
    """The escape may include the token's first characters; the rest is redacted as a part of the token."""
    token = "007-Tk-88:q/9+Zé=\"x\\y' z"
    spelt = SPELLINGS[spelling](token)
    for cleaned in (redactor(token).clean(before + spelt), redactor(token).clean_secrets(before + spelt)):
        assert spelt[-len(spelt) // 2 :] not in cleaned


@settings(deadline=None, max_examples=200)
@given(
    around,
    around,
    st.sampled_from(sorted(LINES)),
    st.sampled_from(["plain", "JSON, all escapes", "URL", "form", "URL twice"]),
)
def test_no_line_survives(before: str, after: str, name: str, spelling: str) -> None:
    number = LINES[name]
    spelt = SPELLINGS[spelling](number)
    before, after = before.rstrip("0123456789"), after.lstrip("0123456789")
    cleaned = redactor().clean(f"{before} {spelt}|{after}")
    assert not re.search(rf"(?<![0-9]){re.escape(number)}(?![0-9])", cleaned)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('"5550000001"', '"$RINGBACK_LINES__ANSWERED"'),
        ("tel:555-000-0001", "tel:$RINGBACK_LINES__ANSWERED"),
        ("(555) 000 0001", "($RINGBACK_LINES__ANSWERED"),
        ("005550000001x", "00$RINGBACK_LINES__ANSWEREDx"),
        ("+4955500003", "$RINGBACK_LINES__BUSY"),
        ("%2B4955500003", "$RINGBACK_LINES__BUSY"),
        ("\\u002b4955500003", "$RINGBACK_LINES__BUSY"),
        ("4955500003", "<line busy without +>"),
        ('HTTP 200 "200"', 'HTTP $RINGBACK_LINES__ERROR "$RINGBACK_LINES__ERROR"'),
        ("1200, 2001, 20", "1200, 2001, 20"),
        ("call 030 1234 5678 90", "call <number>"),
        ("at 2026-11-23T16:05:59.123456789Z", "at 2026-11-23T16:05:59.123456789Z"),
        ("jane.doe+x@mail.example.co.uk!", "<e-mail>!"),
        ("jane%40example.com jane\\u0040example.com", "<e-mail> <e-mail>"),
    ],
)
def test_numbers_and_addresses(text: str, cleaned: str) -> None:
    assert redactor().clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('{"EndUser": {"Name": "Jane \\"J\\" Doe", "Phone": "5550000001"}, "a": "b"}',
         '{"EndUser": {"Name": "<name>", "Phone": "$RINGBACK_LINES__ANSWERED"}, "a": "b"}'),
        ('{"enduser" : {"name":["Jane",{"Last":"Doe}"}]},"a":"b"}',
         '{"enduser" : {"name":["<name>",{"Last":"<personal>"}]},"a":"b"}'),
        ('"EndUser": {"Name": "Jane Do', '"EndUser": {"Name": "<name>'),
        ('"EndUser": {"Name": "Jane\\', '"EndUser": {"Name": "<name>'),
        (json.dumps('{"EndUser": {"Name": "Jane \\"J\\" Doe\\\\"}, "a": "b"}'),
         '"{\\"EndUser\\": {\\"Name\\": \\"<name>\\"}, \\"a\\": \\"b\\"}"'),
        ("{'EndUser': {'Email': 'jane'}}", "{'EndUser': {'Email': '<email>'}}"),
        ('{"EndUser": "Jane"}', '{"EndUser": "<name>"}'),
    ],
)  # fmt: skip
def test_an_end_user_is_personal(text: str, cleaned: str) -> None:
    assert redactor().clean(text) == cleaned


def test_ids_stay_legible() -> None:
    known = redactor()
    for unique_id in ("12345678901234", "call/1234567890.x"):
        assert known.clean(f'"{unique_id}"') != f'"{unique_id}"' or "/" in unique_id
        known.add_known_id(unique_id)
        assert known.clean(f'"{unique_id}", {unique_id}') == f'"{unique_id}", {unique_id}'


def test_parts_of_a_token() -> None:
    some = Redactor("abcdefgh-ijklmnop-qrstuvwx", {})
    assert some.clean("x ABCDEFGH-IJ y ijklmnop z") == f"x <part of {TOKEN_LABEL}> y <part of {TOKEN_LABEL}> z"
    assert some.clean("cut off: abcde") == f"cut off: <part of {TOKEN_LABEL}>"
    assert some.clean("abc qrstuvw, efgh") == "abc qrstuvw, efgh"


def test_near_misses_have_labels_of_their_own() -> None:
    known = Redactor("secret-token", {})
    known.add_secret("secret-token-and-more", "<appended>")
    known.add_secret("secret-", "<prefix>")
    known.add_secret(" ", "<nothing>")
    text = "secret-token-and-more secret-token secret-x"
    assert known.clean(text) == f"<appended> {TOKEN_LABEL} <prefix>x"
    assert known.leaked(text) == tuple(sorted(["<appended>", TOKEN_LABEL, "<prefix>"]))
    assert known.leaked("nothing") == ()


@pytest.mark.parametrize("text", ["SECRET-TO\u212aEN", "Secret-TOKEN", "\u017fecret-token", "ſecret-toKen İıß"])
def test_case_folding_of_unicode(text: str) -> None:
    assert TOKEN_LABEL in Redactor("secret-token", {}).clean(text)


def test_letters_whose_case_changes_their_number() -> None:
    assert Redactor("straße-İd", {}).clean("STRASSE-İD straße-i\u0307d") == f"{TOKEN_LABEL} {TOKEN_LABEL}"


def test_a_short_token_is_found_as_a_word() -> None:
    assert Redactor("abc", {}).clean('abcd "abc"') == f'abcd "{TOKEN_LABEL}"'


def test_private_use_characters_of_a_deployment_are_no_labels() -> None:
    assert redactor().clean("\U000f0000\U000f0002") == "\ufffd\ufffd"


def test_labels_are_not_redacted_again() -> None:
    assert Redactor("ringback_access_token", {}).clean("a ringback_access_token b") == f"a {TOKEN_LABEL} b"


HOSTILE = [
    "a", "5", "5 ", "555-", "(", "+", "\\", "&amp;", "%25", "\0", "a@", "a@a.", "a.b@c.de ", '"EndUser":{', "\\u00",
    '"EndUser":{"Name":"', '"EndUser":{"Name":"x",', '\\"', "tok-8847", "dG9rLTg4", "İ", "5550000001 ", '"EndUser"  ',
    "EndUser(", "EndUser(Name=", "<EndUser>", "<EndUser ", "name=", "name=a&", "phone=&name=", '"name":"a",',
    "=41", "=\n", "74:", "0x74, ", "\\x41", "&#65;", "\u200b", "é", "QUFB", "AAAA", "\\\\\\", "\\u005c", "%2525",
    "1.2.3.4 ", "deadbeef", "ada tester ", "dABvAGsALQ", "t\0o\0", '"a"@', "ZEdoNQ==",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_is_linear(unit: str) -> None:
    """Quadratic time would be minutes at this size; the limit allows for slow machines."""
    text = '"EndUser":{' + unit * (128 * 1024 // len(unit))
    known = Redactor("tok-8847362910-abcdef", LINES)
    known.add_personal("Ada Tester", "<name>")
    begun = time.process_time()
    known.clean(text)
    known.clean_secrets(text)
    known.leaked(text)
    assert time.process_time() - begun < 15
