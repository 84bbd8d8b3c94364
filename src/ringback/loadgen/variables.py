"""Project variables for the calls of a load run, from `load.variables_file`: its rows, their check, who gets which.

Values are personal data: no message has one, nor a column's name, which in a file without a heading is a value too.
Reports have no id that contains one: a deployment may repeat them in the ids that it gives out.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from ringback.config import Config, ConfigError
from ringback.deployment.access import dial_guard
from ringback.deployment.guard import StrangerRefused
from ringback.loadgen.http.wire import RequestWriter

__all__ = [
    "ROWS_USED_UP",
    "Order",
    "PersonalValues",
    "RowSource",
    "Rows",
    "RowsUsedUp",
    "check_rows",
    "digest_of",
    "read_rows",
]

Order = Literal["in order", "random", "once"]
ROWS_USED_UP = "the rows of load.variables_file were used up before the planned load ended"
_LONGEST = 255
"""Characters of a value that every deployment must take."""
_LONGEST_NAME = 64
_UNUSABLE = re.compile("[\ud800-\udfff\N{OBJECT REPLACEMENT CHARACTER}]")
"""Surrogates, which UTF-8 does not have, and the character that marks gaps in our templates."""
_KINDS = {".csv": "CSV", ".ndjson": "NDJSON", ".jsonl": "NDJSON"}

_AT_A_TIME = 50
"""Rows whose variables are checked in one request: most of a check's time does not depend on their number."""

_HIDDEN = "<an id with a value of load.variables_file>"
_SHORTEST_PART, _SHORTEST_WORD = 4, 2
"""Characters of a value that is found within other text, and of one that is found as a word by itself."""
_LONGEST_ID = 128
"""Characters of an id that is searched; a longer one is hidden whole."""
_WORD = re.compile(r"[^\W_]+")


class RowsUsedUp(Exception):
    """Each row has been used once."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The names of the variables, and for each row its values in the same order."""

    source: str
    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    """The line of the file that each row begins on, counted from 1."""

    def variables(self, row: int) -> tuple[tuple[str, str], ...]:
        """Pairs of name and value."""
        return tuple(zip(self.names, self.values[row], strict=True))


class RowSource:
    """The rows of one process of a run: `member` is its number and how many there are. No row belongs to two of them.

    Raises `ValueError` if there is no row for this process.
    """

    def __init__(self, rows: Rows, order: Order, member: tuple[int, int], chance: random.Random) -> None:
        number, members = member
        self._rows, self._order, self._chance = rows, order, chance
        self._mine = range(number, len(rows.values), members)
        if not self._mine:
            raise ValueError(f"load.variables_file has fewer rows than there are workers ({members})")
        self._next = 0

    def take(self) -> tuple[tuple[str, str], ...]:
        """The variables of the next call. Raises `RowsUsedUp`."""
        if self._order == "random":
            return self._rows.variables(self._chance.choice(self._mine))
        if self._next == len(self._mine):
            if self._order == "once":
                raise RowsUsedUp(ROWS_USED_UP)
            self._next = 0
        self._next += 1
        return self._rows.variables(self._mine[self._next - 1])


def digest_of(path: Path) -> str:
    """A hash of a file's bytes, by which master and workers know that theirs are alike. Raises OSError."""
    return blake2b(path.read_bytes(), digest_size=12).hexdigest()


