"""The commands of a newcomer: init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringback.cli.options import NoColor, Quiet
from ringback.interrupts import unwound

__all__ = ["init"]


def init(
    path: Annotated[Path, typer.Argument(metavar="FILE")] = Path("ringback.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Write a configuration file to fill in."""
    from ringback.commands.init import init as run
    from ringback.reporting import console

    raise typer.Exit(unwound(run, console(quiet=quiet, no_color=no_color), path, force=force))
