"""The API's two endpoints, as paths below the base URL of a deployment."""

from __future__ import annotations

__all__ = ["POLL_PATH", "TRIGGER_PATH"]

TRIGGER_PATH = "/v2/call"
POLL_PATH = "/v2/callresult"
