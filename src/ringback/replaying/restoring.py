"""Putting back what redaction took out of a request, from the configuration; or saying that it can't be done.

A request is sent again only if what is sent is what was sent, but for the access token, which is the current one. That
is shown by its length: each request was recorded with the number of bytes that it had. What redaction has replaced by
a mark that stands for more than one text (`<number>`, a part of the token) is not guessed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ringback.config import LINE_STATES, Config
from ringback.contract.near_misses import near_miss_tokens
from ringback.deployment import Exchange
from ringback.deployment.redaction import TOKEN_LABEL
from ringback.deployment.transport import POLL_PATH, TRIGGER_PATH
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
"""What the suite's own triggers say of the person called, and what redaction leaves of it."""
_PERSON_MARK = re.compile(r'("(?:EndUser|Name|Email)":\s?")(<name>|<email>)(?=")')
_PHONE_MARK = re.compile(r'"Phone":\s?"<phone>"')
_TOKEN_VALUE = re.compile(r'("AccessToken":\s?)"(?:[^"\\]|\\.)*"')
_WRONG_TOKEN = re.compile(r"\bthe access token (.+?)(?:, once more|, as a control)?$")
_OWN_HEADERS = frozenset({"host", "content-length", "connection", "transfer-encoding"})
"""Headers that are made anew for each sending."""
_ALIKE = 3
"""Requests of the run that must differ by as many bytes, before a token of another length is taken for the reason."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A request that may be sent again."""

    path: str
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    told: tuple[str, ...] = ()
    """What was put back, for the reader."""

    @property
    def is_poll(self) -> bool:
        """Whether it asks for results; anything else may place a call."""
        return self.path == POLL_PATH


def restore(run: RecordedRun, exchange: Exchange, config: Config) -> Restored:
    """The request of an exchange as it was sent, but for the token; raises `CannotReplay`."""
    path = endpoint_of(exchange, run.base_url)
    if path not in {TRIGGER_PATH, POLL_PATH} or not exchange.url.endswith(path):
        raise CannotReplay("it went to neither of the two endpoints; use the curl line in verdict.json")
    told: Counter[str] = Counter()
    text = _body(exchange, config, told)
    body = _bytes(text)
    if len(body) != exchange.request_bytes and not _another_token(run, exchange, config, len(body)):
        raise CannotReplay(
            f"what was kept of its body makes {len(body)} bytes, and {exchange.request_bytes} were sent: it was cut, "
            "is not text, or holds something personal; check its clause anew with --clause and the run's --seed"
        )
    headers = tuple(
        (_marks(name, config, told), _marks(value, config, told))
        for name, value in exchange.request_headers
        if name.lower() not in _OWN_HEADERS
    )
    return Restored(path, exchange.method, headers, body, tuple(told))


def _body(exchange: Exchange, config: Config, told: Counter[str]) -> str:
    text = exchange.request_body
    wrong = _WRONG_TOKEN.search(exchange.purpose)
    make = near_miss_tokens().get(wrong[1]) if wrong else None
    if make is not None:
        # Redaction finds the token in any case and within other text, so the mark does not say which it was.
        near = json.dumps(make(_token(config)), ensure_ascii=False)
        text = _TOKEN_VALUE.sub(lambda match: match[1] + near, text)
        told[f"the access token, {wrong[1]}" if wrong else ""] += 1
    if _PHONE_MARK.search(text):
        raise CannotReplay("its EndUser's Phone was redacted, and is no line by itself; check its clause anew")
    text = _PERSON_MARK.sub(lambda match: match[1] + _PERSON[match[2]], text)
    return _marks(text, config, told)


def _marks(text: str, config: Config, told: Counter[str]) -> str:
    """The text with each mark replaced by what it stands for."""
    lines = config.lines.configured

    def value(mark: re.Match[str]) -> str:
        if mark["token"]:
            told["the access token"] += 1
            return _token(config)
        if mark["near"]:
            make = near_miss_tokens().get(mark["near"])
            if make is None:
                raise CannotReplay(f"it holds {mark[0]}, which this version does not know; check its clause anew")
            told[f"the access token, {mark['near']}"] += 1
            return json.dumps(make(_token(config)), ensure_ascii=False)[1:-1]
        if name := (mark["line"] or mark["bare"] or "").lower():
            number = lines.get(name)
            if number is None or (mark["bare"] and not number.startswith("+")):
                raise CannotReplay(f"it dials the line {name}, which is not configured so; set lines.{name}")
            told[f"the line {name}"] += 1
            return number if mark["line"] else number[1:]
        raise CannotReplay(f"it held a value of which only {mark[0]} was kept; check its clause anew")

    return _MARK.sub(value, text)


def _token(config: Config) -> str:
    return config.deployment.access_token.get_secret_value()


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return b""


def _another_token(run: RecordedRun, exchange: Exchange, config: Config, length: int) -> bool:
    """Whether a body has another length for no other reason than that the token has one now.

    If so, requests of the same run with the same marks differ by as many bytes.
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
