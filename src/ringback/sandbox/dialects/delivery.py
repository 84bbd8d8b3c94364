"""Dialects of what is sent to ResultDestination: the documents do not show its form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from ringback.sandbox.behaviour import Behaviour
from ringback.sandbox.calls import Call
from ringback.sandbox.catalogue import dialect
from ringback.sandbox.delivery import Parcel


def _form(name: str, description: str, pack: Callable[[str, dict[str, Any]], Parcel]) -> None:
    """Register a dialect that packs what is sent of a call in another way."""

    class Form(Behaviour):
        def parcel(self, call: Call) -> Parcel:
            parcel = pack(call.destination or "", self.delivered(call))
            parcel.unique_id = call.unique_id
            return parcel

    Form.__doc__ = description
    dialect(name, "DST-01", "DST-02")(Form)


def _in_query(url: str, sent: dict[str, Any]) -> Parcel:
    return Parcel(f"{url}{'&' if '?' in url else '?'}{urlencode(sent)}", method="GET")


def _in_path(url: str, sent: dict[str, Any]) -> Parcel:
    path, _, query = url.partition("?")
    return Parcel(f"{path.rstrip('/')}/{quote(sent['UniqueId'], safe='')}{'?' if query else ''}{query}", b"{}")


def _as_form(url: str, sent: dict[str, Any]) -> Parcel:
    return Parcel(url, urlencode(sent).encode(), content_type="application/x-www-form-urlencoded")


def _as_text(url: str, sent: dict[str, Any]) -> Parcel:
    return Parcel(url, sent["UniqueId"].encode(), content_type="text/plain; charset=utf-8")


def _as_results(url: str, sent: dict[str, Any]) -> Parcel:
    return Parcel(url, orjson.dumps({"CallResults": [{"CallRequestId": "", **sent}]}))


def _by_put(url: str, sent: dict[str, Any]) -> Parcel:
    return Parcel(url, orjson.dumps(sent), method="PUT")


_form("sent-by-get", "Results are sent by GET, in the query.", _in_query)
_form("sent-in-path", "Results are posted to an address that ends in the UniqueId.", _in_path)
_form("sent-as-form", "Results are sent as form data.", _as_form)
_form("sent-as-text", "The UniqueId is sent as plain text, without a state.", _as_text)
_form("sent-as-results", "Results are sent in the form of a poll's answer.", _as_results)
_form("sent-by-put", "Results are sent by PUT.", _by_put)


@dialect("sent-without-state", "DST-05")
class _SentWithoutState(Behaviour):
    """The UniqueId is sent without a state."""

    def delivered(self, call: Call) -> dict[str, Any]:
        return {"UniqueId": call.unique_id}


@dialect("sent-twice", "DST-06")
class _SentTwice(Behaviour):
    """Each result is sent twice."""

    def deliver(self, call: Call) -> None:
        super().deliver(call)
        self.book.loop.call_later(0.1, super().deliver, call)


@dialect("sent-late", "DST-01")
class _SentLate(Behaviour):
    """Immediate results are sent a second after the call ends."""

    def deliver(self, call: Call) -> None:
        self.book.loop.call_later(1.0, super().deliver, call)


@dialect("sent-just-in-time", "DST-01")
class _SentJustInTime(Behaviour):
    """Immediate results are sent a second before the time that clients allow is over."""

    def deliver(self, call: Call) -> None:
        seconds = max(0.0, self.settings.delivery_limit_seconds - 1.0) if call.immediate else 0.0
        self.book.loop.call_later(seconds, super().deliver, call)


@dialect("sent-in-batches", "DST-02", "DST-06")
class _SentInBatches(Behaviour):
    """Queued results for the same address are sent as one array."""

    def flush(self) -> None:
        batches: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for call in self.outbox:
            batches[call.destination or ""].append(self.delivered(call))
        self.outbox = []
        for url, batch in batches.items():
            self.courier.send(Parcel(url, orjson.dumps(batch)))
