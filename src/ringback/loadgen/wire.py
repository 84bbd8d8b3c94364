"""Triggers and polls as bytes, and what their answers mean. No socket, no clock, no ledger."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from ringback import __version__
from ringback.config import Config

__all__ = ["Endpoint", "RequestWriter", "TriggerAnswer", "read_poll", "read_trigger", "refuses"]

TRIGGER_PATH = "/v2/call"
POLL_PATH = "/v2/callresult"

Headers = tuple[tuple[str, str], ...]
TriggerAnswer = tuple[str | None, str | None]
"""The UniqueId that a trigger's answer gives, if any, and the kind of error, if any."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one kind of request goes: its URL, its headers but for Content-Length, and the same as bytes."""

    url: str
    headers: Headers
    head: bytes

    @classmethod
    def at(cls, base_url: str, path: str, headers: Headers) -> Endpoint:
        """The endpoint at a path below the base URL."""
        target = urlsplit(base_url).path + path
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        return cls(base_url + path, headers, ("\r\n".join(lines) + "\r\n").encode("latin-1"))

    def request(self, body: bytes) -> bytes:
        """The whole request on the wire."""
        return b"%bContent-Length: %d\r\n\r\n%b" % (self.head, len(body), body)


class RequestWriter:
    """Writes the requests of one run. The parts that stay the same are written once."""

    def __init__(self, config: Config) -> None:
        deployment = config.deployment
        common: Headers = (
            ("Host", urlsplit(deployment.base_url).netloc),
            ("User-Agent", f"ringback-load/{__version__}"),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
            ("Content-Type", "application/json"),
        )
        self.trigger_endpoint = Endpoint.at(deployment.base_url, TRIGGER_PATH, (*common, ("Project", "")))
        self.poll_endpoint = Endpoint.at(deployment.base_url, POLL_PATH, common)
        self._config = config
        self._run = _letters(int.from_bytes(os.urandom(6)))
        self._number = 0
        self._bodies = {number: self._body(number) for number in config.lines.configured.values()}

    def trigger(self, number: str) -> bytes:
        """The body of a trigger that dials `number`, with a ConversationId of its own, in letters: it is no number."""
        self._number += 1
        before, after = self._bodies[number]
        return before + f"load-{self._run}-{_letters(self._number)}".encode() + after

    def poll(self, unique_ids: Iterable[str]) -> bytes:
        """The body of a poll for these calls."""
        ids = list(unique_ids)
        try:
            return orjson.dumps({"UniqueIds": ids})
        except TypeError:  # a lone surrogate, which only the standard library writes
            return json.dumps({"UniqueIds": ids}).encode()

    def _body(self, number: str) -> tuple[bytes, bytes]:
        deployment = self._config.deployment
        mark = "\N{OBJECT REPLACEMENT CHARACTER}"
        text = json.dumps(
            {
                "ConversationId": mark,
                "Project": deployment.project,
                "Tenant": deployment.tenant,
                "AccessToken": deployment.access_token.get_secret_value(),
                "ScenarioPath": deployment.scenario_path,
                "OrchestratorUrl": deployment.orchestrator_url,
                "Locale": deployment.locale,
                "ScenarioInputParameters": [
                    {"Name": "_DisplayNumber", "Value": deployment.display_number},
                    {"Name": "_Destination", "Value": number},
                ],
            },
            ensure_ascii=False,
        )
        before, _, after = text.partition(mark)
        return before.encode(), after.encode()


def read_trigger(status: int, body: bytes) -> TriggerAnswer:
    """The UniqueId and the kind of error in a trigger's answer; a faulty answer may have both."""
    unique_id = _unique_id(body)
    if status == 200:
        return (unique_id, None) if unique_id else (None, "malformed")
    if status == 429:
        return None, "rate_limited"
    return unique_id if 200 <= status < 300 else None, f"http_{status}"


def refuses(status: int, body: bytes) -> bool:
    """Whether an answer means that certainly no call was accepted: a 4xx without a UniqueId."""
    return 400 <= status < 500 and _unique_id(body) is None


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


def _letters(number: int) -> str:
    """A number in letters a to p: digits in a body would have to be looked at as a telephone number."""
    return "".join(chr(ord("a") + int(digit, 16)) for digit in f"{number:x}")
