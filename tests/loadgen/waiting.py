"""Waiting for something to hold, as long as a busy machine may need."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["until"]


def until(condition: Callable[[], bool], seconds: float = 50) -> None:
    """Return when the condition holds; AssertionError if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)  # what other processes and threads do sets no event
