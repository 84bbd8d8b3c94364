"""Sends results to ResultDestination: when, in which form, how often, and with which faults."""

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from tests.deployments.threads.calls import Call, Exchange
from tests.deployments.threads.ways import Ways

ATTEMPTS = 4
RETRY_SECONDS = 0.3
TIMEOUT_SECONDS = 5.0
GATHER_SECONDS = 0.1
CROWD_SECONDS = 0.25

UNSENT_STATES = {
    "answered-only": {"Busy", "Error", "Invalid Number", "No Answer", "Rejected", "Temporarily Unavailable"},
    "no-answer-unsent": {"No Answer", "Temporarily Unavailable"},
}
"""By fault: the states whose results are never sent."""


class Courier:
    """Delivers each call's result in a thread of its own."""

    def __init__(self, ways: Ways, exchange: Exchange) -> None:
        self.ways = ways
        self.exchange = exchange
        # Ignore proxies of the environment.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._lock = threading.Lock()
        self._gathered: dict[str, list[dict[str, Any]]] = {}
        self._last_immediate = 0.0

    def expect(self, call: Call) -> None:
        """Deliver this call's result when it is due; returns at once."""
        if call.order.destination and _is_address(call.order.destination):
            threading.Thread(target=self._accompany, args=(call, call.order.destination), daemon=True).start()

    def probe(self, url: str) -> bool:
        """Whether this address answers, with any status."""
        return _is_address(url) and self._request(url, "POST", b"", {}) is not None

    def _accompany(self, call: Call, url: str) -> None:
        if self.ways.fault("sent-at-trigger"):
            self._send(url, {"UniqueId": call.id})
        if self.ways.fault("sent-while-ringing"):
            _sleep_until((3 * call.placed + call.final_at) / 4)
            self._send(url, {"UniqueId": call.id})
        if call.final_at == float("inf"):
            return
        settings = self.ways.settings
        delay = settings.delivery_seconds if call.order.immediate else settings.queued_delivery_seconds
        _sleep_until(call.final_at + (0.0 if call.outcome in self.ways.dialect.instant_states else delay))
        if self._never_sent(call):
            return
        if self.ways.fault("sent-under-lock"):
            with self.exchange.lock:
                self._deliver(call, url)
        else:
            self._deliver(call, url)

    def _deliver(self, call: Call, url: str) -> None:
        if self.ways.dialect.delivery == "array":
            self._gather(url, self._result(call))
            return
        for _ in range(self.ways.dialect.copies):
            arrived = self._send(url, self._result(call))
            call.sent, call.unsendable = arrived, not arrived

    def _never_sent(self, call: Call) -> bool:
        immediate = call.order.immediate
        if call.outcome in (self.ways.of_fault(UNSENT_STATES) or ()):
            return True
        return bool(
            self.ways.of_fault(
                {
                    "immediate-never": immediate,
                    "queued-never": not immediate,
                    "absent-never": not call.order.flag_given,
                    "busy-immediate-unsent": immediate and call.outcome == "Busy",
                    "crowded-out": immediate and self._crowded(),
                }
            )
        )

    def _crowded(self) -> bool:
        if not self.ways.fault("crowded-out"):
            return False
        with self._lock:
            crowded = time.monotonic() - self._last_immediate < CROWD_SECONDS
            if not crowded:
                self._last_immediate = time.monotonic()
            return crowded

    def _result(self, call: Call) -> dict[str, Any]:
        result: dict[str, Any] = {
            "UniqueId": call.id,
            "CallRequestId": call.request_id,
            "CallState": self._state(call),
            "Sequence": 1,
        }
        if self.ways.fault("sent-in-small-letters"):
            result["UniqueId"] = call.id.lower()
        if self.ways.fault("immediate-without-id" if call.order.immediate else "queued-without-id"):
            del result["UniqueId"]
        if self.ways.fault("sends-token"):
            result["AccessToken"] = call.order.token
        if self.ways.fault("sends-previous"):
            result["Previous"] = self._before(call).id
        if self.ways.fault("sends-all-ringing"):
            others = [other for other in self.exchange.all_calls() if abs(other.placed - call.placed) < 1]
            result["Batch"] = [other.id for other in others]
        return result

    def _state(self, call: Call) -> str:
        if self.ways.fault("sends-answered"):
            return "Answered"
        if self.ways.fault("sends-joined"):
            return call.outcome.replace(" ", "")
        if self.ways.fault("sends-line-before"):
            return self._before(call).outcome
        return call.outcome

    def _before(self, call: Call) -> Call:
        calls = self.exchange.all_calls()
        return calls[calls.index(call) - 1]

    def _gather(self, url: str, result: dict[str, Any]) -> None:
        """Send together the results that are due at one address within a short time."""
        with self._lock:
            waiting = self._gathered.setdefault(url, [])
            waiting.append(result)
            if len(waiting) > 1:
                return
        time.sleep(GATHER_SECONDS)
        with self._lock:
            results = self._gathered.pop(url)
        self._attempt(url, "POST", json.dumps(results).encode(), {"Content-Type": "application/json"})

    def _send(self, url: str, result: dict[str, Any]) -> bool:
        call_id = str(result.get("UniqueId", ""))
        fields = urlencode({"unique_id": call_id, "call_state": result.get("CallState", "")}, quote_via=quote)
        match self.ways.dialect.delivery:
            case "get-query":
                return self._attempt(_with_query(url, fields), "GET", None, {})
            case "form":
                return self._attempt(
                    url, "POST", fields.encode(), {"Content-Type": "application/x-www-form-urlencoded"}
                )
            case "bare":
                return self._attempt(
                    url, "POST", f"{call_id}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"}
                )
            case "path":
                return self._attempt(_with_segment(url, call_id), "POST", b"", {})
        headers = {"Content-Type": "application/json; charset=utf-8"}
        token = self.ways.settings.access_token
        if self.ways.fault("sends-token-in-header"):
            headers["Authorization"] = f"Bearer {token}"
        if self.ways.fault("sends-token-in-url"):
            url = _with_query(url, urlencode({"token": token}))
        return self._attempt(url, "PUT", json.dumps(result).encode(), headers)

    def _attempt(self, url: str, method: str, body: bytes | None, headers: dict[str, str]) -> bool:
        """Send a delivery, with retries after temporary failures; returns whether it arrived."""
        for attempt in range(ATTEMPTS):
            status = self._request(url, method, body, headers)
            if status is not None and status != 503:
                return status < 300
            if self.ways.fault("sent-once") or (status is None and self.ways.fault("unsent-is-error")):
                return False
            time.sleep(RETRY_SECONDS * (attempt + 1))
        return False

    def _request(self, url: str, method: str, body: bytes | None, headers: dict[str, str]) -> int | None:
        """The status of the answer, or None where there is none."""
        try:
            request = urllib.request.Request(url, body, {"User-Agent": "exchange-courier/3", **headers}, method=method)
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except (OSError, ValueError, http.client.HTTPException):
            return None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _sleep_until(moment: float) -> None:
    if moment != float("inf"):
        time.sleep(max(0.0, moment - time.monotonic()))


def _with_query(url: str, fields: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=f"{parts.query}&{fields}" if parts.query else fields, fragment=""))


def _with_segment(url: str, segment: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(segment, safe='')}", fragment=""))
