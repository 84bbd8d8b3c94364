"""The calls of the threads deployment: their ids, how they end, and when polls report which state."""

import hashlib
import threading
import time
import uuid
from dataclasses import dataclass

from tests.deployments.threads.triggers import NOBODY, Order
from tests.deployments.threads.ways import Ways

SPELLINGS = {
    "no-answer-joined": ("No Answer", "NoAnswer"),
    "busy-shouted": ("Busy", "BUSY"),
    "rejected-padded": ("Rejected", "Rejected "),
    "hard-space": ("Temporarily Unavailable", "Temporarily\xa0Unavailable"),
    "small-number": ("Invalid Number", "Invalid number"),
    "failed": ("Error", "Failed"),
    "voicemail": ("No Answer", "Answered"),
    "unreachable-is-error": ("Temporarily Unavailable", "Error"),
}
"""By fault: a state, and the wrong state in its place."""


@dataclass
class Call:
    """A call that was placed. Times are on the monotonic clock, in seconds."""

    id: str
    request_id: str
    order: Order
    outcome: str
    placed: float
    final_at: float
    reads: int = 0
    stuck: bool = False
    sent: bool = False
    unsendable: bool = False

    def ringing(self) -> bool:
        """Whether the call is still in progress."""
        return time.monotonic() < self.final_at


class Exchange:
    """Places calls and knows them by id."""

    def __init__(self, ways: Ways) -> None:
        self.ways = ways
        self.lock = threading.RLock()
        self.calls: dict[str, Call] = {}
        self.placed: list[Call] = []
        self._counter = 0
        self._salt = uuid.uuid4()

    def place(self, order: Order) -> Call:
        """Start a call; some faults return an earlier call instead."""
        raced = self._raced_id() if self.ways.fault("id-raced") else None
        with self.lock:
            call_id = raced or self._id(order)
            now = time.monotonic()
            outcome = self._outcome(order)
            rings = 0.0 if outcome in self.ways.dialect.instant_states else self.ways.settings.ring_seconds
            call = Call(call_id, str(uuid.uuid4()), order, outcome, now, now + rings + self.ways.dialect.tell_after)
            if self._never_ends(order, outcome):
                call.final_at = float("inf")
            self.placed.append(call)
            return self.calls.setdefault(call_id, call)

    def _raced_id(self) -> str:
        seen = self._counter
        time.sleep(0.008)
        self._counter = seen + 1
        return self._named(str(seen))

    def _named(self, text: str) -> str:
        return str(uuid.uuid5(self._salt, text)).upper()

    def _id(self, order: Order) -> str:
        self._counter += 1
        ringing = [call.id for call in self.placed if call.order.number == order.number and call.ringing()]
        if self.ways.fault("id-of-ringing-line") and ringing:
            return ringing[0]
        if self.ways.fault("id-as-number") and not order.has_end_user:
            return str(uuid.uuid4().int >> 80)
        made = {
            "id-of-body": lambda: self._named(hashlib.sha256(order.raw).hexdigest()),
            "id-of-conversation": lambda: self._named(order.conversation),
            "id-wraps": lambda: self._named(str(self._counter % 24)),
            "id-of-line-second": lambda: self._named(f"{order.number} {int(time.time())}"),
            "id-counts": lambda: f"CALL-{self._counter:08d}",
            "id-of-clock": lambda: f"{int(time.time())}.{self._counter}",
        }
        make = self.ways.of_fault(made)
        return make() if make else self.ways.dialect.new_id()

    def _outcome(self, order: Order) -> str:
        lines = self.ways.settings.lines
        number = order.number
        if number == NOBODY:
            return "Invalid Number"
        if self.ways.fault("neighbour-line") and list(lines).index(number) == len(lines) - 2:
            number = list(lines)[-1]
        if self.ways.fault("engaged-by-own-call") and self._at_once(order) > 0:
            return "Busy"
        outcome = lines[number]
        before, after = self.ways.of_fault(SPELLINGS) or ("", "")
        return after if outcome == before else outcome

    def _at_once(self, order: Order) -> int:
        return sum(call.order.number == order.number and call.ringing() for call in self.placed)

    def _never_ends(self, order: Order, outcome: str) -> bool:
        return bool(
            self.ways.of_fault(
                {
                    "rejected-rings-on": outcome == "Rejected",
                    "unpaired": order.destination is None,
                    "third-is-lost": self._at_once(order) >= 2,
                }
            )
        )

    def reported(self, call: Call) -> str | None:
        """The state to report in a poll: empty while the call is pending, None to leave it out."""
        with self.lock:
            return self._reported_ringing(call) if call.ringing() else self._reported_final(call)

    def _reported_ringing(self, call: Call) -> str:
        passed = (time.monotonic() - call.placed) / (call.final_at - call.placed)
        call.stuck = self.ways.fault("pending-cached")
        shown = {
            "error-at-first": "Error" if passed < 0.5 else "",
            "answered-flash": "Answered" if passed >= 0.5 else "",
            "no-answer-meanwhile": "No Answer",
            "ringing-word": "Ringing",
        }
        return self.ways.of_fault(shown) or ""

    def _reported_final(self, call: Call) -> str | None:
        if call.stuck:
            return ""
        call.reads += 1
        age = time.monotonic() - call.final_at
        if self.ways.fault("unsent-is-error") and call.unsendable:
            return "Error"
        forgotten = {
            "vanishes": age > 1.5,
            "read-once": call.reads > 1,
            "forgotten-when-sent": call.sent,
        }
        if self.ways.of_fault(forgotten):
            return None
        if self.ways.fault("flaps") and call.reads % 3 == 0:
            return ""
        if self.ways.fault("redials") and call.outcome == "No Answer" and age > 1.0:
            return ""
        if self.ways.fault("busy-drifts") and call.outcome == "Busy" and age > 1.0:
            return "No Answer"
        return call.outcome

    def all_calls(self) -> list[Call]:
        """All calls, in the order in which they were placed."""
        with self.lock:
            return list(self.calls.values())

    def find(self, call_id: str) -> Call | None:
        """The call with this id; with some faults, also one with a similar id."""
        with self.lock:
            return self.calls.get(call_id) or next(
                (call for call in self.calls.values() if self._near(call, call_id)), None
            )

    def _near(self, call: Call, given: str) -> bool:
        if self.ways.dialect.ids_parsed and _parsed(given) == _parsed(call.id) is not None:
            return True
        near = {
            "id-first-part": len(given) >= 18 and given[:18] == call.id[:18],
            "id-with-tail": given.startswith(call.id),
        }
        return bool(self.ways.of_fault(near))


def _parsed(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
