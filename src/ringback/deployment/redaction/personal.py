"""Finds personal data in text that a deployment sent: telephone numbers, e-mail addresses, known values.

Each function yields spans of the text with their labels. UUIDs, dates and times, IP addresses and hexadecimal ids stay
legible, because evidence needs them. `spelling` decodes the text first; `end_user` finds the contents of an EndUser.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator

from ringback.deployment.redaction.spelling import fold

__all__ = ["DIGITS", "EMAIL", "NUMBER", "LabelledSpan", "PersonalValues", "emails", "numbers"]

LabelledSpan = tuple[int, int, str]
"""Start and end in the text, and the label."""

NUMBER, EMAIL = "<number>", "<e-mail>"
_GAP = r"[ \t()./_\-]{0,3}+"
DIGITS = re.compile(rf"[0-9](?:{_GAP}[0-9]){{6,}}+")
"""Seven digits or more that may be one number."""

_NUMBER = re.compile(rf"(?<![0-9])\+?[0-9](?:{_GAP}[0-9]){{8,14}}(?![0-9])")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_LEGIBLE = re.compile(
    r"(?<![0-9a-z])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{16,}+)(?![0-9a-z])"
    r"|(?<![0-9])(?=[0-9]{1,4}[-/.:])(?:"
    r"(?:19|20)[0-9]{2}(?P<sep>[-/.])(?:0[1-9]|1[0-2])(?P=sep)(?:0[1-9]|[12][0-9]|3[01])(?![0-9])"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?(?![0-9]))?"
    r"|[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?![0-9])"
    rf"|(?<!\.)(?:(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9]|\.[0-9])|(?:0\.[0-9]+|[0-9]{{1,3}}\.[0-9]{{11,}})(?![0-9.])))",
    re.IGNORECASE,
)
"""Digits that are not telephone numbers: UUIDs, hexadecimal ids, dates and times, IP addresses, fractions."""
_EPOCH = re.compile(r"(?:1[5-9]|2[01])[0-9]{8}(?:[0-9]{3})?")
_TIME_BEFORE = re.compile(
    r"(?:time|stamp|date|expires|epoch|iat|exp|nbf)[a-z_-]{0,12}\\*[\"']?\s*[:=]\s*$", re.IGNORECASE
)
_KEY_LENGTH = 40
_NO_NUMBER = "\ue000"
_EMAIL = re.compile(
    r"(?:\"[^\"\n@]{1,64}\"|(?<![\w.+!#$~-])(?<!\\(?=[nrtbfv]))[\w.+!#$~-]++)@"
    r"(?:\[[\w.:]{2,45}\]|(?=[\w.-]{0,253}[^\W\d_]|\d{1,3}(?:\.\d{1,3}){3})[\w-]{1,63}(?:\.[\w-]{1,63}){0,8})"
)
_WORD = re.compile(r"[^\W_]+")
_NO_WORD = 3
"""Characters that may separate the words of a known value."""
_END = 3
"""A value is looked up by so many letters at the end of its first word."""
_MOST_VALUES = 4096
_MOST_ALIKE = 64
_SHORTEST = 5
"""The shortest known value of one word, in letters; shorter ones are common words."""


def numbers(text: str, is_known: Callable[[str, int, int], bool]) -> Iterator[LabelledSpan]:
    """Find telephone numbers. `is_known` is true for spans that are ids of the deployment."""
    if not _NUMBER.search(text):
        return
    plain = _LEGIBLE.sub(lambda match: _NO_NUMBER * len(match[0]), text)
    for match in _NUMBER.finditer(plain):
        start, end = match.span()
        since_1970 = _EPOCH.fullmatch(match[0]) and _TIME_BEFORE.search(text[max(0, start - _KEY_LENGTH) : start])
        if not since_1970 and not is_known(text, start, end):
            yield start, end, NUMBER


def emails(text: str) -> Iterator[LabelledSpan]:
    """Find e-mail addresses, also with a quoted name, a host without a domain, or an address literal."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield *match.span(), EMAIL


class PersonalValues:
    """Finds names and addresses of requests where answers repeat them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {}
        """The words and the label of each value, by the end of its first word; the longest first."""
        self._count = 0

    def add(self, value: str, label: str) -> bool:
        """Add a value, unless it is too short; returns whether it is new."""
        words = tuple(_WORD.findall(fold(value).lower()))
        if not words or (len(words) == 1 and len(words[0]) < _SHORTEST):
            return False
        with self._lock:
            alike = self._known.get(words[0][-_END:], ())
            full = self._count >= _MOST_VALUES or len(alike) >= _MOST_ALIKE
            if full or any(words == known for known, _ in alike):
                return False
            self._known[words[0][-_END:]] = tuple(sorted([*alike, (words, label)], key=lambda entry: -len(entry[0])))
            self._count += 1
        return True

    def spans(self, lowered: str) -> Iterator[LabelledSpan]:
        """Find known values in a text in lower case, even if other letters adjoin their first or last word."""
        known = self._known
        if not known or (len(known) < _MOST_ALIKE and not any(end in lowered for end in list(known))):
            return
        words = list(_WORD.finditer(lowered))
        for at, first in enumerate(words):
            for value, label in known.get(first[0][-_END:], ()):
                found = words[at : at + len(value)]
                if _are(found, value):
                    yield first.end() - len(value[0]), found[-1].start() + len(value[-1]), label
                    break


def _are(found: list[re.Match[str]], value: tuple[str, ...]) -> bool:
    """Whether words of a text are those of a value, and close to one another."""
    if len(found) < len(value):
        return False
    if len(value) == 1:
        return found[0][0] == value[0]
    return (
        found[0][0].endswith(value[0])
        and found[-1][0].startswith(value[-1])
        and all(word[0] == known for word, known in zip(found[1:-1], value[1:-1], strict=True))
        and all(right.start() - left.end() <= _NO_WORD for left, right in itertools.pairwise(found))
    )
