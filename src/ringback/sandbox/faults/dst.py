"""Faults of results sent to ResultDestination."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from ringback.sandbox.admission import is_http_url
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.calls import SandboxCall
from ringback.sandbox.catalogue import fault
from ringback.sandbox.delivery import OutgoingResult
from ringback.sandbox.dialects.delivery import after_byte_order_mark, as_gzip, as_xml
from ringback.sandbox.messages import TRIGGER_PATH, AcceptedTrigger, JsonObject, Refusal, Request, Send
from ringback.sandbox.settings import SandboxSettings

# DST-01, DST-02, DST-04


def _withholds(name: str, clause: str, description: str, applies: Callable[[SandboxCall], bool]) -> None:
    """Register a fault that sends no results of calls for which `applies` is true."""

    @fault(name, clause, description=description)
    class Withholds(SandboxBehaviour):
        def deliver(self, call: SandboxCall) -> None:
            if not applies(call):
                super().deliver(call)


_withholds(
    "immediate-never-sent",
    "DST-01",
    "Never sends results that are to be sent immediately.",
    lambda call: call.immediate,
)
_withholds(
    "queued-never-sent", "DST-02", "Never sends results that are queued for later.", lambda call: not call.immediate
)
_withholds(
    "only-answered-sent", "DST-04", "Sends only results of answered calls.", lambda call: call.state != "Answered"
)
_withholds("busy-never-sent", "DST-04", "Never sends results of busy lines.", lambda call: call.state == "Busy")
_withholds(
    "failures-never-sent",
    "DST-04",
    "Never sends results of calls that could not be placed.",
    lambda call: call.state in ("Error", "Invalid Number"),
)


def _sends(
    name: str, clause: str, description: str, change: Callable[[JsonObject, SandboxCall, SandboxSettings], Any]
) -> None:
    """Register a fault that sends another JSON object: `change(object, call, settings)`."""

    @fault(name, clause, description=description)
    class Sends(SandboxBehaviour):
        def delivered(self, call: SandboxCall) -> dict[str, Any]:
            sent: dict[str, Any] = change(super().delivered(call), call, self.settings)
            return sent


_sends(
    "immediate-without-id",
    "DST-01",
    "Sends immediate results without the UniqueId.",
    lambda sent, call, _: {"CallState": sent["CallState"]} if call.immediate else sent,
)
_sends(
    "immediate-id-cut",
    "DST-01",
    "Sends immediate results with half of the UniqueId.",
    lambda sent, call, _: {**sent, "UniqueId": call.unique_id[: len(call.unique_id) // 2]} if call.immediate else sent,
)
_sends(
    "immediate-other-id",
    "DST-01",
    "Sends immediate results with an id of its own instead of the UniqueId.",
    lambda sent, call, _: {**sent, "UniqueId": f"result-{id(call):x}"} if call.immediate else sent,
)
_sends(
    "queued-without-id",
    "DST-02",
    "Sends queued results without the UniqueId.",
    lambda sent, call, _: sent if call.immediate else {"CallState": sent["CallState"]},
)


def _sends_late(name: str, description: str, seconds: float) -> None:
    """Register a fault that sends immediate results so many seconds after the time that clients allow."""

    @fault(name, "DST-01", description=description)
    class SendsLate(SandboxBehaviour):
        def deliver(self, call: SandboxCall) -> None:
            late = self.settings.delivery_limit_seconds + seconds if call.immediate else 0.0
            self.book.loop.call_later(late, super().deliver, call)


_sends_late("immediate-sent-late", "Sends immediate results half a second after the time that clients allow.", 0.5)
_sends_late("immediate-sent-3-s-late", "Sends immediate results three seconds after the time that clients allow.", 3.0)


@fault("absent-flag-never-sent", "DST-02")
class _AbsentFlagNeverSent(SandboxBehaviour):
    """Sends no results of calls whose trigger left out SendResultImmediately."""

    def place(self, order: AcceptedTrigger) -> SandboxCall:
        if "SendResultImmediately" in order.body:
            return super().place(order)
        body = {name: value for name, value in order.body.items() if name != "ResultDestination"}
        return super().place(AcceptedTrigger(body, order.inputs, order.raw))


@fault("queue-half-sent", "DST-02")
class _QueueHalfSent(SandboxBehaviour):
    """Sends every second queued result."""

    def flush(self) -> None:
        self.outbox = [call for call in self.outbox if self.count("queued") % 2]
        super().flush()


# DST-03


@fault("sent-when-dialled", "DST-03")
class _SentWhenDialled(SandboxBehaviour):
    """Sends the UniqueId when the call is dialled, and again with the state when the call ends."""

    def place(self, order: AcceptedTrigger) -> SandboxCall:
        call = super().place(order)
        if call.destination is not None and not call.state:
            body = orjson.dumps({"UniqueId": call.unique_id})
            self.sender.send(OutgoingResult(call.destination, body))
        return call


@fault("outcome-sent-too-soon", "DST-03")
class _OutcomeSentTooSoon(SandboxBehaviour):
    """Sends the result while the call is still ringing."""

    def place(self, order: AcceptedTrigger) -> SandboxCall:
        call = super().place(order)
        if call.destination is not None and not call.state:
            body = orjson.dumps({"UniqueId": call.unique_id, "CallState": call.outcome})
            self.sender.send(OutgoingResult(call.destination, body))
        return call

    def deliver(self, call: SandboxCall) -> None:
        """Send nothing: the result has already been sent."""


# DST-05

_sends(
    "sent-as-answered", "DST-05", "Sends every result as Answered.", lambda sent, *_: {**sent, "CallState": "Answered"}
)
_sends(
    "sent-as-completed",
    "DST-05",
    "Sends every result as Completed.",
    lambda sent, *_: {**sent, "CallState": "Completed"},
)
_sends(
    "busy-sent-as-no-answer",
    "DST-05",
    "Sends results of busy lines as No Answer.",
    lambda sent, *_: {**sent, "CallState": "No Answer"} if sent["CallState"] == "Busy" else sent,
)


def _sends_wrongly(name: str, description: str, pack: Callable[[str, dict[str, Any]], OutgoingResult]) -> None:
    """Register a fault that sends the results of busy lines as No Answer, in another form."""

    @fault(name, "DST-05", description=description)
    class SendsWrongly(SandboxBehaviour):
        def outgoing(self, call: SandboxCall) -> OutgoingResult:
            state = "No Answer" if call.state == "Busy" else call.state
            outgoing = pack(call.destination or "", {**self.delivered(call), "CallState": state})
            outgoing.unique_id = call.unique_id
            return outgoing


_sends_wrongly("wrong-state-in-xml", "Sends results of busy lines as No Answer, in XML.", as_xml)
_sends_wrongly("wrong-state-gzipped", "Sends results of busy lines as No Answer, gzipped.", as_gzip)
_sends_wrongly("wrong-state-after-byte-order-mark",
               "Sends results of busy lines as No Answer, after a byte-order mark.", after_byte_order_mark)  # fmt: skip


# DST-06

_sends(
    "token-sent",
    "DST-06",
    "Sends the AccessToken too.",
    lambda sent, _, settings: {**sent, "AccessToken": settings.access_token},
)


@fault("placed-twice", "DST-06")
class _PlacedTwice(SandboxBehaviour):
    """Places two calls for a trigger, as behind a gateway that sends it twice; both results go to its address."""

    def place(self, order: AcceptedTrigger) -> SandboxCall:
        call = super().place(order)
        if call.destination is not None:
            super().place(order)
        return call


@fault("token-in-sent-url", "DST-06")
class _TokenInSentUrl(SandboxBehaviour):
    """Adds the AccessToken to the address that results are sent to."""

    def outgoing(self, call: SandboxCall) -> OutgoingResult:
        outgoing = super().outgoing(call)
        outgoing.url += f"{'&' if '?' in outgoing.url else '?'}token={quote(self.settings.access_token, safe='')}"
        return outgoing


@fault("token-in-sent-header", "DST-06")
class _TokenInSentHeader(SandboxBehaviour):
    """Sends the AccessToken in a header."""

    def outgoing(self, call: SandboxCall) -> OutgoingResult:
        outgoing = super().outgoing(call)
        outgoing.headers = (("Authorization", f"Bearer {self.settings.access_token}"),)
        return outgoing


@fault("previous-id-sent", "DST-06")
class _PreviousIdSent(SandboxBehaviour):
    """Sends the UniqueId of the previous result too."""

    previous = ""

    def delivered(self, call: SandboxCall) -> dict[str, Any]:
        previous, self.previous = self.previous, call.unique_id
        return {**super().delivered(call), "PreviousUniqueId": previous}


@fault("everybodys-results-sent", "DST-06")
class _EverybodysResultsSent(SandboxBehaviour):
    """Sends the latest results of all callers to each destination."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.recent: list[SandboxCall] = []

    def delivered(self, call: SandboxCall) -> dict[str, Any]:
        self.recent = [*self.recent[-20:], call]
        sent = super().delivered(call)
        return {**sent, "Results": [{"UniqueId": other.unique_id, "CallState": other.state} for other in self.recent]}


