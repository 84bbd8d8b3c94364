"""Redaction: what may never be written down is replaced here, before evidence is recorded.

Secrets are the access token (and the near misses made from it), the configured telephone numbers, and personal data
in what a deployment sends. `Redactor.clean` is the only way from a deployment's bytes to an artifact. It takes linear
time, whatever the text. How a secret may be spelt is `spelling`'s matter.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping

from ringback.deployment.spelling import any_spelling, base64_forms

__all__ = ["LONG_TOKEN", "TOKEN_LABEL", "Redactor"]

TOKEN_LABEL = "$RINGBACK_ACCESS_TOKEN"  # noqa: S105 - what stands in for the token
_FRAGMENT = 8
"""A token's fragment of this many characters gives too much of it away, and is redacted too."""
LONG_TOKEN = 2 * _FRAGMENT
"""Characters from which on parts of a token are found too."""
_SHORT_TOKEN = 6
"""Shorter secrets are matched as a whole word only, or every other letter of an artifact would be one."""
_SHORT_LINE = 7
"""Shorter numbers are matched as a whole run of digits only."""
_TAIL = 4
"""Characters of a token that a text which was cut off may end with, before they are redacted."""
_FIRST_LABEL = 0xF0000
_LABELS = re.compile("[\U000f0000-\U000ffffd]")
_AT = r"(?:@|%40|\\{1,8}u0040|&#0?64;|&#x40;|&commat;)"
_EMAIL = re.compile(
    rf"(?<![\w.+-])[\w.+-]++{_AT}(?:[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,8}}|\[[\w.:]{{2,45}}\])", re.IGNORECASE
)
_END_USER = re.compile(r"""(\\{0,8}["'])EndUser\1\s{0,64}:\s{0,64}(?=\{)""", re.IGNORECASE)
_NAME_FOLLOWS = re.compile(r"\s{0,64}:")
_PHONE_LIKE = re.compile(r"(?<![\w.:+-])\+?\d(?:[ ().-]{0,2}\d){8,14}(?![\w:-]|\.\d)")
_PERSONAL = frozenset({"name", "phone", "email"})
_WORD_BREAK = frozenset(" \t\r\n\"'<>[]{},\\")
_LONGEST_ID = 256


