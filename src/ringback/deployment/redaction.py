"""Redaction: what may never be written down is replaced here, before evidence is recorded.

Secrets are the access token (and the near misses made from it), the configured telephone numbers, and personal data
in what a deployment sends. `Redactor.clean` is the only way from a deployment's bytes to an artifact.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

__all__ = ["TOKEN_LABEL", "Redactor"]

TOKEN_LABEL = "$RINGBACK_ACCESS_TOKEN"  # noqa: S105 - what stands in for the token
_FRAGMENT = 8
"""A token's fragment of this many characters gives too much of it away, and is redacted too."""
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_PERSONAL_MEMBERS = re.compile(
    r'("(?:Name|Phone|Email)"\s*:\s*")((?:[^"\\]|\\.){1,4096})(")', re.IGNORECASE | re.DOTALL
)
_END_USER = re.compile(r'"EndUser"\s*:\s*\{[^{}]*\}', re.IGNORECASE | re.DOTALL)
_PHONE_LIKE = re.compile(r"(?<![\w.:+-])\+?\d(?:[ ().-]{0,2}\d){8,14}(?![\w:-]|\.\d)")


class Redactor:
    """Replaces secrets in text. Thread-safe; secrets and known ids may be added while a run goes on."""

    def __init__(self, token: str, lines: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self._labels: dict[str, str] = {}
        self._fragments: frozenset[str] = frozenset()
        self._known_ids: set[str] = set()
        self._lines = dict(lines)
        self._token = token
        self.add_secret(token, TOKEN_LABEL)
        if len(token) >= 2 * _FRAGMENT:
            lowered = token.lower()
            self._fragments = frozenset(lowered[i : i + _FRAGMENT] for i in range(len(lowered) - _FRAGMENT + 1))

    def add_secret(self, secret: str, label: str) -> None:
        """Never let `secret` be written down again, in any of its usual encodings: `label` stands in for it."""
        if not secret.strip():
            return
        with self._lock:
            for form in _encodings(secret):
                self._secrets.setdefault(form.lower(), label)
            self._compile()

    def add_known_id(self, unique_id: str) -> None:
        """A UniqueId that the deployment gave us: kept legible even where it looks like a telephone number."""
        self._known_ids.add(unique_id)

    def leaked(self, text: str) -> tuple[str, ...]:
        """The labels of the tokens that text gives away, whole; empty when it gives away none."""
        pattern = self._pattern
        if pattern is None:
            return ()
        found = {self._secrets[match[0].lower()] for match in pattern.finditer(text)}
        return tuple(sorted(found))

    def clean(self, text: str) -> str:
        """Text fit to be written down: tokens, lines, e-mail addresses and foreign numbers replaced by labels."""
        if self._pattern is not None:
            text = self._pattern.sub(lambda match: self._secrets[match[0].lower()], text)
        if self._fragments:
            text = self._mask_fragments(text)
        text = _END_USER.sub(lambda match: _PERSONAL_MEMBERS.sub(_personal, match[0]), text)
        for name, number in self._lines.items():
            label = f"$RINGBACK_LINES__{name.upper()}"
            text = re.sub(rf"(?<!\d){re.escape(number)}(?!\d)", label.replace("\\", r"\\"), text)
            text = text.replace(quote_plus(number), label) if number.startswith("+") else text
        text = _EMAIL.sub("<e-mail>", text)
        return _PHONE_LIKE.sub(self._number, text)

    def _number(self, match: re.Match[str]) -> str:
        return match[0] if match[0] in self._known_ids else "<number>"

    def _mask_fragments(self, text: str) -> str:
        lowered = text.lower()
        if len(lowered) != len(text):  # a character whose lower case is longer: positions would not agree
            lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        spans: list[tuple[int, int]] = []
        for start in range(len(lowered) - _FRAGMENT + 1):
            if lowered[start : start + _FRAGMENT] in self._fragments:
                if spans and start <= spans[-1][1]:
                    spans[-1] = (spans[-1][0], start + _FRAGMENT)
                else:
                    spans.append((start, start + _FRAGMENT))
        for start, end in reversed(spans):
            text = f"{text[:start]}<part of {TOKEN_LABEL}>{text[end:]}"
        return text

    def _compile(self) -> None:
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile("|".join(_guarded(form) for form in longest_first), re.IGNORECASE)


def _guarded(form: str) -> str:
    """A short secret is matched as a whole word only, or every other letter of an artifact would be one."""
    escaped = re.escape(form)
    return rf"(?<!\w){escaped}(?!\w)" if len(form) < 6 else escaped


def _encodings(secret: str) -> Iterable[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
    yield quote(raw, safe="")
    yield quote_plus(raw)
    if len(raw) >= 6:
        yield base64.b64encode(raw).decode().rstrip("=")
        yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
        yield raw.hex()


def _personal(match: re.Match[str]) -> str:
    member = match[1].split('"')[1].lower()
    if match[2].startswith("$RINGBACK"):
        return match[0]
    return f"{match[1]}<{member}>{match[3]}"
