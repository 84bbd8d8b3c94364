"""The sink: no text leaves the process but through it, so that no secret does, whatever happened upstream.

Secrets are made known by `Sink.protect` as soon as a configuration is read. What a sink has cleaned is `CleanText`, the
only type that writers take. Values are cleaned before they are rendered, so that nothing is cut or wrapped before it is
clean, and a rendered document once more as a whole.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, NewType, Protocol, TypeVar, cast

__all__ = ["SINK", "CleanText", "Redacting", "Sink"]

_REMEMBERED, _LONGEST_REMEMBERED = 2048, 32 * 1024
"""Texts whose clean form is remembered, and the characters that each may have: reports use the same ones many times."""
_DEEPEST = 100
"""Values within values; what is nested deeper was written by nobody in good faith."""
_OUR_NAME = re.compile(r"[a-z0-9_.]+")
_TOO_DEEP = "<nested too deeply>"

T = TypeVar("T")

CleanText = NewType("CleanText", str)
"""Text that may leave the process. Made by a `Sink` alone."""


class Redacting(Protocol):
    """What knows secrets in every spelling."""

    def clean_secrets(self, text: str) -> str:
        """The text without them."""


class Sink:
    """Knows the secrets of the process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: tuple[Redacting, ...] = ()
        self._documents: tuple[Redacting, ...] = ()
        self._clean = _remembering(())
        self._document = _remembering(())

    def protect(self, redactor: Redacting, documents: Redacting | None = None) -> None:
        """Never let what a redactor knows leave the process again.

        `documents` knows those of the secrets that are long enough to be looked for in a whole page or picture, where
        a short number may be a coordinate; the others are removed from the values that a document is made of.
        A redactor that is in use already changes nothing.
        """
        with self._lock:
            if redactor in self._values:
                return
            self._values = (*self._values, redactor)
            self._documents = (*self._documents, documents or redactor)
            self._clean = _remembering(self._values)
            self._document = _remembering(self._documents)

    def clean(self, text: str) -> CleanText:
        """A text by itself: a sentence, a value, a line for the terminal."""
        return self._clean(text)

    def document(self, text: str) -> CleanText:
        """A page, picture or table that was rendered from clean values."""
        return self._document(text)

    def values(self, value: T) -> T:
        """A value with every text in it clean: texts, lists, mappings with their keys, dataclasses, at any depth.

        What a class with an `our_own` member says is known text, and stays.
        """
        return cast("T", self._cleaned(value, self.clean)) if self._values else value

    def json(self, value: Any, *, indent: int | None = None) -> CleanText:
        """A JSON text, in ASCII, of a value; numbers stay numbers. Indented ones end in a line feed."""
        return _json(self.values(value), indent)

    def json_document(self, value: Any, *, indent: int | None = None) -> CleanText:
        """The same of a value that is made of clean values, and of words of our own that a short secret may equal."""
        return _json(self._cleaned(value, self.document) if self._documents else value, indent)

    def json_lines(self, values: Iterable[Any]) -> CleanText:
        """NDJSON, in ASCII: a line for each value."""
        return CleanText("".join(f"{self.json(value)}\n" for value in values))

    def _cleaned(self, value: Any, clean: Callable[[str], str], depth: int = 0) -> Any:
        if isinstance(value, Enum) or getattr(value, "our_own", False):
            return value
        if isinstance(value, str):
            return clean(value)
        if depth == _DEEPEST:
            return value if isinstance(value, int | float | None) else _TOO_DEEP

        def inner(found: Any) -> Any:
            return self._cleaned(found, clean, depth + 1)

        if isinstance(value, Mapping):
            return {self._key(key): inner(member) for key, member in value.items()}
        if isinstance(value, tuple):
            elements = [inner(element) for element in value]
            return type(value)(*elements) if hasattr(value, "_fields") else tuple(elements)
        if isinstance(value, list):
            return [inner(element) for element in value]
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [field.name for field in dataclasses.fields(value) if field.init]
            before = {name: getattr(value, name) for name in fields}
            after = {name: inner(member) for name, member in before.items()}
            return dataclasses.replace(value, **after) if after != before else value
        return value

    def _key(self, key: Any) -> Any:
        """A member's name: one of ours, which a short secret may equal, or a deployment's."""
        if not isinstance(key, str):
            return key
        return self.document(key) if _OUR_NAME.fullmatch(key) else self.clean(key)


def _remembering(redactors: tuple[Redacting, ...]) -> Callable[[str], CleanText]:
    def clean(text: str) -> CleanText:
        for redactor in redactors:
            text = redactor.clean_secrets(text)
        return CleanText(text)

    remembered = functools.lru_cache(_REMEMBERED)(clean)
    return lambda text: remembered(text) if len(text) <= _LONGEST_REMEMBERED else clean(text)


def _json(value: Any, indent: int | None) -> CleanText:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, indent=indent)
    return CleanText(text if indent is None else text + "\n")


SINK = Sink()
"""The sink of this process."""
