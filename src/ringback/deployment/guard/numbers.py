"""Judging digits: which runs of them are configured lines, and which texts hold digits that are no number to dial."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from urllib.parse import quote, urlsplit

from ringback.deployment.guard.folding import HIDDEN, decimals, fold, has_foreign_digits, letters
from ringback.deployment.guard.names import Role, mentions_a_number, study
from ringback.deployment.guard.refusal import StrangerRefused, Where
from ringback.deployment.guard.views import readings, unescaped, utf7_pieces

__all__ = ["Numbers", "Numeral"]

_PHONE_LIKE = 7
"""Digits from which on a run in ordinary text is taken for a telephone number."""
_INERT = re.compile(r"[A-Za-z \t\r\n.,:;/@_'!?()-]*")
"""Text with no digit in it and nothing that could be an escape."""
_GAP = r"\s\x01.,()/_+*#~'\-\[\]\\·•"
_SPACED_RUN = re.compile(rf"(?:\+[{_GAP}]{{0,8}})?[0-9](?:[{_GAP}]*[0-9])*")
_SPACING = re.compile(r"[\s.()/-]+")
_RUN = re.compile(rf"(?:\+[{_GAP}]{{0,8}})?[0-9]+(?:\x01+[0-9]+)*")
_GUESSED_RUN = re.compile(r"(?:\+[ ().\x00/-]{0,8})?[0-9](?:[ ().\x00/-]*[0-9])*")
_AUTHORITY = re.compile(r"^[a-z]+://[^/?#]*")
_DIGITS_IN_PATH = re.compile(r"[0-9](?:[\x01._~()+-]*[0-9]){2}")
_TELLING = re.compile(r"[0-9\x01\\%&]")
_SHORTEST_NUMBER = 3
_NEXT_ELEMENT = re.compile(r"""(?<!\\)["'][\s\]}]*,[\s\[{]*["']""")
_LETTER = re.compile(r"[^\W\d_]")
_BOUNDARY = re.compile(r"""(?<!\\)["'&<>]|(?<![\\=])\r?\n""")
_JOINS = frozenset("_*#")
_LOOSE_PLUS = re.compile(r"""\+[^\w"']{1,11}\Z""")
"""A plus sign that a reader which drops punctuation takes for a part of what follows."""
_OPENS_PLUS = frozenset("\"'>")
"""What stands before a plus sign that is part of a text; elsewhere it may be a blank, or the sign of a number."""
_OPENS_ZERO = frozenset("\"'=>+")
_WORD = re.compile(r"[^\W\d_]+(?:[_-]+[^\W\d_]+)*")
_HARMLESS_MEMBERS = frozenset(
    {"project", "tenant", "conversationid", "accesstoken", "scenariopath", "orchestratorurl", "locale"}
    | {"resultdestination"}
)
"""Members that hold configured texts; as the value of any other, such a text might be dialled."""
_LOOK_BACK = 96
"""Characters in which the name before a value is looked for."""
_ENTRY = 512
"""Characters on either side of a value that may belong to its entry."""
_ENTRY_ENDS = re.compile(r"[{}&]")
_PLACEHOLDER = "|"
_REMEMBERED_TEXTS = 4096
_REMEMBERED_LENGTH = 512
"""Characters of a text that may be remembered as harmless: requests repeat most of theirs."""


class Numeral(str):
    """A JSON number as it was written."""

    __slots__ = ()


class Numbers:
    """The numbers that may be dialled, the caller id, and configured texts whose digits mean something else."""

    def __init__(self, lines: Iterable[str], display_number: str, harmless: Iterable[str]) -> None:
        self.lines = frozenset(lines)
        self.callers = self.lines | {display_number}
        self._display_runs = frozenset(match[0] for match in _RUN.finditer(fold(display_number))) - self.lines
        self.harmless = frozenset(harmless)
        self._with_plus = [text for text in (*self.lines, *self.harmless) if "+" in text]
        self._forms = _forms(self.harmless)
        self._replaced = re.compile("|".join(map(_whole, self._forms))) if self._forms else None
        self._judge_once = lru_cache(maxsize=_REMEMBERED_TEXTS)(self._judge)

    def check_text(self, text: str, where: Where) -> None:
        """Ordinary text: each phone-like run is a line; if it speaks of telephones, each digit belongs to a line.

        Raises `StrangerRefused`.
        """
        judge = self._judge_once if len(text) <= _REMEMBERED_LENGTH else self._judge
        try:
            judge(text)
        except StrangerRefused as refused:
            raise StrangerRefused(refused.found, where) from None

    def check_strictly(self, text: str, where: Where) -> None:
        """Text in which any digit at all might be dialled: each run of them is a line. Raises `StrangerRefused`."""
        if _INERT.fullmatch(text):
            return
        for view in unescaped(text):
            self._check_all_digits(view, self._without_harmless(fold(view), anywhere=False), where)

    def check_path(self, text: str, where: Where) -> None:
        """A URL's path, in which no run of digits is long enough for a number. Raises `StrangerRefused`."""
        for view in unescaped(text):
            rest = self._without_harmless(fold(view), anywhere=True)
            path = rest.partition(_PLACEHOLDER)[2] if rest.startswith(_PLACEHOLDER) else _AUTHORITY.sub("", rest)
            if _DIGITS_IN_PATH.search(path):
                raise StrangerRefused("digits that might be a number", where)

    def check_bytes(self, body: bytes, where: Where) -> None:
        """Bytes that may be read in more than one way: strict in each of them. Raises `StrangerRefused`."""
        for reading in readings(body):
            # A reading that few servers would try counts in full once it makes sense in it.
            if reading.likely or any(mentions_a_number(view) for view in unescaped(reading.text)):
                self.check_strictly(reading.text, where)
                self.check_utf7(reading.text, where)
            else:
                self._check_guess(reading.text, where)

    def check_utf7(self, text: str, where: Where) -> None:
        """Text that UTF-7 may read otherwise: no digit, letter or escape comes to light. Raises `StrangerRefused`."""
        if "+" not in text:
            return
        for configured in self._with_plus:
            text = text.replace(configured, _PLACEHOLDER)
        for piece in utf7_pieces(text):
            if letters(piece) or _TELLING.search(fold(piece)):
                raise StrangerRefused("letters or digits in UTF-7", where)

    def check_numeral(self, numeral: Numeral, where: Where) -> None:
        """A JSON number in a place of no special meaning. Raises `StrangerRefused`."""
        if numeral in self.lines:
            return
        digits = sum(map(str.isdigit, numeral))
        if digits >= _PHONE_LIKE or ("e" in numeral.lower() and abs(Decimal(numeral).adjusted()) >= _PHONE_LIKE - 1):
            raise StrangerRefused("a number that is no configured line", where)

    def _judge(self, text: str) -> None:
        if _INERT.fullmatch(text) or text in self.harmless:
            return
        for view in unescaped(text):
            rest = self._without_harmless(fold(view), anywhere=True)
            if mentions_a_number(rest):
                self._check_all_digits(view, rest, "text")
            else:
                self._check_spaced_runs(rest, "text")

    def _check_spaced_runs(self, text: str, where: Where) -> None:
        for match in _SPACED_RUN.finditer(text):
            run = _SPACING.sub("", match[0])
            if sum(map(str.isdigit, run)) >= _PHONE_LIKE and run not in self.callers:
                raise StrangerRefused("a number that is no configured line", where)

    def _check_all_digits(self, view: str, text: str, where: Where) -> None:
        """A view of a text, as it is and folded, in which each run of digits must be a line."""
        if has_foreign_digits(view):
            raise StrangerRefused("digits of another script", where)
        end = 0
        for match in _RUN.finditer(text):
            run, start = match[0], match.start()
            before, after = text[start - 1 : start], text[match.end() : match.end() + 1]
            if run[0] != "+" and f"+{run}" not in self.lines and _LOOSE_PLUS.search(text, max(0, start - 12), start):
                raise StrangerRefused("a plus sign that may belong to a line's digits", where)
            if run[0] == "+" and before and before not in _OPENS_PLUS and run[1:] not in self.lines:
                raise StrangerRefused("a plus sign that may be read as a blank", where)
            if HIDDEN in {before, after} or HIDDEN in run:
                raise StrangerRefused("digits beside characters that can't be seen", where)
            if before.isalpha() or after.isalpha() or before in _JOINS or after in _JOINS or before == ".":
                raise StrangerRefused("digits joined to something else", where)
            if run in self.lines:
                if run[0] == "0" and before not in _OPENS_ZERO:
                    raise StrangerRefused("a line that may be read as an octal number", where)
            elif not (run in self._display_runs and _belongs_to_caller(text, start, match.end())):
                raise StrangerRefused("digits that are no configured line", where)
            if end and not _are_apart(text[end:start]):
                raise StrangerRefused("two lines that may be read as one number", where)
            end = match.end()

    def _check_guess(self, text: str, where: Where) -> None:
        if text.isascii():
            return
        found = decimals(text)
        for match in _GUESSED_RUN.finditer(found):
            run = "".join(char for char in match[0] if char == "+" or char.isdigit())
            foreign = not text[match.start() : match.end()].isascii()
            if foreign and len(run) >= _SHORTEST_NUMBER and run not in self.lines:
                raise StrangerRefused("digits in another encoding", where)

    def _without_harmless(self, text: str, *, anywhere: bool) -> str:
        if self._replaced is None or not any(form in text for form in self._forms):
            return text
        return self._replaced.sub(_PLACEHOLDER if anywhere else _if_in_its_place, text)


def _are_apart(gap: str) -> bool:
    """Whether what stands between two numbers keeps everybody from reading them as one."""
    return bool((_LETTER.search(gap) and _BOUNDARY.search(gap)) or _NEXT_ELEMENT.search(gap))


def _if_in_its_place(match: re.Match[str]) -> str:
    words = _WORD.findall(match.string, max(0, match.start() - _LOOK_BACK), match.start())
    return _PLACEHOLDER if words and letters(words[-1]) in _HARMLESS_MEMBERS else match[0]


def _belongs_to_caller(text: str, start: int, end: int) -> bool:
    """Whether the entry in which a run stands says that it is the caller id, and nothing of a destination."""
    entry = _ENTRY_ENDS.split(text[max(0, start - _ENTRY) : start])[-1]
    rest = _ENTRY_ENDS.split(text[end : end + _ENTRY])[0]
    roles = [study(word).role for word in _WORD.findall(entry)]
    named = [role for role in roles if role in {Role.CALLER, Role.DESTINATION, Role.NUMBER}]
    return named == [Role.CALLER] and not mentions_a_number(rest)


def _forms(harmless: Iterable[str]) -> tuple[str, ...]:
    """Configured texts in each form in which they may appear, the longest first.

    What has no digits needs no leave, and digits alone get none: they might as well be a number.
    """
    wholes = set(harmless)
    for text in harmless:
        if text.startswith(("http://", "https://")):
            parts = urlsplit(text)
            wholes |= {f"://{parts.netloc}", f"://{parts.hostname}"}
    forms: set[str] = set()
    for whole in wholes:
        forms |= {whole, json.dumps(whole)[1:-1], quote(whole, safe=""), html.escape(whole), *unescaped(whole)}
    usable = {
        form
        for form in map(fold, forms)
        if any(map(str.isdigit, form)) and ("://" in form or any(map(str.isalpha, form)))
    }
    return tuple(sorted(usable, key=len, reverse=True))


def _whole(form: str) -> str:
    """A form is replaced where it stands by itself, not where letters or digits go on."""
    before = r"(?<![^\W_])" if form[0].isalnum() else ""
    after = r"(?![^\W_])" if form[-1].isalnum() else ""
    return f"{before}{re.escape(form)}{after}"
