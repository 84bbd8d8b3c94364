"""Triggers and polls as bytes, and what their answers mean. No socket, no clock, no ledger."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import orjson

from ringback.config import Config
from ringback.config.proxy import Proxy
from ringback.contract.endpoints import POLL_PATH, TRIGGER_PATH
from ringback.deployment.guard import LETTERS, DialGuard, RequestTemplate

__all__ = ["Endpoint", "RequestWriter", "TriggerAnswer", "read_poll", "read_trigger"]

_WORDS = [bytes(letters) for letters in product(LETTERS.encode(), repeat=4)]
"""The numbers below 65,536 in letters: the dial guard would have to check digits as a telephone number."""
_PAIRS = [bytes(letters) for letters in product(LETTERS.encode(), repeat=2)]
_REMEMBERED = 4096
"""Requests with variables that the guard has approved and that are kept for the next call with the same ones."""
_WORD = 16
"""Letters of a word: half of them the run's, half of them the trigger's number."""

Variables = tuple[tuple[str, str], ...]
"""Project variables: pairs of name and value."""
Headers = tuple[tuple[str, str], ...]
TriggerAnswer = tuple[str | None, str | None]
"""The UniqueId that a trigger's answer gives, if any, and the kind of error, if any."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one kind of request is sent: its URL, its headers except Content-Length, and both as bytes."""

    url: str
    headers: Headers
    head: bytes

    @classmethod
    def at(cls, base_url: str, path: str, headers: Headers, proxy: Proxy | None = None) -> Endpoint:
        """The endpoint at a path below the base URL. A proxy forwards plain HTTP, and needs the whole URL."""
        forwarded = proxy is not None and base_url.startswith("http:")
        target = base_url + path if forwarded else urlsplit(base_url).path + path
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        if forwarded and proxy is not None and proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        return cls(base_url + path, headers, ("\r\n".join(lines) + "\r\n").encode("latin-1"))

    def request(self, body: bytes) -> bytes:
        """The whole request on the wire."""
        return b"%bContent-Length: %d\r\n\r\n%b" % (self.head, len(body), body)


