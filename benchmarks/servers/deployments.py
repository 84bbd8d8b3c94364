"""Deployments whose faults and delays are known to the request: what each does, and its own count of what it did.

No sockets and no HTTP here, but for the bytes of answers. Triggers are numbered from 1 in the order in which they
arrive; all instants are seconds on CLOCK_MONOTONIC, which every process of the machine shares.
"""

from __future__ import annotations

import asyncio
import os
import time
from array import array
from collections import Counter, deque
from typing import Any, Literal

import orjson
from benchmarks.servers.lean_http import Connection, answer

__all__ = ["LINES", "UNPRODUCED", "Calm", "Faulty", "Freezing", "Queueing", "Slow"]

LINES = {
    "5550000001": "Answered",
    "5550000002": "Busy",
    "5550000003": "Error",
    "5550000004": "Invalid Number",
    "5550000005": "No Answer",
    "5550000007": "Temporarily Unavailable",
}
"""The call state that each number produces."""
UNPRODUCED = "Rejected"
"""The documented state that no number here produces: whoever reports it reports a wrong one."""

_NAN = float("nan")
_EARLY = 0.002
"""Seconds by which a timer of libuv (milliseconds, rounded) is started early, so that it does not fire late."""
_IDS_AT_ONCE = 256


class Calm:
    """Answers at once, and calls are final `ring` seconds after their trigger. The others differ in one thing each."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: float = 0.0) -> None:
        self.loop = loop
        self.ring = ring
        self.triggers = self.polls = self.refused = 0
        self.by_state: Counter[str] = Counter()
        """How the calls that have an id of their own end, or will."""
        self.arrived = array("d")
        """When each trigger was read."""
        self.answered = array("d")
        """When the answer to each trigger was sent; NaN until then."""
        self._calls: dict[str, tuple[float, str | None]] = {}
        self._ids: list[str] = []

    def request(self, connection: Connection, target: bytes, body: bytes) -> None:
        """Take one request; see `lean_http.Application`."""
        if target == b"POST /v2/call":
            self._trigger(connection, body)
        elif target == b"POST /v2/callresult":
            self._poll(connection, body)
        elif target == b"GET /truth":
            connection.send(answer(200, self.truth()))
        elif target == b"GET /instants":
            instants = self.arrived.tobytes() + self.answered.tobytes()
            connection.send(answer(200, instants, "application/octet-stream"))
        else:
            connection.send(answer(404, {"Message": "nothing is served here"}))

    def truth(self) -> dict[str, Any]:
        """What was done so far, and what a ledger must therefore come to when every call has been followed."""
        return {
            "kind": type(self).__name__.lower(),
            "triggers": self.triggers,
            "polls": self.polls,
            "refused": self.refused,
            "calls": self.expected_calls(),
        }

    def expected_calls(self) -> dict[str, Any]:
        """The account of all calls, as the load section of a verdict words it."""
        final = self.by_state.total()
        return {
            "accepted": self.triggers,
            "final": final,
            "lost": 0,
            "duplicate_ids": 0,
            "wrong_state": 0,
            "by_state": dict(sorted(self.by_state.items())),
        }

    def accept(self, number: int, state: str, now: float) -> str:
        """The id for trigger `number`, whose line produces `state`."""
        del number
        return self.give(state, now)

    def give(self, state: str | None, now: float) -> str:
        """A new id, for a call that ends with `state`; None: it never ends."""
        if not self._ids:
            self._ids = _unguessable()
        unique_id = self._ids.pop()
        self._calls[unique_id] = (now + self.ring, state)
        if state is not None:
            self.by_state[state] += 1
        return unique_id

    def results(self, unique_ids: list[str]) -> list[dict[str, str]]:
        """What a poll for these ids reports: the calls that are final. Ids that nobody was given are left out."""
        now = time.monotonic()
        found = []
        for unique_id in unique_ids:
            call = self._calls.get(unique_id)
            if call is not None and call[1] is not None and call[0] <= now:
                found.append({"UniqueId": unique_id, "CallRequestId": "", "CallState": call[1]})
        return found

    def send(self, connection: Connection, payload: bytes, number: int) -> None:
        """Send an answer; `number` is the trigger's, 0 for a poll. Delays are made here."""
        connection.send(payload)
        if number:
            self.answered[number - 1] = time.monotonic()

    def _trigger(self, connection: Connection, body: bytes) -> None:
        now = time.monotonic()
        state = LINES.get(_destination(body))
        if state is None:
            self.refused += 1
            connection.send(answer(400, {"Message": "no such line"}))
            return
        self.triggers += 1
        self.arrived.append(now)
        self.answered.append(_NAN)
        unique_id = self.accept(self.triggers, state, now)
        self.send(connection, answer(200, {"UniqueId": unique_id}), self.triggers)

    def _poll(self, connection: Connection, body: bytes) -> None:
        self.polls += 1
        try:
            unique_ids = orjson.loads(body)["UniqueIds"]
            found = self.results(unique_ids)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self.refused += 1
            connection.send(answer(400, {"Message": "no list of UniqueIds"}))
            return
        self.send(connection, answer(200, {"CallResults": found}), 0)


