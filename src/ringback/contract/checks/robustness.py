"""ROB: what holds for every answer."""

from __future__ import annotations

import re

from ringback.contract.checks.violation import AnswerRead, Violation

__all__ = ["is_answered", "is_no_server_error", "repeats_no_token", "shows_no_internals"]

_INTERNALS = re.compile(
    r"Traceback \(most recent call last\)"
    r"|^[ \t]{1,64}at [\w$.<>]+\([\w$]+\.(?:java|kt|scala|groovy):\d+\)"
    r"|^[ \t]{1,64}at (?:.{1,200}\()?(?:/|[A-Z]:\\|node:|file:).{1,200}:\d+:\d+\)?"
    r"|^[ \t]{1,64}at [\w.<>`]+\(.{0,200}\) in .{1,200}:line \d+"
    r"|goroutine \d+ \["
    r"|(?:/usr/|/home/|/opt/|/srv/|/app/|/var/www/)[\w./-]{1,200}\.(?:py|js|ts|rb|php|go|java|cs|pl|pm|lua|exs?|erl|rs|c|cc|cpp)\b"
    r"|\{file,\s{0,9}\"[^\"\n]{1,200}\.erl\""
    r"|\blib/[\w./-]{1,200}\.exs?:\d+:"
    r"|\bpanicked at [^\n]{1,200}\.rs:\d+:\d+"
    r"|[A-Z]:\\[\w\\. -]{1,200}\.(?:cs|vb|py|js|php|java)\b"
    r"|\b(?:ORA-\d{5}|SQLSTATE\[?\w{5}|PG::\w+Error|psycopg2?\.|sqlite3\.\w+Error|MySqlException|SqlException)"
    r"|\b(?:SELECT\s.{1,200}\sFROM\s+\w|INSERT\s+INTO\s+\w+\s*\(|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s+\w)"
    r"|\bFile \"[^\"]{1,200}\", line \d+"
    r"|#\d+ /[\w./-]{1,200}\.php\(\d+\)",
    re.MULTILINE | re.IGNORECASE,
)


def is_no_server_error(answer: AnswerRead) -> Violation | None:
    """ROB-01: no request is answered 5xx."""
    if answer.status is None or answer.status < 500:
        return None
    return Violation("ROB-01", f"{answer.exchange.purpose} was {answer.describe_outcome()}")


def is_answered(answer: AnswerRead) -> Violation | None:
    """ROB-02: every request is answered in full within the request timeout."""
    if answer.failure is None:
        return None
    return Violation("ROB-02", f"{answer.exchange.purpose} was {answer.describe_outcome()}")


def repeats_no_token(answer: AnswerRead) -> Violation | None:
    """ROB-04: no answer repeats an access token, right or wrong."""
    if not answer.exchange.leaks:
        return None
    return Violation("ROB-04", f"an answer repeats {answer.exchange.leaks[0]}")


def shows_no_internals(text: str) -> Violation | None:
    """ROB-05: the text of a refusal shows no stack trace, source path or SQL."""
    if (found := _INTERNALS.search(text)) is None:
        return None
    return Violation("ROB-05", f"a refusal shows the inside of the deployment: {found[0].strip()!r}")