class Redactor:
    """Replaces secrets in text. Thread-safe; secrets and known ids may be added while a run goes on."""

    def __init__(self, token: str, lines: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._secrets: list[tuple[str, str, str]] = []
        """Pattern, secret and label of each."""
        self._pattern: re.Pattern[str] | None = None
        self._order: list[str] = []
        self._known_ids: set[str] = set()
        self._token = token
        self._fragments: frozenset[str] = frozenset()
        self._labels = {"<number>": chr(_FIRST_LABEL), "<e-mail>": chr(_FIRST_LABEL + 1)}
        self.longest_secret = 0
        """Characters that the longest spelling of a secret may take."""
        self.add_secret(token, TOKEN_LABEL)
        if len(token) >= LONG_TOKEN:
            lowered = _lower(token)
            self._fragments = frozenset(lowered[i : i + _FRAGMENT] for i in range(len(lowered) - _FRAGMENT + 1))
        self._lines = [(_line(number), f"$RINGBACK_LINES__{name.upper()}") for name, number in lines.items()]
        self._lines += [
            (_line(number[1:]), f"<line {name} without +>") for name, number in lines.items() if number[0] == "+"
        ]

    def add_secret(self, secret: str, label: str) -> None:
        """Never let `secret` be written down again, in any of its usual encodings: `label` stands in for it."""
        if not secret.strip():
            return
        pattern = any_spelling(secret)
        if len(secret) < _SHORT_TOKEN:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        else:
            pattern = "|".join([pattern, *base64_forms(secret)])
        with self._lock:
            if any(secret == known for _, known, _ in self._secrets):
                return
            self._secrets.append((pattern, secret, label))
            self._secrets.sort(key=lambda entry: len(entry[1]), reverse=True)
            self.longest_secret = max(self.longest_secret, 32 * len(secret))
            self._order = [label for _, _, label in self._secrets]
            self._pattern = re.compile("|".join(f"({pattern})" for pattern, _, _ in self._secrets), re.IGNORECASE)

    def add_known_id(self, unique_id: str) -> None:
        """A UniqueId that the deployment gave us: kept legible even where it looks like a telephone number."""
        self._known_ids.add(unique_id)

    def leaked(self, text: str) -> tuple[str, ...]:
        """The labels of the tokens that text gives away, whole; empty when it gives away none."""
        with self._lock:
            pattern, order = self._pattern, self._order
        if pattern is None:
            return ()
        return tuple(sorted({order[(match.lastindex or 1) - 1] for match in pattern.finditer(text)}))

    def clean(self, text: str) -> str:
        """Text fit to be written down: tokens, lines, e-mail addresses and foreign numbers replaced by labels."""
        with self._lock:
            pattern, order = self._pattern, self._order
        # What has been replaced is one private character until the end, so that no later rule takes it for text.
        text = _LABELS.sub("\ufffd", text)
        if pattern is not None:
            text = pattern.sub(lambda match: self._mark(order[(match.lastindex or 1) - 1]), text)
        if self._fragments:
            text = self._mask_fragments(text)
        text = self._mask_tail(text)
        for line, label in self._lines:
            text = line.sub(self._mark(label), text)
        text = self._mask_end_users(text)
        text = _EMAIL.sub(self._mark("<e-mail>"), text)
        text = _PHONE_LIKE.sub(self._number, text)
        return text.translate({ord(mark): label for label, mark in self._labels.copy().items()})

    def clean_secrets(self, text: str) -> str:
        """Text without tokens and lines; personal data is removed where it is recorded."""
        with self._lock:
            pattern, order = self._pattern, self._order
        if pattern is not None:
            text = pattern.sub(lambda match: order[(match.lastindex or 1) - 1], text)
        for line, label in self._lines:
            text = line.sub(label, text)
        return text

    def _mark(self, label: str) -> str:
        mark = self._labels.get(label)
        if mark is None:
            with self._lock:
                mark = self._labels.setdefault(label, chr(_FIRST_LABEL + len(self._labels)))
        return mark

    def _number(self, match: re.Match[str]) -> str:
        text, start, end = match.string, match.start(), match.end()
        while start > 0 and text[start - 1] not in _WORD_BREAK and match.start() - start < _LONGEST_ID:
            start -= 1
        while end < len(text) and text[end] not in _WORD_BREAK and end - match.end() < _LONGEST_ID:
            end += 1
        if match[0] in self._known_ids or text[start:end] in self._known_ids:
            return match[0]
        return self._mark("<number>")

    def _mask_fragments(self, text: str) -> str:
        lowered, label = _lower(text), self._mark(f"<part of {TOKEN_LABEL}>")
        if not any(fragment in lowered for fragment in self._fragments):
            return text
        kept: list[str] = []
        done = start = 0
        while start <= len(lowered) - _FRAGMENT:
            if lowered[start : start + _FRAGMENT] not in self._fragments:
                start += 1
                continue
            end = start + _FRAGMENT
            while lowered[end - _FRAGMENT + 1 : end + 1] in self._fragments and end < len(lowered):
                end += 1
            kept += [text[done:start], label]
            done = start = end
        return "".join([*kept, text[done:]])

    def _mask_tail(self, text: str) -> str:
        """A text that was cut off may end in the beginning of the token."""
        lowered, token = _lower(text[-len(self._token) :]), _lower(self._token)
        for length in range(len(token) - 1, _TAIL - 1, -1):
            if lowered.endswith(token[:length]):
                return text[:-length] + self._mark(f"<part of {TOKEN_LABEL}>")
        return text

    def _mask_end_users(self, text: str) -> str:
        """Whatever text an EndUser holds is personal, even where the object is cut off or stands in a text itself."""
        kept: list[str] = []
        done = 0
        while found := _END_USER.search(text, done):
            kept.append(text[done : found.end()])
            done, depth, member = found.end(), 0, ""
            quote = found[1]
            item = re.compile(rf"[{{}}]|{re.escape(quote)}")
            while at := item.search(text, done):
                kept.append(text[done : at.end()])
                done = at.end()
                if at[0] in "{}":
                    depth += 1 if at[0] == "{" else -1
                    if depth == 0:
                        break
                    continue
                end = _end_of_text(text, done, quote)
                inside = text[done:end]
                done = min(len(text), end + len(quote))
                if _NAME_FOLLOWS.match(text, done):
                    member = inside.lower()
                elif inside and not _LABELS.fullmatch(inside):
                    inside = self._mark(f"<{member}>" if member in _PERSONAL else "<personal>")
                kept += [inside, text[end:done]]
            else:
                break
        return "".join([*kept, text[done:]])


def _end_of_text(text: str, start: int, quote: str) -> int:
    """Where a quoted text ends: at the next quote that is not itself escaped, or with the whole text.

    In a JSON text that is within a JSON text, quotes have a backslash, and escaped ones three.
    """
    level = len(quote)
    at = text.find(quote[-1], start)
    while at >= 0:
        first = at
        while first > start and text[first - 1] == "\\":
            first -= 1
        if (at - first - (level - 1)) // level % 2 == 0:
            return max(start, at - (level - 1))
        at = text.find(quote[-1], at + 1)
    return len(text)


def _line(number: str) -> re.Pattern[str]:
    spelt = any_spelling(number, gap=r"[ ().\-/\u00a0\u00ad\u200b]{0,2}")
    if len(number) < _SHORT_LINE:
        spelt = rf"(?<![0-9]){spelt}(?![0-9])"
    return re.compile(spelt, re.IGNORECASE)


def _lower(text: str) -> str:
    """Lower case, character by character, so that positions agree."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
