"""Plain Locust for comparison: a FastHttpUser that triggers without pause and parses the id. No Ringback.

    RINGBACK_BENCHMARK_BODY=trigger.json locust -f benchmarks/load_locustfile.py --headless -u 32 -r 32 -t 10s -H URL

orjson reads the id, which is faster than most users' code.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
from locust import FastHttpUser, task

BODY: Any = Path(os.environ["RINGBACK_BENCHMARK_BODY"]).read_bytes()
"""Bytes, which `post` accepts although its annotations allow text only."""
HEADERS = {"Content-Type": "application/json", "Project": ""}


class TriggerUser(FastHttpUser):
    """One connection, back to back."""

    insecure = True

    @task
    def trigger(self) -> None:
        """Trigger a call, and read the id from the answer."""
        with self.client.post("/v2/call", data=BODY, headers=HEADERS, catch_response=True) as response:
            if response.status_code != 200 or not orjson.loads(response.content).get("UniqueId"):
                response.failure("no UniqueId")