def read_rows(path: Path) -> Rows:
    """The rows of a file: CSV with a heading, or NDJSON with an object in each line. Raises `ConfigError`."""
    reader = _Reader(str(path))
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise reader.mistake(None, "neither .csv nor .ndjson", "name a file with one of these endings")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise reader.mistake(None, f"unreadable ({error.strerror})", "name a readable file") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise reader.mistake(line, "not UTF-8", "save the file as UTF-8") from None
    return reader.rows(reader.table(text) if kind == "CSV" else reader.objects(text))


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source

    def mistake(self, line: int | None, problem: str, fix: str) -> ConfigError:
        return ConfigError(self._source, None if line is None else f"line {line}", problem, fix)

    def rows(self, found: Iterator[tuple[int, list[str]]]) -> Rows:
        """Rows from a heading and what follows it, each with its line."""
        heading = next(found, None)
        if heading is None:
            raise self.mistake(None, "empty", "write the names of the variables in the first line, and a row below")
        line, names = heading
        self._check_names(line, names)
        values: list[tuple[str, ...]] = []
        lines: list[int] = []
        for line, row in found:
            if len(row) != len(names):
                problem = f"{len(row)} values, and there are {len(names)} variables"
                raise self.mistake(line, problem, "give each variable a value; quote values with commas or quotes")
            for column, value in enumerate(row, 1):
                if len(value) > _LONGEST:
                    problem = f"column {column} has {len(value)} characters, and a deployment may refuse more than 255"
                    raise self.mistake(line, problem, "shorten it")
                if _UNUSABLE.search(value):
                    raise self.mistake(line, f"column {column} has a character that stands for none", "remove it")
            values.append(tuple(row))
            lines.append(line)
        if not values:
            raise self.mistake(None, "no rows", "write at least one row below the names")
        return Rows(self._source, tuple(names), tuple(values), tuple(lines))

    def table(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """The lines of a CSV file (RFC 4180) that are not blank."""
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        line = 1
        try:
            for row in reader:
                if row:
                    yield line, row
                line = reader.line_num + 1
        except csv.Error:
            raise self.mistake(line, "not CSV", "separate values by commas, and close each quote") from None

    def objects(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """The heading that all objects have in common, then the values of each."""
        names: list[str] | None = None
        for line, content in enumerate(text.split("\n"), 1):
            if not content.strip():
                continue
            try:
                pairs = json.loads(content, object_pairs_hook=_Pairs)
            except (ValueError, RecursionError):
                raise self.mistake(line, "not JSON", "write one JSON object in each line") from None
            if not isinstance(pairs, _Pairs):
                raise self.mistake(line, "not an object", "write one JSON object in each line")
            if not all(isinstance(value, str) for _, value in pairs):
                raise self.mistake(line, "a value that is not text", "put it in quotes: the API's values are texts")
            if names is None:
                names = [name for name, _ in pairs]
                yield line, names
            members = dict(pairs)
            if len(members) < len(pairs) or members.keys() != set(names):
                raise self.mistake(line, "other variables than the first line", "give each object the same variables")
            yield line, [members[name] for name in names]

    def _check_names(self, line: int, names: list[str]) -> None:
        if len(names) == 1 and any(separator in names[0] for separator in ";\t|"):
            raise self.mistake(line, "one column", "separate columns by commas")
        for column, name in enumerate(names, 1):
            if name.strip().startswith("_"):
                raise self.mistake(
                    line, f"the name of column {column} begins with _, as only the API's own parameters do",
                    "rename or remove the column; what is dialled is in [lines]",
                )  # fmt: skip
            if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable() or name != name.strip():
                raise self.mistake(
                    line, f"column {column} has no name of at most 64 printable characters without blanks around it",
                    "write the variables' names in the first line",
                )  # fmt: skip
            if name in names[: column - 1]:
                raise self.mistake(line, f"column {column} has the same name as another", "rename or remove it")


class _Pairs(list[Any]):
    """The members of a JSON object."""


def check_rows(config: Config, workers: int) -> None:
    """Read and check the file of variables, if there is one. Raises `ConfigError` that names file, line and fix."""
    if config.load.variables_file is None:
        return
    rows = read_rows(config.load.variables_file)
    if len(rows.values) < workers:
        raise ConfigError(
            rows.source, None, f"{len(rows.values)} rows, and {workers} workers share them without overlap",
            "add rows, or use fewer workers",
        )  # fmt: skip
    if config.variables is not None:
        declared = {name for name, _ in config.variables}
        for column, name in enumerate(rows.names, 1):
            if name not in declared:
                raise ConfigError(
                    rows.source, None, f"column {column} is not one of the project's [variables]",
                    "declare it there, or remove the column",
                )  # fmt: skip
    writer = RequestWriter(config, dial_guard(config))
    for first in range(0, len(rows.values), _AT_A_TIME):
        several = range(first, min(first + _AT_A_TIME, len(rows.values)))
        if not _passes(writer, rows, several):
            for row in several:
                if not _passes(writer, rows, range(row, row + 1)):
                    raise ConfigError(
                        rows.source, f"line {rows.lines[row]}", "a variable that might be dialled",
                        "leave out numbers of more than 6 digits, dates and names of numbers (phone, destination)",
                    )  # fmt: skip


def _passes(writer: RequestWriter, rows: Rows, several: range) -> bool:
    try:
        writer.check_variables(tuple(chain.from_iterable(rows.variables(row) for row in several)))
    except StrangerRefused:
        return False
    return True


class PersonalValues:
    """Recognises ids that contain a value of the file, in whatever case. The file's size costs no time."""

    def __init__(self, rows: Rows | None) -> None:
        every = {value.strip().casefold() for row in rows.values for value in row} if rows is not None else set()
        self._values = frozenset(value for value in every if len(value) >= _SHORTEST_WORD)
        self._lengths = sorted({len(value) for value in self._values if len(value) >= _SHORTEST_PART})

    def clean(self, unique_id: str) -> str:
        """The id, or a text in its place."""
        return (
            _HIDDEN if self._values and (len(unique_id) > _LONGEST_ID or self._in(unique_id.casefold())) else unique_id
        )

    def _in(self, text: str) -> bool:
        words = set(_WORD.findall(text))
        parts = {
            text[at : at + length]
            for length in self._lengths
            if length <= len(text)
            for at in range(len(text) - length + 1)
        }
        return not self._values.isdisjoint(words | parts)
