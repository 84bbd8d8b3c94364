"""Exchanges read back from a run's `exchanges.ndjson`, and the clauses that cite them in its `verdict.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from ringback.contract.clauses import CLAUSES, Clause
from ringback.deployment import Answer, Exchange, Poll, Trigger
from ringback.deployment.reading import strings_in
from ringback.deployment.transport import POLL_PATH, TRIGGER_PATH

__all__ = ["EXCHANGES_FILE", "CannotReplay", "Cited", "RecordedRun", "answer_of", "endpoint_of", "read_recorded"]

EXCHANGES_FILE: Final = "exchanges.ndjson"
_LARGEST = 512 * 1024 * 1024
_CUT = re.compile(r"… \[\d+ bytes in all\]\Z")


class CannotReplay(Exception):
    """An exchange cannot be sent again. The message is `problem; fix`. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A clause that cites an exchange as evidence, with the texts of the finding."""

    clause: Clause
    verdict: str
    test: str
    expected: str
    observed: str


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """The exchanges that a run recorded, and the clauses that cite them."""

    base_url: str
    embedded: bool
    variation: tuple[str, ...]
    exchanges: Mapping[int, Exchange]
    cited: Mapping[int, tuple[Cited, ...]]

    def find(self, evidence: str) -> Exchange:
        """The exchange with this number, or a clause's evidence with the smallest request; raises `CannotReplay`."""
        if evidence.isascii() and evidence.isdigit():
            exchange = self.exchanges.get(int(evidence[:9]))
            if exchange is None:
                last = max(self.exchanges, default=0)
                raise CannotReplay(f"there is no exchange {evidence}; exchanges.ndjson holds 1 to {last}")
            return exchange
        name = evidence.upper()
        if name not in CLAUSES:
            raise CannotReplay(f"{evidence} is neither the number of an exchange nor a clause; verdict.json lists both")
        found = [
            self.exchanges[n] for n, all_of_it in self.cited.items() if any(c.clause.id == name for c in all_of_it)
        ]
        if not found:
            raise CannotReplay(f"no exchange in this run is evidence on {name}; choose one by its number")
        return min(found, key=lambda exchange: exchange.request_bytes)

    def unique_ids(self, but: int | None = None) -> frozenset[str]:
        """The UniqueIds in answers to the run's triggers, without that of exchange `but`."""
        found = set()
        for number, exchange in self.exchanges.items():
            if number != but and endpoint_of(exchange, self.base_url) == TRIGGER_PATH:
                answer = answer_of(exchange, self.base_url)
                if isinstance(answer, Trigger) and answer.found_id is not None:
                    found.add(answer.found_id)
        return frozenset(found)


def read_recorded(directory: Path, document: Mapping[str, Any]) -> RecordedRun:
    """Read a run's exchanges; `document` is its `verdict.json`. Raises `CannotReplay`."""
    file = directory / EXCHANGES_FILE
    try:
        if file.stat().st_size > _LARGEST:
            raise CannotReplay(f"{EXCHANGES_FILE} is larger than {_LARGEST:,} bytes; cut it down to the line you want")
        with file.open("rb") as lines:
            exchanges = {exchange.id: exchange for line in lines if (exchange := _exchange(line)) is not None}
    except OSError as error:
        raise CannotReplay(
            f"its {EXCHANGES_FILE} can't be read ({error.strerror}); name the directory of a check or a gate"
        ) from None
    deployment = document.get("deployment")
    deployment = deployment if isinstance(deployment, dict) else {}
    cited: dict[int, list[Cited]] = {}
    for number, citation in _citations(document):
        if number in exchanges and citation not in cited.setdefault(number, []):
            cited[number].append(citation)
    variation = deployment.get("variation")
    return RecordedRun(
        base_url=str(deployment.get("base_url", "")),
        embedded=deployment.get("embedded") is True,
        variation=tuple(map(str, variation)) if isinstance(variation, list) else (),
        exchanges=exchanges,
        cited={number: tuple(found) for number, found in cited.items() if found},
    )


def endpoint_of(exchange: Exchange, base_url: str) -> str:
    """The path of a request below the base URL: one of the two endpoints, or another path."""
    return urlsplit(exchange.url).path.removeprefix(urlsplit(base_url).path.rstrip("/"))


def answer_of(exchange: Exchange, base_url: str) -> Answer:
    """A recorded answer in the form that checks read. Its text is as recorded: redacted, and cut if it was long."""
    body = exchange.response_body.encode("utf-8", "surrogatepass")
    fields = (exchange, 0.0, exchange.seconds, exchange.status, None, body, exchange.failure)
    if exchange.status is not None:
        headers = httpx.Headers([(k.encode(), v.encode("utf-8", "replace")) for k, v in exchange.response_headers])
        fields = (*fields[:4], headers, body, exchange.failure)  # type: ignore[assignment]  # headers or None
    if endpoint_of(exchange, base_url).rstrip("/") == POLL_PATH:
        return Poll(*fields, asked=tuple(strings_in(exchange.request_body.encode("utf-8", "replace"))))
    return Trigger(*fields)


def is_cut(exchange: Exchange) -> bool:
    """Whether only the beginning of the answer was recorded."""
    return _CUT.search(exchange.response_body) is not None


def _citations(document: Mapping[str, Any]) -> Iterator[tuple[int, Cited]]:
    clauses = document.get("clauses")
    for entry in clauses if isinstance(clauses, list) else ():
        if not isinstance(entry, dict) or entry.get("id") not in CLAUSES:
            continue
        evidence = entry.get("evidence")
        for shown in evidence if isinstance(evidence, list) else ():
            if isinstance(shown, dict) and isinstance(shown.get("exchange"), int):
                texts = (str(shown.get(name, "")) for name in ("test", "expected", "observed"))
                yield shown["exchange"], Cited(CLAUSES[entry["id"]], str(entry.get("verdict")), *texts)


def _exchange(line: bytes) -> Exchange | None:
    """One line, or None: the last line of a run that was cut off may be half a one."""
    try:
        told = json.loads(line)
        request, response = told["request"], told["response"] or {}
        return Exchange(
            id=int(told["id"]),
            purpose=str(told["purpose"]),
            started=str(told["started"]),
            at=float(told["at"]),
            seconds=float(told["seconds"]),
            method=str(request["method"]),
            url=str(request["url"]),
            request_headers=_headers(request["headers"]),
            request_body=str(request["body"]),
            request_bytes=int(request["bytes"]),
            status=int(response["status"]) if response else None,
            response_headers=_headers(response.get("headers", [])),
            response_body=str(response.get("body", "")),
            response_bytes=int(response.get("bytes", 0)),
            failure=None if told["failure"] is None else str(told["failure"]),
            leaks=tuple(map(str, told["leaks"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _headers(pairs: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in pairs)
