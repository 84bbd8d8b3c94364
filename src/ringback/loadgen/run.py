"""`run_load`: a load run from the outside. It happens in child processes; this side never imports gevent or Locust.

What lives here: checks before anything is sent, and the outcome, with or without a result from the child.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringback.config import Config, ConfigError
from ringback.loadgen.judging.baseline import baseline_of, unlike
from ringback.loadgen.judging.limits import check_parts, evaluate
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.live.live_metrics import LiveMetrics, check_metrics
from ringback.loadgen.live.reading import reading
from ringback.loadgen.process import Ended, LoadProcess
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.task import (
    LOAD_FILE,
    MASTER_PORT,
    WINDOWS_FILE,
    MasterAddress,
    Role,
    Task,
    write_load,
)
from ringback.loadgen.variables import check_rows
from ringback.rundir.run import Findings

__all__ = [
    "MASTER_PORT",
    "LoadOutcome",
    "MasterAddress",
    "check_before",
    "check_budget",
    "check_master",
    "join_master",
    "run_load",
]

Progress = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class LoadOutcome(Findings):
    """What a load run found out. `open_questions`: unreachable, budget spent, generator limited, cut short."""

    @property
    def section(self) -> Mapping[str, Any]:
        """The `load` section of `verdict.json`."""
        return self.load or {}


def check_budget(config: Config, *, embedded: bool) -> int | None:
    """Calls that a load run may place; None (no limit) on the embedded deployment only.

    Raises `ConfigError` if a real deployment is to be loaded and no budget is set.
    """
    budget = config.load.budget_calls
    if budget is None and not embedded:
        raise ConfigError(
            "configuration", "load.budget_calls", "missing, and each call of a load run may ring a telephone and cost",
            "set the number of calls that a load run may place at most",
        )  # fmt: skip
    return budget


def check_before(config: Config, plan: LoadPlan, *, embedded: bool, tags: Iterable[str] | None = None) -> int | None:
    """Check a configuration for a load run, and return the budget. Raises `ConfigError`; sends nothing.

    `tags` are those of the tasks that will run, if not the scenario's own.
    """
    budget = _check(config, plan, embedded=embedded, tags=tags)
    check_rows(config, plan.workers)
    return budget


def _check(config: Config, plan: LoadPlan, *, embedded: bool, tags: Iterable[str] | None = None) -> int | None:
    """What costs no time: all but the rows of a file, which may be many."""
    baseline_of(config)
    check_parts(config, plan, plan.what.tags if tags is None else tags)
    check_metrics(config.metrics)
    if plan.what.delivery == "always" and config.result_destination is None:
        raise ConfigError(
            "configuration", "result_destination", "missing, and this scenario has results delivered",
            "say where Ringback may listen for them",
        )  # fmt: skip
    limited = next(iter(config.lines.at_once), None)
    if limited is not None or config.budget.calls_at_once is not None:
        key = "budget.calls_at_once" if limited is None else f"lines.{limited}.at_once"
        raise ConfigError(
            "configuration", key, "a load run places calls when they are due, and can't wait for a free line",
            "name lines for it that take any number of calls, in a configuration of its own",
        )  # fmt: skip
    return check_budget(config, embedded=embedded)


def run_load(
    config: Config,
    plan: LoadPlan,
    directory: Path,
    *,
    embedded: bool,
    master_address: MasterAddress | None = None,
    max_time: float | None = None,
    on_progress: Progress | None = None,
) -> LoadOutcome:
    """Load the deployment as planned and account for every call; write section and windows into `directory` too.

    With a `master_address`, workers start by themselves and connect to this process there. Ctrl-C ends the run
    early and reports what was seen; a second one ends it at once. So do `max_time` seconds, but as an open
    question. If the child dies or hangs, the outcome is inconclusive and has the child's last report. `on_progress`
    is called about twice a second with `phase`, `seconds`, `duration`, `scheduled`, `sent`, `accepted`, `final`,
    `in_flight`, `errors`, `rate_limited`, `p99_ms`, `lag_p99_ms`, and with all that is known as `section`; before
    that, while a master waits, with `waiting` only (who came). Raises `ConfigError` before anything is sent if the
    configuration does not fit. The rows of `load.variables_file` are checked by `check_before`.
    """
    budget = _check(config, plan, embedded=embedded)
    directory.mkdir(parents=True, exist_ok=True)
    for left_over in (LOAD_FILE, WINDOWS_FILE):
        (directory / left_over).unlink(missing_ok=True)
    role: Role = "master" if master_address is not None else "alone" if plan.workers == 1 else "local-workers"
    task = Task(role, plan, str(directory), budget, address=master_address, live=config.metrics.wanted)
    nothing_yet = LoadSnapshot.empty(config, plan)
    with LiveMetrics(config.metrics, "alone" if role == "local-workers" else role) as live:
        live.take(reading(nothing_yet))  # without it, a receiver can't see the first increase
        ended = LoadProcess(config, task, directory).follow(on_progress, live.take, max_time)
        if not ended.interrupted and not ended.out_of_time:
            live.linger()
    section, questions = _settled(nothing_yet, directory, ended)
    baseline, shortfall = baseline_of(config), live.shortfall()
    if baseline is not None:
        questions = (*questions, *unlike(section, baseline))
    return LoadOutcome(
        load=section,
        limits=evaluate(config.limits, section, baseline, search=plan.what.searches),
        open_questions=questions,
        interrupted=ended.interrupted,
        accepted=int(section["calls"]["accepted"]),
        budget=budget or 0,
        may_have_dialled=int(section["calls"].get("indeterminate", 0)),
        unwritten=(f"{LOAD_FILE} and {WINDOWS_FILE} were not written: {ended.unwritten}",) if ended.unwritten else (),
        notes=() if shortfall is None else (shortfall,),
    )


def check_master(address: MasterAddress, *, listens: bool) -> None:
    """Raises `ConfigError` if a master can't listen at this address, or if a worker can't find its host."""
    host = None if address.host == "*" else address.host
    flags = socket.AI_PASSIVE if listens else 0
    try:
        found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM, flags=flags)
        if listens:
            with socket.socket(found[0][0], socket.SOCK_STREAM) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(found[0][4])
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "no such host"
        fix = "name an address of this machine, and a free port" if listens else "name the master's host"
        problem = f"can't listen at {address}" if listens else f"can't look up {address.host}"
        raise ConfigError("--master", None, f"{problem} ({why})", fix) from None


def join_master(config: Config, master_address: MasterAddress, name: str, directory: Path) -> Ended:
    """Be a worker: connect to a master, carry out its orders, and return when it lets the worker go.

    Raises `ConfigError` if its live metrics are not possible.
    """
    check_rows(config, 1)
    task = Task("worker", directory=str(directory), address=master_address, name=name, live=config.metrics.wanted)
    with LiveMetrics(config.metrics, "worker") as live:
        ended = LoadProcess(config, task, directory).follow(None, live.take)
        if not ended.interrupted:
            live.linger()
    return ended


def _settled(nothing_yet: LoadSnapshot, directory: Path, ended: Ended) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The child's section and open questions; the last that it reported if it did not come to its end."""
    section = ended.last_section or nothing_yet.section()
    if ended.failure is None and ended.last_section is not None:
        return section, ended.open_questions
    try:
        write_load(directory, section)
    except OSError as error:
        ended.unwritten = error.strerror or type(error).__name__
    reason = ended.failure or "the load generator ended without a result"
    return section, (f"{reason}; the report shows what was known before", *ended.open_questions)
