"""`docs/commands.md`: what `--help` prints, and the exit codes that a command's help lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from docs.generate.page import GENERATED, page

from ringback.cli.app import app

__all__ = ["WIDTH", "commands", "help_text", "own_exit_codes", "render"]

WIDTH = 100
"""Columns of the help on the page."""


def render() -> str:
    """Return the page as Markdown."""
    return page(_lines())


def commands() -> Mapping[str, Any]:
    """Name -> command, in the order of the help. (The classes are typer's own copy of click's.)."""
    root: Any = typer.main.get_command(app)
    return dict(root.commands)


def help_text(name: str, width: int) -> str:
    """What `ringback NAME --help` prints on a terminal of so many columns; without a name, the root's help."""
    root: Any = typer.main.get_command(app)
    columns = {"terminal_width": width, "max_content_width": width}
    context = root.context_class(root, info_name="ringback", **columns)
    command = commands()[name] if name else root
    if name:
        context = root.context_class(command, info_name=name, parent=context, **columns)
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def own_exit_codes() -> dict[str, list[tuple[str, str]]]:
    """Command -> code and meaning, for the commands whose help lists them."""
    found = {}
    for name, command in commands().items():
        paragraph = re.search(r"Exit code: (.*?)\.(?:\n\n|\s*\Z|\f)", command.help or "", re.DOTALL)
        if paragraph:
            text = " ".join(paragraph[1].split())
            found[name] = [(code, meaning) for code, meaning in re.findall(r"(\d+) (.*?)(?:, (?=\d)|$)", text)]
    return found


def _lines() -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield GENERATED
    yield ""
    yield "Each command's `--help`. [Exit codes](exit-codes.md) and [configuration](configuration.md) have pages of their own."
    for name in ("", *commands()):
        yield ""
        yield f"## {f'ringback {name}'.strip()}"
        yield ""
        yield "```text"
        yield from help_text(name, WIDTH).splitlines()
        yield "```"