class Freezing(Calm):
    """Answers nothing at all in the last `lasting` seconds of every `every` seconds since its start.

    With `block`, the process sleeps, as in a long collection of garbage: at the thaw it has all to read and to answer.
    Otherwise it reads on, and at the thaw sends the answers that it held back, in order, which takes far less time, and
    it tells how long.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, lasting: float, every: float, block: bool = False, ring: float = 0.0
    ) -> None:
        super().__init__(loop, ring)
        self.lasting = lasting
        self.every = every
        self.origin = time.monotonic()
        self._block = block
        self._held: list[tuple[Connection, bytes, int]] = []
        self._thaws: list[dict[str, float]] = []

    def request(self, connection: Connection, target: bytes, body: bytes) -> None:
        """In a freeze that blocks, everything stops here."""
        if self._block and (thaw := self.thaw(time.monotonic())) is not None and not target.startswith(b"GET "):
            _sleep_until(thaw)
        super().request(connection, target, body)

    def thaw(self, now: float) -> float | None:
        """When the freeze that is on ends; None if none is on."""
        phase = (now - self.origin) % self.every
        return now + self.every - phase if phase >= self.every - self.lasting else None

    def send(self, connection: Connection, payload: bytes, number: int) -> None:
        """Hold the answer back in a freeze."""
        if not self._held and not self._block and (thaw := self.thaw(now := time.monotonic())) is not None:
            self.loop.call_later(max(0.0, thaw - now - _EARLY), self._release, thaw)
        elif not self._held:
            super().send(connection, payload, number)
            return
        self._held.append((connection, payload, number))

    def truth(self) -> dict[str, Any]:
        """Also: its clock, and each thaw with the answers that had been held and the seconds it took to send them."""
        return super().truth() | {
            "origin": self.origin,
            "for_s": self.lasting,
            "every_s": self.every,
            "block": self._block,
            "thaws": self._thaws,
        }

    def _release(self, thaw: float) -> None:
        _sleep_until(thaw)
        held, self._held = self._held, []
        for connection, payload, number in held:
            super().send(connection, payload, number)
        self._thaws.append({"at": thaw, "held": len(held), "seconds": time.monotonic() - thaw})


class Slow(Calm):
    """Answers each `every`th trigger `by` seconds late, all others at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, every: int, by: float, ring: float = 0.0) -> None:
        super().__init__(loop, ring)
        self.every = every
        self.by = by
        self.delayed = 0

    def send(self, connection: Connection, payload: bytes, number: int) -> None:
        """Send it now, or let it wait."""
        if number and number % self.every == 0:
            self.delayed += 1
            self.loop.call_later(self.by + _EARLY / 4, super().send, connection, payload, number)
        else:
            super().send(connection, payload, number)

    def truth(self) -> dict[str, Any]:
        """Also: how many triggers were delayed."""
        return super().truth() | {"delayed": self.delayed, "every": self.every, "by_s": self.by}


