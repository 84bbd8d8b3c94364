"""Where each clause stands in ``openapi.yaml``: line numbers, for tools that point at lines of a file.

:mod:`ringback.contract.description` reads what the description says.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import yaml

from ringback.resources import openapi_path

__all__ = ["clause_lines", "description_text"]


@cache
def clause_lines() -> dict[str, int]:
    """Return, for each clause id, the first line (from 1) of ``openapi.yaml`` on which an ``x-clauses`` names it.

    Raises :class:`ringback.resources.ResourceMissing` if the installation lacks the file.
    """
    root = yaml.compose(description_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    lines: dict[str, int] = {}
    for clause_id, line in _named(root):
        lines[clause_id] = min(line, lines.get(clause_id, line))
    return lines


def description_text() -> str:
    """Return ``openapi.yaml`` as it stands; raises as :func:`clause_lines` does."""
    return openapi_path().read_text(encoding="utf-8")


def _named(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "x-clauses" and isinstance(value, yaml.SequenceNode):
                yield from ((entry.value, entry.start_mark.line + 1) for entry in value.value)
            else:
                yield from _named(value)
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _named(entry)
