"""Sends all triggers and polls of a load run; enforces the dial guard, the call budget and rate limits.

What lives here: the order of these checks, and what an answer means for the budget. What does not: who sends when
(users, call poller), and what becomes of accepted calls (ledger). Nothing here waits: the event loop calls back when a
request has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from ringback import clock
from ringback.config import Config
from ringback.contract.same_id import by_common_form, common_form
from ringback.deployment.access import redactor_for
from ringback.deployment.budget import CallBudget, Fate, fate_of
from ringback.deployment.causes import FEW, Symptom
from ringback.deployment.connections import PROXY_STATUSES
from ringback.deployment.guard import StrangerRefused
from ringback.deployment.pace import FIRST_PAUSE, retry_after
from ringback.deployment.redaction import Redactor
from ringback.loadgen.http.connection import Failed, Outcome, PendingRequest
from ringback.loadgen.http.http_answer import HttpAnswer
from ringback.loadgen.http.pool import ConnectionPool
from ringback.loadgen.http.wire import RequestWriter, Variables, read_poll, read_trigger
from ringback.loadgen.schedule.origin import POLL, TRIGGER, Origin

__all__ = ["HeldBack", "Listener", "LoadClient", "NoCallsLeft", "Polled", "RequestNotSent", "Triggered"]

UNREACHABLE_AFTER = 20
"""If so many first attempts end without a connection, the deployment can't be reached."""
PROMISED_BATCH = 20
"""Every deployment must accept polls for so many calls; a refusal of a larger poll is not an error."""
WITHDRAWN = "withdrawn"
"""The kind of failure of a request that still waited for a connection when the run ended: it was never sent."""
_NO_SYMPTOM = frozenset({"connect", "generator", "proxy", "rate_limited", "stale", WITHDRAWN})
"""Ends of a trigger that show nothing of how the deployment answers."""
_LATE_READING = 0.001
"""Seconds that an answer waits to be read; more counts as the generator's lag."""
_LONGEST_PAUSE = 60.0
"""Seconds of pause after a 429, at most."""
_LONGEST_ENTRY = 4096
"""Bytes for each id that a poll asked for, and for 64 more: a longer answer is not read."""
_MOST_EXAMPLES = 16
"""Kinds of error that have an example, for each kind of request."""
_READ = 4096
"""Bytes of an answer in which its first line is sought."""
_LONGEST_EXAMPLE = 200
"""Characters of an example."""


class Listener(Protocol):
    """Is called for each request that ended."""

    def take(self, at: Origin, due: float, begun: float, now: float, received: int, kind: str | None) -> None:
        """Its origin; when it was due, begun and ended (`clock.monotonic`); bytes; kind of error or None."""

    def read_late(self, at: Origin, due: float, seconds: float) -> None:
        """The answer to such a request waited here for so long before it was read."""


class RequestNotSent(Exception):
    """A request was not sent."""


class NoCallsLeft(RequestNotSent):
    """No further call may be placed; the message says why."""


class HeldBack(RequestNotSent):
    """The deployment asked for a pause (429), which lasts another `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(seconds)


class Triggered(NamedTuple):
    """How a trigger ended: the UniqueId if a call was accepted, its line, word and beginning (`clock.monotonic`)."""

    unique_id: str | None
    kind: str | None
    """The kind of error, or None."""
    line: int
    word: bytes
    begun: float


class Polled(NamedTuple):
    """How a poll ended: what it reported if the answer was sound (`kind` None), and when it was begun.

    An id that the answer spells in another way (`same_id`) stands in `results` as it was asked for.
    """

    asked: Sequence[str]
    results: Sequence[tuple[str, str]]
    kind: str | None
    begun: float


class Examples:
    """Keeps the first answer of each kind: its status and its first line, cleaned of secrets and personal data."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._redactor: Redactor | None = None
        self.found: dict[str, dict[str, str]] = {"trigger": {}, "poll": {}}
        """The examples by kind of request and kind of error."""

    def take(self, name: str, kind: str, outcome: Outcome) -> None:
        """A request (`trigger` or `poll`) has ended with this kind of error."""
        found = self.found[name]
        if kind in found or len(found) >= _MOST_EXAMPLES:
            return
        if text := _shown(outcome):
            if self._redactor is None:
                self._redactor = redactor_for(self._config)
            found[kind] = self._redactor.clean(text)[:_LONGEST_EXAMPLE]


