"""Dialects of results sent to ResultDestination; the documents do not show their form."""

from __future__ import annotations

import gzip
import zlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import orjson

from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.calls import SandboxCall
from ringback.sandbox.catalogue import dialect
from ringback.sandbox.delivery import OutgoingResult


def _form(name: str, description: str, pack: Callable[[str, dict[str, Any]], OutgoingResult]) -> None:
    """Register a dialect that sends results in another form."""

    @dialect(name, "DST-01", "DST-02", description=description)
    class Form(SandboxBehaviour):
        def outgoing(self, call: SandboxCall) -> OutgoingResult:
            outgoing = pack(call.destination or "", self.delivered(call))
            outgoing.unique_id = call.unique_id
            return outgoing


def _in_query(url: str, sent: dict[str, Any]) -> OutgoingResult:
    return OutgoingResult(f"{url}{'&' if '?' in url else '?'}{urlencode(sent)}", method="GET")


def _in_path(url: str, sent: dict[str, Any]) -> OutgoingResult:
    path, _, query = url.partition("?")
    return OutgoingResult(f"{path.rstrip('/')}/{quote(sent['UniqueId'], safe='')}{'?' if query else ''}{query}", b"{}")


def _as_form(url: str, sent: dict[str, Any]) -> OutgoingResult:
    return OutgoingResult(url, urlencode(sent).encode(), content_type="application/x-www-form-urlencoded")


def _as_text(url: str, sent: dict[str, Any]) -> OutgoingResult:
    return OutgoingResult(url, sent["UniqueId"].encode(), content_type="text/plain; charset=utf-8")


def _as_results(url: str, sent: dict[str, Any]) -> OutgoingResult:
    return OutgoingResult(url, orjson.dumps({"CallResults": [{"CallRequestId": "", **sent}]}))


def _by_put(url: str, sent: dict[str, Any]) -> OutgoingResult:
    return OutgoingResult(url, orjson.dumps(sent), method="PUT")


_form("sent-by-get", "Results are sent by GET, in the query.", _in_query)
_form("sent-in-path", "Results are posted to an address that ends in the UniqueId.", _in_path)
_form("sent-as-form", "Results are sent as form data.", _as_form)
_form("sent-as-text", "The UniqueId is sent as plain text, without a state.", _as_text)
_form("sent-as-results", "Results are sent in the form of a poll's answer.", _as_results)


def as_gzip(url: str, sent: dict[str, Any]) -> OutgoingResult:
    """A result as JSON, compressed."""
    return OutgoingResult(url, gzip.compress(orjson.dumps(sent)), headers=(("Content-Encoding", "gzip"),))


def _deflated(url: str, sent: dict[str, Any]) -> OutgoingResult:
    return OutgoingResult(
        url, zlib.compress(orjson.dumps(sent), wbits=-15), method="PATCH", headers=(("Content-Encoding", "deflate"),)
    )


def as_xml(url: str, sent: dict[str, Any]) -> OutgoingResult:
    """A result as an XML document."""
    members = "".join(f"<r:{name}>{escape(str(value))}</r:{name}>" for name, value in sent.items())
    text = f'<?xml version="1.0"?>\n<r:Result xmlns:r="urn:example:results">{members}</r:Result>'
    return OutgoingResult(url, text.encode(), content_type="application/xml")


def after_byte_order_mark(url: str, sent: dict[str, Any]) -> OutgoingResult:
    """A result as JSON after a byte-order mark."""
    return OutgoingResult(url, b"\xef\xbb\xbf" + orjson.dumps(sent))


def _as_lines(url: str, sent: dict[str, Any]) -> OutgoingResult:
    text = "".join(f"{name}: {value}\n" for name, value in sent.items())
    return OutgoingResult(url, text.encode("utf-16"), content_type="text/plain; charset=utf-16")


_form("sent-gzipped", "Results are sent gzipped, with Content-Encoding.", as_gzip)
_form("sent-deflated", "Results are sent by PATCH, deflated without the header of zlib.", _deflated)
_form("sent-as-xml", "Results are sent as XML.", as_xml)
_form("sent-after-byte-order-mark", "Results are sent as JSON after a byte-order mark.", after_byte_order_mark)
_form("sent-as-lines", "Results are sent as lines of text in UTF-16.", _as_lines)
_form("sent-by-put", "Results are sent by PUT.", _by_put)


@dialect("sent-without-state", "DST-05")
class _SentWithoutState(SandboxBehaviour):
    """The UniqueId is sent without a state."""

    def delivered(self, call: SandboxCall) -> dict[str, Any]:
        return {"UniqueId": call.unique_id}


@dialect("sent-twice", "DST-06")
class _SentTwice(SandboxBehaviour):
    """Each result is sent twice."""

    def deliver(self, call: SandboxCall) -> None:
        super().deliver(call)
        self.book.loop.call_later(0.1, super().deliver, call)


@dialect("sent-late", "DST-01")
class _SentLate(SandboxBehaviour):
    """Immediate results are sent a second after the call ends."""

    def deliver(self, call: SandboxCall) -> None:
        self.book.loop.call_later(1.0, super().deliver, call)


@dialect("sent-just-in-time", "DST-01")
class _SentJustInTime(SandboxBehaviour):
    """Immediate results are sent a second before the time that clients allow is over."""

    def deliver(self, call: SandboxCall) -> None:
        seconds = max(0.0, self.settings.delivery_limit_seconds - 1.0) if call.immediate else 0.0
        self.book.loop.call_later(seconds, super().deliver, call)


@dialect("sent-in-batches", "DST-02", "DST-06")
class _SentInBatches(SandboxBehaviour):
    """Queued results for the same address are sent as one array."""

    def flush(self) -> None:
        batches: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for call in self.outbox:
            batches[call.destination or ""].append(self.delivered(call))
        self.outbox = []
        for url, batch in batches.items():
            self.sender.send(OutgoingResult(url, orjson.dumps(batch)))
