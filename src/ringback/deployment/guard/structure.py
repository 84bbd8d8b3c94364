"""Checks one clean JSON text: each value that a server might dial must be a line, exactly, or empty.

All readers read such a text alike, so its other values may have a few digits (an amount, a postcode), but not enough
for a telephone number. `OnlyLines` checks any other text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from ringback.deployment.guard.folding import count_digits, plain
from ringback.deployment.guard.names import Role, mentions_a_number, study
from ringback.deployment.guard.only_lines import OnlyLines
from ringback.deployment.guard.refusal import StrangerRefused, Where

__all__ = ["NotCleanError", "Structure", "has_plain_names", "parse", "scalars"]

_DEEPEST = 64
_MOST_DIGITS = 6
"""Digits that an ordinary text or number may have in all: fewer than any telephone number has."""
_LONGEST_NAME = 64
"""The longest text that may be the name of something that is dialled."""
_SHORTEST_NUMBER = 3
"""A text such as `tel:...` with at least so many digits is a number, not the name of one."""
_RUNG = frozenset({Role.DESTINATION, Role.NUMBER})
_OPENING = frozenset("{[\"'<")
"""How a text begins that is JSON or markup itself."""
_SEVEN_BIT = re.compile(r"\+[A-Za-z0-9+/]{3,}")
"""An encoded part in UTF-7."""


class Numeral(str):
    """A JSON number as it was written."""

    __slots__ = ()


class NotCleanError(ValueError):
    """The text is not one JSON text that all readers read alike."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({plain(name) for name, _ in pairs}) < len(pairs):
        raise NotCleanError
    return dict(pairs)


def _no_constant(_: str) -> Any:
    raise NotCleanError


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=Numeral, parse_float=Numeral, parse_constant=_no_constant
)


