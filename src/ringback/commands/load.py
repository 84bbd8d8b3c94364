"""`ringback load`: does a deployment hold the load?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from ringback.commands.running import Findings, Options, finish, new_directory, settle_sources
from ringback.contract.clauses import Level
from ringback.loadgen.run import LoadPlan, check_budget, run_load
from ringback.reporting import Progress, print_plan
from ringback.target import Target, resolve

__all__ = ["load", "load_target"]


def load(console: Console, options: Options, plan: LoadPlan) -> int:
    """Run the command; returns the exit code, raises `ConfigError`."""
    started = datetime.now(UTC)
    with resolve(settle_sources(options)) as target:
        check_budget(target.config, embedded=target.embedded)
        directory = new_directory("load", options.out)
        findings = load_target(console, target, directory, plan)
        return finish(console, "load", target, directory, started, plan.seed, Level.SHOULD, findings)


def load_target(console: Console, target: Target, directory: Path, plan: LoadPlan) -> Findings:
    """Load a deployment, with a plan before and a progress line meanwhile."""
    budget = check_budget(target.config, embedded=target.embedded)
    _tell_plan(console, target, plan, budget)
    with Progress(console) as progress:

        def on_progress(told: Mapping[str, Any]) -> None:
            doing = f"{told.get('phase', 'load')} {told.get('seconds', 0):.0f} of {told.get('duration', 0):.0f} s"
            progress.update(0, 0, int(told.get("accepted", 0)), budget or 0, int(told.get("in_flight", 0)), doing)

        outcome = run_load(target.config, plan, directory, embedded=target.embedded, on_progress=on_progress)
    return Findings(
        limits=outcome.limits,
        accepted=outcome.accepted,
        budget=budget or 0,
        load=outcome.section,
        open_questions=outcome.open_questions,
        interrupted=outcome.interrupted,
    )


def _tell_plan(console: Console, target: Target, plan: LoadPlan, budget: int | None) -> None:
    expected = plan.expected_calls()
    rate = "as fast as it answers" if plan.rate is None else f"{plan.rate:g} arrivals a second"
    where = target.config.deployment.base_url + (" (the embedded deployment)" if target.embedded else "")
    calls = "as many as it accepts" if expected is None else f"about {expected}"
    bound = "" if budget is None else f", at most {budget} (load.budget_calls)"
    print_plan(
        console,
        [
            ("deployment", where),
            ("load", f"{plan.scenario}, {rate}, for {plan.duration:g} s"),
            ("calls", f"{calls}{bound}"),
        ],
    )
