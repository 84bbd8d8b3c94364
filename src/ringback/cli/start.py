"""The commands before the first check: init and doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ringback.cli.options import BaseUrl, ConfigFile, NoColor, Quiet
from ringback.interrupts import unwound

__all__ = ["doctor", "init"]


class _Terminal:
    """Asks the person at the terminal."""

    def text(self, question: str, default: str = "") -> str:
        """The answer, without blanks around it."""
        return str(typer.prompt(question, default=default, show_default=bool(default))).strip()

    def yes(self, question: str) -> bool:
        """Whether the answer is yes; no is the default."""
        return typer.confirm(question)


def init(
    path: Annotated[Path, typer.Argument(metavar="FILE")] = Path("ringback.toml"),
    from_curl: Annotated[
        str | None,
        typer.Option("--from-curl", metavar="FILE|-", help="Take over what the vendor's curl command says."),
    ] = None,
    base_url: BaseUrl = None,
    project: Annotated[str | None, typer.Option("--project", metavar="NAME", help="The project's name.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="The tenant's name.")] = None,
    scenario_path: Annotated[str | None, typer.Option("--scenario-path", metavar="PATH", help="IVR scenario.")] = None,
    orchestrator_url: Annotated[
        str | None, typer.Option("--orchestrator-url", metavar="URL", help="The Orchestrator.")
    ] = None,
    display_number: Annotated[str | None, typer.Option("--display-number", metavar="N", help="The caller id.")] = None,
    token_env: Annotated[
        str | None, typer.Option("--token-env", metavar="NAME", help="The variable that holds the access token.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="The token's file; a curl command's token goes there."),
    ] = None,
    line: Annotated[
        list[str] | None,
        typer.Option("--line", metavar="STATE=NUMBER", help="A number that may be dialled, such as busy=5550000002."),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option("--public-url", metavar="URL", help="How the deployment reaches this machine.")
    ] = None,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where results are received.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try to reach the deployment.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Write a configuration file: asks on a terminal, or takes flags. Places no call."""
    from ringback.commands.init import InitOptions
    from ringback.commands.init import init as run
    from ringback.reporting import console

    deployment = {
        "base_url": base_url,
        "project": project,
        "tenant": tenant,
        "scenario_path": scenario_path,
        "orchestrator_url": orchestrator_url,
        "display_number": display_number,
        "access_token_env": token_env,
    }
    options = InitOptions(
        from_curl, tuple(deployment.items()), tuple(line or ()), public_url, listen, token_file, offline=offline
    )
    screen = console(quiet=quiet, no_color=no_color)
    ask = _Terminal() if sys.stdin.isatty() and sys.stdout.isatty() and not quiet else None
    raise typer.Exit(unwound(run, screen, path, options, force=force, ask=ask))


def doctor(
    config: ConfigFile = None, base_url: BaseUrl = None, quiet: Quiet = False, no_color: NoColor = False
) -> None:
    """Look at what a check needs: name, route, TLS, path, answers, receiver. Places no call.

    Exit code: 0 everything is in place, 2 the configuration has mistakes, 3 something is in the way.
    """
    from ringback.commands.doctor import doctor as run
    from ringback.commands.running import Options
    from ringback.reporting import console

    raise typer.Exit(unwound(run, console(quiet=quiet, no_color=no_color), Options(config, base_url)))
