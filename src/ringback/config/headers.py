"""Headers that each request carries besides the documented ones, such as the key of an API gateway."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from ringback.config.references import VARIABLE, referred

__all__ = ["Header", "HeaderError", "headers_from"]

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_SET_BY_RINGBACK = frozenset(
    {"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "keep-alive",
     "te", "trailer", "upgrade", "expect", "accept", "accept-encoding", "project"}
)  # fmt: skip
_KEY_INSTEAD = {"user-agent": "user_agent", "proxy-authorization": "the proxy's URL"}
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SHORT = 8


@dataclass(frozen=True, slots=True)
class Header:
    """A header of each request. `variable` stands for its value in reports and in `curl` lines."""

    name: str
    value: SecretStr
    variable: str
    is_secret: bool = True
    """False for a short value that is written in the configuration: it may be any word of a report."""


class HeaderError(ValueError):
    """A mistake in one header; the message is `problem; fix` and shows no value."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


def headers_from(table: Mapping[str, object], environ: Mapping[str, str]) -> Iterator[Header]:
    """The headers of a table of names and values or references; raises `HeaderError`."""
    seen: dict[str, str] = {}
    standing_for: dict[str, str] = {}
    for name, text in table.items():
        lowered = name.lower()
        if not _NAME.fullmatch(name):
            raise HeaderError(name, "not a header's name; write letters, digits and dashes")
        if lowered in _KEY_INSTEAD:
            raise HeaderError(name, f"has its own place; write it into {_KEY_INSTEAD[lowered]}")
        if lowered in _SET_BY_RINGBACK:
            raise HeaderError(name, "Ringback sets this header itself; remove it")
        if lowered in seen:
            raise HeaderError(name, f"the same header as {seen[lowered]}; case does not matter in names, keep one")
        seen[lowered] = name
        if not isinstance(text, str):
            raise HeaderError(name, "not text; put it in quotes")
        try:
            value = referred(text, environ)
        except ValueError as why:
            raise HeaderError(name, str(why)) from None
        if not value or value != value.strip() or not (value.isascii() and value.isprintable()):
            raise HeaderError(name, "empty, or not printable ASCII without blanks around it; write the value alone")
        variable = text.removeprefix(VARIABLE).strip() if text.startswith(VARIABLE) else ""
        if not _VARIABLE_NAME.fullmatch(variable):
            variable = "RINGBACK_HEADER_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
        while standing_for.setdefault(variable, value) != value:
            variable += "_"
        yield Header(name, SecretStr(value), variable, is_secret=value != text or len(value) >= _SHORT)
