"""`ConfigError`, the exception for every configuration mistake; and the words for other errors of ours."""

from __future__ import annotations

import errno
import re

__all__ = ["ConfigError", "shortage", "unexpected"]

_LONGEST = 80
_CREDENTIALS = re.compile(r"//[^/?#]*@")
_LACKING = {
    errno.EMFILE: "open files (see ulimit -n)",
    errno.ENFILE: "open files",
    errno.ENOMEM: "memory",
    errno.ENOBUFS: "memory",
    errno.EADDRNOTAVAIL: "free local ports",
    errno.ENOSPC: "disk space",
    errno.EDQUOT: "disk space",
}
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

    @classmethod
    def of(cls, source: str, key: str | None, mistake: object, value: object = None) -> ConfigError:
        """The mistake whose message is `problem; fix`."""
        problem, _, fix = str(mistake).partition("; ")
        return cls(source, key, problem, fix or "fix it", value)

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


def shortage(error: BaseException) -> str | None:
    """What this machine ran out of, if that is the error."""
    number = errno.ENOMEM if isinstance(error, MemoryError) else error.errno if isinstance(error, OSError) else None
    return None if number not in _LACKING else f"this machine ran out of {_LACKING[number]}"


def unexpected(error: BaseException, where: str) -> str:
    """Why a run could not decide something, if an exception of ours that nobody expected prevented it."""
    return shortage(error) or f"an internal error of Ringback, please report it: {type(error).__name__}{where}"
