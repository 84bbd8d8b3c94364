"""Recorded requests as shell commands, with variables in place of secrets: `curl` for one, `script` for several.

A script triggers, waits and polls. `in_rounds` has the order and the waits, which replays share.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ringback.config import LINE_STATES
from ringback.contract.endpoints import TRIGGER_PATH
from ringback.contract.verdict import variables_in
from ringback.deployment.answers import Trigger
from ringback.deployment.evidence import Exchange

__all__ = ["Round", "curl", "given_id", "in_rounds", "is_configured", "is_trigger", "script", "spellings"]

_VARIABLE = re.compile(rf"\$(RINGBACK_(?:ACCESS_TOKEN|LINES__(?:{'|'.join(name.upper() for name in LINE_STATES)})))")
_A_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")
_DOCUMENTED = frozenset({"content-type", "project"})
_OF_CURL = frozenset({"host", "content-length", "connection", "accept-encoding", "user-agent"})
"""Headers that curl sets by itself."""
_NO_IDS: Final[Mapping[str, str]] = {}
_MOST = 12
"""Requests of a script."""
_SHORTEST_WAIT = 0.05
"""Seconds; the time that a shell takes to start curl."""
_ID_OF = (
    r"tr -d '\r\n' | sed -nE "
    r"""'s/.*"UniqueId"[[:space:]]*:[[:space:]]*"(([^"\\]|\\.)*)".*/\1/p'"""
)
"""Prints the UniqueId of an answer as its JSON text spells it, so that it can stand in another JSON text."""


def curl(exchange: Exchange, *, ids: Mapping[str, str] = _NO_IDS) -> str:
    """A shell command that repeats the request of an exchange, with variables in place of secrets.

    `ids`: UniqueIds, as the body spells them, and the shell variables that stand for them. A comment in the line says
    so if the recorded body is incomplete, because it was cut or is not text.
    """
    parts = ["curl --include --request", shlex.quote(exchange.method)]
    if set("[]{}") & set(exchange.url):
        parts.append("--globoff")
    parts.append(_quoted(exchange.url))
    names = set()
    for name, value in exchange.request_headers:
        names.add(name.lower())
        if name.lower() not in _OF_CURL and (name.lower(), value) != ("accept", "*/*"):
            parts += ["--header", _header(name, value)]
    if exchange.request_body or exchange.method in {"POST", "PUT", "PATCH"}:
        if "content-type" not in names:
            parts += ["--header", "Content-Type:"]
        parts += ["--data-raw", _quoted(exchange.request_body, ids)]
    line = " ".join(parts)
    if not exchange.request_whole:
        line += f"  # incomplete: the body had {exchange.request_bytes} bytes, not all of them text or recorded"
    return line


def is_configured(name: str, value: str) -> bool:
    """Whether a recorded header is one of the configuration: its whole value is a variable."""
    return bool(_A_VARIABLE.fullmatch(value)) and name.lower() not in _DOCUMENTED


def _header(name: str, value: str) -> str:
    """A header as a word of the shell."""
    if is_configured(name, value):
        return f'{shlex.quote(f"{name}: ")}"${{{value[1:]}}}"'
    return _quoted(f"{name}: {value}" if value.strip() else f"{name};")


def _quoted(text: str, ids: Mapping[str, str] = _NO_IDS) -> str:
    """Quote a text for the shell, so that only Ringback's variables and those of `ids` expand."""
    pieces: list[str] = []
    done = 0
    known = "|".join(re.escape(f'"{one}"') for one in ids)
    for found in re.finditer(f"{_VARIABLE.pattern}|({known})" if known else _VARIABLE.pattern, text):
        variable = f"${{{found[1]}}}" if found[1] else f"${ids[found[0][1:-1]]}"
        inside = 0 if found[1] else 1  # the quotes around an id stay
        if found.start() + inside > done:
            pieces.append(shlex.quote(text[done : found.start() + inside]))
        pieces.append(f'"{variable}"')
        done = found.end() - inside
    if done < len(text) or not pieces:
        pieces.append(shlex.quote(text[done:]))
    return "".join(pieces)


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
