"""Findings of `ringback doctor` and `ringback init` on the terminal: a line each, and the fix below it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from ringback.first_steps.steps import Step
from ringback.reporting.model.safe import one_line
from ringback.reporting.terminal.layout import hanging
from ringback.reporting.terminal.screen import is_terse

__all__ = ["in_one_line", "print_steps"]

_LABEL = 15
_LONGEST = 600


def print_steps(console: Console, steps: Iterable[Step]) -> None:
    """Print each finding with its mark, and its fix if it is not well; nothing when quiet."""
    for step in () if is_terse(console) else steps:
        style = "green" if step.well else "bold red"
        lead = Text.assemble((f"{'✓' if step.well else '✗'} ", style), f"{one_line(step.name, _LABEL):<{_LABEL}}")
        hanging(console, lead, Text(one_line(step.found, _LONGEST)))
        if step.fix:
            hanging(console, Text(" " * (_LABEL + 2) + "→ "), Text(one_line(step.fix, _LONGEST), "bold"))


def in_one_line(console: Console, steps: Iterable[Step]) -> str:
    """When quiet, the findings and their fixes, to be added to the one line; an empty text otherwise."""
    if not is_terse(console):
        return ""
    return ": " + "; ".join(one_line(f"{step.found} → {step.fix}", _LONGEST) for step in steps)