# DST-07


@fault("destination-validated", "DST-07")
class _DestinationValidated(SandboxBehaviour):
    """Refuses triggers whose ResultDestination does not accept a test request."""

    async def exchange(self, request: Request, send: Send) -> None:
        url = _destination_of(request)
        if url is not None and not await self.sender.send_once(OutgoingResult(url, b'{"Test":true}')):
            refusal = Refusal(400, "ResultDestination does not answer")
            await self.transmit(self.refuse(refusal, request), request, send)
            return
        await super().exchange(request, send)


@fault("destination-contacted-first", "DST-07")
class _DestinationContactedFirst(SandboxBehaviour):
    """Answers a trigger after its ResultDestination has accepted a test request, or has failed three times."""

    async def exchange(self, request: Request, send: Send) -> None:
        url = _destination_of(request)
        for pause in (0.5, 1.0, 2.0) if url is not None else ():
            if await self.sender.send_once(OutgoingResult(url or "", b'{"Test":true}')):
                break
            await asyncio.sleep(pause)
        await super().exchange(request, send)


@fault("slow-destination-holds-triggers", "DST-07")
class _SlowDestinationHoldsTriggers(SandboxBehaviour):
    """Answers no trigger while a result is being sent; polls are answered."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.sending = 0
        attempt = self.sender.attempt

        async def counted(result: OutgoingResult, connection: Any) -> bool:
            self.sending += 1
            try:
                return await attempt(result, connection)
            finally:
                self.sending -= 1

        self.sender.attempt = counted  # type: ignore[method-assign]  # what a lock around sending does

    async def exchange(self, request: Request, send: Send) -> None:
        while self.sending and request.path == TRIGGER_PATH:
            await asyncio.sleep(0.02)
        await super().exchange(request, send)


class _Following(SandboxBehaviour):
    """Records which results did not reach their destination."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.failed: set[str] = set()
        self.sender.on_attempt = self.on_attempt

    def on_attempt(self, outgoing: OutgoingResult, delivered: bool) -> None:
        if delivered:
            self.failed.discard(outgoing.unique_id)
        else:
            self.failed.add(outgoing.unique_id)


