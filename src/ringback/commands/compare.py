"""`ringback compare`: show what changed from one run or deployment to another."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from ringback import clock
from ringback.commands.check import check_target
from ringback.commands.running import Options, Running, know_secrets, new_directory, selected, settle_sources
from ringback.comparison import compare_runs
from ringback.config import ConfigError
from ringback.contract.clauses import Level
from ringback.contract.verdict import ExitCode
from ringback.interrupts import held
from ringback.reporting import console as make_console
from ringback.reporting import print_plan
from ringback.reporting.terminal.comparison import print_comparison, write_comparison
from ringback.rundir import complain
from ringback.rundir.verdict import NotARun, SavedRun, read_run
from ringback.suite.plugin import Handover
from ringback.suite.run import run_check
from ringback.target import Target, resolve

__all__ = ["CompareOptions", "compare"]


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """The options of the command."""

    options: Options = field(default_factory=Options)
    """Configuration, seed and directory for sides that are deployments."""
    clauses: tuple[str, ...] = ()
    level: Level = Level.SHOULD
    least_change: float = 0.05
    """The share by which a load figure must differ to count."""
    json_file: Path | None = None
    no_color: bool = False


def compare(console: Console, old: str, new: str, asked: CompareOptions) -> int:
    """Run the command; returns the exit code, raises `ConfigError`.

    Each side is a run's directory, a `verdict.json`, a base URL or a configuration file. Deployments are checked first,
    with the seed of the other side if that is a run.
    """
    know_secrets()
    sides = [_side(side, asked.options) for side in (old, new)]
    saved = [side for side in sides if isinstance(side, SavedRun)]
    out = asked.options.out
    if out is not None and any(out.resolve() in {run.path.resolve(), run.path.resolve().parent} for run in saved):
        raise ConfigError("--out", None, f"{out} holds one of the runs to compare", "name another folder")
    seed = asked.options.seed
    if seed is None:
        seed = saved[0].seed if len(saved) == 1 else asked.options.chosen_seed()
    if len(saved) == len(sides):
        if asked.options.config or asked.options.base_url or asked.clauses:
            raise ConfigError(
                "command line", None, "--config and --clause apply to deployments, but both sides are runs",
                "leave them out, or replace a run by a base URL",
            )  # fmt: skip
        runs = saved
    else:
        found = _check_both(console, [side for side in sides if isinstance(side, Options)], asked, seed)
        if found is None:
            return ExitCode.INTERRUPTED
        fresh = iter(found)
        runs = [side if isinstance(side, SavedRun) else next(fresh) for side in sides]
    comparison = compare_runs(runs[0], runs[1], level=asked.level, least_change=asked.least_change)
    print_comparison(console, comparison)
    if asked.json_file is not None:
        try:
            write_comparison(comparison, asked.json_file)
        except OSError as error:
            problem = f"can't write {asked.json_file} ({error.strerror})"
            if len(saved) == len(sides):
                raise ConfigError("--json", None, problem, "name another file") from None
            complain(problem)  # keep the exit code: the comparison is printed, and its calls are paid for
    return comparison.exit_code


def _side(named: str, options: Options) -> SavedRun | Options:
    """One side of the comparison: a finished run, or the options to check a deployment."""
    if named.startswith(("http://", "https://")):
        return replace(options, base_url=named)
    path = Path(named)
    if path.suffix == ".toml":
        return replace(options, config=path)
    try:
        return read_run(path)
    except NotARun as why:
        raise ConfigError(
            named,
            None,
            f"not a run: {why}",
            "name a run's directory, its verdict.json, a base URL or a .toml file",
        ) from None


def _check_both(
    console: Console, sides: list[Options], asked: CompareOptions, seed: int
) -> tuple[SavedRun, ...] | None:
    """Check the deployments one after the other with the same seed; None if interrupted."""
    wanted = selected(asked.clauses)
    root = new_directory("compare", asked.options.out)
    names = ("old", "new") if len(sides) == 2 else ("checked",)
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(resolve(settle_sources(side))) for side in sides]
        _print_plan(console, targets, seed, wanted)
        found = []
        for name, target in zip(names, targets, strict=True):
            terse = make_console(quiet=True, no_color=asked.no_color)
            directory = new_directory("check", root / name)
            run = Running(terse, "check", target, directory, clock.start(), seed, asked.level)
            with held():
                code = run.finish(check_target(run, clauses=wanted))
            if code == ExitCode.INTERRUPTED:
                return None
            found.append(read_run(directory))
    return tuple(found)


def _print_plan(console: Console, targets: list[Target], seed: int, wanted: tuple[str, ...]) -> None:
    rows = []
    total = 0
    for target in targets:
        plan = run_check(Handover(target, seed, clauses=wanted, plan_only=True)).plan
        calls = min(plan.calls, target.config.budget.calls) if plan else 0
        total += calls
        rows.append(
            ("check", f"{target.where}: about {calls} calls, at most {target.config.budget.calls} (budget.calls)")
        )
    rows += [("calls", f"about {total} in all"), ("seed", str(seed))]
    print_plan(console, rows)