class LoadClient:
    """Sends triggers (each at most once) and polls."""

    def __init__(
        self,
        config: Config,
        writer: RequestWriter,
        budget: CallBudget,
        pool: ConnectionPool,
        listener: Listener,
    ) -> None:
        self.budget = budget
        self.unreachable = False
        self.reached = False
        self.on_their_way = 0
        """Triggers that have not ended."""
        self.symptoms: list[Symptom] | None = []
        """What became of the first few triggers; None as soon as one was accepted."""
        self.batch = config.load.poll_batch
        """Calls in one poll, at most: as configured, until the deployment refuses so many."""
        self.refused_polls = 0
        """Polls that the dial guard refused."""
        self._writer = writer
        self._pool = pool
        self._listener = listener
        self._pause_until = {"trigger": 0.0, "poll": 0.0}
        self._next_pause = {"trigger": FIRST_PAUSE, "poll": FIRST_PAUSE}
        """Seconds to wait after the next 429 that does not say how long."""
        self._unconnected = 0
        self.examples = Examples(config)
        deployment = config.deployment
        self._forwarded = deployment.proxy is not None and deployment.base_url.startswith("http:")
        self._any_type = any(waiver.clause == "TRN-04" for waiver in config.waivers)

    def trigger(
        self,
        line: int,
        due: float,
        then: Callable[[Triggered], None],
        *,
        at: Origin = TRIGGER,
        delivered: bool = False,
        next_variables: Callable[[], Variables] | None = None,
    ) -> bytes:
        """Trigger a call on the `line`-th line, due at `due`. The request is never repeated.

        `at` is its origin. `next_variables` is called for its project variables, once it is certain that the call may
        be placed; what it raises is raised here.

        Returns the word that identifies it. `then` is called when it has ended. Raises `RequestNotSent`.
        """
        if (pause := self._pause_until["trigger"] - clock.monotonic()) > 0:
            raise HeldBack(pause)
        if not self.budget.reserve():
            raise NoCallsLeft(self.budget.why_spent)
        try:
            variables = None if next_variables is None else next_variables()
            content, word = self._writer.trigger(line, delivered=delivered, variables=variables)
        except Exception:
            self.budget.settle(Fate.FREE, valid=True, sent=False)
            raise
        self.on_their_way += 1
        self._pool.begin(PendingRequest(content, self._on_trigger, due, (at, line, word, then)))
        return word

    def poll(self, unique_ids: Sequence[str], due: float, then: Callable[[Polled], None], *, at: Origin = POLL) -> None:
        """Ask for the states of calls. `then` is called when the poll has ended. Raises `RequestNotSent`."""
        if (pause := self._pause_until["poll"] - clock.monotonic()) > 0:
            raise HeldBack(pause)
        try:
            content = self._writer.poll(unique_ids)
        except StrangerRefused:
            self.refused_polls += 1
            raise RequestNotSent from None
        self._pool.begin(PendingRequest(content, self._on_poll, due, (at, unique_ids, then)))

    def _on_trigger(self, request: PendingRequest, outcome: Outcome) -> None:
        at, line, word, then = request.tag
        now = self._arrived(at, request) if isinstance(outcome, HttpAnswer) else clock.monotonic()
        unique_id: str | None = None
        self.on_their_way -= 1
        if isinstance(outcome, Failed):
            kind: str | None = self._kind_of(outcome)
            received = 0
            self._failed(outcome)
            fate = fate_of(None, b"", None) if outcome.sent else Fate.FREE
            self.budget.settle(fate, valid=True, sent=outcome.sent)
        else:
            of_proxy = self._is_of_proxy(outcome)
            self.reached = self.reached or not of_proxy
            received = outcome.received
            unique_id, kind = read_trigger(outcome.status, outcome.headers.get("content-type", ""), outcome.body)
            valid = outcome.status != 429 and not of_proxy
            self.budget.settle(fate_of(outcome.status, outcome.body, unique_id), valid=valid)
            if of_proxy:
                kind = "proxy"
            if kind == "content_type" and self._any_type:
                kind = None
            if kind == "rate_limited":
                self._pause("trigger", outcome, request.begun)
            elif kind is None:
                self._next_pause["trigger"] = FIRST_PAUSE
        if kind is not None:
            self.examples.take("trigger", kind, outcome)
        if self.symptoms is not None:
            self._note(kind, unique_id, outcome)
        if kind != WITHDRAWN:
            self._listener.take(at, request.due, request.begun, now, received, kind)
        then(Triggered(unique_id, kind, line, word, request.begun))

    @property
    def nothing_works(self) -> bool:
        """Whether the first few triggers ended without an accepted call."""
        return self.symptoms is not None and len(self.symptoms) >= FEW

    def _note(self, kind: str | None, unique_id: str | None, outcome: Outcome) -> None:
        if unique_id is not None:
            self.symptoms = None
        elif kind in _NO_SYMPTOM or self.symptoms is None or self.nothing_works:
            return
        elif isinstance(outcome, Failed):
            self.symptoms.append(Symptom())
        else:
            self.symptoms.append(Symptom(outcome.status, outcome.headers, outcome.body))

    def _on_poll(self, request: PendingRequest, outcome: Outcome) -> None:
        at, asked, then = request.tag
        now = self._arrived(at, request) if isinstance(outcome, HttpAnswer) else clock.monotonic()
        results: list[tuple[str, str]] = []
        received = 0
        if isinstance(outcome, Failed):
            kind: str | None = self._kind_of(outcome)
            self._failed(outcome)
            if kind == "stale":  # a poll may be repeated
                self._listener.take(at, request.due, request.begun, now, 0, kind)
                self._pool.begin(PendingRequest(request.content, self._on_poll, request.due, request.tag, fresh=True))
                return
        else:
            of_proxy = self._is_of_proxy(outcome)
            self.reached = self.reached or not of_proxy
            received = outcome.received
            if len(outcome.body) > _LONGEST_ENTRY * (len(asked) + 64):
                kind = "too_large"  # parsed, many of these would take gigabytes
            else:
                results, kind = read_poll(outcome.status, outcome.body)
                results = _as_asked(results, asked)
            if kind is not None and kind.startswith("http_4") and len(asked) > PROMISED_BATCH:
                kind = "batch_refused"
                self.batch = PROMISED_BATCH
            if kind == "rate_limited":
                self._pause("poll", outcome, request.begun)
            elif kind is None:
                self._next_pause["poll"] = FIRST_PAUSE
            if of_proxy:
                kind = "proxy"
        if kind is not None:
            self.examples.take("poll", kind, outcome)
        if kind != WITHDRAWN:
            self._listener.take(at, request.due, request.begun, now, received, kind)
        then(Polled(asked, results, kind, request.begun))

    def _arrived(self, at: Origin, request: PendingRequest) -> float:
        """When an answer that is read now arrived: when the event loop's poll returned it, not when its turn came."""
        now = clock.monotonic()
        arrived = min(now, max(self._pool.polled, request.begun))
        if now - arrived > _LATE_READING:
            self._listener.read_late(at, request.due, now - arrived)
        return arrived

    def _is_of_proxy(self, answer: HttpAnswer) -> bool:
        """Whether the proxy may have answered in place of the deployment."""
        of_proxy = self._forwarded and answer.status in PROXY_STATUSES
        if of_proxy and not self.reached:
            self._note_unreached()
        return of_proxy

    def _kind_of(self, failed: Failed) -> str:
        """The kind of a failure. A connection through which a proxy forwards is the proxy's."""
        return "proxy" if self._forwarded and failed.kind == "connection_lost" else failed.kind

    def _note_unreached(self) -> None:
        self._unconnected += 1
        self.unreachable = self._unconnected >= UNREACHABLE_AFTER

    def _pause(self, name: str, answer: HttpAnswer, begun: float) -> None:
        """Wait as a 429 asks; if it does not say how long, a second, doubling. `begun` is when its request was sent."""
        asked = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"))
        if asked is None and begun < self._pause_until[name]:
            return  # sent before the pause: the pause answers it
        pause = self._next_pause[name] if asked is None else max(asked, 0.05)
        if asked is None:
            self._next_pause[name] = min(2 * pause, _LONGEST_PAUSE)
        self._pause_until[name] = max(self._pause_until[name], clock.monotonic() + min(pause, _LONGEST_PAUSE))

    def _failed(self, failed: Failed) -> None:
        if failed.sent:
            self.reached = True
        elif not self.reached and failed.kind not in {"generator", WITHDRAWN}:
            self._note_unreached()


def _as_asked(results: list[tuple[str, str]], asked: Sequence[str]) -> list[tuple[str, str]]:
    known = set(asked)
    if all(unique_id in known for unique_id, _ in results):
        return results
    forms = by_common_form(asked)
    return [(one if one in known else forms.get(common_form(one), one), state) for one, state in results]


def _shown(outcome: Outcome) -> str:
    """What came, in one line; empty if nothing came."""
    if isinstance(outcome, Failed):
        return _first_line(outcome.came)
    media = outcome.headers.get("content-type", "").partition(";")[0].strip()
    where = outcome.headers.get("location", "") if 300 <= outcome.status < 400 else ""
    head = " ".join(filter(None, (str(outcome.status), media, f"to {where}" if where else "")))
    return f"{head}: {_first_line(outcome.body) or 'an empty body'}"


def _first_line(data: bytes) -> str:
    text = data[:_READ].decode("utf-8", "replace")
    return next((line for each in text.splitlines() if (line := each.strip())), "")
