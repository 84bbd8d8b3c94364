"""`ringback load`: does a deployment hold the load?"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ringback import clock
from ringback.commands.running import Options, Running, new_directory, settle_sources, way_there
from ringback.config import Config, ConfigError
from ringback.contract.verdict import ExitCode
from ringback.deployment.access import protect
from ringback.interrupts import held
from ringback.loadgen.run import (
    MasterAddress,
    check_before,
    check_budget,
    check_master,
    join_master,
    run_load,
)
from ringback.loadgen.schedule.plan import LoadPlan, plan_for
from ringback.loadgen.task import usable_cores
from ringback.reporting import LoadProgress, print_plan
from ringback.rundir.run import Findings
from ringback.target import Target, resolve

__all__ = ["LoadOptions", "load", "load_target", "work"]


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """The options of a load run from the command line; None for what was not given."""

    scenario: str = "lifecycle"
    rate: float | None = None
    closed: bool = False
    """Closed model: back-to-back requesters (`--rate max`)."""
    connections: int = 16
    think: float = 0.0
    """Closed model: seconds between an answer and a user's next request."""
    duration: float | None = None
    workers: int = 1
    master: MasterAddress | None = None
    """The address at which the master waits for workers of other machines."""

    def plan(self, config: Config, seed: int) -> LoadPlan:
        """The plan made of these options and the configuration. Raises `ConfigError`."""
        return plan_for(
            config, scenario=self.scenario, rate=self.rate, closed=self.closed, connections=self.connections,
            duration=self.duration, seed=seed, workers=self.workers, think=self.think,
        )  # fmt: skip


def load(console: Console, options: Options, asked: LoadOptions, *, plan_only: bool = False) -> int:
    """Run the command, or with `plan_only` only print the plan; returns the exit code, raises `ConfigError`."""
    started = clock.start()
    seed = options.chosen_seed()
    with resolve(settle_sources(options), start=not plan_only) as target:
        plan = asked.plan(target.config, seed)
        budget = check_before(target.config, plan, embedded=target.embedded)
        if asked.master is not None:
            check_master(asked.master, listens=True)
        if plan_only:
            _print_plan(console, target, plan, budget, asked.master, alone=True)
            return ExitCode.OK
        directory = new_directory("load", options.out, force=options.force)
        run = Running(console, "load", target, directory, started, seed)
        with held():
            run.promise()
            return run.finish(load_target(run, plan, asked.master, options.max_time))


def work(console: Console, options: Options, master: MasterAddress) -> int:
    """Run as a worker of a master; returns the exit code, raises `ConfigError`."""
    sources = settle_sources(options)
    if not sources.names_a_deployment:
        raise ConfigError(
            "configuration", "deployment", "missing; a worker loads the same deployment as its master",
            "give it the same configuration file as the master",
        )  # fmt: skip
    config = sources.build()
    protect(config)
    check_master(master, listens=False)
    name = socket.gethostname()
    console.print(
        f"{name}: waiting for the master at {master}, at most {master.patience:g} s", soft_wrap=True, highlight=False
    )
    ended = join_master(config, master, name, Path.cwd())
    if ended.interrupted:
        return ExitCode.INTERRUPTED
    if ended.no_master:
        raise ConfigError(
            "--master", None, f"no master answered at {master} within {master.patience:g} s",
            "start the master, or correct the address",
        )  # fmt: skip
    if ended.failure is not None:
        console.print(f"ended: {ended.failure}", soft_wrap=True, highlight=False, markup=False)
        return ExitCode.INCONCLUSIVE
    console.print("the run is over; the master has the report", soft_wrap=True, highlight=False)
    return ExitCode.OK


def load_target(
    run: Running, plan: LoadPlan, master: MasterAddress | None = None, max_time: float | None = None
) -> Findings:
    """Load a deployment; print the plan first and a live view meanwhile."""
    config, embedded = run.target.config, run.target.embedded
    budget = check_budget(config, embedded=embedded)
    _print_plan(run.console, run.target, plan, budget, master)
    with LoadProgress(run.console, plan.text, budget, config.limits) as progress:
        return run_load(
            config, plan, run.directory, embedded=embedded, master_address=master, max_time=max_time,
            on_progress=progress.update,
        )  # fmt: skip


def _print_plan(
    console: Console,
    target: Target,
    plan: LoadPlan,
    budget: int | None,
    master: MasterAddress | None,
    *,
    alone: bool = False,
) -> None:
    expected = plan.expected_calls(target.config.load.population)
    calls = "as many as it accepts" if expected is None else f"about {expected}"
    bound = "" if budget is None else f", at most {budget} (load.budget_calls)"
    rows = [
        ("deployment", target.where),
        *way_there(target.config),
        ("load", f"{plan.scenario}: {plan.text}"),
        ("calls", f"{calls}{bound}"),
    ]
    if master is not None:
        rows.append(("workers", f"waiting for {plan.workers} at {master}, at most {master.patience:g} s (--wait)"))
    elif plan.workers > 1:
        cores = usable_cores()
        more = f", which has {cores} cores: more workers than cores do not help" if plan.workers > cores else ""
        rows.append(("workers", f"{plan.workers} on this machine{more}"))
    if (file := target.config.load.variables_file) is not None:
        rows.append(("variables", f"{file.name}, {target.config.load.variables_order}"))
    if (address := target.config.metrics.prometheus) is not None:
        rows.append(("live figures", f"for Prometheus, on {address[0]}:{address[1]}"))
    print_plan(console, rows, when_quiet=f"plan: {plan.scenario}: {plan.text}; calls {calls}{bound}" if alone else "")
