"""The generated pages: file name in `docs/` -> what makes its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from docs.generate import causes, clauses, commands, configuration, exit_codes, files, metrics

__all__ = ["PAGES"]

PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "causes.md": causes.render,
        "clauses.md": clauses.render,
        "commands.md": commands.render,
        "configuration.md": configuration.render,
        "exit-codes.md": exit_codes.render,
        "files.md": files.render,
        "metrics.md": metrics.render,
    }
)
