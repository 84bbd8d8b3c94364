"""Restoring what redaction removed from a request, from the configuration, if that is possible.

A request is sent again only if it is the recorded one, apart from the access token, which is the current one. Ringback
checks the restored request against its recorded length. A mark that may stand for several texts (`<number>`, a part of
the token) cannot be restored.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ringback.config import LINE_STATES, Config
from ringback.contract.endpoints import POLL_PATH, TRIGGER_PATH
from ringback.contract.near_misses import near_miss_tokens
from ringback.deployment import Exchange
from ringback.deployment.redaction import TOKEN_LABEL
from ringback.deployment.shell import is_configured
from ringback.replaying.recorded import CannotReplay, RecordedRun, endpoint_of

__all__ = ["Restored", "restore"]

_LINES = "|".join(sorted((name.upper() for name in LINE_STATES), key=len, reverse=True))
_MARK: Final = re.compile(
    rf"(?P<part><part of {re.escape(TOKEN_LABEL)}>)"
    rf"|(?P<token>{re.escape(TOKEN_LABEL)})"
    rf"|\$RINGBACK_LINES__(?P<line>{_LINES})"
    r"|<line (?P<bare>[a-z_]+) without \+>"
    r"|<the access token (?P<near>[^<>\n]{1,60})>"
    r"|<(?P<lost>number|e-mail|personal)>"
)
_PERSON = {"<name>": "Ada Tester", "<email>": "ada.tester@example.com"}
"""Marks of redaction -> what the suite's own triggers have there."""
_PERSON_MARK = re.compile(r'("(?:EndUser|Name|Email)":\s?")(<name>|<email>)(?=")')
_PHONE_MARK = re.compile(r'"Phone":\s?"<phone>"')
_TOKEN_VALUE = re.compile(r'("AccessToken":\s?)"(?:[^"\\]|\\.)*"')
_WRONG_TOKEN = re.compile(r"\bthe access token (.+?)(?:, sent again|, as a control)?$")
_OWN_HEADERS = frozenset({"host", "content-length", "connection", "transfer-encoding"})
"""Headers that the client sets for each request."""
_ALIKE = 3
"""Requests of the run that must differ by the same number of bytes to show that the token has another length now."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A request that may be sent again."""

    exchange: Exchange
    """As it was recorded."""
    path: str
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    restored: tuple[str, ...] = ()
    """What was restored, for the reader."""

    @property
    def is_poll(self) -> bool:
        """Whether it is a poll; anything else may place a call."""
        return self.path == POLL_PATH


def restore(run: RecordedRun, exchange: Exchange, config: Config, *, any_person: bool = False) -> Restored:
    """The request of an exchange as it was sent, apart from the token; raises `CannotReplay`.

    `any_person`: EndUser may be another one than in the run, as no run records persons.
    """
    path = endpoint_of(exchange, run.base_url)
    if path not in {TRIGGER_PATH, POLL_PATH} or not exchange.url.endswith(path):
        raise CannotReplay("it went to neither of the two endpoints; use the curl line in verdict.json")
    restored: Counter[str] = Counter()
    text = _body(exchange, config, restored)
    body = _bytes(text)
    if (
        any_person
        and len(body) != exchange.request_bytes
        and _is_whole(text)
        and _PERSON_MARK.search(exchange.request_body)
    ):
        restored["another EndUser"] += 1
    elif len(body) != exchange.request_bytes and not _another_token(run, exchange, config, len(body)):
        raise CannotReplay(
            f"its restored body has {len(body)} bytes, but {exchange.request_bytes} were sent: it was cut, is not "
            "text, or holds personal data; check its clause again with --clause and the run's --seed"
        )
    headers = tuple(
        (_marks(name, config, restored), _marks(value, config, restored))
        for name, value in exchange.request_headers
        if name.lower() not in _OWN_HEADERS and not is_configured(name, value)
    )
    return Restored(exchange, path, exchange.method, headers, body, tuple(restored))


def _body(exchange: Exchange, config: Config, restored: Counter[str]) -> str:
    text = exchange.request_body
    wrong = _WRONG_TOKEN.search(exchange.purpose)
    make = near_miss_tokens().get(wrong[1]) if wrong else None
    if make is not None:
        # Redaction marks tokens in any letter case and within other text alike, so the purpose decides which it was.
        near = json.dumps(make(_token(config)), ensure_ascii=False)
        text = _TOKEN_VALUE.sub(lambda match: match[1] + near, text)
        restored[f"the access token, {wrong[1]}" if wrong else ""] += 1
    if _PHONE_MARK.search(text):
        raise CannotReplay("its EndUser's Phone was redacted and is not a line; check its clause again")
    text = _PERSON_MARK.sub(lambda match: match[1] + _PERSON[match[2]], text)
    return _marks(text, config, restored)


def _marks(text: str, config: Config, restored: Counter[str]) -> str:
    """The text with each mark replaced by its value."""
    lines = config.lines.configured

    def value(mark: re.Match[str]) -> str:
        if mark["token"]:
            restored["the access token"] += 1
            return _token(config)
        if mark["near"]:
            make = near_miss_tokens().get(mark["near"])
            if make is None:
                raise CannotReplay(f"it holds {mark[0]}, which this version does not know; check its clause again")
            restored[f"the access token, {mark['near']}"] += 1
            return json.dumps(make(_token(config)), ensure_ascii=False)[1:-1]
        if name := (mark["line"] or mark["bare"] or "").lower():
            number = lines.get(name)
            if number is None or (mark["bare"] and not number.startswith("+")):
                raise CannotReplay(f"it dials the line {name}, which is not configured in this form; set lines.{name}")
            restored[f"the line {name}"] += 1
            return number if mark["line"] else number[1:]
        raise CannotReplay(f"it held a value that was recorded as {mark[0]}; check its clause again")

    return _MARK.sub(value, text)


def _is_whole(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _token(config: Config) -> str:
    return config.deployment.access_token.get_secret_value()


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return b""


def _another_token(run: RecordedRun, exchange: Exchange, config: Config, length: int) -> bool:
    """Whether a body has another length only because the token has another length now.

    Then other requests of the run with the same marks differ by the same number of bytes.
    """
    marks = _secrets_in(exchange)
    if TOKEN_LABEL not in marks:
        return False
    shifts: Counter[int] = Counter()
    for other in run.exchanges.values():
        if other.id != exchange.id and _secrets_in(other) == marks:
            try:
                shifts[other.request_bytes - len(_bytes(_body(other, config, Counter())))] += 1
            except CannotReplay:
                continue
    common = shifts.most_common(1)
    return bool(common) and common[0][1] >= _ALIKE and common[0][0] == exchange.request_bytes - length


def _secrets_in(exchange: Exchange) -> Mapping[str, int]:
    return Counter(mark[0] for mark in _MARK.finditer(exchange.request_body))
