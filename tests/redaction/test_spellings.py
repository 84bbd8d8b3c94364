"""Each secret in each encoding and context: the detector finds it, and finds nothing after redaction."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ringback.deployment.redaction import Redactor

from .detector import find_secrets
from .spellings import (
    CODINGS,
    DIGITS,
    EMAIL,
    ESCAPES,
    INVISIBLE,
    LINE,
    LINES,
    NAME,
    PERSONAL,
    PLUS_LINE,
    SPELLINGS,
    STRANGER,
    TOKEN,
    b64,
)  # fmt: skip

CONTEXTS = {
    "alone": "{}",
    "JSON": '{{"a": "{}", "b": 1}}',
    "JSON in JSON": '{{"a": "{{\\"b\\": \\"{}\\"}}"}}',
    "cut-off JSON": '{{"a": "{}',
    "HTML": "<p title='x'>{}</p>",
    "XML": "<a><b>{}</b></a>",
    "form": "a=1&b={}&c=2",
    "SQL": "SELECT '{}' FROM calls",
    "prose": "It was {}, and nothing else: try again.",
    "glued": "X{}",
    "after an escape": "\\n{}",
    "header": "Bearer {}",
    "path": "/v2/call/{}/x",
    "bytes": "bytearray(b'HTTP/1.1 4x0 {}')",
}
SECRETS = {"token": TOKEN, "line": LINE, "line with +": PLUS_LINE, "stranger": STRANGER, "name": NAME, "e-mail": EMAIL}


def redactor() -> Redactor:
    made = Redactor(TOKEN, LINES)
    made.add_personal(NAME, "<name>")
    return made


def raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("spelling", [*SPELLINGS, *DIGITS])
def test_nothing_is_left(secret: str, spelling: str) -> None:
    text = SECRETS[secret]
    if spelling in DIGITS and not text.lstrip("+").isdigit():
        return
    spelt = {**SPELLINGS, **DIGITS}[spelling](text)
    some = redactor()
    for name, context in CONTEXTS.items():
        full = context.format(spelt)
        assert find_secrets(raw(full), text), f"the detector does not find it: {name}"
        cleaned = some.clean(full)
        assert not find_secrets(raw(cleaned), TOKEN, [LINE, PLUS_LINE], PERSONAL), (name, cleaned)
        assert some.clean(cleaned) == cleaned
        if text not in PERSONAL:
            cleaned = some.clean_secrets(full)
            assert not find_secrets(raw(cleaned), TOKEN, [LINE, PLUS_LINE]), (name, cleaned)
            assert some.clean_secrets(cleaned) == cleaned
        if text == TOKEN and spelling != "upper case":
            assert some.leaked(full)


@pytest.mark.parametrize("end", ["\r\n", "\n", "\\n", "\\r\\n", "=\r\n", "\n\t"])
@pytest.mark.parametrize("before", range(60))
def test_wrapped_base64_wherever_the_break_falls(before: int, end: str) -> None:
    coded = b64(b"x" * before + TOKEN.encode() + b"y" * 40)
    text = end.join(coded[at : at + 76] for at in range(0, len(coded), 76))
    for cleaned in (redactor().clean(text), redactor().clean_secrets(text)):
        assert not find_secrets(raw(cleaned), TOKEN)


around = st.text(st.characters(exclude_categories=("Cs", "Co", "Cn")), max_size=30)
escapes = st.sampled_from(sorted({*ESCAPES, *INVISIBLE} - {"upper case", "lower case"}))
codings = st.sampled_from(sorted({*CODINGS} - {"URL of quoted-printable"}))  # that one is two nested encodings
nested = (
    st.tuples(escapes, codings, codings) | st.tuples(codings, codings, escapes) | st.tuples(codings, escapes, codings)
)


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(around, around, st.sampled_from(sorted(SECRETS)), nested)
@example("", "", "token", ("hexadecimal", "Base64", "HTML"))
def test_three_encodings_within_one_another(before: str, after: str, secret: str, spellings: tuple[str, ...]) -> None:
    spelt = SECRETS[secret]
    for spelling in spellings:
        spelt = SPELLINGS[spelling](spelt)
    # The text around must not continue the last encoding: otherwise it could not be decoded.
    text = f"{before} {spelt} {after}"
    cleaned = redactor().clean(text)
    assert not find_secrets(raw(cleaned), SECRETS[secret]), cleaned
    assert redactor().clean(cleaned) == cleaned


@settings(deadline=None, max_examples=400)
@given(around, around, st.sampled_from(sorted(SECRETS)), st.sampled_from(sorted(SPELLINGS)))
def test_any_text_around(before: str, after: str, secret: str, spelling: str) -> None:
    assume(not before.endswith(("\\", "%", "=", "&")))
    if SECRETS[secret] in {LINE, PLUS_LINE, STRANGER, NAME, EMAIL}:
        before, after = f"{before} ", f" {after}"
    text = before + SPELLINGS[spelling](SECRETS[secret]) + after
    cleaned = redactor().clean(text)
    assert not find_secrets(raw(cleaned), SECRETS[secret]), cleaned
    assert redactor().clean(cleaned) == cleaned


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from([*SECRETS.values(), *"\\%=&+ \"'{}[]<>:;,.-/()@_u0xn\n", "EndUser", "Name", "&#", "%2", "dG9"]),
        max_size=25,
    )
)
def test_cleaning_twice_is_the_same_as_once(pieces: list[str]) -> None:
    some = redactor()
    for clean in (some.clean, some.clean_secrets):
        once = clean("".join(pieces))
        assert clean(once) == once


def test_near_misses_in_other_spellings() -> None:
    some = redactor()
    wrong = TOKEN[:-1] + "x"
    some.add_secret(wrong, "<the access token with another last character>")
    for spelling, spell in SPELLINGS.items():
        cleaned = some.clean_secrets(f'{{"a": "{spell(wrong)}"}}')
        assert not find_secrets(raw(cleaned), wrong), spelling


def test_labels_stay_as_they_are() -> None:
    some = redactor()
    text = "$RINGBACK_ACCESS_TOKEN $RINGBACK_LINES__ANSWERED <line busy without +> <number> <e-mail> <name> <email>"
    assert some.clean(text) == text
    assert some.clean_secrets(text) == text


def test_short_lines_and_tokens_are_whole_runs_and_words() -> None:
    some = Redactor("abc", {"error": "101"})
    assert some.clean("101 1010 x101 1.101 abcd abc") == (
        "$RINGBACK_LINES__ERROR 1010 x$RINGBACK_LINES__ERROR 1.$RINGBACK_LINES__ERROR abcd $RINGBACK_ACCESS_TOKEN"
    )
    assert "$RINGBACK_LINES__ERROR" in some.clean(b64(b"please call 101 now"))
    assert some.clean_secrets('{"count": 101, "x": "abc"}') == '{"count": 101, "x": "$RINGBACK_ACCESS_TOKEN"}'
