"""`ringback check`: does a deployment keep the contract?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ringback import clock
from ringback.commands.mistakes import mistakes_in
from ringback.commands.running import (
    Options,
    Running,
    add_own,
    new_directory,
    selected,
    settle_sources,
    way_there,
)
from ringback.config import ConfigError
from ringback.config.loading import Sources
from ringback.config.scalars import port_remark
from ringback.contract.clauses import Level
from ringback.contract.verdict import ExitCode
from ringback.contract.waivers import waivers_in_force
from ringback.deployment.access import protect_known
from ringback.interrupts import held
from ringback.reporting import CheckState, Progress, print_plan
from ringback.reporting.model.timelines import CallTimeline, write_timelines
from ringback.rundir import complain
from ringback.rundir.names import TIMELINES_FILE
from ringback.rundir.run import Findings
from ringback.suite.calls import Call
from ringback.suite.plan import Plan
from ringback.suite.plugin import Handover, Run
from ringback.suite.run import run_check
from ringback.target import Target, resolve

__all__ = ["check", "check_target"]


def check(console: Console, options: Options, *, clauses: tuple[str, ...], level: Level, plan_only: bool) -> int:
    """Run the command; returns the exit code, raises `ConfigError`."""
    add_own(options)
    wanted = selected(clauses)
    started = clock.start()
    seed = options.chosen_seed()
    sources = settle_sources(options)
    if plan_only and (mistakes := _mistakes(sources)):
        for mistake in mistakes:
            complain(str(mistake))
        return ExitCode.USAGE
    with resolve(sources, start=not plan_only) as target:
        if plan_only:
            asked = Handover(
                target,
                seed,
                clauses=wanted,
                plan_only=True,
                on_plan=lambda plan: show_plan(console, target, plan, alone=True),
            )
            run_check(asked, options.own)
            return 0
        waivers_in_force(target.config.waivers)
        directory = new_directory("check", options.out, force=options.force)
        run = Running(console, "check", target, directory, started, seed, level)
        with held():
            run.promise()
            return run.finish(check_target(run, clauses=wanted, max_time=options.max_time, own=options.own))


def _mistakes(sources: Sources) -> list[ConfigError]:
    """All mistakes of the configuration of a deployment."""
    if not sources.names_a_deployment:
        return []
    protect_known(sources)
    return mistakes_in(sources)


def check_target(
    run: Running, *, clauses: tuple[str, ...] = (), max_time: float | None = None, own: Path | None = None
) -> Findings:
    """Check a deployment against the contract; print the plan first and a progress line meanwhile."""
    from ringback.reporting.artifacts import unless_written

    waivers_in_force(run.target.config.waivers)
    with Progress(run.console) as progress:
        handover = Handover(
            run.target, run.seed, run.level, clauses, run.directory, max_time=max_time,
            on_plan=lambda plan: show_plan(run.console, run.target, plan),
            on_progress=lambda tests: progress.watch(lambda: _state(tests)),
        )  # fmt: skip
        outcome = run_check(handover, own)
    unwritten = unless_written(TIMELINES_FILE, lambda: write_timelines(map(_timeline, outcome.calls), run.directory))
    return replace(outcome, unwritten=(*outcome.unwritten, *unwritten))


def _state(tests: Run) -> CheckState:
    budget = tests.session.budget
    return CheckState(
        clauses_done=tests.clauses_done,
        clauses_total=len(tests.tests_left),
        calls_placed=budget.accepted,
        budget=budget.limit,
        ringing=tests.session.record.calls.ringing,
        may_have_dialled=budget.may_have_dialled,
    )


def _timeline(call: Call) -> CallTimeline:
    """The timeline of a call, in seconds since the run began."""
    trigger, seen = call.trigger, call.observations
    zero = trigger.begun - trigger.exchange.at
    pending = next((seen for seen in call.observations if seen.final is None), None)
    first = call.first_final
    return CallTimeline(
        label=trigger.sent,
        line=call.line,
        triggered_s=trigger.begun - zero,
        answered_s=trigger.ended - zero,
        first_pending_s=None if pending is None else pending.answered_at - zero,
        final_s=None if first is None else first.answered_at - zero,
        state=call.state,
        deliveries=tuple((delivery.at - zero, delivery.status) for delivery in call.deliveries),
        watched_until_s=seen[-1].answered_at - zero if seen else None,
    )


def show_plan(console: Console, target: Target, plan: Plan, *, alone: bool = False) -> None:
    """Print what the check is going to do; when quiet, one line if nothing follows (`alone`), else nothing."""
    config = target.config
    budget = config.budget
    lines = plan.calls_by_line(config)
    enough = "" if plan.calls <= budget.calls else "; clauses beyond the budget stay inconclusive"
    calls = f"about {plan.calls}, at most {budget.calls} (budget.calls){enough}"
    seconds = plan.seconds(config)
    rows = [
        ("deployment", target.where + (f" ({remark})" if (remark := port_remark(config.deployment.base_url)) else "")),
        *way_there(config),
        ("clauses", str(len(plan.clauses))),
        ("calls", calls),
        ("lines", ", ".join(f"{name} {count}" for name, count in lines.items())),
        (
            "time",
            f"about {seconds:.0f} s to send, then until the last call ends (at most {config.timing.settle:g} s)"
            + (f", then about {after:.0f} s of polls" if (after := plan.seconds_after_final) else ""),
        ),
    ]
    if budget.cost_per_call is not None:
        rows.append(("cost", f"about {plan.calls * budget.cost_per_call:.2f} {budget.currency}"))
    print_plan(console, rows, when_quiet=f"plan: {len(plan.clauses)} clauses, calls {calls}" if alone else "")
