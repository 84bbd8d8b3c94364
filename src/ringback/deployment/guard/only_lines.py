"""Checks text that servers may read in different ways: it may contain no numbers but lines, so any reading is harmless.

A body that is not one clean JSON text has no certain structure. Its text is checked as it is, without decoding:

- Each digit must belong to a line, written in full and in ASCII. Whatever could hide other digits is refused: base64,
  other character encodings, named entities (other escapes contain digits themselves).
- Two lines may occur only where every reader must separate them: each as the text of a member `Value` or `Phone` in
  text that begins like JSON, or as a field of a form.
- Addresses that could be dialled are refused: `sip:`, `tel:`, and `@` unless a host reserved for examples follows.

The only exception are the flat text members at the beginning of a trigger if they have the configured values, as in
every valid trigger.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from ringback.deployment.guard.folding import has_look_alikes, letters
from ringback.deployment.guard.names import mentions_a_number
from ringback.deployment.guard.refusal import StrangerRefused, Where

__all__ = ["OnlyLines"]

_ODD = 2
"""Bytes of NUL or invalid UTF-8 that a body may contain: three could write 112 in another encoding."""
_RUN = re.compile(r"\+?[0-9]+")
_BEFORE, _AFTER = frozenset("\"'=>:,[({ \t\r\n"), frozenset("\"'<&:,])}; \t\r\n")
"""Characters that may be next to a line."""
_BEFORE_PLUS, _BEFORE_ZERO = frozenset('"'), frozenset('"=>')
"""Characters after which a plus sign is not read as a blank, and a zero does not begin an octal number."""
_ADDRESS = re.compile(
    r"(?:sips?|tel|callto|h323|im|xmpp|wtai|skype|facetime)\s*:|@(?!example\.(?:com|org|net)(?![\w.-]))", re.IGNORECASE
)
_HIDING = re.compile(
    r"base64|quoted-printable|transfer-encoding|<!(?:doctype|entity)|&#?\w+;|\\(?:\r?\n|[uUxX])", re.IGNORECASE
)
_WORD = re.compile(r"[A-Za-z/_-]{4,}")
_PART = re.compile(r"[A-Za-z]{4,}")
_NUMBER = re.compile(rb"[0-9][ ().-]?[0-9]")
_FORM_TOKEN = re.compile(r"(?<![^&])AccessToken=([^&]*)(?![^&])")
_FLAT = re.compile(
    r"\s*\{(?:\s*\"(?:Project|ConversationId|AccessToken|ScenarioPath|OrchestratorUrl|Tenant|Locale)\"\s*:"
    r"\s*\"(?:[^\"\\{}\[\]]|\\.)*+\"\s*,)+"
)
"""The text members at the beginning of a trigger."""
_CONFIGURED = re.compile(r"(\"(?:Project|AccessToken|ScenarioPath|Tenant)\"\s*:\s*)\"((?:[^\"\\]|\\.)*+)\"")
_ENTRY = re.compile(r"\{\s*\"Name\"\s*:\s*\"_Destination\"\s*(?:\}|,\s*\"Value\"\s*:\s*[^\s{\[])")
"""An entry for the destination whose value is a text or absent."""
_JSON_VALUE = re.compile(r"\"(?:Value|Phone)\"\s*:\s*\"\Z"), re.compile(r"\"\s*(?:[,}\]]|\Z)")
_FORM_FIELD = re.compile(r"=\Z"), re.compile(r"&|\Z")
"""What precedes and follows each of several lines, so that no reader joins two of them."""
_BESIDE = 64
"""Characters before a line that are compared."""


class OnlyLines:
    """Checks such text. `configured` are texts that the flat members of a trigger may have, even with digits."""

    def __init__(self, lines: Iterable[str], configured: Iterable[str]) -> None:
        self._lines = frozenset(lines)
        configured = [text for text in configured if any(map(str.isalpha, text))]  # digits alone might be a number
        self._in_json = {json.dumps(text, ensure_ascii=form)[1:-1] for text in configured for form in (True, False)}
        self._in_forms = {quote(text, safe="") for text in configured}

    def check_bytes(self, body: bytes, where: Where) -> None:
        """Check a body; raises `StrangerRefused`."""
        text = body.decode("utf-8", "replace").removeprefix("\ufeff")
        if text.count("\0") + text.count("\ufffd") > _ODD:
            raise StrangerRefused("an encoding other than UTF-8", where)
        self.check(text, where)

    def check(self, text: str, where: Where) -> None:
        """Check text; raises `StrangerRefused`."""
        text = self._without_configured(text)
        if has_look_alikes(text):
            raise StrangerRefused("characters that may be read as digits or marks", where)
        if _ADDRESS.search(text):
            raise StrangerRefused("an address that may be dialled", where)
        if _HIDING.search(text) or any(map(_is_base64_of_a_number, _words(text))):
            raise StrangerRefused("an encoding that may hide a number", where)
        if "+" in _RUN.sub("", text):
            raise StrangerRefused("a plus sign that is not part of a line", where)
        runs = list(_RUN.finditer(text))
        for run in runs:
            self._check_run(run, where)
        if len(runs) > 1 and not any(_are_apart(runs, *sides) for sides in _family(text)):
            raise StrangerRefused("two lines that may be read as one number", where)

    def _check_run(self, run: re.Match[str], where: Where) -> None:
        number, text = run[0], run.string
        before, after = text[max(0, run.start() - 1) : run.start()], text[run.end() : run.end() + 1]
        if number not in self._lines:
            raise StrangerRefused("digits that are not a configured line", where)
        if (before and before not in _BEFORE) or (after and after not in _AFTER):
            raise StrangerRefused("digits joined to something else", where)
        if number[0] == "+" and (before not in _BEFORE_PLUS or "&" in text or "=" in text):
            raise StrangerRefused("a plus sign that may be read as a blank", where)
        if number[0] == "0" and before not in _BEFORE_ZERO:
            raise StrangerRefused("a line that may be read as an octal number", where)

    def _without_configured(self, text: str) -> str:
        """The text without the configured texts that every valid trigger has at its beginning."""
        if '"' not in text and "<" not in text:
            return _FORM_TOKEN.sub(lambda found: "" if found[1] in self._in_forms else found[0], text)
        flat = _FLAT.match(text)
        if flat is None or mentions_a_number(flat[0]) or not _has_plain_destinations(text):
            return text  # a destination outside such an entry might take its value from elsewhere
        return _CONFIGURED.sub(self._emptied, flat[0]) + text[flat.end() :]

    def _emptied(self, member: re.Match[str]) -> str:
        return f'{member[1]}""' if member[2] in self._in_json else member[0]


def _has_plain_destinations(text: str) -> bool:
    return letters(text).count("destinat") == len(_ENTRY.findall(text))


def _family(text: str) -> Iterator[tuple[re.Pattern[str], re.Pattern[str]]]:
    """The patterns around each of several lines in a text of this form; none if readers may differ on the form."""
    marks = {mark for mark in "\"'`<=&" if mark in text}
    if marks == {'"'} and text.lstrip()[:1] in {"{", "["} and _has_plain_destinations(text):
        yield _JSON_VALUE
    elif marks == {"=", "&"} and not any(map(str.isspace, text)):
        yield _FORM_FIELD


def _are_apart(runs: list[re.Match[str]], before: re.Pattern[str], after: re.Pattern[str]) -> bool:
    return all(
        before.search(run.string[max(0, run.start() - _BESIDE) : run.start()]) and after.match(run.string, run.end())
        for run in runs
    )


def _words(text: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        yield word
        if not word.isalpha():
            yield from _PART.findall(word)


def _is_base64_of_a_number(word: str) -> bool:
    coded = word.replace("/", "_")
    raw = base64.urlsafe_b64decode(coded + "A" * (-len(coded) % 4))[: len(coded) * 6 // 8]
    plain = raw.translate(None, b"\0\t\r\n")
    return bool(_NUMBER.search(plain)) and plain.isascii() and plain.decode().isprintable()
