"""`exchanges.har`: the recorded exchanges as an HTTP archive (HAR 1.2), for a browser's developer tools.

Made from `exchanges.ndjson`, so redacted as that is. Only the time of a whole exchange was measured: it is told as
`wait`. A large run is cut: exchanges that a verdict rests on are kept first, and the log's comment says what is gone.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from ringback import __version__
from ringback.contract.verdict import Verdict
from ringback.reporting.model.digest import clean_text, members, number
from ringback.reporting.model.run import RunReport
from ringback.rundir import SINK, write_whole

__all__ = ["EXCHANGES_FILE", "HAR_FILE", "har_document", "write_har"]

HAR_FILE: Final = "exchanges.har"
EXCHANGES_FILE: Final = "exchanges.ndjson"
_MOST_BYTES = 16 * 1024 * 1024
"""Size of the archive's entries: what developer tools still open without a pause."""
_MOST_ENTRIES = 5_000
_LONGEST_LINE = 4 * 1024 * 1024
_LONGEST_TEXT = 128 * 1024
"""Characters of one body; evidence is kept shorter than that."""
_MOST_HEADERS = 200
_URL_SAFE = "%/:?#[]@!$&'()*+,;=-._~"


def write_har(report: RunReport, directory: Path) -> Path | None:
    """Write `exchanges.har` beside the run's `exchanges.ndjson`; None if the run recorded none. Raises OSError."""
    recorded = directory / EXCHANGES_FILE
    if not recorded.is_file():
        return None
    text = SINK.json(har_document(report, recorded))
    return write_whole(directory / HAR_FILE, text)


def har_document(
    report: RunReport, recorded: Path, *, most_entries: int = _MOST_ENTRIES, most_bytes: int = _MOST_BYTES
) -> dict[str, Any]:
    """The archive of a run's recorded exchanges: at most so many entries, of so many bytes in all. Raises OSError."""
    cited = _cited(report)
    kept: dict[int, dict[str, Any]] = {}
    size = total = 0
    # Two readings of the file: memory holds what is kept, and evidence is not crowded out by what came before it.
    for wanted in (True, False):
        for place, exchange in _exchanges(recorded):
            total += wanted
            if (exchange.get("id") in cited) is not wanted or len(kept) >= most_entries:
                continue
            entry = _entry(exchange, cited.get(exchange["id"], ()))
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


def _exchanges(recorded: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The whole lines of the record, each with its place; a line that an interruption cut short is passed over."""
    with recorded.open("rb") as file:
        for place in itertools.count():
            line = file.readline(_LONGEST_LINE)
            if not line:
                return
            try:
                exchange = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(exchange, dict) and isinstance(exchange.get("id"), int) and _instant(exchange) is not None:
                yield place, exchange


def _instant(exchange: Mapping[str, Any]) -> str | None:
    try:
        started = datetime.fromisoformat(str(exchange.get("started")))
        return started.replace(tzinfo=started.tzinfo or UTC).isoformat(timespec="milliseconds")
    except ValueError:
        return None


def _entry(exchange: Mapping[str, Any], clauses: Iterable[str]) -> dict[str, Any]:
    milliseconds = round(max(0.0, number(exchange.get("seconds")) or 0.0) * 1000, 3)
    comment = f"exchange {exchange['id']}: {_text(exchange.get('purpose'))}"
    if shows := ", ".join(clauses):
        comment += f" (evidence for {shows})"
    return {
        "startedDateTime": _instant(exchange),
        "time": milliseconds,
        "request": _request(members(exchange, "request")),
        "response": _response(exchange),
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "comment": comment,
    }


def _request(request: Mapping[str, Any]) -> dict[str, Any]:
    url = quote(_text(request.get("url")), safe=_URL_SAFE)
    headers = _headers(request)
    told: dict[str, Any] = {
        "method": _text(request.get("method")),
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "queryString": [{"name": name, "value": value} for name, value in _query(url)],
        "headersSize": -1,
        "bodySize": _size(request),
    }
    if body := _text(request.get("body")):
        told["postData"] = {"mimeType": _named(headers, "content-type"), "params": [], "text": body}
    return told


def _response(exchange: Mapping[str, Any]) -> dict[str, Any]:
    response, failure = members(exchange, "response"), _text(exchange.get("failure"))
    status = number(response.get("status"))
    headers = _headers(response)
    told: dict[str, Any] = {
        "status": 0 if status is None else int(status),
        "statusText": "",
        "httpVersion": "HTTP/1.1" if response else "",
        "cookies": [],
        "headers": headers,
        "content": {
            "size": max(0, _size(response)),
            "mimeType": _named(headers, "content-type") or "x-unknown",
            "text": _text(response.get("body")),
        },
        "redirectURL": _named(headers, "location"),
        "headersSize": -1,
        "bodySize": _size(response),
    }
    if failure:
        told["_error"] = failure
        told["comment"] = f"no whole answer: {failure}"
    return told


def _headers(message: Mapping[str, Any]) -> list[dict[str, str]]:
    pairs = message.get("headers")
    return [
        {"name": _text(pair[0]), "value": _text(pair[1])}
        for pair in (pairs[:_MOST_HEADERS] if isinstance(pairs, list) else [])
        if isinstance(pair, list) and len(pair) == 2
    ]


def _named(headers: Iterable[Mapping[str, str]], name: str) -> str:
    return next((header["value"] for header in headers if header["name"].lower() == name), "")


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return []


def _size(message: Mapping[str, Any]) -> int:
    size = number(message.get("bytes"))
    return -1 if size is None else int(size)


def _text(value: Any) -> str:
    text = clean_text(value) if isinstance(value, str) else ""
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{SINK.clean(text)[:_LONGEST_TEXT]}… [{len(text):,} characters in all]"
