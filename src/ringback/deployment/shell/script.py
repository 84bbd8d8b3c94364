"""Several requests that show something together, as shell commands: trigger, wait, poll.

`in_rounds` has the order and the waits, which replays share.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ringback.contract.verdict import variables_in
from ringback.deployment.answers import Trigger
from ringback.deployment.evidence import Exchange
from ringback.deployment.shell.curl import curl
from ringback.deployment.transport import TRIGGER_PATH

__all__ = ["Round", "given_id", "in_rounds", "is_trigger", "script", "spellings"]

_MOST = 12
"""Requests of a script."""
_SHORTEST_WAIT = 0.05
"""Seconds; the time that a shell takes to start curl."""
_ID_OF = (
    r"tr -d '\r\n' | sed -nE "
    r"""'s/.*"UniqueId"[[:space:]]*:[[:space:]]*"(([^"\\]|\\.)*)".*/\1/p'"""
)
"""Prints the UniqueId of an answer as its JSON text spells it, so that it can stand in another JSON text."""


@dataclass(frozen=True, slots=True)
class Round:
    """Requests that were sent at once, and the seconds from the end of the round before until then."""

    wait: float
    exchanges: tuple[Exchange, ...]


def in_rounds(exchanges: Iterable[Exchange]) -> list[Round]:
    """The exchanges in the order in which they were sent."""
    rounds: list[Round] = []
    end = -math.inf
    for exchange in sorted(exchanges, key=lambda one: (one.at, one.id)):
        if rounds and exchange.at < end:
            rounds[-1] = Round(rounds[-1].wait, (*rounds[-1].exchanges, exchange))
        else:
            rounds.append(Round(exchange.at - end if rounds else 0.0, (exchange,)))
        end = max(end, exchange.at + exchange.seconds)
    return rounds


def given_id(exchange: Exchange) -> str | None:
    """The id of the call that the answer to a trigger names; None if it names none."""
    body = exchange.response_body.encode("utf-8", "replace")
    return Trigger(exchange, 0, exchange.seconds, exchange.status, None, body, exchange.failure).found_id


def spellings(unique_id: str) -> tuple[str, ...]:
    """How a JSON text may spell an id, without the quotes."""
    return tuple(dict.fromkeys(json.dumps(unique_id, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True)))


def is_trigger(exchange: Exchange) -> bool:
    """Whether the request is a trigger."""
    return exchange.url.endswith(TRIGGER_PATH)


def script(exchanges: Sequence[Exchange]) -> tuple[str, ...]:
    """Commands that repeat these exchanges with the recorded waits, in a subshell, so that they can be pasted.

    Polls ask for the ids that the repeated triggers are given. Empty if the exchanges cannot be repeated in this way:
    a body that was not recorded whole, or too many requests.
    """
    if len(exchanges) > _MOST or not all(exchange.request_whole for exchange in exchanges):
        return ()
    commands: list[str] = []
    ids: dict[str, str] = {}
    number = 0
    for turn in in_rounds(exchanges):
        together: list[str] = []
        wait = turn.wait if turn.wait >= _SHORTEST_WAIT else 0.0
        for exchange in turn.exchanges:
            number += 1
            after = f", after {wait:.1f} s" if wait else ""
            commands.append(f"echo {shlex.quote(f'{number}. {exchange.purpose}{after}')}")
            commands += [f"sleep {wait:.1f}"] if wait else []
            wait = 0.0
            line = curl(exchange, ids=ids).replace("curl ", "curl --silent --show-error ", 1)
            unique_id = given_id(exchange) if is_trigger(exchange) else None
            if unique_id is not None and _asked_for_later(unique_id, exchange, exchanges):
                commands += _answered(line, f"id{number}")
                ids |= dict.fromkeys(spellings(unique_id), f"id{number}")
            elif len(turn.exchanges) > 1:
                together.append(f"{line} &")
            else:
                commands += [line, "echo"]
        commands += [*together, "wait", "echo"] if together else []
    variables = variables_in(commands)
    needed = [": " + " ".join(f'"${{{name}:?}}"' for name in variables)] if variables else []
    return ("(", *needed, *commands, ")")


def _answered(line: str, name: str) -> tuple[str, ...]:
    return (
        f"answer=$({line})",
        "printf '%s\\n' \"$answer\"",
        f"{name}=$(printf '%s' \"$answer\" | {_ID_OF})",
        f'[ -n "${name}" ] || {{ echo "The answer has no UniqueId." >&2; exit 1; }}',
    )


def _asked_for_later(unique_id: str, trigger: Exchange, exchanges: Iterable[Exchange]) -> bool:
    names = [f'"{spelt}"' for spelt in spellings(unique_id)]
    later = (other.request_body for other in exchanges if other.at > trigger.at and not is_trigger(other))
    return any(name in body for body in later for name in names)
