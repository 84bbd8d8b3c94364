"""The lines: the only telephone numbers that may be dialled, and how many calls each takes at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from ringback.config.scalars import Count, PhoneNumber, Seconds, Section, phone_number

__all__ = ["LINE_STATES", "Line", "Lines"]

LINE_STATES = {
    "answered": "Answered",
    "busy": "Busy",
    "error": "Error",
    "invalid_number": "Invalid Number",
    "no_answer": "No Answer",
    "rejected": "Rejected",
    "temporarily_unavailable": "Temporarily Unavailable",
}
"""Name of a line in the configuration -> the documented call state that the line produces."""


class Line(Section):
    """A telephone number, and what it can take."""

    number: PhoneNumber
    """3 to 15 digits, with a plus sign in front if the deployment wants it."""
    at_once: Annotated[Count, Field(ge=1, le=10_000)] | None = None
    """Calls that it takes at once, as a handset takes one; without it, any number."""
    ring: Seconds = 30.0
    """How long a call to it lasts; the plan calculates the run's time from it."""


def _line(value: object) -> object:
    """A line that is written as its number alone."""
    return value if isinstance(value, dict | Line) else Line(number=phone_number(value))


_Line = Annotated[Line, BeforeValidator(_line)]


class Lines(Section):
    """The only telephone numbers that Ringback dials, by the call state that each produces."""

    answered: _Line | None = None
    busy: _Line | None = None
    error: _Line | None = None
    invalid_number: _Line | None = None
    no_answer: _Line | None = None
    rejected: _Line | None = None
    temporarily_unavailable: _Line | None = None

    @model_validator(mode="after")
    def _distinct(self) -> Lines:
        seen: dict[str, str] = {}
        for name, number in self.configured.items():
            digits = number.lstrip("+")
            if digits in seen:
                raise ValueError(f"{name}|the same number as lines.{seen[digits]}; give each state a line of its own")
            seen[digits] = name
        return self

    @property
    def by_name(self) -> dict[str, Line]:
        """The lines that are configured, in the documented order of states."""
        return {name: line for name in LINE_STATES if (line := getattr(self, name)) is not None}

    @property
    def configured(self) -> dict[str, str]:
        """Line name -> number, for the lines that are configured."""
        return {name: line.number for name, line in self.by_name.items()}

    @property
    def at_once(self) -> dict[str, int]:
        """Line name -> how many calls it takes at once, for the lines that do not take any number."""
        return {name: line.at_once for name, line in self.by_name.items() if line.at_once is not None}

    @property
    def rings(self) -> dict[str, float]:
        """Line name -> how long a call to it rings, in seconds."""
        return {name: line.ring for name, line in self.by_name.items()}
