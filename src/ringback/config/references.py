"""Values that a configuration names instead of holding: `env:NAME` is a variable's value, `file:PATH` a file's text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["FILE", "VARIABLE", "referred"]

VARIABLE, FILE = "env:", "file:"


def referred(text: str, environ: Mapping[str, str]) -> str:
    """The value that a text refers to; the text itself if it is no reference.

    Raises ValueError with problem and fix, which show no value.
    """
    if text.startswith(VARIABLE):
        name = text.removeprefix(VARIABLE).strip()
        value = environ.get(name, "")
        if not value:
            raise ValueError(f"the variable {name or 'after env:'} is not set; export it, or name another")
    elif text.startswith(FILE):
        try:
            value = Path(text.removeprefix(FILE)).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise ValueError("its file can't be read as text; name an existing file after file:") from None
        if not value:
            raise ValueError("its file is empty; write the value into it")
    else:
        value = text
    return value
