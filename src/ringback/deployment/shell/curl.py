"""A request as a curl line, with variables of the shell in place of secrets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Final

from ringback.config import LINE_STATES
from ringback.deployment.evidence import Exchange

__all__ = ["curl", "is_configured", "quoted"]

_VARIABLE = re.compile(rf"\$(RINGBACK_(?:ACCESS_TOKEN|LINES__(?:{'|'.join(name.upper() for name in LINE_STATES)})))")
_A_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")
_DOCUMENTED = frozenset({"content-type", "project"})
_OF_CURL = frozenset({"host", "content-length", "connection", "accept-encoding", "user-agent"})
"""Headers that curl sets by itself."""
_NO_IDS: Final[Mapping[str, str]] = {}


def curl(exchange: Exchange, *, ids: Mapping[str, str] = _NO_IDS) -> str:
    """A shell command that repeats the request of an exchange, with variables in place of secrets.

    `ids`: UniqueIds, as the body spells them, and the shell variables that stand for them. A comment in the line says
    so if the recorded body is incomplete, because it was cut or is not text.
    """
    parts = ["curl --include --request", shlex.quote(exchange.method)]
    if set("[]{}") & set(exchange.url):
        parts.append("--globoff")
    parts.append(quoted(exchange.url))
    names = set()
    for name, value in exchange.request_headers:
        names.add(name.lower())
        if name.lower() not in _OF_CURL and (name.lower(), value) != ("accept", "*/*"):
            parts += ["--header", _header(name, value)]
    if exchange.request_body or exchange.method in {"POST", "PUT", "PATCH"}:
        if "content-type" not in names:
            parts += ["--header", "Content-Type:"]
        parts += ["--data-raw", quoted(exchange.request_body, ids)]
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
    return quoted(f"{name}: {value}" if value.strip() else f"{name};")


def quoted(text: str, ids: Mapping[str, str] = _NO_IDS) -> str:
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
