"""The commands and their options, except those in `start`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ringback import __version__
from ringback.cli import start
from ringback.cli.options import (
    BaseUrl,
    ConfigFile,
    Force,
    LevelOption,
    MaxTime,
    NoColor,
    Otlp,
    Out,
    Own,
    Prometheus,
    Quiet,
    Seed,
)
from ringback.cli.values import check_closed, duration_if_given, master_address
from ringback.cli.values import duration as seconds_in
from ringback.cli.values import limits as limits_in
from ringback.cli.values import rate as rate_in
from ringback.config.errors import ConfigError
from ringback.contract.clauses import Level
from ringback.interrupts import unwound

__all__ = ["app"]

app = typer.Typer(
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Contract tests and load tests for the Outbound Call Trigger API.\n\n"
    "Without a configuration or a base URL, commands run against an embedded sandbox.",
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"ringback {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command(epilog="Example: ringback init --from-curl vendor.txt --line answered=5550000001")(start.init)
app.command(epilog="Example: ringback doctor --config ringback.toml")(start.doctor)


@app.command(epilog="Example: ringback check --config ringback.toml --clause ACK-03")
def check(
    config: ConfigFile = None,
    base_url: BaseUrl = None,
    clause: Annotated[
        list[str] | None,
        typer.Option(
            "--clause", metavar="ID", help="Check only these clauses or sections, such as ACK-03,TRN; repeatable."
        ),
    ] = None,
    level: LevelOption = Level.SHOULD,
    plan: Annotated[bool, typer.Option("--plan", help="Print the plan, its calls and cost; send nothing.")] = False,
    seed: Seed = None,
    out: Out = None,
    own: Own = None,
    force: Force = False,
    max_time: MaxTime = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Check a deployment against the contract, clause by clause."""
    from ringback.commands.check import check as run
    from ringback.commands.running import Options
    from ringback.reporting import console

    options = Options(config, base_url, out, seed, own=own, force=force, max_time=duration_if_given(max_time))
    screen = console(quiet=quiet, no_color=no_color)
    raise typer.Exit(unwound(run, screen, options, clauses=tuple(clause or ()), level=level, plan_only=plan))


@app.command(epilog="Example: ringback load --scenario lifecycle --rate 50 --duration 1m")
def load(
    config: ConfigFile = None,
    base_url: BaseUrl = None,
    scenario: Annotated[
        Literal["trigger", "poll", "lifecycle", "delivery", "mixed", "capacity"],
        typer.Option(
            "--scenario", metavar="NAME", help="trigger, poll, lifecycle, delivery, mixed, or capacity: a search."
        ),
    ] = "lifecycle",
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="N|max", help="Arrivals per second (20), or max: back to back."),
    ] = None,
    connections: Annotated[
        int, typer.Option("--connections", metavar="N", min=1, help="Parallel requesters with --rate max.")
    ] = 16,
    users: Annotated[
        int | None,
        typer.Option("--users", metavar="N", min=1, help="Closed model: N users, who wait for answers."),
    ] = None,
    think: Annotated[
        str | None, typer.Option("--think", metavar="T", help="Pause of each user after an answer.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="T", help="How long requests arrive, such as 30s.")
    ] = None,
    shape: Annotated[
        Literal["constant", "ramp", "steps", "spike", "soak"] | None,
        typer.Option("--shape", metavar="NAME", help="constant, ramp, steps, spike or soak (load.shape)."),
    ] = None,
    ramp: Annotated[
        str | None, typer.Option("--ramp", metavar="T", help="Climb to the rate in this time (load.ramp_up).")
    ] = None,
    steps: Annotated[
        list[str] | None,
        typer.Option("--steps", metavar="STEP", help="A step, such as '50 for 30s'; repeatable."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="LIMIT", help="Such as 'trigger.latency_ms.p99 < 300'; repeatable."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="DIR", help="An earlier run, for relative limits.")
    ] = None,
    population: Annotated[
        int | None, typer.Option("--population", metavar="N", min=1, help="Calls that the poll scenario polls.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print the plan and its calls; send nothing.")] = False,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, help="Processes that share the load.")] = 1,
    role: Annotated[
        Literal["master", "worker"] | None,
        typer.Option("--role", metavar="ROLE", help="Several machines: one is master, others are worker."),
    ] = None,
    master: Annotated[str, typer.Option("--master", metavar="HOST[:PORT]", help="Address of the master.")] = "",
    wait: Annotated[str | None, typer.Option("--wait", metavar="T", help="Wait for each other so long (60s).")] = None,
    prometheus: Prometheus = None,
    otlp: Otlp = None,
    seed: Seed = None,
    out: Out = None,
    force: Force = False,
    max_time: MaxTime = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Load a deployment with calls, and account for every call."""
    from ringback.commands.load import LoadOptions, work
    from ringback.commands.load import load as run
    from ringback.commands.running import Options
    from ringback.reporting import console

    flags = {
        "metrics.prometheus": prometheus,
        "metrics.otlp": otlp,
        "load.shape": shape or ("steps" if steps else None),
        "load.ramp_up": ramp,
        "load.steps": steps or None,
        "load.baseline": None if baseline is None else str(baseline),
        "load.population": population,
        **limits_in(limit or ()),
    }
    options = Options(config, base_url, out, seed, flags, force=force, max_time=duration_if_given(max_time))
    screen = console(quiet=quiet, no_color=no_color)
    address = master_address(role, master, wait)
    if role == "worker" and address is not None:
        raise typer.Exit(unwound(work, screen, options, address))
    check_closed(rate, users, think)
    closed = rate == "max" or users is not None
    load_options = LoadOptions(
        scenario=scenario,
        rate=None if closed or rate is None else rate_in(rate),
        closed=closed,
        connections=users or connections,
        think=0.0 if think is None else seconds_in(think),
        duration=duration_if_given(duration),
        workers=workers,
        master=address,
    )
    raise typer.Exit(unwound(run, screen, options, load_options, plan_only=plan))


@app.command(epilog="Example: ringback gate --config ringback.toml --out reports/release-candidate")
def gate(
    config: ConfigFile = None,
    base_url: BaseUrl = None,
    level: LevelOption = Level.SHOULD,
    seed: Seed = None,
    out: Out = None,
    own: Own = None,
    force: Force = False,
    max_time: MaxTime = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Check, then load a deployment, and give one verdict: may it ship?"""
    from ringback.commands.gate import gate as run
    from ringback.commands.running import Options
    from ringback.reporting import console

    options = Options(config, base_url, out, seed, own=own, force=force, max_time=duration_if_given(max_time))
    raise typer.Exit(unwound(run, console(quiet=quiet, no_color=no_color), options, level=level))