@fault("undelivered-not-reported", "DST-07")
class _UndeliveredNotReported(_Following):
    """Does not report calls in polls while their results cannot be sent."""

    def final_entry(self, call: SandboxCall) -> JsonObject | None:
        return None if call.unique_id in self.failed else super().final_entry(call)


@fault("undelivered-is-error", "DST-07")
class _UndeliveredIsError(_Following):
    """Reports calls as Error while their results cannot be sent."""

    def word_for(self, call: SandboxCall) -> str:
        return "Error" if call.unique_id in self.failed else super().word_for(call)


def _destination_of(request: Request) -> str | None:
    """Return the ResultDestination of a trigger if it is a valid URL."""
    if request.path != TRIGGER_PATH or request.method != "POST":
        return None
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return None
    url = body.get("ResultDestination") if isinstance(body, Mapping) else None
    return url if isinstance(url, str) and is_http_url(url) else None


# DST-08


@fault("unavailable-taken-for-success", "DST-08")
class _UnavailableTakenForSuccess(SandboxBehaviour):
    """Treats an answer of 503 from ResultDestination as success."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        worth_retrying = self.sender.worth_retrying
        self.sender.worth_retrying = lambda status: status != 503 and worth_retrying(status)


@fault("sent-once-only", "DST-08")
class _SentOnceOnly(SandboxBehaviour):
    """Sends each result once, even if that fails."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self.sender.attempts = 1
