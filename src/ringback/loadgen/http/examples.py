"""The first answer of each kind of error, as a line of text for the report."""

from __future__ import annotations

from ringback.config import Config
from ringback.deployment.access import redactor_for
from ringback.deployment.redaction import Redactor
from ringback.loadgen.http.connection import Failed, Outcome

__all__ = ["Examples"]

_MOST = 16
"""Kinds of error that have an example, for each kind of request."""
_READ = 4096
"""Bytes of an answer in which its first line is sought."""
_LONGEST = 200
"""Characters of an example."""


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
        if kind in found or len(found) >= _MOST:
            return
        if text := _shown(outcome):
            if self._redactor is None:
                self._redactor = redactor_for(self._config)
            found[kind] = self._redactor.clean(text)[:_LONGEST]


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
