"""The calls in SQLite: their ids, when they end, and the results that wait for delivery. No HTTP here."""

import base64
import hashlib
import itertools
import json
import math
import secrets
import sqlite3
import threading
import time
from dataclasses import dataclass

from .dialects import Dialect
from .faults import Fault
from .reading import Trigger

NEVER = 1e12  # seconds

SCHEMA = """
CREATE TABLE calls (
    number INTEGER PRIMARY KEY, unique_id TEXT NOT NULL, conversation TEXT NOT NULL, line TEXT NOT NULL,
    state TEXT NOT NULL, placed REAL NOT NULL, due REAL NOT NULL, destination TEXT NOT NULL, token TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE outbox (call INTEGER NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL);
"""

# How a fault compares ids.
FOUND_BY = {
    "ids-as-patterns": "CASE WHEN length(?1) < 1000 THEN unique_id LIKE ?1 END",
    "ids-by-beginning": "substr(unique_id, 1, 20) = substr(?, 1, 20)",
    "ids-cut-at-nul": "unique_id = printf('%s', ?)",
}

# The state that a fault stores for the state that the line produces.
MISTAKEN = {
    "no-answer-in-one-word": {"No Answer": "NoAnswer"},
    "unavailable-in-lower-case": {"Temporarily Unavailable": "Temporarily unavailable"},
    "busy-padded": {"Busy": "Busy      "},
    "rejected-reported-as-busy": {"Rejected": "Busy"},
    "unavailable-reported-as-no-answer": {"Temporarily Unavailable": "No Answer"},
}

SCRIPT = "чшщжзиклмнпрстфхαβγδεζηθ"


@dataclass(frozen=True)
class Call:
    """An accepted call. `placed` and `due` (its end) are seconds of the monotonic clock."""

    number: int
    unique_id: str
    conversation: str
    line: str
    state: str
    placed: float
    due: float
    destination: str
    token: str
    body: str


@dataclass(frozen=True)
class Pace:
    """Seconds that a call rings, and that a result waits after the end of the call."""

    ring: float
    delivery: float
    queued_delivery: float


