"""A client as naive as can be: one request after another, on a connection of its own; and an account by counting."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from benchmarks.servers.deployments import LINES


@dataclass(frozen=True)
class Answered:
    status: int
    document: Any
    sent: float
    received: float

    @property
    def seconds(self) -> float:
        return self.received - self.sent


class Client:
    def __init__(self, base_url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=60)

    def post(self, path: str, document: Any) -> Answered:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        sent = time.monotonic()
        self._connection.request("POST", path, body, {"Content-Type": "application/json", "Project": ""})
        answer = self._connection.getresponse()
        content = answer.read()
        received = time.monotonic()
        assert answer.headers["Content-Type"] == "application/json"
        return Answered(answer.status, json.loads(content), sent, received)

    def trigger(self, number: str = "5550000001") -> Answered:
        return self.post("/v2/call", {"ScenarioInputParameters": [{"Name": "_Destination", "Value": number}]})

    def poll(self, *unique_ids: str) -> dict[str, str]:
        answered = self.post("/v2/callresult", {"UniqueIds": list(unique_ids)})
        assert answered.status == 200
        return {entry["UniqueId"]: entry["CallState"] for entry in answered.document["CallResults"]}

    def close(self) -> None:
        self._connection.close()


def account(client: Client, calls: int, poll_every: int) -> dict[str, Any]:
    """Trigger so many calls in turn on all lines, poll all that is open after each few, and count what comes."""
    numbers = list(LINES)
    states: dict[str, set[str]] = {}
    ended: dict[str, str] = {}
    duplicates = 0
    for number in range(1, calls + 1):
        line = numbers[number % len(numbers)]
        unique_id = client.trigger(line).document["UniqueId"]
        duplicates += unique_id in states
        states.setdefault(unique_id, set()).add(LINES[line])
        if number % poll_every == 0:
            ended |= client.poll(*(known for known in states if known not in ended))
    ended |= client.poll(*(known for known in states if known not in ended))
    return {
        "accepted": calls,
        "final": len(ended),
        "lost": len(states) - len(ended),
        "duplicate_ids": duplicates,
        "wrong_state": sum(state not in states[unique_id] for unique_id, state in ended.items()),
        "by_state": dict(sorted(Counter(ended.values()).items())),
    }
