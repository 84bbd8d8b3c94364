"""`ringback load`: does a deployment hold the load?"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ringback import clock
from ringback.commands.running import Findings, Options, finish, new_directory, promise, settle_sources
from ringback.config import Config, ConfigError
from ringback.contract.clauses import Level
from ringback.contract.verdict import ExitCode
from ringback.deployment.access import protect
from ringback.interrupts import held
from ringback.loadgen.run import MasterAddress, check_before, join_master, run_load
from ringback.loadgen.schedule.plan import LoadPlan, plan_for
from ringback.reporting import LoadProgress, print_plan
from ringback.target import Target, resolve

__all__ = ["LoadOptions", "load", "load_target", "work"]


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What the command line asks of a load run; None where it says nothing."""

    scenario: str = "lifecycle"
    rate: float | None = None
    closed: bool = False
    """Whether back-to-back requesters are wanted (`--rate max`)."""
    connections: int = 16
    duration: float | None = None
    workers: int = 1
    master_address: MasterAddress | None = None
    """Where workers of other machines come to, if they do."""

    def plan(self, config: Config, seed: int) -> LoadPlan:
        """The plan, with what the configuration says. Raises `ConfigError`."""
        return plan_for(
            config, scenario=self.scenario, rate=self.rate, closed=self.closed, connections=self.connections,
            duration=self.duration, seed=seed, workers=self.workers,
        )  # fmt: skip


def load(console: Console, options: Options, load_options: LoadOptions) -> int:
    """Run the command; returns the exit code, raises `ConfigError`."""
    started = clock.wall()
    seed = options.chosen_seed()
    with resolve(settle_sources(options)) as target:
        plan = load_options.plan(target.config, seed)
        check_before(target.config, plan.scenario, embedded=target.embedded)
        directory = new_directory("load", options.out, force=options.force)
        with held():
            promise("load", target, directory, started, seed, Level.SHOULD)
            findings = load_target(console, target, directory, plan, load_options.master_address)
            return finish(console, "load", target, directory, started, seed, Level.SHOULD, findings)


def work(console: Console, options: Options, master_address: MasterAddress) -> int:
    """Be a worker of another process's run; returns the exit code, raises `ConfigError`."""
    sources = settle_sources(options)
    if not sources.names_a_deployment:
        raise ConfigError(
            "configuration", "deployment", "missing, and a worker loads the deployment that its master does",
            "give it the same configuration file as the master",
        )  # fmt: skip
    config = sources.build()
    protect(config)
    name = socket.gethostname()
    console.print(
        f"{name}: waiting for the master at {master_address.host}:{master_address.port}",
        soft_wrap=True,
        highlight=False,
    )
    ended = join_master(config, master_address, name, Path.cwd())
    if ended.interrupted:
        return ExitCode.INTERRUPTED
    if ended.failure is not None:
        console.print(f"ended: {ended.failure}", soft_wrap=True, highlight=False, markup=False)
        return ExitCode.INCONCLUSIVE
    console.print("the master has ended the run and has the report", soft_wrap=True, highlight=False)
    return ExitCode.OK


def load_target(
    console: Console, target: Target, directory: Path, plan: LoadPlan, master_address: MasterAddress | None = None
) -> Findings:
    """Load a deployment, with a plan before and a live view meanwhile."""
    budget = check_before(target.config, plan.scenario, embedded=target.embedded)
    _tell_plan(console, target, plan, budget, master_address)
    with LoadProgress(console, plan.text, budget, target.config.limits) as progress:
        outcome = run_load(
            target.config,
            plan,
            directory,
            embedded=target.embedded,
            master_address=master_address,
            on_progress=progress.update,
        )
    return Findings(
        limits=outcome.limits,
        accepted=outcome.accepted,
        budget=budget or 0,
        may_have_dialled=int(outcome.section.get("calls", {}).get("indeterminate", 0)),
        load=outcome.section,
        unwritten=outcome.unwritten,
        open_questions=outcome.open_questions,
        interrupted=outcome.interrupted,
    )


def _tell_plan(
    console: Console, target: Target, plan: LoadPlan, budget: int | None, master_address: MasterAddress | None
) -> None:
    expected = plan.expected_calls(target.config.load.population)
    where = target.config.deployment.base_url + (" (the embedded deployment)" if target.embedded else "")
    calls = "as many as it accepts" if expected is None else f"about {expected}"
    bound = "" if budget is None else f", at most {budget} (load.budget_calls)"
    rows = [("deployment", where), ("load", f"{plan.scenario}: {plan.text}"), ("calls", f"{calls}{bound}")]
    if master_address is not None:
        rows.append(("workers", f"{plan.workers}, awaited on {master_address.host or '*'}:{master_address.port}"))
    elif plan.workers > 1:
        rows.append(("workers", f"{plan.workers} on this machine"))
    print_plan(console, rows)
