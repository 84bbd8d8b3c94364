"""The command line: commands and their options, and nothing else. Work is done in `ringback.commands`.

Exit codes: 0 all held, 1 a clause or limit is broken, 2 usage or configuration, 3 inconclusive, 130 interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ringback import __version__
from ringback.config import ConfigError
from ringback.config.scalars import parse_duration
from ringback.contract.clauses import Level
from ringback.contract.verdict import ExitCode
from ringback.interrupts import unwound
from ringback.rundir import complain, put_output_behind_sink

if TYPE_CHECKING:
    from ringback.loadgen.run import MasterAddress

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Contract tests and load tests for the Outbound Call Trigger API.\n\n"
    "Without a configuration or a base URL, commands run against an embedded deployment.",
)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Default: ringback.toml, if it exists.")
]
BaseUrl = Annotated[str | None, typer.Option("--base-url", metavar="URL", help="The deployment under test.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="The run's directory (default: a new one in reports/).")
]
Force = Annotated[bool, typer.Option("--force", help="Replace a run that --out holds.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="Makes what is generated reproducible.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict line only.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colours (NO_COLOR works too).")]
LevelOption = Annotated[
    Level, typer.Option("--level", help="The mildest level whose deviations fail the run; advisory ones never do.")
]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"ringback {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(ExitCode.USAGE)


@app.command(epilog="Example: ringback check --config ringback.toml --clause ACK-03")
def check(
    config: ConfigFile = None,
    base_url: BaseUrl = None,
    clause: Annotated[
        list[str] | None, typer.Option("--clause", metavar="ID", help="Only this clause, or section; may be repeated.")
    ] = None,
    level: LevelOption = Level.SHOULD,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done and what it costs, and send nothing.")
    ] = False,
    seed: Seed = None,
    out: Out = None,
    force: Force = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Hold a deployment against the contract, clause by clause."""
    from ringback.commands.check import check as run
    from ringback.commands.running import Options
    from ringback.reporting import console

    options = Options(config, base_url, out, seed, force=force)
    screen = console(quiet=quiet, no_color=no_color)
    raise typer.Exit(unwound(run, screen, options, clauses=tuple(clause or ()), level=level, plan_only=plan))


@app.command(epilog="Example: ringback load --scenario lifecycle --rate 50 --duration 1m")
def load(
    config: ConfigFile = None,
    base_url: BaseUrl = None,
    scenario: Annotated[
        Literal["trigger", "poll", "lifecycle", "delivery", "mixed", "capacity"],
        typer.Option("--scenario", help="What each arrival does; capacity looks for the highest rate."),
    ] = "lifecycle",
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="N|max", help="Arrivals a second (20), or max: back to back."),
    ] = None,
    connections: Annotated[
        int, typer.Option("--connections", metavar="N", min=1, help="Requesters with --rate max.")
    ] = 16,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="T", help="How long there are arrivals, such as 30s.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, help="Processes that share the load.")] = 1,
    role: Annotated[
        Literal["master", "worker"] | None,
        typer.Option("--role", help="On several machines: one master, which waits for --workers workers."),
    ] = None,
    master: Annotated[str, typer.Option("--master", metavar="HOST[:PORT]", help="Where master and workers meet.")] = "",
    seed: Seed = None,
    out: Out = None,
    force: Force = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Load a deployment with calls, and account for every one."""
    from ringback.commands.load import LoadOptions, work
    from ringback.commands.load import load as run
    from ringback.commands.running import Options
    from ringback.reporting import console

    options = Options(config, base_url, out, seed, force=force)
    screen = console(quiet=quiet, no_color=no_color)
    master_address = _master_address(role, master)
    if role == "worker" and master_address is not None:
        raise typer.Exit(unwound(work, screen, options, master_address))
    closed = rate == "max"
    load_options = LoadOptions(
        scenario=scenario,
        rate=None if closed or rate is None else _rate(rate),
        closed=closed,
        connections=connections,
        duration=None if duration is None else _duration(duration),
        workers=workers,
        master_address=master_address,
    )
    raise typer.Exit(unwound(run, screen, options, load_options))


@app.command(epilog="Example: ringback gate --config ringback.toml --out reports/release-candidate")
def gate(
    config: ConfigFile = None,
    base_url: BaseUrl = None,
    level: LevelOption = Level.SHOULD,
    seed: Seed = None,
    out: Out = None,
    force: Force = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Check, then load, and give one verdict: may it ship?"""
    from ringback.commands.gate import gate as run
    from ringback.commands.running import Options
    from ringback.reporting import console

    options = Options(config, base_url, out, seed, force=force)
    raise typer.Exit(unwound(run, console(quiet=quiet, no_color=no_color), options, level=level))


