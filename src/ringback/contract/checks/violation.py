"""What a check returns, and what it reads: the few members of an answer that rules look at.

`ringback.deployment.answers` has these members; this room may not import that one, so they are protocols here.
"""

# ruff: noqa: D102 - the docstrings of these members are in `ringback.deployment.answers`

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["AnswerRead", "PollRead", "TriggerRead", "Violation"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    clause: str
    observed: str
    """What came, in one sentence."""
    expected: str = ""
    """What should have come; empty where the clause's own words say it best."""


class ExchangeRead(Protocol):
    """The request, as recorded."""

    @property
    def method(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def leaks(self) -> Sequence[str]: ...


class JsonRead(Protocol):
    """The body, read strictly and leniently."""

    @property
    def value(self) -> Any: ...
    @property
    def problem(self) -> str | None: ...
    @property
    def twice(self) -> Sequence[str]: ...
    @property
    def readable(self) -> bool: ...


class AnswerRead(Protocol):
    """An answer to any request."""

    @property
    def exchange(self) -> ExchangeRead: ...
    @property
    def status(self) -> int | None: ...
    @property
    def headers(self) -> Mapping[str, str] | None: ...
    @property
    def body(self) -> bytes: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def json(self) -> JsonRead: ...
    @property
    def refused(self) -> bool: ...
    def describe_outcome(self) -> str: ...


class TriggerRead(AnswerRead, Protocol):
    """An answer to a trigger."""

    @property
    def unique_id(self) -> str | None: ...
    @property
    def found_id(self) -> str | None: ...
    @property
    def accepted(self) -> bool: ...


class EntryRead(Protocol):
    """One entry of a poll's answer."""

    @property
    def raw(self) -> Any: ...


class PollRead(AnswerRead, Protocol):
    """An answer to a poll."""

    @property
    def asked(self) -> Sequence[str]: ...
    @property
    def entries(self) -> Sequence[EntryRead]: ...
    @property
    def foreign(self) -> Sequence[str]: ...