class Queueing(Calm):
    """One server behind one queue, first come, first served: each trigger takes exactly 1/rate seconds of it.

    Completions are computed, not waited for one after another, so that errors of timers (a millisecond at most) do not
    add up: completion = max(arrival, completion before) + 1/rate. Polls pass by the queue.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, rate: float, ring: float = 0.0) -> None:
        super().__init__(loop, ring)
        self.rate = rate
        self.longest = 0
        self._free = 0.0
        self._queue: deque[tuple[float, Connection, bytes, int]] = deque()

    def send(self, connection: Connection, payload: bytes, number: int) -> None:
        """Queue the answer to a trigger."""
        if not number:
            super().send(connection, payload, number)
            return
        self._free = max(self._free, self.arrived[number - 1]) + 1 / self.rate
        self._queue.append((self._free, connection, payload, number))
        self.longest = max(self.longest, len(self._queue))
        if len(self._queue) == 1:
            self._wait()

    def truth(self) -> dict[str, Any]:
        """Also: the rate at which triggers are served, and the longest the queue has been."""
        return super().truth() | {"rate": self.rate, "longest": self.longest}

    def _wait(self) -> None:
        self.loop.call_later(max(0.0, self._queue[0][0] - time.monotonic()), self._serve)

    def _serve(self) -> None:
        now = time.monotonic() + _EARLY / 4
        while self._queue and self._queue[0][0] <= now:
            _, connection, payload, number = self._queue.popleft()
            super().send(connection, payload, number)
        if self._queue:
            self._wait()


class Faulty(Calm):
    """Loses each `lose`th call, gives an old id to each `reuse`th, reports a wrong state of each `wrong`th.

    Where numbers coincide, a reused id comes first, then a loss, then a wrong state: one fault a call. A call whose id
    is an old one has no fate of its own; what is reported of that id stays what was set by the call that first had it.
    `reuse_of` says which ids are given again: the latest given (`recent`: its call is in flight), one whose end was
    reported (`ended`; the latest given while there is none), or by turns (`mixed`).
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        lose: int = 0,
        reuse: int = 0,
        wrong: int = 0,
        reuse_of: Literal["recent", "ended", "mixed"] = "mixed",
        ring: float = 0.0,
    ) -> None:
        super().__init__(loop, ring)
        self._every = {"lost": lose, "duplicate_ids": reuse, "wrong_state": wrong}
        self._reuse_of = reuse_of
        self._faults = dict.fromkeys(self._every, 0)
        self._reused = {"recent": 0, "ended": 0}
        self._recent = ""
        self._reported: set[str] = set()
        self._ended: list[str] = []

    def accept(self, number: int, state: str, now: float) -> str:
        """Do what is due to this call."""
        if self._recent and self._falls_on(number, "duplicate_ids"):
            return self._again(number)
        if self._falls_on(number, "lost"):
            self._recent = self.give(None, now)
        else:
            self._recent = self.give(UNPRODUCED if self._falls_on(number, "wrong_state") else state, now)
        return self._recent

    def results(self, unique_ids: list[str]) -> list[dict[str, str]]:
        """Remember which calls have been reported as ended."""
        found = super().results(unique_ids)
        for entry in found:
            if (unique_id := entry["UniqueId"]) not in self._reported:
                self._reported.add(unique_id)
                self._ended.append(unique_id)
        return found

    def expected_calls(self) -> dict[str, Any]:
        """Each fault in its column."""
        return super().expected_calls() | self._faults

    def truth(self) -> dict[str, Any]:
        """Also: how many of the ids given again were those of calls in flight, and of calls that had ended."""
        return super().truth() | {"reused": self._reused}

    def _falls_on(self, number: int, fault: str) -> bool:
        every = self._every[fault]
        falls = every > 0 and number % every == 0
        self._faults[fault] += falls
        return falls

    def _again(self, number: int) -> str:
        turn = self._faults["duplicate_ids"] % 2 == 0
        if self._ended and (self._reuse_of == "ended" or (self._reuse_of == "mixed" and turn)):
            self._reused["ended"] += 1
            return self._ended[number * 7919 % len(self._ended)]
        self._reused["recent"] += 1
        return self._recent


def _destination(body: bytes) -> str:
    """The number that a trigger dials; empty if its body is no trigger."""
    try:
        for parameter in orjson.loads(body)["ScenarioInputParameters"]:
            if parameter["Name"] == "_Destination":
                return str(parameter["Value"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass
    return ""


def _unguessable() -> list[str]:
    """Ids of 36 characters from the system's randomness, many at a time."""
    digits = os.urandom(16 * _IDS_AT_ONCE).hex()
    return [
        f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}"
        for d in (digits[at : at + 32] for at in range(0, len(digits), 32))
    ]


def _sleep_until(instant: float) -> None:
    while (left := instant - time.monotonic()) > 0:
        time.sleep(left)