@app.command(epilog="Example: ringback sandbox --ring-time 10s --fault same-id-for-same-body")
def sandbox(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 22222,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    fault: Annotated[
        list[str] | None, typer.Option("--fault", metavar="NAME", help="Break a clause; may be repeated.")
    ] = None,
    dialect: Annotated[
        list[str] | None, typer.Option("--dialect", metavar="NAME", help="Conform in another way; may be repeated.")
    ] = None,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="List the faults with the clauses they break.")
    ] = False,
    list_dialects: Annotated[bool, typer.Option("--list-dialects", help="List the dialects.")] = False,
    ring_time: Annotated[str, typer.Option("--ring-time", metavar="T", help="How long a call takes.")] = "2s",
    tls: Annotated[bool, typer.Option("--tls/--no-tls", help="HTTPS with a certificate authority of its own.")] = True,
    write_config: Annotated[
        Path | None, typer.Option("--write-config", metavar="FILE", help="Write a configuration for it.")
    ] = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Run a faithful deployment of the API on this machine, to try things on."""
    from ringback.commands.sandbox import sandbox as run
    from ringback.reporting import console
    from ringback.sandbox import SandboxError, SandboxSettings, list_text

    screen = console(quiet=quiet, no_color=no_color)
    if list_faults or list_dialects:
        screen.print(list_text("faults" if list_faults else "dialects"), soft_wrap=True)
        return
    try:
        settings = SandboxSettings(
            host=host,
            port=port,
            tls=tls,
            ring_seconds=_duration(ring_time),
            faults=tuple(fault or ()),
            dialects=tuple(dialect or ()),
        )
    except SandboxError as error:
        raise ConfigError("sandbox", None, str(error), "see: ringback sandbox --help") from None
    raise typer.Exit(unwound(run, screen, settings, config_file=write_config, quiet=quiet))


@app.command(epilog="Example: ringback init ringback.toml")
def init(
    path: Annotated[Path, typer.Argument(metavar="FILE")] = Path("ringback.toml"),
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Write a configuration to fill in."""
    from ringback.commands.init import init as run
    from ringback.reporting import console

    raise typer.Exit(unwound(run, console(quiet=quiet, no_color=no_color), path, force=force))


@app.command(epilog="Example: ringback compare reports/last-release reports/candidate --json comparison.json")
def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A run's directory or verdict.json, a base URL, a .toml.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same; a deployment is checked, then compared.")],
    config: ConfigFile = None,
    clause: Annotated[
        list[str] | None, typer.Option("--clause", metavar="ID", help="Check deployments for this only; repeatable.")
    ] = None,
    level: Annotated[
        Level, typer.Option("--level", help="The mildest level of clauses whose changes bear on the exit code.")
    ] = Level.SHOULD,
    min_change: Annotated[
        float,
        typer.Option("--min-change", metavar="PERCENT", min=0, max=1000, help="Smaller changes of load are none."),
    ] = 5.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the comparison for machines.")
    ] = None,
    seed: Seed = None,
    out: Out = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Say what changed from one run to another: clauses, limits, load.

    A load figure is worse if it is so beyond noise (a permutation test on blocks of steady windows, each block at least
    3 windows and two correlation times long; for counts Fisher's exact test; p-values by Holm's method, 5 % in all) and
    by at least --min-change. Fewer than 24 windows are too few to tell. It is assumed that nothing but the deployment
    differs.

    Exit code: 0 no regression, 1 a regression, 2 usage, 3 it can't be told.
    """
    from ringback.commands.compare import CompareOptions
    from ringback.commands.compare import compare as run
    from ringback.commands.running import Options
    from ringback.reporting import console

    asked = CompareOptions(
        Options(config, None, out, seed), tuple(clause or ()), level, min_change / 100, json_file, no_color
    )
    raise typer.Exit(unwound(run, console(quiet=quiet, no_color=no_color), old, new, asked))


@app.command(epilog="Example: ringback report --trend reports")
def report(
    path: Annotated[
        Path, typer.Argument(metavar="[RUN]", help="A run's directory; with --trend, where runs are.")
    ] = Path("reports"),
    trend: Annotated[bool, typer.Option("--trend", help="The last runs of each deployment as one page.")] = False,
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, max=1000, help="With --trend: runs of each deployment.")
    ] = 30,
    formats: Annotated[
        list[str] | None, typer.Option("--format", metavar="NAME", help="Write only this report again; repeatable.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The page of --trend (default: trend.html beside the runs)."),
    ] = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Write a run's reports again from its directory, or many runs as one page."""
    from ringback.commands.report import report as run
    from ringback.reporting import console

    screen = console(quiet=quiet, no_color=no_color)
    raise typer.Exit(unwound(run, screen, path, trend=trend, last=last, formats=tuple(formats or ()), out=out))


