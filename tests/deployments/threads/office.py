"""The two endpoints of the threads deployment: which request has which answer. `wire` does the HTTP."""

import html
import json
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http import HTTPStatus

from tests.deployments.threads.answers import Answer, accepted, results
from tests.deployments.threads.calls import Exchange
from tests.deployments.threads.deliveries import Courier
from tests.deployments.threads.polls import PollDesk
from tests.deployments.threads.triggers import TriggerDesk
from tests.deployments.threads.ways import STATUSES, Crashed, Dropped, Hung, Refused, Ways

TRIGGER, POLL = "/v2/call", "/v2/callresult"
CROWD, CROWD_SECONDS = 6, 0.08


class Ration:
    """How many triggers are answered: up to a second's worth at once, refilled at the same rate."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._lock = threading.Lock()
        self._left, self._seen = per_second, time.monotonic()

    def take(self) -> bool:
        """Whether one more may be answered now."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self.per_second, self._left + (now - self._seen) * self.per_second)
            self._seen = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


class Office:
    """Answers complete requests."""

    def __init__(self, ways: Ways) -> None:
        self.ways = ways
        self.exchange = Exchange(ways)
        self.courier = Courier(ways, self.exchange)
        self.triggers = TriggerDesk(ways)
        self.polls = PollDesk(ways, self.exchange)
        per_second = ways.dialect.triggers_per_second
        self._ration = Ration(per_second) if per_second else None
        self._busy = 0
        self._busy_lock = threading.Lock()
        self._latest_poll: list[str] = []

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        """The answer to a request; raises Dropped or Hung where a fault leaves it unanswered."""
        try:
            with self._crowd():
                return self._routed(method, target.partition("?")[0], headers, raw)
        except Refused as refused:
            return self.refusal(refused)
        except Crashed:
            return Answer(500, b"<h1>Internal Server Error</h1>", "text/html; charset=utf-8")

    @contextmanager
    def _crowd(self) -> Iterator[None]:
        """Count requests in progress; faults of many requests at once make each take longer."""
        if not self.ways.broken.startswith("crowd-"):
            yield
            return
        with self._busy_lock:
            others, self._busy = self._busy, self._busy + 1
        try:
            time.sleep(CROWD_SECONDS)
            if others >= CROWD:
                self._crowded_out()
            yield
        finally:
            with self._busy_lock:
                self._busy -= 1

    def _crowded_out(self) -> None:
        if self.ways.fault("crowd-dropped"):
            raise Dropped
        kinds = {"crowd-403": "firewall", "crowd-503": "unavailable"}
        raise Refused(kinds[self.ways.broken], "The exchange is busy.")

    def _routed(self, method: str, path: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        if path not in (TRIGGER, POLL):
            raise Refused("path", "There is nothing here.")
        if method != "POST" and not (method == "PUT" and self.ways.fault("any-method")):
            return self._other_method(method, path)
        self._looked_over(headers, raw)
        return self._trigger(headers, raw) if path == TRIGGER else self._poll(raw)

    def _other_method(self, method: str, path: str) -> Answer:
        if method == "GET" and path == POLL and self.ways.fault("get-poll"):
            return results([], [], self.ways)
        if method == "GET" and self.ways.fault("get-redirected"):
            return Answer(302, headers={"Location": "/docs/"})
        if method == "OPTIONS" and self.ways.dialect.preflight:
            return Answer(204, headers={"Allow": "POST", "Access-Control-Allow-Origin": "*"})
        if method == "HEAD" and self.ways.fault("head-answered"):
            return Answer(200)
        raise Refused("method", "Only POST is answered here.", reference=method)

    def _looked_over(self, headers: Mapping[str, str], raw: bytes) -> None:
        """Refuse requests by size, media type and rate."""
        if not raw and self.ways.fault("awaits-a-body"):
            raise Hung
        if self.ways.fault("mebibyte-500") and len(raw) > 900_000:
            raise Crashed
        if self.ways.fault("drops-large-body") and len(raw) > 512 * 1024:
            raise Dropped
        if len(raw) > self.ways.dialect.largest_body:
            raise Refused("size", "The body is too large.")
        media = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if self.ways.dialect.strict and media != "application/json":
            raise Refused("media", "The body must be application/json.")

    def _trigger(self, headers: Mapping[str, str], raw: bytes) -> Answer:
        if self._ration and not self._ration.take():
            raise Refused("pressure", "Too many triggers.")
        try:
            order = self.triggers.read(raw, headers.get("Project"))
        except Refused as refused:
            self._betrayed(refused, raw, headers)
            raise
        if order.destination and self.ways.fault("destination-probed", "destination-awaited"):
            reached = self.courier.probe(order.destination)
            if not reached and self.ways.fault("destination-probed"):
                raise Refused("shape", "ResultDestination can't be reached.")
        call = self.exchange.place(order)
        self.courier.expect(call)
        if self.ways.dialect.answer_after:
            time.sleep(self.ways.dialect.answer_after)
        as_number = self.ways.fault("id-as-number") and not order.has_end_user
        name = "uniqueId" if self.ways.fault("id-renamed") else "UniqueId"
        content: dict[str, object] = {name: int(call.id) if as_number else call.id}
        if self.ways.dialect.extras:
            content |= {"Accepted": True, "Queue": {"Name": "outbound", "Length": None}}
        if self.ways.fault("token-in-answer"):
            content["Request"] = json.loads(raw)
        return accepted(content, order.token, order.immediate, self.ways)

    def _betrayed(self, refused: Refused, raw: bytes, headers: Mapping[str, str]) -> None:
        """Apply the faults of refusals, except those of their text."""
        if refused.kind == "number":
            sys.stderr.write(f"STRANGER DIALLED {refused.reference}\n")
            sys.stderr.flush()
        if refused.kind == "shape" and self.ways.fault("refused-with-id"):
            refused.reference = self.ways.dialect.new_id()
        if refused.kind == "token" and self.ways.fault("refused-but-dialled"):
            body = json.loads(raw) | {
                "Project": self.ways.settings.project,
                "AccessToken": self.ways.settings.access_token,
            }
            order = self.triggers.read(json.dumps(body).encode(), headers.get("Project"))
            refused.reference = self.exchange.place(order).id

    def _poll(self, raw: bytes) -> Answer:
        asked = self.polls.read(raw)
        if self.ways.fault("crossed-polls"):
            self._latest_poll = asked
            time.sleep(0.02)
            asked = self._latest_poll
        with self.exchange.lock:
            return results(self.polls.report(asked), asked, self.ways)

    def refusal(self, refused: Refused) -> Answer:
        """The answer to a refused request, in the dialect's form."""
        dialect = self.ways.dialect
        statuses = {**STATUSES, **dialect.statuses}
        status = statuses.get(refused.kind, 400)
        if refused.kind == "method":
            status = dialect.methods.get(refused.reference, status)
        if refused.kind == "token" and self.ways.fault("login-page"):
            return Answer(302, headers={"Location": "/login"})
        if refused.kind == "token" and self.ways.fault("refused-with-200"):
            return Answer(200, json.dumps({"Error": refused.reason}).encode(), "application/json")
        if refused.kind != "method" and self.ways.fault("refused-with-id", "refused-but-dialled") and refused.reference:
            body = json.dumps({"Error": refused.reason, "UniqueId": refused.reference})
            return Answer(status, body.encode(), "application/json")
        answer = self._page(status, self._reason(refused))
        answer.phrase = dialect.phrase
        if status == 405:
            answer.headers["Allow"] = "POST"
        if refused.kind == "pressure":
            moment = formatdate(time.time() + 2, usegmt=True)
            wait = {"seconds": "1", "fraction": "0.5", "date": moment}.get(dialect.retry_after)
            if wait is not None:
                answer.headers["Retry-After"] = wait
        return answer

    def _reason(self, refused: Refused) -> str:
        if self.ways.fault("traceback"):
            return "".join(traceback.format_exception(refused))
        if self.ways.fault("sql-shown") and "UniqueIds" in refused.reason:
            return f"SELECT id, state FROM calls WHERE id IN (?): sqlite3.ProgrammingError: {refused.reason}"
        return refused.reason

    def _page(self, status: int, reason: str) -> Answer:
        title = f"{status} {HTTPStatus(status).phrase}"
        match self.ways.dialect.refusal:
            case "empty":
                return Answer(status)
            case "text":
                return Answer(status, f"{title}: {reason}\n".encode(), "text/plain; charset=utf-8")
            case "problem":
                problem = {"title": title, "status": status, "detail": f"{reason} No UniqueId, no CallResults."}
                return Answer(status, json.dumps(problem).encode(), "application/problem+json")
        page = f"<!DOCTYPE html>\n<title>{title}</title>\n<p>{html.escape(reason)}</p>\n"
        return Answer(status, page.encode("utf-8", "replace"), "text/html; charset=utf-8")
