"""Faults of a trigger's answer."""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from collections.abc import Callable, Hashable
from dataclasses import replace

from ringback import clock
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.calls import SandboxCall
from ringback.sandbox.catalogue import fault
from ringback.sandbox.messages import TRIGGER_PATH, AcceptedTrigger, JsonObject, Request, SandboxAnswer, Send
from ringback.sandbox.settings import SandboxSettings

# ACK-01


def _answers(name: str, description: str, status: int) -> None:
    """Register a fault that answers accepted triggers with another status."""

    @fault(name, "ACK-01", description=description)
    class Answers(SandboxBehaviour):
        def trigger(self, request: Request) -> SandboxAnswer:
            return replace(super().trigger(request), status=status)


_answers("created-201", "Answers an accepted trigger with 201.", 201)
_answers("accepted-202", "Answers an accepted trigger with 202.", 202)


# ACK-02


def _acknowledges(name: str, description: str, change: Callable[[str], JsonObject]) -> None:
    """Register a fault that returns the id in another body: `change(id)`."""

    @fault(name, "ACK-02", description=description)
    class Acknowledges(SandboxBehaviour):
        def acknowledge(self, call: SandboxCall, order: AcceptedTrigger) -> JsonObject:
            del order
            return change(call.unique_id)


_acknowledges("camel-case-id", "Spells the member uniqueId.", lambda unique_id: {"uniqueId": unique_id})
_acknowledges("upper-case-id", "Spells the member UniqueID.", lambda unique_id: {"UniqueID": unique_id})
_acknowledges("snake-case-id", "Spells the member unique_id.", lambda unique_id: {"unique_id": unique_id})
_acknowledges("empty-id", "Gives an empty UniqueId.", lambda _: {"UniqueId": ""})
_acknowledges("null-id", "Gives a UniqueId of null.", lambda _: {"UniqueId": None})
_acknowledges("nested-id", "Puts the UniqueId into a member data.", lambda unique_id: {"data": {"UniqueId": unique_id}})
_acknowledges("listed-id", "Puts the UniqueId into an array.", lambda unique_id: {"UniqueId": [unique_id]})


@fault("number-id", "ACK-02")
class _NumberId(SandboxBehaviour):
    """Gives a UniqueId that is a JSON number."""

    def make_id(self, order: AcceptedTrigger) -> str:
        return str(int(super().make_id(order)[:13], 16))

    def acknowledge(self, call: SandboxCall, order: AcceptedTrigger) -> JsonObject:
        del order
        return {"UniqueId": int(call.unique_id)}


@fault("array-answer", "ACK-02")
class _ArrayAnswer(SandboxBehaviour):
    """Answers a trigger with an array of one object."""

    def encode(self, value: JsonObject) -> bytes:
        text = super().encode(value)
        return b"[" + text + b"]" if "UniqueId" in value else text


# ACK-03


def _repeats(name: str, description: str, key: Callable[[AcceptedTrigger], Hashable]) -> None:
    """Register a fault that gives triggers with the same `key` the same id."""

    @fault(name, "ACK-03", description=description)
    class Repeats(SandboxBehaviour):
        def __init__(self, settings: SandboxSettings) -> None:
            super().__init__(settings)
            self.ids: dict[Hashable, str] = {}

        def make_id(self, order: AcceptedTrigger) -> str:
            return self.ids.setdefault(key(order), super().make_id(order))


_repeats("same-id-for-same-body", "Gives byte-identical triggers the same UniqueId.", lambda order: order.raw)
_repeats(
    "same-id-for-conversation",
    "Gives triggers of one ConversationId the same UniqueId.",
    lambda order: str(order.body.get("ConversationId")),
)
_repeats("same-id-for-line", "Gives triggers for one number the same UniqueId.", lambda order: order.number)
_repeats("id-from-clock", "Makes the UniqueId from a clock of 20 ms.", lambda _: int(clock.monotonic() * 50))


@fault("every-seventh-id-repeated", "ACK-03")
class _EverySeventhIdRepeated(SandboxBehaviour):
    """Gives every seventh call the UniqueId of the one before it."""

    last = ""

    def make_id(self, order: AcceptedTrigger) -> str:
        if self.count("ids") % 7:
            self.last = super().make_id(order)
        return self.last


@fault("id-race", "ACK-03")
class _IdRace(SandboxBehaviour):
    """Gives triggers that are answered at the same time the same UniqueId."""

    at_once = 0
    last = ""

    async def exchange(self, request: Request, send: Send) -> None:
        if request.path != TRIGGER_PATH:
            await super().exchange(request, send)
            return
        self.at_once += 1
        try:
            await asyncio.sleep(0.02)
            await super().exchange(request, send)
        finally:
            self.at_once -= 1

    def make_id(self, order: AcceptedTrigger) -> str:
        if self.at_once <= 1 or not self.last:
            self.last = super().make_id(order)
        return self.last


# ACK-04


def _guessable(name: str, description: str, nth_id: Callable[[int], str]) -> None:
    """Register a fault whose n-th id is `nth_id(n)`."""

    @fault(name, "ACK-04", description=description)
    class Guessable(SandboxBehaviour):
        def make_id(self, order: AcceptedTrigger) -> str:
            del order
            return nth_id(self.count("ids"))


_guessable("counted-ids", "Counts its UniqueIds.", lambda n: str(100_000 + n))
_guessable(
    "counted-hex-ids",
    "Counts its UniqueIds at the end of a long constant.",
    lambda n: f"7c9e6679-7425-40de-944b-{n:012x}",
)
_guessable(
    "counted-base64-ids",
    "Counts its UniqueIds and encodes them.",
    lambda n: base64.urlsafe_b64encode(b"call-%08d" % n).decode(),
)
_guessable(
    "clock-ids",
    "Makes UniqueIds from the time and a counter.",
    lambda n: f"{int(clock.wall().timestamp() * 1000)}-{n:04d}",
)
_guessable(
    "uuid-from-clock-ids",
    "Makes UniqueIds from the time and the network card.",
    lambda _: str(uuid.uuid1(node=0x02420A0B0C0D, clock_seq=7)),
)


_OLDER_CALLS = 8_765_432


@fault("counted-among-others", "ACK-04")
class _CountedAmongOthers(SandboxBehaviour):
    """Counts its UniqueIds up from a large number: all lower ones are other clients' calls."""

    def make_id(self, order: AcceptedTrigger) -> str:
        del order
        return str(_OLDER_CALLS + self.count("ids"))

    def unknown_entry(self, unique_id: str) -> JsonObject | None:
        if re.fullmatch(r"[1-9]\d{0,6}", unique_id, re.ASCII) and int(unique_id) <= _OLDER_CALLS:
            return self.make_entry(unique_id, "Answered")
        return super().unknown_entry(unique_id)
