"""Running the command line: an error ends in one line and an exit code, never in a traceback."""

from __future__ import annotations

import sys
from typing import Any

import typer

from ringback.cli.app import app
from ringback.config.errors import ConfigError, shortage
from ringback.contract.verdict import ExitCode
from ringback.rundir import complain, put_output_behind_sink

__all__ = ["main"]

_UsageError: Any = typer.BadParameter.__mro__[1]
"""The exception for a wrong command line: click's UsageError, which typer bundles without exporting it."""


def main() -> None:
    """Run a command and exit. An error ends in one line and an exit code, never in a traceback."""
    put_output_behind_sink()
    try:
        code = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        from ringback.commands.running import know_secrets

        know_secrets()  # the message may quote a secret that was put in the wrong place
        complain(_message(error))
        sys.exit(ExitCode.USAGE if isinstance(error, (ConfigError, _UsageError)) else ExitCode.INCONCLUSIVE)
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _message(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, _UsageError):
        command = error.ctx.command_path if error.ctx else "ringback"
        words = " ".join(error.format_message().split()).replace("Value error, ", "")
        return f"{words} (see: {command} --help)"
    if (lacking := shortage(error)) is not None:
        return f"{lacking}; this says nothing about the deployment"
    if isinstance(error, OSError):
        file = f" ({error.filename})" if error.filename else ""
        return f"operating system error: {error.strerror or error}{file}"
    from ringback.commands.running import whereabouts

    return f"internal error: {whereabouts(error)}; this says nothing about the deployment"
