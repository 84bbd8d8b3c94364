"""Judging well-formed JSON: each place that a server might dial from holds a line, exactly, or nothing.

Text that is JSON by the letter is read in one way by everybody, so its ordinary values may hold digits (an amount, a
postcode); anything less is the business of `Numbers.check_bytes`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ringback.deployment.guard.folding import fold, letters
from ringback.deployment.guard.names import Role, canonical, study
from ringback.deployment.guard.numbers import Numbers, Numeral
from ringback.deployment.guard.refusal import StrangerRefused, Where
from ringback.deployment.guard.views import unescaped

__all__ = ["NotCleanError", "Structure", "has_plain_names", "parse"]

_DEEPEST = 64
_LONGEST_TOLD = 64
"""Letters of a value that may still be a name; longer ones are prose."""
_SHORTEST_NUMBER = 3
"""Digits from which on a text such as `tel:...` is a number rather than the name of one."""
_RUNG = frozenset({Role.DESTINATION, Role.NUMBER})


class NotCleanError(ValueError):
    """The text is not one JSON text that everybody reads alike."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({canonical(name) for name, _ in pairs}) < len(pairs):
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


class Structure:
    """Walks a parsed body; its methods raise `StrangerRefused`, or `NotCleanError` for what is nested too deep."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def check(self, value: Any, where: Where = "body") -> None:
        """A whole body, or a text within one that is JSON itself."""
        self._walk(value, where, 0)

    def _walk(self, node: Any, where: Where, depth: int) -> bool:
        """Check a value; whether anything in it speaks of a destination."""
        if depth > _DEEPEST:
            raise NotCleanError
        kind = type(node)
        if kind is str:
            return self._text(node, where, depth) in _RUNG
        if kind is dict:
            return self._object(node, where, depth)
        if kind is list:
            return self._array(node, where, depth)
        if kind is Numeral:
            self._numbers.check_numeral(node, where)
        return False

    def _object(self, node: dict[str, Any], where: Where, depth: int) -> bool:
        speaking: set[str] = set()
        told: list[tuple[str, Role]] = []
        carrying: list[str] = []
        for key, value in node.items():
            name = study(key)
            role = name.role
            if role is Role.PLAIN:
                inner = (where, key)
                if name.carries:
                    carrying.append(key)
                if type(value) is str:
                    says = self._text(value, inner, depth)
                    if says is Role.DESTINATION or (name.names and says is not Role.PLAIN):
                        told.append((key, says))
                else:
                    if self._walk(value, inner, depth + 1):
                        speaking.add(key)
                    if name.names and _names_a_number(value):
                        told.append((key, Role.NUMBER))
            elif role is Role.RESULT_DESTINATION:
                self._address(value, (where, key))
            else:
                self._dialled(value, (where, key), caller=role is Role.CALLER)
                if role is Role.DESTINATION:
                    speaking.add(key)
            if not key.isalpha():
                self._numbers.check_text(key, (where, "name"))
        for telling, role in told:
            for key, value in node.items():
                if key != telling:
                    if role is Role.RESULT_DESTINATION:
                        self._address(value, (where, key))
                    else:
                        self._dialled(value, (where, key), caller=role is Role.CALLER)
        if speaking:
            for key, value in node.items():
                if key not in speaking and (key in carrying or type(value) is list):
                    self._no_other_digits(value, (where, key))
        return bool(speaking) or any(role in _RUNG for _, role in told)

    def _array(self, node: list[Any], where: Where, depth: int) -> bool:
        told: list[int] = []
        speaking: set[int] = set()
        for index, value in enumerate(node):
            inner = (where, index)
            if type(value) is str:
                says = self._text(value, inner, depth)
                if says is Role.DESTINATION:
                    told.append(index)
                elif says is Role.NUMBER:
                    speaking.add(index)
            elif self._walk(value, inner, depth + 1):
                speaking.add(index)
        if told:
            for index, value in enumerate(node):
                if index != told[0]:
                    self._dialled(value, (where, index), caller=False)
        if speaking:
            for index, value in enumerate(node):
                if index not in speaking and not _is_named(value):
                    self._no_other_digits(value, (where, index))
        return bool(told or speaking)

    def _text(self, text: str, where: Where, depth: int) -> Role:
        """Check a text; what it means if it serves as a name."""
        numbers = self._numbers
        numbers.check_text(text, where)
        if len(text) > 1 and ("{" in text or "[" in text or '"' in text or "%" in text or "&" in text):
            for nested in _nested(text):
                self._walk(nested, where, depth + 1)
        if text in numbers.harmless or (len(text) > _LONGEST_TOLD and len(letters(text)) > _LONGEST_TOLD):
            return Role.PLAIN
        role = study(text).role
        if role is Role.PLAIN or role is Role.DESTINATION:
            return role
        return role if sum(map(str.isdigit, text)) < _SHORTEST_NUMBER else Role.PLAIN

    def _dialled(self, value: Any, where: Where, *, caller: bool) -> None:
        """What stands where a number is dialled from: a line, exactly, or nothing."""
        kind = type(value)
        if kind is str or kind is Numeral:
            allowed = self._numbers.callers if caller else self._numbers.lines
            if value not in allowed and (kind is Numeral or value.strip()):
                raise StrangerRefused("something other than a configured line", where)
        elif kind is list:
            for index, element in enumerate(value):
                self._dialled(element, (where, index), caller=caller)
        elif kind is dict:
            for key, element in value.items():
                if key not in self._numbers.lines:
                    self._no_digits(key, (where, "name"))
                self._dialled(element, (where, key), caller=caller)

    def _address(self, value: Any, where: Where) -> None:
        """What stands in ResultDestination: nothing, or a URL with no number to dial in it."""
        if value is None or type(value) is bool or value in ("", [], {}):
            return
        if type(value) is not str or not value.startswith(("http://", "https://")):
            raise StrangerRefused("something other than an http or https URL", where)
        self._numbers.check_text(value, where)

    def _no_other_digits(self, value: Any, where: Where) -> None:
        """A value that may belong to a destination named elsewhere: words do no harm, digits must be a line's."""
        kind = type(value)
        if kind is str:
            if not (value in self._numbers.harmless and any(map(str.isalpha, value))):
                self._numbers.check_strictly(value, where)
        elif kind is Numeral:
            if value not in self._numbers.lines:
                raise StrangerRefused("a number that is no configured line", where)
        elif kind is list:
            for index, element in enumerate(value):
                self._no_other_digits(element, (where, index))
        elif kind is dict:
            for key, element in value.items():
                self._numbers.check_strictly(key, (where, "name"))
                self._no_other_digits(element, (where, key))

    def _no_digits(self, text: str, where: Where) -> None:
        if any(char.isdigit() for view in unescaped(text) for char in fold(view)):
            raise StrangerRefused("digits that are no configured line", where)


def _nested(text: str) -> Iterator[Any]:
    """The JSON values that a text holds as text, with its outermost escapes and without."""
    for view in unescaped(text):
        stripped = view.strip()
        if stripped[:1] in {"{", "[", '"'}:
            try:
                yield parse(stripped)
            except NotCleanError:
                continue


def has_plain_names(value: Any) -> bool:
    """Whether no member of a value, at any depth, has a name that numbers are dialled from."""
    if type(value) is dict:
        return all(study(key).role is Role.PLAIN and has_plain_names(element) for key, element in value.items())
    return all(map(has_plain_names, value)) if type(value) is list else True


def _names_a_number(value: Any) -> bool:
    """Whether a text at any depth is the name of something that is dialled."""
    if type(value) is str:
        return len(value) <= _LONGEST_TOLD and study(value).role in _RUNG
    inner = value.values() if type(value) is dict else value if type(value) is list else ()
    return any(map(_names_a_number, inner))


def _is_named(value: Any) -> bool:
    """Whether a value is an entry with a name of its own."""
    return type(value) is dict and any(study(key).names and type(element) is str for key, element in value.items())
