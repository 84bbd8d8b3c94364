"""The sink: all text that leaves the process passes through it, and it removes secrets.

`Sink.protect` makes secrets known as soon as a configuration is read. A sink returns `CleanText`, the only type that
writers accept. Values are cleaned before they are rendered, so that a cut or a line break can't hide a secret. The
rendered document is then cleaned again as a whole.
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
"""How many clean texts are remembered, and their longest length: reports repeat the same texts many times."""
_DEEPEST = 100
"""The deepest nesting of values; only hostile input is nested deeper."""
_OUR_NAME = re.compile(r"[a-z0-9_.]+")
_TOO_DEEP = "<nested too deeply>"

T = TypeVar("T")

CleanText = NewType("CleanText", str)
"""Text that may leave the process. Only a `Sink` makes it."""


class Redacting(Protocol):
    """Something that removes secrets in every spelling."""

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
        """Remove the secrets that a redactor knows from all text from now on.

        `documents` knows only the secrets that are long enough to be recognised in a whole page or picture, where a
        short number may be a coordinate. Short secrets are removed from the values before rendering.
        A redactor that is already in use may know more secrets now.
        """
        with self._lock:
            if redactor not in self._values:
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

        Objects with a true `our_own` member contain only Ringback's own text and are not changed.
        """
        return cast("T", self._cleaned(value, self.clean)) if self._values else value

    def json(self, value: Any, *, indent: int | None = None) -> CleanText:
        """A JSON text, in ASCII, of a value; numbers stay numbers. Indented ones end in a line feed."""
        return _json(self.values(value), indent)

    def json_document(self, value: Any, *, indent: int | None = None) -> CleanText:
        """The same for a value made of clean values and of fixed words, which may equal a short secret."""
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
        """The clean name of a member: a fixed name, which may equal a short secret, or one from a deployment."""
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