def parse(text: str) -> Any:
    """The value of a JSON text, numbers as `Numeral`; `NotCleanError` if it is not one, or names a member twice."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise NotCleanError from error


def _split(url: str) -> tuple[str, str, str | None] | None:
    """Scheme, authority and host of a URL; None if it is not a URL, or has more than host and port in its authority."""
    try:
        parts = urlsplit(url)
        plain = "@" not in parts.netloc and (parts.port is None or parts.port > 0)
        return (parts.scheme, parts.netloc, parts.hostname) if plain else None
    except ValueError:
        return None


class Structure:
    """Checks a parsed body. Its methods raise `StrangerRefused`, or `NotCleanError` if the body is nested too deep.

    lines:
        The numbers that may be dialled.
    display_number:
        The caller id, allowed where a caller id belongs.
    harmless:
        Configured texts whose digits are not telephone numbers, and URLs below the configured ones.
    """

    def __init__(self, lines: Iterable[str], display_number: str, harmless: Iterable[str], other: OnlyLines) -> None:
        self._lines = frozenset(lines)
        self._callers = self._lines | {display_number}
        self._harmless = frozenset(harmless)
        self._urls = tuple(text for text in self._harmless if text.startswith(("http://", "https://")))
        self._with_plus = [text for text in (*self._callers, *self._harmless) if "+" in text]
        self._other = other

    def check(self, value: Any) -> None:
        """Check a whole body."""
        self._walk(value, "body", 0)

    def check_text(self, text: str, where: Where) -> None:
        """Check ordinary text: it must be configured, or have too few digits for a number, or only lines."""
        if text in self._lines or text in self._harmless or not (digits := count_digits(text)):
            return
        if self._is_ours(text):
            return
        structured = text.lstrip()[:1] in _OPENING
        if structured or mentions_a_number(text) or digits > _MOST_DIGITS:
            self._other.check(text, where)

    def check_seven_bit(self, text: str) -> None:
        """Check the text of a whole body: no part of it may be read as UTF-7."""
        if "+" not in text:
            return
        for known in self._with_plus:
            text = text.replace(known, "")
        if _SEVEN_BIT.search(text):
            raise StrangerRefused("letters or digits in UTF-7", "body")

    def _is_ours(self, text: str) -> bool:
        """Whether a text is a URL on a configured server with at most two digits of its own."""
        url = next((url for url in self._urls if text.startswith(url)), None)
        if url is None and text.startswith(("http://", "https://")):
            hosts = {urlsplit(known).hostname for known in self._urls}
            parts = _split(text)  # urlsplit accepts only a number as port
            url = f"{parts[0]}://{parts[1]}" if parts and parts[2] in hosts else None
        return url is not None and count_digits(text[len(url) :]) < _SHORTEST_NUMBER

    def _walk(self, node: Any, where: Where, depth: int) -> bool:
        """Check a value; returns whether anything in it names a destination."""
        if depth > _DEEPEST:
            raise NotCleanError
        kind = type(node)
        if kind is str:
            return self._text(node, where) in _RUNG
        if kind is dict:
            return self._object(node, where, depth)
        if kind is list:
            return self._array(node, where, depth)
        if kind is Numeral:
            self._numeral(node, where)
        return False

    def _object(self, node: dict[str, Any], where: Where, depth: int) -> bool:
        speaking: set[str] = set()
        is_callers = any(
            type(value) is str and study(key).names and study(value).role is Role.CALLER for key, value in node.items()
        )
        named: list[tuple[str, Role]] = []
        carrying: list[str] = []
        for key, value in node.items():
            name = study(key)
            role = name.role
            if role is Role.PLAIN and name.escaped:
                role = Role.NUMBER
            if role is Role.PLAIN:
                inner = (where, key)
                if name.carries:
                    carrying.append(key)
                if type(value) is str:
                    says = self._text(value, inner, is_callers=is_callers)
                    if says is Role.DESTINATION or (name.names and says is not Role.PLAIN):
                        named.append((key, says))
                    elif name.names and study(value).escaped and value not in self._harmless:
                        named.append((key, Role.NUMBER))
                else:
                    if self._walk(value, inner, depth + 1):
                        speaking.add(key)
                    if name.names and _names_a_number(value):
                        named.append((key, Role.NUMBER))
            elif role is Role.RESULT_DESTINATION:
                self._address(value, (where, key))
            else:
                self._called(value, (where, key), caller=role is Role.CALLER)
                if role is Role.DESTINATION:
                    speaking.add(key)
            if not key.isalpha():
                self.check_text(key, (where, "name"))
        for naming, role in named:
            for key, value in node.items():
                if key != naming:
                    if role is Role.RESULT_DESTINATION:
                        self._address(value, (where, key))
                    else:
                        self._called(value, (where, key), caller=role is Role.CALLER)
        if speaking:
            for key, value in node.items():
                if key not in speaking and (key in carrying or type(value) is list):
                    self._no_other_digits(value, (where, key))
        return bool(speaking) or any(role in _RUNG for _, role in named)

    def _array(self, node: list[Any], where: Where, depth: int) -> bool:
        named: list[int] = []
        speaking: set[int] = set()
        for index, value in enumerate(node):
            inner = (where, index)
            if type(value) is str:
                says = self._text(value, inner)
                if says is Role.DESTINATION:
                    named.append(index)
                elif says is Role.NUMBER:
                    speaking.add(index)
            elif self._walk(value, inner, depth + 1):
                speaking.add(index)
        if named:
            for index, value in enumerate(node):
                if index != named[0]:
                    self._called(value, (where, index), caller=False)
        if speaking:
            for index, value in enumerate(node):
                if index not in speaking and not _is_named(value):
                    self._no_other_digits(value, (where, index))
        return bool(named or speaking)

    def _text(self, text: str, where: Where, *, is_callers: bool = False) -> Role:
        """Check a text, and return its meaning as a name. `is_callers`: it belongs to the entry of the caller id."""
        if not (is_callers and text in self._callers):
            self.check_text(text, where)
        if text in self._harmless:
            return Role.PLAIN
        role = study(text).role
        if role is Role.PLAIN or role is Role.DESTINATION:
            return role
        return role if count_digits(text) < _SHORTEST_NUMBER else Role.PLAIN

    def _numeral(self, numeral: Numeral, where: Where) -> None:
        """Check a JSON number that is not dialled."""
        if numeral in self._lines:
            return
        if count_digits(numeral) > _MOST_DIGITS or (
            "e" in numeral.lower() and abs(Decimal(numeral).adjusted()) >= _MOST_DIGITS
        ):
            raise StrangerRefused("a number that is not a configured line", where)

    def _called(self, value: Any, where: Where, *, caller: bool) -> None:
        """Check a value that a server might dial: it must be one line, exactly, or empty."""
        self._dialled(value, where, caller=caller)
        if sum(map(self._lines.__contains__, scalars(value))) > 1:
            raise StrangerRefused("two lines that may be read as one number", where)

    def _dialled(self, value: Any, where: Where, *, caller: bool) -> None:
        kind = type(value)
        if kind is str or kind is Numeral:
            allowed = self._callers if caller else self._lines
            if value not in allowed and (kind is Numeral or value.strip()):
                raise StrangerRefused("something other than a configured line", where)
        elif kind is list:
            for index, element in enumerate(value):
                self._dialled(element, (where, index), caller=caller)
        elif kind is dict:
            for key, element in value.items():
                if key not in self._lines and count_digits(key):
                    raise StrangerRefused("digits that are not a configured line", (where, "name"))
                self._dialled(element, (where, key), caller=caller)

    def _address(self, value: Any, where: Where) -> None:
        """Check ResultDestination: it must be empty, or a URL without a telephone number."""
        if value is None or type(value) is bool or value in ("", [], {}):
            return
        if type(value) is not str or not value.startswith(("http://", "https://")):
            raise StrangerRefused("something other than an http or https URL", where)
        if not self._is_ours(value):
            self.check_text(value, where)

    def _no_other_digits(self, value: Any, where: Where) -> None:
        """Check a value that may belong to a destination named elsewhere: its digits must be a line's."""
        kind = type(value)
        if kind is str:
            if value not in self._harmless or value.isdigit():
                self._other.check(value, where)
        elif kind is Numeral:
            if value not in self._lines:
                raise StrangerRefused("a number that is not a configured line", where)
        elif kind is list:
            for index, element in enumerate(value):
                self._no_other_digits(element, (where, index))
        elif kind is dict:
            for key, element in value.items():
                self._other.check(key, (where, "name"))
                self._no_other_digits(element, (where, key))


def has_plain_names(value: Any) -> bool:
    """Whether no member of a value, at any depth, has a name whose value might be dialled."""
    if type(value) is dict:
        return all(
            (name := study(key)).role is Role.PLAIN and not name.escaped and has_plain_names(element)
            for key, element in value.items()
        )
    return all(map(has_plain_names, value)) if type(value) is list else True


def _names_a_number(value: Any) -> bool:
    """Whether any text in a value is the name of something that is dialled."""
    if type(value) is str:
        return len(value) <= _LONGEST_NAME and study(value).role in _RUNG
    inner = value.values() if type(value) is dict else value if type(value) is list else ()
    return any(map(_names_a_number, inner))


def scalars(value: Any) -> Iterator[str]:
    """Every text and number in a value, including names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, element in value.items():
            yield key
            yield from scalars(element)
    elif isinstance(value, list):
        for element in value:
            yield from scalars(element)


def _is_named(value: Any) -> bool:
    """Whether a value is an object that has a name."""
    return type(value) is dict and any(study(key).names and type(element) is str for key, element in value.items())
