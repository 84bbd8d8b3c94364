"""The section `[variables]`: the project's variables, each with a value that it may have."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

__all__ = ["as_pairs", "check_variables"]

_LIKE_A_NUMBER = re.compile(r"[\d\s().+/-]*")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_SHORTEST_NUMBER = 7
"""Digits of the shortest telephone number that a value may not be."""


def as_pairs(value: object) -> object:
    """A table as pairs of name and value; raises ValueError for a value that is not text."""
    if not isinstance(value, dict):
        return value
    for name, sample in value.items():
        if not isinstance(sample, str):
            raise ValueError(f"{name}|not text; put it in quotes")
    return tuple(value.items())


def check_variables(variables: Iterable[tuple[str, str]], lines: Collection[str]) -> None:
    """Raise ValueError for a name that is no project variable's, or a value that may be a number that is no line."""
    for name, value in variables:
        if name.startswith("_"):
            raise ValueError(f"variables.{name}|not a project variable; leave out what begins with _")
        digits = sum(map(str.isdigit, value))
        is_number = digits >= _SHORTEST_NUMBER and _LIKE_A_NUMBER.fullmatch(value) and not _DAY.fullmatch(value)
        if is_number and value not in lines:
            raise ValueError(f"variables.{name}|may be a telephone number; use the number of a line")
