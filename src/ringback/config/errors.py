"""`ConfigError`, the exception for every configuration mistake."""

from __future__ import annotations

import re

__all__ = ["ConfigError"]

_LONGEST = 80
_CREDENTIALS = re.compile(r"//[^/?#]*@")
_QUERY = re.compile(r"([?#]).*", re.DOTALL)


class ConfigError(Exception):
    """A configuration mistake in one line: source, key, value, problem and fix.

    Commands print it and exit with 2, before anything is sent to a deployment. A URL is shown without its user,
    password and query, which may be secret.
    """

    def __init__(self, source: str, key: str | None, problem: str, fix: str, value: object = None) -> None:
        self.source = source
        self.key = key
        self.problem = problem
        self.fix = fix
        self.value = value
        self.others: tuple[ConfigError, ...] = ()
        """Further mistakes that were found together with this one."""
        shown = "" if value is None else f" = {_shown(value)}"
        where = f"{source}: {key}{shown}" if key else source
        super().__init__(_one_line(f"{where}: {problem}; {fix}"))

    def at(self, source: str) -> ConfigError:
        """The same mistake with another source; what checks a value does not always know where it was set."""
        return ConfigError(source, self.key, self.problem, self.fix, self.value)


def _shown(value: object) -> str:
    """The whole value, or only its length: redaction would not recognise part of a secret."""
    if isinstance(value, str) and "//" in value:
        value = _QUERY.sub(r"\1...", _CREDENTIALS.sub("//...@", value))
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else f"{len(text)} characters"


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
