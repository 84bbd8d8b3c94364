"""`exchanges.har`: the recorded exchanges as an HTTP archive (HAR 1.2), for a browser's developer tools.

It is made from `exchanges.ndjson`, which is redacted. Only the time of the whole exchange was measured; it is recorded
as `wait`. A large run is cut: evidence comes first, and the log's comment shows how many exchanges were left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from ringback import __version__
from ringback.contract.verdict import Verdict
from ringback.reporting.model.safe import clean_text
from ringback.rundir import SINK, write_whole
from ringback.rundir.exchanges import SavedExchange, read_exchanges
from ringback.rundir.names import EXCHANGES_FILE, HAR_FILE
from ringback.rundir.run import RunReport

__all__ = ["har_document", "write_har"]

_MOST_BYTES = 16 * 1024 * 1024
"""Size of all entries that developer tools open without delay."""
_MOST_ENTRIES = 5_000
_LONGEST_TEXT = 128 * 1024
"""Characters of one body; recorded evidence is shorter."""
_URL_SAFE = "%/:?#[]@!$&'()*+,;=-._~"


def write_har(report: RunReport, directory: Path) -> Path | None:
    """Write `exchanges.har` beside the run's `exchanges.ndjson`; None if the run recorded none. Raises OSError."""
    if not (directory / EXCHANGES_FILE).is_file():
        return None
    return write_whole(directory / HAR_FILE, SINK.json(har_document(report, directory)))


def har_document(
    report: RunReport, directory: Path, *, most_entries: int = _MOST_ENTRIES, most_bytes: int = _MOST_BYTES
) -> dict[str, Any]:
    """The archive of the exchanges recorded in `directory`: at most so many entries, of so many bytes in all."""
    cited = _cited(report)
    kept: dict[int, dict[str, Any]] = {}
    size = total = 0
    # The file is read twice, to take evidence first without holding all exchanges in memory.
    for wanted in (True, False):
        for place, exchange in enumerate(read_exchanges(directory)):
            if _instant(exchange) is None:
                continue
            total += wanted
            if (exchange.id in cited) is not wanted or len(kept) >= most_entries:
                continue
            entry = _entry(exchange, cited.get(exchange.id, ()))
            if size + (length := len(json.dumps(entry))) <= most_bytes:
                kept[place] = entry
                size += length
    comment = f"ringback {report.command}, seed {report.seed}: {len(kept)} of {total} recorded exchanges."
    if len(kept) < total:
        comment += f" The other {total - len(kept)} were left out to bound the file; {EXCHANGES_FILE} has them."
    comment += (
        " Secrets are replaced by names, long bodies are cut, and only the time of a whole exchange was measured."
    )
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "Ringback", "version": __version__},
            "entries": sorted((kept[place] for place in sorted(kept)), key=lambda entry: str(entry["startedDateTime"])),
            "comment": comment,
        }
    }


def _cited(report: RunReport) -> dict[int, tuple[str, ...]]:
    """Exchange -> the clauses whose deviation it shows."""
    cited: dict[int, tuple[str, ...]] = {}
    for result in report.results:
        if result.verdict in {Verdict.FAIL, Verdict.WARN, Verdict.WAIVED}:
            for number_ in {e.exchange for finding in result.deviations for e in finding.evidence}:
                cited[number_] = (*cited.get(number_, ()), result.clause.id)
    return cited


def _instant(exchange: SavedExchange) -> str | None:
    try:
        started = datetime.fromisoformat(exchange.started)
        return started.replace(tzinfo=started.tzinfo or UTC).isoformat(timespec="milliseconds")
    except ValueError:
        return None


def _entry(exchange: SavedExchange, clauses: Iterable[str]) -> dict[str, Any]:
    milliseconds = round(max(0.0, exchange.seconds or 0.0) * 1000, 3)
    comment = f"exchange {exchange.id}: {_text(exchange.purpose)}"
    if shows := ", ".join(clauses):
        comment += f" (evidence for {shows})"
    return {
        "startedDateTime": _instant(exchange),
        "time": milliseconds,
        "request": _request(exchange),
        "response": _response(exchange),
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "comment": comment,
    }


def _request(exchange: SavedExchange) -> dict[str, Any]:
    url = quote(_text(exchange.url), safe=_URL_SAFE)
    headers = _headers(exchange.request_headers)
    request: dict[str, Any] = {
        "method": _text(exchange.method),
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "queryString": [{"name": name, "value": value} for name, value in _query(url)],
        "headersSize": -1,
        "bodySize": _size(exchange.request_bytes),
    }
    if body := _text(exchange.request_body):
        request["postData"] = {"mimeType": _named(headers, "content-type"), "params": [], "text": body}
    return request


def _response(exchange: SavedExchange) -> dict[str, Any]:
    failure, answered = _text(exchange.failure or ""), exchange.status is not None
    headers = _headers(exchange.response_headers)
    response: dict[str, Any] = {
        "status": exchange.status or 0,
        "statusText": "",
        "httpVersion": "HTTP/1.1" if answered else "",
        "cookies": [],
        "headers": headers,
        "content": {
            "size": max(0, _size(exchange.response_bytes)),
            "mimeType": _named(headers, "content-type") or "x-unknown",
            "text": _text(exchange.response_body),
        },
        "redirectURL": _named(headers, "location"),
        "headersSize": -1,
        "bodySize": _size(exchange.response_bytes),
    }
    if failure:
        response["_error"] = failure
        response["comment"] = f"no whole answer: {failure}"
    return response


def _headers(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": _text(name), "value": _text(value)} for name, value in pairs]


def _named(headers: Iterable[Mapping[str, str]], name: str) -> str:
    return next((header["value"] for header in headers if header["name"].lower() == name), "")


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return []


def _size(size: int | None) -> int:
    return -1 if size is None else size


def _text(value: str) -> str:
    text = clean_text(value)
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{SINK.clean(text)[:_LONGEST_TEXT]}… [{len(text):,} characters in all]"
