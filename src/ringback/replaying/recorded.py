"""Exchanges read back from a run's `exchanges.ndjson`, and the clauses that cite them in its `verdict.json`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from ringback.config import LINE_STATES
from ringback.contract.clauses import CLAUSES, Clause
from ringback.contract.endpoints import POLL_PATH, TRIGGER_PATH
from ringback.deployment import Answer, Exchange, Poll, Trigger
from ringback.deployment.reading import ids_in
from ringback.rundir.exchanges import SavedExchange, read_exchanges
from ringback.rundir.names import EXCHANGES_FILE
from ringback.rundir.verdict import SavedRun

__all__ = ["CannotReplay", "Cited", "RecordedRun", "answer_of", "endpoint_of", "line_of", "read_recorded"]

_LINE = re.compile(r"\$RINGBACK_LINES__([A-Z_]+)")
_MOST = 12
"""Exchanges of one replay."""
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
    faults: tuple[str, ...]
    dialects: tuple[str, ...]
    exchanges: Mapping[int, Exchange]
    cited: Mapping[int, tuple[Cited, ...]]
    scripts: Mapping[str, tuple[int, ...]]
    """Clause -> the exchanges that show its deviation together, in the order of sending."""

    def find(self, evidence: str) -> tuple[Exchange, ...]:
        """The exchange with this number, or what shows a clause's deviation; raises `CannotReplay`.

        That is several exchanges if the run found that only these show it together, else the smallest request.
        """
        if evidence.isascii() and evidence.isdigit():
            exchange = self.exchanges.get(int(evidence[:9]))
            if exchange is None:
                last = max(self.exchanges, default=0)
                raise CannotReplay(f"there is no exchange {evidence}; exchanges.ndjson holds 1 to {last}")
            return (exchange,)
        name = evidence.upper()
        if name not in CLAUSES:
            raise CannotReplay(f"{evidence} is neither the number of an exchange nor a clause; verdict.json lists both")
        found = [
            self.exchanges[n] for n, all_of_it in self.cited.items() if any(c.clause.id == name for c in all_of_it)
        ]
        if not found:
            raise CannotReplay(f"no exchange in this run is evidence on {name}; choose one by its number")
        if name in self.scripts:
            return self._together(name)
        return (min(found, key=lambda exchange: exchange.request_bytes),)

    def _together(self, clause: str) -> tuple[Exchange, ...]:
        numbers = tuple(dict.fromkeys(self.scripts[clause]))
        if missing := [number for number in numbers if number not in self.exchanges]:
            raise CannotReplay(f"exchanges.ndjson lacks exchange {missing[0]} of it; check the clause again")
        if len(numbers) > _MOST:
            raise CannotReplay(
                f"it has {len(numbers)} exchanges, and {_MOST} at most are sent again; choose one of them"
            )
        return tuple(sorted((self.exchanges[number] for number in numbers), key=lambda one: (one.at, one.id)))

    def unique_ids(self, but: int | None = None) -> frozenset[str]:
        """The UniqueIds in answers to the run's triggers, without that of exchange `but`."""
        found = set()
        for number, exchange in self.exchanges.items():
            if number != but and endpoint_of(exchange, self.base_url) == TRIGGER_PATH:
                answer = answer_of(exchange, self.base_url)
                if isinstance(answer, Trigger) and answer.found_id is not None:
                    found.add(answer.found_id)
        return frozenset(found)


def read_recorded(directory: Path, run: SavedRun) -> RecordedRun:
    """The exchanges of a run, with the clauses that cite them. Raises `CannotReplay` if it recorded none."""
    if not (directory / EXCHANGES_FILE).is_file():
        raise CannotReplay(f"it has no {EXCHANGES_FILE}; name the directory of a check or a gate")
    exchanges = {saved.id: _exchange(saved) for saved in read_exchanges(directory)}
    cited: dict[int, list[Cited]] = {}
    for number, citation in _citations(run):
        if number in exchanges and citation not in cited.setdefault(number, []):
            cited[number].append(citation)
    return RecordedRun(
        base_url=run.base_url,
        embedded=run.embedded,
        faults=run.faults,
        dialects=run.dialects,
        exchanges=exchanges,
        cited={number: tuple(found) for number, found in cited.items() if found},
        scripts={
            finding.clause: finding.script.exchanges
            for result in run.results
            for finding in result.findings
            if finding.script is not None
        },
    )


def endpoint_of(exchange: Exchange, base_url: str) -> str:
    """The path of a request below the base URL: one of the two endpoints, or another path."""
    return _path(exchange.url).removeprefix(_path(base_url).rstrip("/"))


def _path(url: str) -> str:
    """The path of a URL; empty if an edited file has none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def answer_of(exchange: Exchange, base_url: str) -> Answer:
    """A recorded answer in the form that checks read. Its text is as recorded: redacted, and cut if it was long."""
    body = exchange.response_body.encode("utf-8", "surrogatepass")
    fields = (exchange, exchange.at, exchange.at + exchange.seconds, exchange.status, None, body, exchange.failure)
    if exchange.status is not None:
        headers = httpx.Headers([(k.encode(), v.encode("utf-8", "replace")) for k, v in exchange.response_headers])
        fields = (*fields[:4], headers, body, exchange.failure)  # type: ignore[assignment]  # headers or None
    if endpoint_of(exchange, base_url).rstrip("/") == POLL_PATH:
        return Poll(*fields, asked=tuple(ids_in(exchange.request_body.encode("utf-8", "replace"))))
    return Trigger(*fields)


def line_of(exchange: Exchange) -> str | None:
    """The line that a recorded trigger dials; None if it names none, or several."""
    names = {found.lower() for found in _LINE.findall(exchange.request_body)} & {*LINE_STATES}
    return names.pop() if len(names) == 1 else None


def is_cut(exchange: Exchange) -> bool:
    """Whether only the beginning of the answer was recorded."""
    return _CUT.search(exchange.response_body) is not None


def _citations(run: SavedRun) -> Iterator[tuple[int, Cited]]:
    for result in run.results:
        for finding in result.findings if result.clause.id in CLAUSES else ():
            cited = Cited(result.clause, result.verdict.value, finding.test, finding.expected, finding.observed)
            yield from ((shown.exchange, cited) for shown in finding.evidence)


def _exchange(saved: SavedExchange) -> Exchange:
    known = asdict(saved)
    return Exchange(**known | {name: known[name] or 0 for name in ("at", "seconds", "request_bytes", "response_bytes")})
