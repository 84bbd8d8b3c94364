"""The one exception of configuration."""

from __future__ import annotations

import re

__all__ = ["ConfigError"]

_LONGEST = 80
_CREDENTIALS = re.compile(r"//[^/?#]*@")
_QUERY = re.compile(r"([?#]).*", re.DOTALL)


class ConfigError(Exception):
    """A mistake in the configuration, told in one line: where, which key, what value, and the mend.

    Commands print it and exit with 2; nothing has been sent to a deployment by then. A URL is shown without what may be
    a secret in it: user, password, query.
    """

    def __init__(self, source: str, key: str | None, problem: str, mend: str, value: object = None) -> None:
        self.source = source
        self.key = key
        self.problem = problem
        self.mend = mend
        shown = "" if value is None else f" = {_shown(value)}"
        where = f"{source}: {key}{shown}" if key else source
        super().__init__(_one_line(f"{where}: {problem}; {mend}"))


def _shown(value: object) -> str:
    """The value, whole or not at all: a part of a secret would not be recognised as one any more."""
    if isinstance(value, str) and "//" in value:
        value = _QUERY.sub(r"\1...", _CREDENTIALS.sub("//...@", value))
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else f"{len(text)} characters"


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
