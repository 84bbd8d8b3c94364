"""The sink: no text leaves the process but through it, so that no secret does, whatever happened upstream.

Secrets are made known by `Sink.protect` as soon as a configuration is read. What a sink has cleaned is `CleanText`, the
only type that writers take. Values are cleaned before they are rendered, so that nothing is cut or wrapped before it is
clean, and a rendered document once more as a whole.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NewType, Protocol, TypeVar, cast

__all__ = ["SINK", "CleanText", "Redacting", "Sink"]

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

    def protect(self, redactor: Redacting, documents: Redacting | None = None) -> None:
        """Never let what a redactor knows leave the process again.

        `documents` knows those of the secrets that are long enough to be looked for in a whole page or picture, where
        a short number may be a coordinate; the others are removed from the values that a document is made of.
        """
        with self._lock:
            self._values = (*self._values, redactor)
            self._documents = (*self._documents, documents or redactor)

    def clean(self, text: str) -> CleanText:
        """A text by itself: a sentence, a value, a line for the terminal."""
        for redactor in self._values:
            text = redactor.clean_secrets(text)
        return CleanText(text)

    def document(self, text: str) -> CleanText:
        """A page, picture or table that was rendered from clean values."""
        for redactor in self._documents:
            text = redactor.clean_secrets(text)
        return CleanText(text)

    def values(self, value: T) -> T:
        """A value with every text in it clean: texts, lists, mappings with their keys, dataclasses, at any depth."""
        return cast("T", self._cleaned(value)) if self._values else value

    def json(self, value: Any, *, indent: int | None = None) -> CleanText:
        """A JSON text, in ASCII, of a value; numbers stay numbers. Indented ones end in a line feed."""
        text = json.dumps(self.values(value), ensure_ascii=True, allow_nan=False, indent=indent)
        return CleanText(text if indent is None else text + "\n")

    def json_lines(self, values: Iterable[Any]) -> CleanText:
        """NDJSON, in ASCII: a line for each value."""
        return CleanText("".join(f"{self.json(value)}\n" for value in values))

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, Mapping):
            return {self._key(key): self._cleaned(inner) for key, inner in value.items()}
        if isinstance(value, tuple):
            inner = [self._cleaned(element) for element in value]
            return type(value)(*inner) if hasattr(value, "_fields") else tuple(inner)
        if isinstance(value, list):
            return [self._cleaned(element) for element in value]
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [field.name for field in dataclasses.fields(value) if field.init]
            before = {name: getattr(value, name) for name in fields}
            after = {name: self._cleaned(inner) for name, inner in before.items()}
            return dataclasses.replace(value, **after) if after != before else value
        return value

    def _key(self, key: Any) -> Any:
        """A member's name; the short ones are ours."""
        return self.document(key) if isinstance(key, str) else key


SINK = Sink()
"""The sink of this process."""