class RequestWriter:
    """Writes the requests of one run, and has the dial guard check them. Unchanging parts are written once.

    Raises `StrangerRefused` if a trigger would hold a number that is not a configured line.
    """

    def __init__(self, config: Config, guard: DialGuard, *, delivered_to: str | None = None) -> None:
        """`delivered_to` is the base URL for deliveries, if there are any: each call has its own address below it."""
        deployment = config.deployment
        common: Headers = (
            ("Host", urlsplit(deployment.base_url).netloc),
            ("User-Agent", deployment.user_agent),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
            ("Content-Type", "application/json"),
            *((header.name, header.value.get_secret_value()) for header in deployment.headers),
        )
        self._config = config
        self._guard = guard
        proxy = deployment.proxy
        self._trigger = Endpoint.at(deployment.base_url, TRIGGER_PATH, (*common, ("Project", "")), proxy)
        self._poll = Endpoint.at(deployment.base_url, POLL_PATH, common, proxy)
        self._run = b"".join(secrets.choice(_PAIRS) for _ in range(4))
        self._number = secrets.randbelow(1 << 16)
        self._delivered_to = delivered_to
        self.use_current_token()

    def use_current_token(self) -> None:
        """Write triggers with the access token that is in force now."""
        lines, delivered_to = self._config.lines.configured.values(), self._delivered_to
        self._templates = [self._template(number, None) for number in lines]
        self._delivered = [self._template(number, delivered_to) for number in lines] if delivered_to else []
        self._delivered_to = delivered_to
        self._with_variables = lru_cache(_REMEMBERED)(self._template_with)

    def trigger(self, line: int, *, delivered: bool = False, variables: Variables | None = None) -> tuple[bytes, bytes]:
        """A trigger that dials the `line`-th configured line, and the word (letters) that identifies it.

        The word is part of its ConversationId, and of the address to which its result is delivered.
        """
        self._number = number = (self._number + 1) & 0xFFFFFFFF
        word = self._run + _WORDS[number >> 16] + _WORDS[number & 0xFFFF]
        if variables is not None:
            return self._with_variables(line, delivered, variables).fill(word), word
        templates = self._delivered if delivered else self._templates
        return templates[line].fill(word), word

    def check_variables(self, variables: Variables) -> None:
        """Raise `StrangerRefused` for variables that may not be sent; they may be those of several calls."""
        self._template_with(0, False, variables)

    def poll(self, unique_ids: Iterable[str]) -> bytes:
        """A poll for these calls. Raises `StrangerRefused` if it would hold anything but ids."""
        ids = list(unique_ids)
        try:
            body = orjson.dumps({"UniqueIds": ids})
        except TypeError:  # a lone surrogate, which only the standard library writes
            body = json.dumps({"UniqueIds": ids}).encode()
        self._guard.check(self._poll.url, self._poll.headers, body)
        return self._poll.request(body)

    def _template_with(self, line: int, delivered: bool, variables: Variables) -> RequestTemplate:
        number = tuple(self._config.lines.configured.values())[line]
        return self._template(number, self._delivered_to if delivered else None, variables)

    def _template(self, number: str, delivered_to: str | None, variables: Variables = ()) -> RequestTemplate:
        deployment = self._config.deployment
        gap = "\N{OBJECT REPLACEMENT CHARACTER}"
        document: dict[str, Any] = {
            "ConversationId": f"load-{gap}",
            "Project": deployment.project,
            "Tenant": deployment.tenant,
            "AccessToken": deployment.access_token.get_secret_value(),
            "ScenarioPath": deployment.scenario_path,
            "OrchestratorUrl": deployment.orchestrator_url,
            "Locale": deployment.locale,
            "ScenarioInputParameters": [
                {"Name": "_DisplayNumber", "Value": deployment.display_number},
                {"Name": "_Destination", "Value": number},
                *({"Name": name, "Value": value} for name, value in variables),
            ],
        }
        if delivered_to is not None:
            document |= {"ResultDestination": f"{delivered_to}/{gap}", "SendResultImmediately": True}
        pieces = tuple(piece.encode() for piece in json.dumps(document, ensure_ascii=False).split(gap))
        length = sum(map(len, pieces)) + (len(pieces) - 1) * _WORD
        head = self._trigger.head + b"Content-Length: %d\r\n\r\n" % length
        return self._guard.approve(self._trigger.url, self._trigger.headers, head, pieces, _WORD)


def read_trigger(status: int, content_type: str, body: bytes) -> TriggerAnswer:
    """The UniqueId and the kind of error in a trigger's answer; a faulty answer may have both."""
    unique_id = _unique_id(body)
    if status == 200:
        if unique_id is None:
            return None, "malformed"
        if content_type == "application/json":
            return unique_id, None
        sound = content_type.partition(";")[0].strip().lower() == "application/json"
        return unique_id, None if sound else "content_type"
    if status == 429:
        return None, "rate_limited"
    return unique_id if 200 <= status < 300 else None, f"http_{status}"


def read_poll(status: int, body: bytes) -> tuple[list[tuple[str, str]], str | None]:
    """Pairs of UniqueId and CallState in a poll's answer, and the kind of error, if any."""
    if status == 429:
        return [], "rate_limited"
    if status != 200:
        return [], f"http_{status}"
    try:
        entries = orjson.loads(body)["CallResults"]
        pairs = [(entry["UniqueId"], entry["CallState"]) for entry in entries]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return [], "malformed"
    sound = isinstance(entries, list) and all(isinstance(i, str) and isinstance(s, str) for i, s in pairs)
    return (pairs, None) if sound else ([], "malformed")


def _unique_id(body: bytes) -> str | None:
    try:
        unique_id = orjson.loads(body)["UniqueId"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return unique_id if isinstance(unique_id, str) and unique_id else None
