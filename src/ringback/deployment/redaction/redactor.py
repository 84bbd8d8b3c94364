"""Replaces secrets and personal data in text by labels.

Secrets are the access token, near misses of it, other registered values and the configured telephone numbers. They are
found in every encoding that `spelling` can decode. `personal` and `end_user` find personal data. `Redactor.clean`
replaces both, in text that a deployment sent. `Redactor.clean_secrets` replaces only secrets, in any text that leaves
the process. Both take linear time and leave their own result unchanged.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ringback.deployment.redaction.end_user import end_users
from ringback.deployment.redaction.personal import DIGITS, EMAIL, NUMBER, LabelledSpan, PersonalValues, emails, numbers
from ringback.deployment.redaction.spelling import FIRST_MARK, Layer, fold, layers

__all__ = ["LONG_TOKEN", "TOKEN_LABEL", "Redactor"]

TOKEN_LABEL = "$RINGBACK_ACCESS_TOKEN"  # noqa: S105 - a label
PART_LABEL = f"<part of {TOKEN_LABEL}>"
_FRAGMENT = 8
"""A part of the token of so many characters is redacted too."""
LONG_TOKEN = 2 * _FRAGMENT
"""Parts are redacted only of tokens of at least so many characters."""
_SHORT_TOKEN = 6
"""Shorter secrets are matched only as whole words, because they occur by chance within others."""
_SHORT_LINE = 7
"""Shorter numbers are matched only as a whole run of digits."""
_TAIL = 4
"""If a text ends with at least so many first characters of the token, they are redacted: it may have been cut."""
_ROUNDS = 4
_MARKS = re.compile("[\U000f0000-\U000ffffd]")
_WORD_BREAK = frozenset(" \t\r\n\"'<>[]{},\\")
_LONGEST_ID = 256
_AS_TEXT = re.compile(r"\+|[^0-9]")


@dataclass(frozen=True, slots=True)
class _Secret:
    """A secret text and the forms in which it is searched for."""

    text: str
    label: str
    spelt: tuple[str, ...]
    """Its forms in a layer."""
    word: re.Pattern[str] | None
    """The pattern for a short secret."""
    is_token: bool


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: its digits, and whether it begins with `+`."""

    digits: str
    plus: bool
    label: str
    bare_label: str
    word: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class _Known:
    """All secrets at one moment; replaced as a whole when one is added."""

    secrets: tuple[_Secret, ...] = ()
    """The longest first."""
    lines: tuple[_Line, ...] = ()
    short_lines: tuple[_Line, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    """The mark of each label: a private-use character, so that no rule matches within a label."""
    protected: re.Pattern[str] | None = None


_CODED = 64 * 1024
"""Characters of an answer in which `leaked` also finds secrets in coded forms."""


class Redactor:
    """Replaces secrets in text. Thread-safe; secrets, ids and personal values may be added while a run goes on."""

    def __init__(self, token: str, lines: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self.version = 0
        """Changes whenever the same text may be cleaned differently, except for new known ids."""
        self._known_ids: set[str] = set()
        self._personal = PersonalValues()
        self._tokens: tuple[str, ...] = ()
        self.longest_secret = 64 * max((len(number) for number in lines.values()), default=0)
        """The largest number of characters that an encoded secret may have."""
        self._fragments = self._large_fragments = _Fragments()
        made = sorted((_line(name, number) for name, number in lines.items()), key=lambda line: -len(line.digits))
        self._known = _Known(
            lines=tuple(line for line in made if line.word is None),
            short_lines=tuple(line for line in made if line.word is not None),
        )
        labels = [
            NUMBER,
            EMAIL,
            "<personal>",
            PART_LABEL,
            *(label for line in made for label in (line.label, line.bare_label)),
        ]
        self._learn((), labels)
        self.add_token(token)

    def add_token(self, token: str) -> None:
        """From now on, replace this access token too, and parts of it."""
        folded = _lower(fold(token))
        if not folded or folded in self._tokens:
            return
        self._tokens = (*self._tokens, folded)
        if len(token) >= LONG_TOKEN:
            self._fragments = self._fragments.with_parts(folded, _FRAGMENT)
            self._large_fragments = self._large_fragments.with_parts(folded, max(_FRAGMENT, len(folded) // 2))
        self.add_secret(token, TOKEN_LABEL)

    def add_secret(self, secret: str, label: str, *, is_token: bool = True) -> None:
        """From now on, replace `secret` in any encoding by `label`.

        `is_token` tells whether it discloses an access token, so that `leaked` reports it.
        """
        if not secret.strip() or any(secret == known.text for known in self._known.secrets):
            return
        self._learn([_secret(secret, label, is_token=is_token)], [label])
        self.version += 1
        self.longest_secret = max(self.longest_secret, 64 * len(secret))

    def _learn(self, secrets: Iterable[_Secret], labels: Iterable[str]) -> None:
        with self._lock:
            known = self._known
            marks = {**known.labels}
            for label in labels:
                marks.setdefault(label, chr(FIRST_MARK + len(marks)))
            texts = sorted(marks, key=len, reverse=True)
            self._known = replace(
                known,
                secrets=tuple(sorted([*known.secrets, *secrets], key=lambda secret: -len(secret.text))),
                labels=marks,
                protected=re.compile("|".join(map(re.escape, texts))),
            )

    def add_known_id(self, unique_id: str) -> None:
        """Leave a UniqueId of the deployment legible, even if it looks like a telephone number."""
        self._known_ids.add(unique_id)

    def add_personal(self, value: str, label: str) -> None:
        """From now on, replace a name or address that a request carried."""
        if self._personal.add(value, label):
            self.version += 1

    def leaked(self, text: str) -> tuple[str, ...]:
        """The labels of the access token, and of near misses of it, in a text; far into it, only as they are spelt."""
        known = self._known
        known = replace(known, secrets=tuple(secret for secret in known.secrets if secret.is_token))
        found = [span for layer in layers(text[:_CODED]) for span in _secrets(known, layer, _lower(layer.text))]
        if len(text) > _CODED:
            rest = Layer(text[_CODED - self.longest_secret :], lambda start, end: (start, end))
            found += _secrets(known, rest, _lower(rest.text))
        return tuple(sorted({label for _, _, label in found}))

    def clean(self, text: str) -> str:
        """The text with labels in place of secrets, lines and personal data."""
        return self._cleaned(text, personal=True)

    def clean_secrets(self, text: str) -> str:
        """The text with labels in place of secrets and lines.

        Lines of fewer than seven digits stay, because a report has many such numbers.
        """
        return self._cleaned(text, personal=False)

    def _cleaned(self, text: str, *, personal: bool) -> str:
        known = self._known
        text = _MARKS.sub("\ufffd", text)
        if known.protected is not None and ("$" in text or "<" in text):
            text = known.protected.sub(lambda match: known.labels[match[0]], text)
        for _ in range(_ROUNDS):
            before, readings = text, list(layers(text))
            text = self._replaced(text, self._secret_spans(known, text, readings, personal=personal))
            if personal:
                if text != before:
                    readings = list(layers(text))
                text = self._replaced(text, self._personal_spans(readings))
            if text == before:
                break
        names = {ord(mark): label for label, mark in self._known.labels.items()}
        return text.translate(names) if _MARKS.search(text) else text

    def _replaced(self, text: str, spans: Iterable[LabelledSpan]) -> str:
        """The text with each span replaced by its label. Of spans that overlap, the first and longest counts."""
        ordered = sorted(spans, key=lambda span: (span[0], -span[1]))
        if not ordered:
            return text
        pieces, done = list[str](), 0
        for start, end, label in ordered:
            if start >= done or not pieces:
                pieces += [text[done:start], self._mark(label)]
            done = max(done, end)
        return "".join([*pieces, text[done:]])

    def _mark(self, label: str) -> str:
        mark = self._known.labels.get(label)
        if mark is None:
            self._learn((), [label])
            mark = self._known.labels[label]
        return mark

    def _secret_spans(self, known: _Known, text: str, readings: list[Layer], *, personal: bool) -> list[LabelledSpan]:
        fragments = self._fragments if personal else self._large_fragments
        spans: list[LabelledSpan] = []
        for layer in readings:
            lowered = _lower(layer.text)
            found = itertools.chain(
                _secrets(known, layer, lowered), _parts(fragments, lowered), _lines(known, layer, short=personal)
            )
            spans += ((*layer.origin(start, end), label) for start, end, label in found)
        if personal:
            spans += self._tail(text)
        return spans

    def _personal_spans(self, readings: list[Layer]) -> list[LabelledSpan]:
        spans: list[LabelledSpan] = []
        seen: set[int] = set()
        for layer in readings:
            found = itertools.chain(
                end_users(layer.text, _source(layer), seen),
                self._personal.spans(_lower(layer.text)),
                emails(layer.text),
                numbers(layer.text, self._is_known_id),
            )
            spans += ((*layer.origin(start, end), label) for start, end, label in found)
        return spans

    def _is_known_id(self, text: str, start: int, end: int) -> bool:
        number = text[start:end]
        first, last = start, end
        while first > 0 and text[first - 1] not in _WORD_BREAK and start - first < _LONGEST_ID:
            first -= 1
        while last < len(text) and text[last] not in _WORD_BREAK and last - end < _LONGEST_ID:
            last += 1
        return number in self._known_ids or text[first:last] in self._known_ids

    def _tail(self, text: str) -> Iterator[LabelledSpan]:
        """Find the beginning of the token at the end of a text that was cut."""
        for token in self._tokens:
            lowered = _lower(text[-len(token) :])
            for length in range(len(token) - 1, _TAIL - 1, -1):
                if lowered.endswith(token[:length]):
                    yield len(text) - length, len(text), PART_LABEL
                    break


# -- what is searched for --------------------------------------------------------------------------------------------


def _secret(text: str, label: str, *, is_token: bool) -> _Secret:
    cases = (text, text.upper(), text.lower(), text.casefold())
    readings = {_lower(layer.text) for cased in cases for layer in layers(cased) if not layer.coded}
    spelt = tuple(sorted(reading for reading in readings if reading.strip()))
    word = None
    if len(text) < _SHORT_TOKEN:
        word = re.compile("|".join(rf"(?<!\w){re.escape(reading)}(?!\w)" for reading in spelt) or r"(?!)")
    return _Secret(text, label, spelt, word, is_token)


def _line(name: str, number: str) -> _Line:
    digits = _AS_TEXT.sub("", fold(number))
    word = re.compile(rf"(?<![0-9]){digits}(?![0-9])") if len(digits) < _SHORT_LINE else None
    label = f"$RINGBACK_LINES__{name.upper()}"
    plus = number.startswith("+")
    return _Line(digits, plus, label, f"<line {name} without +>" if plus else label, word)


@dataclass(frozen=True, slots=True)
class _Fragments:
    """Parts of tokens, by their length: tokens of one length have parts of one length."""

    by_length: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def with_parts(self, token: str, length: int) -> _Fragments:
        """These, and the parts of another token."""
        parts = {token[i : i + length] for i in range(len(token) - length + 1)}
        return _Fragments({**self.by_length, length: self.by_length.get(length, frozenset()) | parts})


def _secrets(known: _Known, layer: Layer, lowered: str) -> Iterator[LabelledSpan]:
    for secret in known.secrets:
        for spelt in secret.spelt:
            if spelt not in lowered:
                continue
            if secret.word is None:
                at = lowered.find(spelt)
                while at >= 0:
                    yield at, at + len(spelt), secret.label
                    at = lowered.find(spelt, at + len(spelt))
            elif layer.sure:
                for match in secret.word.finditer(lowered):
                    yield *match.span(), secret.label


def _parts(fragments: _Fragments, lowered: str) -> Iterator[LabelledSpan]:
    """Find parts of a token that are at least as long as a fragment."""
    for length, of_length in fragments.by_length.items():
        yield from _parts_of_length(of_length, length, lowered)


def _parts_of_length(fragments: frozenset[str], length: int, lowered: str) -> Iterator[LabelledSpan]:
    if not any(fragment in lowered for fragment in fragments):
        return
    start = 0
    while start <= len(lowered) - length:
        end = start + length
        if lowered[start:end] not in fragments:
            start += 1
            continue
        while end < len(lowered) and lowered[end - length + 1 : end + 1] in fragments:
            end += 1
        yield start, end, PART_LABEL
        start = end


def _lines(known: _Known, layer: Layer, *, short: bool) -> Iterator[LabelledSpan]:
    text = layer.text
    if known.lines:
        for run in DIGITS.finditer(text):
            digits = "".join(filter(str.isdigit, run[0]))
            for line in known.lines:
                if line.digits in digits:
                    yield from _line_in(text, run, digits, line)
    if short and layer.sure:
        for line in known.short_lines:
            if line.digits in text and line.word is not None:
                for match in line.word.finditer(text):
                    yield from _labelled(text, line, *match.span())


def _line_in(text: str, run: re.Match[str], digits: str, line: _Line) -> Iterator[LabelledSpan]:
    places = [at for at in range(*run.span()) if text[at].isdigit()]
    at = digits.find(line.digits)
    while at >= 0:
        yield from _labelled(text, line, places[at], places[at + len(line.digits) - 1] + 1)
        at = digits.find(line.digits, at + len(line.digits))


def _labelled(text: str, line: _Line, start: int, end: int) -> Iterator[LabelledSpan]:
    if line.plus and start and text[start - 1] == "+":
        yield start - 1, end, line.label
    else:
        yield start, end, line.bare_label


def _source(layer: Layer) -> Callable[[int], int]:
    return lambda at: layer.origin(at, at + 1)[0]


def _lower(text: str) -> str:
    """Lower case, character by character, so that positions agree; `+`, as in forms, becomes a blank."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return lowered.replace("+", " ")
