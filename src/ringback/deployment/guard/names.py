"""What a member's name, or a text used as one, may mean to a server: a number to dial, a caller id, or neither."""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from ringback.deployment.guard.folding import letters

__all__ = ["Name", "Role", "mentions_a_number", "mentions_a_trigger", "study"]

_LONGEST_NAME = 96
"""Letters of a text that are compared with names: a server may cut a longer name there."""
_REMEMBERED = 128
"""Longest text whose meaning is cached."""
_CUT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffd]")
"""Characters at which a reader may end a name."""
_ESCAPE = re.compile(r"[%\\&+]")
"""Characters of escapes, which only some servers decode."""


class Role(Enum):
    """What a name means."""

    PLAIN = auto()
    DESTINATION = auto()
    RESULT_DESTINATION = auto()
    CALLER = auto()
    NUMBER = auto()
    """An undocumented name whose value a server might still dial: a phone, a callee."""


class Name(NamedTuple):
    """The possible meanings of a name."""

    role: Role
    names: bool
    """Whether a member of this name may have a name as its value: `Name`, `Key`, `Field`."""
    carries: bool
    """Whether a member of this name may have the value for a name elsewhere: `Value`, `Data`."""
    escaped: bool
    """Whether it may be an escaped form of another name."""


_DESTINATION = "destinat"
_CALLER_PARTS = ("displayn", "callerid", "callingn", "callingp", "callernum")
_CALLER_WHOLE = frozenset({"display", "cli", "clid", "ani", "from", "caller", "anumber"})
_NUMBER_PARTS = (
    "phone", "telefon", "mobile", "msisdn", "callee", "recipient", "subscriber", "number", "numara", "nummer",
    "numero", "dialstring", "diallednum", "dialednum", "calledpart", "cellular", "sipuri", "teluri",
)  # fmt: skip
_NUMBER_WHOLE = frozenset(
    {"to", "tel", "cell", "gsm", "dst", "dest", "called", "dnis", "did", "dial", "target", "bnumber", "num", "line"}
)
_NAMING = frozenset(
    {"key", "id", "field", "label", "param", "parameter", "type", "kind", "variable", "var", "n", "k", "attribute",
     "property", "title", "code"}
)  # fmt: skip
_CARRYING = frozenset({"val", "vals", "v", "text", "content", "contents", "data", "string", "items", "args", "body"})
_PROSE = (_DESTINATION, *_CALLER_PARTS, "phone", "telefon", "msisdn", "callee", "sipuri", "teluri")
_TRIGGER = (
    "destin",
    "tination",
    *_CALLER_PARTS,
    "phone",
    "telefon",
    "msisdn",
    "scenarioinput",
    "enduser",
    "accesstoken",
)


def study(name: str) -> Name:
    """What a name may mean, in any case, with look-alikes or punctuation, or cut by a reader."""
    return _study(name) if len(name) <= _REMEMBERED else _study_anew(name)


def mentions_a_number(text: str) -> bool:
    """Whether a text mentions a destination, a telephone or a caller id."""
    plain = letters(text)
    return any(part in plain for part in _PROSE)


def mentions_a_trigger(text: str) -> bool:
    """Whether a text contains a name that belongs to triggers and not to polls."""
    plain = letters(text)
    return any(part in plain for part in _TRIGGER)


def _study_anew(name: str) -> Name:
    whole = letters(name)[:_LONGEST_NAME]
    cut = letters(_CUT.split(name.lstrip(), maxsplit=1)[0])
    role = next((role for role in (_role(whole), _role(cut)) if role is not Role.PLAIN), Role.PLAIN)
    return Name(
        role, "name" in whole or whole in _NAMING, "value" in whole or whole in _CARRYING, bool(_ESCAPE.search(name))
    )


_study = lru_cache(maxsize=8192)(_study_anew)


def _role(plain: str) -> Role:
    if plain == "resultdestination":
        return Role.RESULT_DESTINATION
    if _DESTINATION in plain:
        return Role.DESTINATION
    if plain in _CALLER_WHOLE or any(part in plain for part in _CALLER_PARTS):
        return Role.CALLER
    if plain in _NUMBER_WHOLE or any(part in plain for part in _NUMBER_PARTS):
        return Role.NUMBER
    return Role.PLAIN
