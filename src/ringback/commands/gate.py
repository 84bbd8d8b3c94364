"""`ringback gate`: may it ship? The check, then a short load, and one verdict on both."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from ringback import clock
from ringback.commands.check import check_target
from ringback.commands.load import LoadOptions, load_target
from ringback.commands.running import Options, Running, add_own, new_directory, settle_sources
from ringback.contract.clauses import Level
from ringback.contract.waivers import waivers_in_force
from ringback.interrupts import held
from ringback.loadgen.run import check_before
from ringback.rundir.run import Findings
from ringback.target import resolve

__all__ = ["gate"]


def gate(console: Console, options: Options, *, level: Level) -> int:
    """Run the command; returns the exit code, raises `ConfigError`."""
    started = clock.start()
    seed = options.chosen_seed()
    add_own(options)
    with resolve(settle_sources(options)) as target:
        config = target.config
        plan = LoadOptions(config.gate.scenario, config.gate.rate, duration=config.gate.duration).plan(config, seed)
        load_budget = check_before(config, plan, embedded=target.embedded)
        waivers_in_force(config.waivers)
        directory = new_directory("gate", options.out, force=options.force)
        run = Running(console, "gate", target, directory, started, seed, level)
        with held():
            run.promise()
            checked = check_target(run, max_time=options.time_left(started), own=options.own)
            findings = checked
            if checked.accepted == 0 and not checked.interrupted:
                findings = replace(
                    checked,
                    open_questions=(*checked.open_questions, "no load was run: the check had no accepted call"),
                )
            elif not checked.interrupted:
                try:
                    loaded = load_target(run, plan, max_time=options.time_left(started))
                except Exception as error:  # keep the findings of the check
                    failed = f"the load could not be run: {type(error).__name__}"
                    findings = replace(checked, open_questions=(*checked.open_questions, failed))
                else:
                    findings = _both(checked, loaded, load_budget)
            return run.finish(findings)


def _both(checked: Findings, loaded: Findings, load_budget: int | None) -> Findings:
    return replace(
        checked,
        limits=loaded.limits,
        accepted=checked.accepted + loaded.accepted,
        budget=0 if load_budget is None else checked.budget + load_budget,
        may_have_dialled=checked.may_have_dialled + loaded.may_have_dialled,
        load=loaded.load,
        open_questions=(*checked.open_questions, *loaded.open_questions),
        notes=(*checked.notes, *loaded.notes),
        unwritten=(*checked.unwritten, *loaded.unwritten),
        interrupted=loaded.interrupted,
    )