@app.command(epilog="Example: ringback replay reports/last-release 17")
def replay(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run's directory.")],
    evidence: Annotated[
        str, typer.Argument(metavar="EVIDENCE", help="The exchange's number, or the clause that it is evidence on.")
    ],
    config: ConfigFile = None,
    base_url: BaseUrl = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Send a trigger without asking; it may place a call.")
    ] = False,
    out: Out = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Send one recorded exchange again, and show what was expected, what came then, and what comes now.

    Exit code: 0 it is as expected now, 1 the deviation is still there, 2 usage (nothing was sent), 3 it can't be told.
    """
    from ringback.commands.replay import replay as send
    from ringback.commands.running import Options
    from ringback.reporting import console

    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    options = Options(config, base_url, out, None)
    screen = console(quiet=quiet, no_color=no_color)
    raise typer.Exit(unwound(send, screen, run, evidence, options, yes=yes, ask=typer.confirm if interactive else None))


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1_000_000:
        raise ConfigError(
            "--rate", None, f"{text} is no number of arrivals a second", "write a number such as 50, or max"
        )
    return rate


def _master_address(role: str | None, address: str) -> MasterAddress | None:
    """Where a master and its workers meet; None if the run keeps to this machine."""
    from ringback.loadgen.run import MASTER_PORT, MasterAddress

    if role is None:
        if address:
            raise ConfigError("--master", None, "means nothing without --role", "add --role master or --role worker")
        return None
    host, _, port = address.rpartition(":") if address.rpartition(":")[2].isdigit() else (address, "", "")
    if role == "worker" and not host:
        raise ConfigError("--master", None, "missing, and a worker must know its master", "write --master HOST[:PORT]")
    number = int(port) if port else MASTER_PORT
    if not 0 < number < 65_536:
        raise ConfigError("--master", None, f"{port} is no port", "write a number from 1 to 65535")
    return MasterAddress(host.strip("[]") or "*", number)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        problem, _, mend = str(error).partition("; ")
        raise ConfigError("command line", None, f"{text} is {problem}", mend) from None


_UsageError: Any = typer.BadParameter.__mro__[1]
"""What typer raises for a wrong command line: click's, which typer carries within itself and exports no name for."""


def main() -> None:
    """Run a command and exit. Whatever goes wrong ends in one line and an exit code, never in a traceback."""
    put_output_behind_sink()
    try:
        code = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        from ringback.commands.running import know_secrets

        know_secrets()  # what is wrong may be that one of them stands in the wrong place
        complain(_message(error))
        sys.exit(ExitCode.USAGE if isinstance(error, (ConfigError, _UsageError)) else ExitCode.INCONCLUSIVE)
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _message(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, _UsageError):
        command = error.ctx.command_path if error.ctx else "ringback"
        return f"{' '.join(error.format_message().split())} (see: {command} --help)"
    if isinstance(error, OSError):
        file = f" ({error.filename})" if error.filename else ""
        return f"the operating system says: {error.strerror or error}{file}"
    from ringback.commands.running import whereabouts

    return f"a fault of its own: {whereabouts(error)}; nothing is known of the deployment"
