"""The script of a conversation for a reader: triggers, waits and polls in order, with letters for calls."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ringback.deployment import Answer, Exchange, Poll

__all__ = ["Script", "describe_poll", "letter"]

_LISTED = 3
"""Ids that are spelled out after a script."""


def letter(index: int) -> str:
    """The name of the call at that place of a conversation: A to Z, then AA, AB and so on."""
    capitals = string.ascii_uppercase
    return capitals[index] if index < 26 else capitals[index // 26 - 1] + capitals[index % 26]


def describe_poll(poll: Poll, names: Mapping[str, str]) -> str:
    """The answer to a poll in a few words: `200: A Busy, B nothing`."""
    if poll.status is None or not 200 <= poll.status < 300:
        return poll.describe_answer()
    if not poll.entries:
        return f"{poll.status}: no entries" if poll.json.readable else f"{poll.status}: no JSON"
    entries = [f"{_name(e.unique_id, names)} {e.state or 'nothing'}" for e in poll.entries]
    more = f" and {len(entries) - 24} more" if len(entries) > 24 else ""
    return f"{poll.status}: {', '.join(entries[:24])}{more}"


def _name(unique_id: str | None, names: Mapping[str, str]) -> str:
    return "an entry without id" if unique_id is None else names.get(unique_id, f"another call ({unique_id})")


@dataclass(slots=True)
class Script:
    """The steps so far, and their exchanges."""

    steps: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """UniqueId -> its name in the script."""

    def triggered(self, lines: Sequence[str], letters: Sequence[str], answers: Sequence[Answer]) -> None:
        """Write down one trigger, or several in a row."""
        many = "s" if len(lines) > 1 else ""
        first, last = letters[0], letters[-1]
        named = first if len(letters) == 1 else f"{first} to {last}"
        self.steps.append(f"trigger{many} to {', '.join(lines)} -> {named}")
        self.exchanges += [answer.exchange for answer in answers]

    def waited(self) -> None:
        """Write down a pause."""
        self.steps.append("wait")

    def polled(self, poll: Poll, how: str = "poll") -> None:
        """Write down a poll and its answer."""
        asked = ", ".join(self.names.get(one, repr(one)) for one in poll.asked)
        self.steps.append(f"{how} [{asked}] -> {describe_poll(poll, self.names)}")
        self.exchanges.append(poll.exchange)

    def text(self, about: str | None = None) -> str:
        """The script in one line, then what the letters stand for: all if they are few, else only that of `about`."""
        talk = "; ".join(self.steps)
        asked = {one: name for one, name in self.names.items() if name in talk.replace(",", " ").replace("[", " ")}
        listed = asked if len(asked) <= _LISTED else {one: name for one, name in asked.items() if one == about}
        legend = ", ".join(f"{name} is {one!r}" for one, name in listed.items())
        return f"{talk} ({legend})" if legend else talk
