"""The conforming deployment: how it answers each request.

Every decision is a small method. A dialect or a fault is a subclass that overrides one of them and calls `super()`;
`variations.compose` combines them. `admission` holds the rules for requests, `calls` the life of a call, `delivery` the
sending of results.
"""

from __future__ import annotations

import os
import random
import ssl
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson

from ringback.sandbox.admission import Admission
from ringback.sandbox.calls import CallTable, SandboxCall, jittered
from ringback.sandbox.certificates import Authority
from ringback.sandbox.delivery import OutgoingResult, ResultSender
from ringback.sandbox.messages import (
    POLL_PATH,
    TRIGGER_PATH,
    AcceptedTrigger,
    Headers,
    JsonObject,
    Refusal,
    Request,
    SandboxAnswer,
    Send,
)
from ringback.sandbox.settings import SandboxSettings

_INVALID_NUMBER = "Invalid Number"
_POOL_BYTES = 16 * 256


class SandboxBehaviour(Admission):
    """A deployment that keeps the contract."""

    keep_alive_seconds: ClassVar[float] = 30.0
    """How long an idle connection stays open."""
    date_header: ClassVar[bool] = True

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.random = random.Random(settings.seed)
        self.states = settings.states_by_number()
        self.book = CallTable(
            channels=settings.channels,
            keep_seconds=settings.keep_finished_seconds,
            keep_calls=settings.keep_finished_calls,
            ring_time=self.ring_time,
            on_final=self._over,
        )
        self._ringing: Counter[str] = Counter()
        """Calls in progress on each number, if that limits further ones."""
        self._numbers: dict[str, str] = {}
        """UniqueId -> number, of these calls."""
        self.sender = ResultSender()
        self.outbox: list[SandboxCall] = []
        self._pool = ""
        self._pool_at = 0
        self._counts: Counter[str] = Counter()

    @classmethod
    def adapt(cls, settings: SandboxSettings) -> SandboxSettings:
        """Return `settings` with what this behaviour changes in them."""
        return settings

    def server_context(self, authority: Authority) -> ssl.SSLContext:
        """Return the server's TLS context, with a certificate that clients can verify."""
        return authority.server_context()

    def count(self, what: str) -> int:
        """Count one more of something, for dialects and faults that treat every n-th of it differently; returns n."""
        self._counts[what] += 1
        return self._counts[what]

    def close(self) -> None:
        """End no more calls and send no more results."""
        self.book.close()
        self.sender.close()

    # From request to answer

    async def exchange(self, request: Request, send: Send) -> None:
        """Answer one request."""
        await self.transmit(self.answer(request), request, send)

    async def transmit(self, answer: SandboxAnswer, request: Request, send: Send) -> None:
        """Send one answer."""
        del request  # dialects and faults use it
        headers: Headers = [(b"content-length", b"%d" % len(answer.body)), *answer.headers]
        if answer.content_type is not None:
            headers.append((b"content-type", answer.content_type))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    def answer(self, request: Request) -> SandboxAnswer:
        """Return the answer to any request."""
        try:
            if request.path == TRIGGER_PATH:
                return self.trigger(request) if request.method == "POST" else self.other_method(request)
            if request.path == POLL_PATH:
                return self.poll(request) if request.method == "POST" else self.other_method(request)
            return self.other_path(request)
        except Refusal as refusal:
            return self.refuse(refusal, request)

    def other_method(self, request: Request) -> SandboxAnswer:
        """Answer another method than POST."""
        del request
        raise Refusal(405, "use POST", [(b"allow", b"POST")])

    def other_path(self, request: Request) -> SandboxAnswer:
        """Answer a path that is not one of the two."""
        del request
        raise Refusal(404, "no such path")

    def refuse(self, refusal: Refusal, request: Request) -> SandboxAnswer:
        """Return the answer that refuses a request."""
        del request
        body = orjson.dumps({"error": refusal.reason})
        return SandboxAnswer(refusal.status, body, headers=refusal.headers)

    def render(self, value: JsonObject, request: Request) -> SandboxAnswer:
        """Return the 200 answer whose body is `value`."""
        del request
        return SandboxAnswer(200, self.encode(value))

    def encode(self, value: JsonObject) -> bytes:
        """Return the JSON text of a 200 answer."""
        return orjson.dumps(value)

    # Triggers

    def trigger(self, request: Request) -> SandboxAnswer:
        """Place a call and return the answer with its id; raises Refusal."""
        order = self.admit(request)
        if self.book.full:
            raise Refusal(429, "too many calls in progress", [(b"retry-after", b"1")])
        call = self.place(order)
        return self.render(self.acknowledge(call, order), request)

    def place(self, order: AcceptedTrigger) -> SandboxCall:
        """Place the call of a trigger."""
        call = SandboxCall(self.make_id(order), self.outcome(order), order.result_destination, order.immediate)
        if (most := self.settings.calls_per_line) is not None:
            if self._ringing[order.number] >= most:
                call.outcome = "Busy"
            else:
                self._ringing[order.number] += 1
                self._numbers[call.unique_id] = order.number
        self.book.place(call)
        return call

    def _over(self, call: SandboxCall) -> None:
        """A call has become final: its line is free."""
        if (number := self._numbers.pop(call.unique_id, None)) is not None:
            self._ringing[number] -= 1
        self.on_final(call)

    def acknowledge(self, call: SandboxCall, order: AcceptedTrigger) -> JsonObject:
        """Return the body of a trigger's answer."""
        del order
        return {"UniqueId": call.unique_id}

    def make_id(self, order: AcceptedTrigger) -> str:
        """Return a new id that cannot be guessed."""
        del order
        return self.random_hex()

    def random_hex(self) -> str:
        """Return 128 unguessable bits as 32 hexadecimal digits."""
        at = self._pool_at
        if at >= len(self._pool):
            self._pool = os.urandom(_POOL_BYTES).hex()
            at = 0
        self._pool_at = at + 32
        return self._pool[at : at + 32]

    def outcome(self, order: AcceptedTrigger) -> str:
        """Return the final state of the dialled number."""
        return self.states.get(order.number, _INVALID_NUMBER)

    def ring_time(self, call: SandboxCall) -> float | None:
        """Return how many seconds a call rings; None means that it never ends."""
        del call
        return jittered(self.settings.ring_seconds, self.settings.ring_jitter, self.random)

    # Polls

    def poll(self, request: Request) -> SandboxAnswer:
        """Report the calls that are asked for; raises Refusal."""
        ids = self.read_poll(request)
        self.book.forget_old()
        entries = self.report(ids)
        return self.render(self.results(entries), request)

    def report(self, ids: Sequence[str]) -> list[JsonObject]:
        """Return the entries for the ids, each once."""
        entries = []
        for unique_id in dict.fromkeys(ids):
            entry = self.entry(unique_id)
            if entry is not None:
                entries.append(entry)
        return entries

    def results(self, entries: list[JsonObject]) -> JsonObject:
        """Return the body of a poll's answer."""
        return {"CallResults": entries}

    def entry(self, unique_id: str) -> JsonObject | None:
        """Return the entry for one id, or None to leave it out."""
        call = self.book.find(unique_id)
        if call is None:
            return self.unknown_entry(unique_id)
        return self.final_entry(call) if call.state else self.pending_entry(call)

    def final_entry(self, call: SandboxCall) -> JsonObject | None:
        """Return the entry for a final call, or None to leave it out."""
        return self.make_entry(call.unique_id, self.word_for(call))

    def pending_entry(self, call: SandboxCall) -> JsonObject | None:
        """Return the entry for a call in progress, or None to leave it out."""
        del call
        return None

    def unknown_entry(self, unique_id: str) -> JsonObject | None:
        """Return the entry for an unknown id, or None to leave it out."""
        del unique_id
        return None

    def make_entry(self, unique_id: str, state: str) -> JsonObject:
        """Return one entry of a poll's answer."""
        return {"UniqueId": unique_id, "CallRequestId": "", "CallState": state}

    def word_for(self, call: SandboxCall) -> str:
        """Return the state that is reported for a final call."""
        return call.state

    # Results sent to ResultDestination

    def on_final(self, call: SandboxCall) -> None:
        """Send or queue the result of a call that has just become final."""
        if call.destination is None:
            return
        if call.immediate:
            self.deliver(call)
        else:
            self.outbox.append(call)

    def flush(self) -> None:
        """Send the results that were queued for later."""
        calls, self.outbox = self.outbox, []
        for call in calls:
            self.deliver(call)

    def deliver(self, call: SandboxCall) -> None:
        """Send the result of one call to its destination."""
        self.sender.send(self.outgoing(call))

    def outgoing(self, call: SandboxCall) -> OutgoingResult:
        """Return the request that sends a call's result."""
        body = orjson.dumps(self.delivered(call))
        return OutgoingResult(url=call.destination or "", body=body, unique_id=call.unique_id)

    def delivered(self, call: SandboxCall) -> dict[str, Any]:
        """Return the JSON object that reports a call's result."""
        return {"UniqueId": call.unique_id, "CallState": self.word_for(call)}
