"""Sends due results to ResultDestination, one call per request, and retries."""

import contextlib
import itertools
import json
import socket
import threading
import time
from urllib.parse import urlencode, urlsplit

import httpx

from .calls import Call, Calls
from .dialects import Dialect
from .faults import Fault
from .rendering import json_text

GATHERED_EVERY = 0.1  # seconds
ATTEMPTS = 8
BETWEEN_ATTEMPTS = 0.3  # seconds
DESTINATION_TIMEOUT = 10.0  # seconds

UNDELIVERABLE = (httpx.HTTPError, httpx.InvalidURL, ValueError)


class Courier:
    """Delivers results in its own threads."""

    def __init__(self, calls: Calls, dialect: Dialect, fault: Fault) -> None:
        self._calls = calls
        self._dialect = dialect
        self._fault = fault
        limits = httpx.Limits(max_keepalive_connections=20 if dialect.kept_alive else 0)
        self._client = httpx.Client(timeout=DESTINATION_TIMEOUT, limits=limits, trust_env=False)

    def start(self) -> None:
        """Begins to deliver, until the process ends."""
        threading.Thread(target=self._gather_for_ever, daemon=True).start()

    def _gather_for_ever(self) -> None:
        while True:
            time.sleep(GATHERED_EVERY)
            for parcel in self._parcels(self._calls.take_due()):
                threading.Thread(target=self._deliver, args=(parcel,), daemon=True).start()

    def _parcels(self, due: list[tuple[Call, int]]) -> list[list[tuple[Call, int]]]:
        """The calls of each request: one, unless the dialect sends several."""
        if not self._dialect.one_request_an_address:
            return [[one] for one in due]

        def destination(item: tuple[Call, int]) -> str:
            return item[0].destination

        return [list(group) for _, group in itertools.groupby(sorted(due, key=destination), key=destination)]

    def _deliver(self, parcel: list[tuple[Call, int]]) -> None:
        calls = [call for call, _ in parcel]
        with self._calls.lock if self._fault("delivery-locks-the-database") else contextlib.nullcontext():
            delivered = self._sent(calls)
        if delivered:
            return
        for call, attempts in parcel:
            if self._fault("failed-delivery-costs-the-result"):
                self._calls.forget(call)
            if attempts + 1 < ATTEMPTS and not self._fault("no-second-attempt"):
                self._calls.put_off(call, attempts + 1, BETWEEN_ATTEMPTS * (attempts + 1))

    def _sent(self, calls: list[Call]) -> bool:
        try:
            return self._client.send(self._request(calls)).is_success
        except UNDELIVERABLE:
            return False

    def _request(self, calls: list[Call]) -> httpx.Request:
        call = calls[0]
        headers = {"X-Access-Token": call.token} if self._fault("sent-with-token") else {}
        if not self._dialect.kept_alive:
            headers["Connection"] = "close"
        if self._dialect.delivery == "query":
            joint = "&" if urlsplit(call.destination).query else "?"
            return httpx.Request(
                "GET", call.destination + joint + urlencode({"UniqueId": call.unique_id}), headers=headers
            )
        if self._dialect.delivery == "form":
            form = {"unique_id": call.unique_id, "result": call.state}
            return httpx.Request("PUT", call.destination, data=form, headers=headers)
        if self._dialect.delivery == "text":
            headers["Content-Type"] = "text/plain; charset=utf-8"
            return httpx.Request("POST", call.destination, content=f"{call.unique_id}\n", headers=headers)
        headers["Content-Type"] = "application/json; charset=utf-8"
        results = [self._result(call) for call in calls]
        return httpx.Request("POST", call.destination, content=json_text(results, self._dialect.json), headers=headers)

    def _result(self, call: Call) -> dict[str, object]:
        result: dict[str, object] = {"UniqueId": call.unique_id, "CallRequestId": ""}
        if time.monotonic() >= call.due:
            result["CallState"] = self._state_sent(call)
        if self._fault("id-missing-from-delivery"):
            del result["UniqueId"]
        if self._fault("sent-with-trigger"):
            result["Request"] = json.loads(call.body)
        return result

    def _state_sent(self, call: Call) -> str:
        if self._fault("sent-as-answered"):
            return "Answered"
        if self._fault("sent-in-one-word"):
            return call.state.replace(" ", "")
        return call.state

    # before the call

    def unwilling(self, destination: str) -> bool:
        """Whether a fault refuses the trigger because of its destination."""
        if self._fault("destination-probed-first"):
            with contextlib.suppress(*UNDELIVERABLE):
                self._client.head(destination)
        if self._fault("unreachable-destination-refused"):
            return not _reachable(destination)
        return False

    def shake_hands(self, destination: str) -> None:
        """Send OPTIONS to the destination without naming a call; any answer will do."""
        if self._dialect.handshake and destination:
            threading.Thread(target=self._ask, args=(destination,), daemon=True).start()

    def _ask(self, destination: str) -> None:
        with contextlib.suppress(*UNDELIVERABLE):
            self._client.options(destination, headers={"Origin": "https://dialler.example"})


def _reachable(destination: str) -> bool:
    parts = urlsplit(destination)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=2).close()
    except (OSError, ValueError):
        return False
    return True