@app.command(epilog="Example: ringback sandbox --ring-time 10s --fault same-id-for-same-body")
def sandbox(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 picks a free one.")] = 22222,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME", help="Add a fault that breaks a clause; repeatable."),
    ] = None,
    dialect: Annotated[
        list[str] | None,
        typer.Option("--dialect", metavar="NAME", help="Add a dialect, another way to conform; repeatable."),
    ] = None,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="List the faults with the clauses they break.")
    ] = False,
    list_dialects: Annotated[bool, typer.Option("--list-dialects", help="List the dialects.")] = False,
    ring_time: Annotated[str, typer.Option("--ring-time", metavar="T", help="How long a call takes.")] = "2s",
    tls: Annotated[bool, typer.Option("--tls/--no-tls", help="HTTPS with its own CA, or HTTP.")] = True,
    write_config: Annotated[
        Path | None, typer.Option("--write-config", metavar="FILE", help="Write a configuration file for this sandbox.")
    ] = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Run a sandbox: a conforming deployment of the API on this machine."""
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
            ring_seconds=seconds_in(ring_time),
            faults=tuple(fault or ()),
            dialects=tuple(dialect or ()),
        )
    except SandboxError as error:
        raise ConfigError("sandbox", None, str(error), "see: ringback sandbox --help") from None
    raise typer.Exit(unwound(run, screen, settings, config_file=write_config, quiet=quiet))


@app.command(epilog="Example: ringback compare reports/old reports/new --json changes.json")
def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A run's directory or verdict.json, a base URL, a .toml.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Likewise. A base URL or .toml is checked first.")],
    config: ConfigFile = None,
    clause: Annotated[
        list[str] | None,
        typer.Option("--clause", metavar="ID", help="Check deployments for this only; repeatable."),
    ] = None,
    level: Annotated[
        Level,
        typer.Option(
            "--level",
            case_sensitive=False,
            metavar="LEVEL",
            help="must, should, advisory: the lowest that affects the code.",
        ),
    ] = Level.SHOULD,
    min_change: Annotated[
        float,
        typer.Option("--min-change", metavar="PERCENT", min=0, max=1000, help="Ignore smaller load changes."),
    ] = 5.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the comparison as JSON.")
    ] = None,
    seed: Seed = None,
    out: Out = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Show what changed from one run to another: clauses, limits, load.

    A load figure is worse if the change is beyond noise and at least --min-change; docs/compare.md says how noise is
    tested. This assumes that only the deployment differs.

    Exit code: 0 no regression, 1 a regression, 2 usage error, 3 undecided.
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
        Path,
        typer.Argument(metavar="[RUN]", help="A run's directory; with --trend, the directory of the runs."),
    ] = Path("reports"),
    trend: Annotated[bool, typer.Option("--trend", help="Write one page about the last runs.")] = False,
    last: Annotated[
        int,
        typer.Option("--last", metavar="N", min=1, max=1000, help="With --trend: runs per deployment."),
    ] = 30,
    formats: Annotated[
        list[str] | None, typer.Option("--format", metavar="NAME", help="Write only this report; repeatable.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="OLD", help="With --format comment: an earlier run; show the change."),
    ] = None,
    post: Annotated[
        str | None,
        typer.Option("--post", metavar="NAME", help="Post comment.md as NAME on the CI job's pull request."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="With --trend: the file (default: trend.html beside the runs)."),
    ] = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Write the reports of a finished run again, or one page about many runs."""
    from ringback.commands.report import report as run
    from ringback.reporting import console

    screen = console(quiet=quiet, no_color=no_color)
    names = tuple(formats or ())
    raise typer.Exit(
        unwound(run, screen, path, trend=trend, last=last, formats=names, against=against, post_as=post, out=out)
    )


@app.command(epilog="Example: ringback replay reports/last-release STA-03")
def replay(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run's directory.")],
    evidence: Annotated[
        str, typer.Argument(metavar="EVIDENCE", help="The number of an exchange, or a clause whose evidence to send.")
    ],
    config: ConfigFile = None,
    base_url: BaseUrl = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Send a trigger without asking. It may place a call.")
    ] = False,
    out: Out = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Send recorded requests again, and show the expected, the recorded and the new answers.

    A clause selects all requests that show its deviation together: trigger, wait, poll.

    Exit code: 0 the answers are as expected now, 1 the deviation is still there, 2 usage error (nothing was sent),
    3 undecided.
    """
    from ringback.commands.replay import replay as send
    from ringback.commands.running import Options
    from ringback.reporting import console

    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    options = Options(config, base_url, out, None)
    screen = console(quiet=quiet, no_color=no_color)
    raise typer.Exit(unwound(send, screen, run, evidence, options, yes=yes, ask=typer.confirm if interactive else None))