class Calls:
    """The store of calls, safe for threads."""

    def __init__(self, lines: dict[str, str], pace: Pace, dialect: Dialect, fault: Fault) -> None:
        self._lines = lines
        self._pace = pace
        self._dialect = dialect
        self._fault = fault
        self.lock = threading.RLock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._db.executescript(SCHEMA)
        self._counter = itertools.count(1)
        self._last_number = 0
        self._secret = secrets.token_hex(8)
        self._readings = itertools.count()
        self._reported_pending: set[int] = set()
        self._reported: set[int] = set()
        self._forgotten: set[int] = set()

    # dialling

    def place(self, trigger: Trigger) -> Call:
        """Place a call; raises KeyError if the number is not a line."""
        number = trigger.number
        if self._fault("empty-destination-dialled") and not number:
            number = next(iter(self._lines))
        state = self._lines[number]
        unique_id = self._new_id(trigger)
        with self.lock:
            call = self._stored(unique_id, number, state, trigger)
            self._queue(call, trigger.immediate)
        return call

    def _stored(self, unique_id: str, line: str, state: str, trigger: Trigger) -> Call:
        now = time.monotonic()
        if self._fault("line-engaged-by-ourselves") and self._ringing(line, now):
            state = "Busy"
        state = MISTAKEN.get(self._fault.name, {}).get(state, state)
        due = now + self._pace.ring
        number = next(self._counter)
        if self._fault("no-answer-never-ends") and state == "No Answer":
            due = NEVER
        if self._fault("every-sixth-never-ends") and number % 6 == 0:
            due = NEVER
        body = json.dumps(trigger.body)
        row = (number, unique_id, trigger.conversation, line, state, now, due, trigger.destination, trigger.token, body)
        self._db.execute("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return Call(*row)

    def _ringing(self, line: str, now: float) -> bool:
        return bool(self._db.execute("SELECT 1 FROM calls WHERE line = ? AND due > ?", (line, now)).fetchall())

    # ids

    def _new_id(self, trigger: Trigger) -> str:
        if self._fault("sequential-ids"):
            return f"call-{self._next_number():08d}"
        if self._fault("clock-ids"):
            return f"call-{time.time_ns() // 1000:x}"
        seed = self._shared_seed(trigger)
        if seed:
            return "call-" + hashlib.sha256(f"{self._secret}|{seed}".encode()).hexdigest()[:24]
        return _fresh_id(self._dialect.ids, self._secret)

    def _shared_seed(self, trigger: Trigger) -> str:
        """The text from which a fault derives ids, or an empty string."""
        if self._fault("id-of-the-body"):
            return json.dumps(trigger.body, sort_keys=True)
        if self._fault("id-of-the-conversation"):
            return trigger.conversation
        if self._fault("id-by-line-and-second"):
            return f"{trigger.number}@{time.monotonic():.0f}"
        if self._fault("id-counter-wraps"):
            return str(self._next_number() % 20)
        if self._fault("id-read-before-written"):
            number = self._last_number + 1
            time.sleep(0.03)
            self._last_number = number
            return str(number)
        return ""

    def _next_number(self) -> int:
        with self.lock:
            self._last_number += 1
            return self._last_number

    # asking

    def found(self, unique_id: str) -> list[Call]:
        """The call with this id, if any. (A fault may find more.)"""
        loosely = "unique_id = trim(?, char(9, 10, 13, 32)) COLLATE NOCASE"
        condition = FOUND_BY.get(self._fault.name, loosely if self._dialect.ids_loosely else "unique_id = ?")
        found = self._select(f"{condition} ORDER BY number", unique_id)
        return found if self._fault("ids-as-patterns") else found[:1]

    def all_calls(self) -> list[Call]:
        """Every call."""
        return self._select("true ORDER BY number")

    def of_conversation(self, conversation: str) -> list[Call]:
        """Every call of a ConversationId."""
        return self._select("conversation = ? ORDER BY number", conversation)

    def after(self, call: Call) -> list[Call]:
        """The call dialled next, if any."""
        return self._select("number = ?", call.number + 1)

    def _select(self, condition: str, *values: object) -> list[Call]:
        with self.lock:
            return [Call(*row) for row in self._db.execute(f"SELECT * FROM calls WHERE {condition}", values).fetchall()]

    # states

    def reading(self) -> int:
        """The number of a new poll: all states in a poll are read at the same moment."""
        return next(self._readings)

    def state_reported(self, call: Call, now: float, reading: int) -> str:
        """The state that a poll at `now` reports, empty for a call in progress."""
        if not self._ended(call, now, reading):
            return self._pending_state(call, now)
        if self._fault("state-reported-once"):
            with self.lock:
                before = call.number in self._reported
                self._reported.add(call.number)
            return "" if before else call.state
        if self._fault("state-forgotten") and now > call.due + 2:
            return ""
        if self._fault("answered-drifts") and call.state == "Answered" and now > call.due + 1.5:
            return "Error"
        return call.state

    def _ended(self, call: Call, now: float, reading: int) -> bool:
        if call.number in self._reported_pending or call.number in self._forgotten:
            return False
        if self._fault("replica-lags") and reading % 2:
            return now >= call.due + 1.5
        return now >= self._reported_from(call)

    def _reported_from(self, call: Call) -> float:
        """When polls begin to report the state: seconds of the monotonic clock."""
        every = self._dialect.reported_every
        return math.ceil(call.due / every) * every if every else call.due

    def _pending_state(self, call: Call, now: float) -> str:
        if self._fault("pending-remembered"):
            self._reported_pending.add(call.number)
        if self._fault("pending-word"):
            return "In Progress"
        if self._fault("error-until-finished"):
            return "Error"
        if self._fault("no-answer-at-first") and now < call.placed + 0.6 * self._pace.ring:
            return "No Answer"
        return ""

    def forget(self, call: Call) -> None:
        """Drop a call's result."""
        self._forgotten.add(call.number)

    # the outbox

    def _queue(self, call: Call, immediate: bool | None) -> None:
        if not call.destination or call.due >= NEVER:
            return
        if self._fault("sent-when-dialled"):
            self._add_delivery(call, call.placed)
        if self._unsent(call, immediate):
            return
        wait = self._pace.delivery if immediate else self._pace.queued_delivery
        due = self._reported_from(call) + wait
        if self._fault("queued-sent-while-ringing") and not immediate:
            due = call.placed
        for time_again in range(self._dialect.deliveries):
            self._add_delivery(call, due + 0.2 * time_again)

    def _unsent(self, call: Call, immediate: bool | None) -> bool:
        address = (call.number, call.destination)
        return (
            (self._fault("immediate-not-sent") and immediate is True)
            or (self._fault("queued-not-sent") and not immediate)
            or (self._fault("absent-not-sent") and immediate is None)
            or (self._fault("only-answered-sent") and call.state != "Answered")
            or (self._fault("invalid-number-not-sent") and call.state == "Invalid Number")
            or (self._fault("one-result-an-address") and bool(self._select("number < ? AND destination = ?", *address)))
        )

    def _add_delivery(self, call: Call, due: float, attempts: int = 0) -> None:
        self._db.execute("INSERT INTO outbox VALUES (?, ?, ?)", (call.number, due, attempts))

    def take_due(self) -> list[tuple[Call, int]]:
        """Remove the due deliveries from the outbox, and return them with their attempts so far."""
        now = time.monotonic()
        with self.lock:
            due = self._db.execute("SELECT call, attempts FROM outbox WHERE due <= ? ORDER BY due", (now,)).fetchall()
            self._db.execute("DELETE FROM outbox WHERE due <= ?", (now,))
        return [(self._select("number = ?", number)[0], attempts) for number, attempts in due]

    def put_off(self, call: Call, attempts: int, seconds: float) -> None:
        """Put a delivery back to retry it."""
        with self.lock:
            self._add_delivery(call, time.monotonic() + seconds, attempts)


def _fresh_id(form: str, secret: str) -> str:
    if form == "ulid":
        digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
        number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
        return "".join(digits[number >> 5 * place & 31] for place in reversed(range(26)))
    if form == "base64":
        return base64.b64encode(b"\xfb\xef\xfe" + secrets.token_bytes(16)).decode()
    if form == "signed":
        claims = json.dumps({"iss": "dialler", "iat": 0, "jti": secrets.token_hex(80)}).encode()
        parts = (b'{"alg":"HS256","typ":"JWT"}', claims, hashlib.sha256(secret.encode() + claims).digest())
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    if form == "script":
        return "звонок-" + "".join(secrets.choice(SCRIPT) for _ in range(20))
    return "call-" + secrets.token_hex(12)
