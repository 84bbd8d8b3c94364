"""Accepted calls: what was observed of each, the watch that polls them, and what a call's record proves."""

from __future__ import annotations

from ringback.suite.calls.call import Call, Calls, Observation, why_unwatched

__all__ = ["Call", "Calls", "Observation", "why_unwatched"]
