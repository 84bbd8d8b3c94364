"""`run_load`: a load run from the outside. It happens in child processes; this side never imports gevent or Locust.

What lives here: checks before anything is sent, and what is made of the child's answer, or of its lack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringback.config import Config, ConfigError
from ringback.loadgen.files import LOAD_FILE, WINDOWS_FILE, write_load
from ringback.loadgen.judging.baseline import baseline_of, unlike
from ringback.loadgen.judging.limits import evaluate
from ringback.loadgen.metrics.section import empty_section
from ringback.loadgen.process import Ended, LoadProcess
from ringback.loadgen.schedule.plan import LoadOutcome, LoadPlan
from ringback.loadgen.schedule.scenarios import SCENARIOS
from ringback.loadgen.task import Role, Task

__all__ = ["Meeting", "check_before", "check_budget", "join_master", "run_load"]

Progress = Callable[[Mapping[str, Any]], None]
MASTER_PORT = 5557
"""Locust's own."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where a master and its workers meet."""

    host: str
    port: int = MASTER_PORT
    patience: float = 300.0
    """Seconds that a master waits for its workers."""


def check_budget(config: Config, *, embedded: bool) -> int | None:
    """Calls that a load run may place; None (as many as it likes) on the embedded deployment alone.

    Raises `ConfigError` where a deployment of somebody's is to be loaded and no budget is set.
    """
    budget = config.load.budget_calls
    if budget is None and not embedded:
        raise ConfigError(
            "configuration", "load.budget_calls", "missing, and each call of a load run may ring a telephone and cost",
            "set the number of calls that a load run may place at most",
        )  # fmt: skip
    return budget


def check_before(config: Config, scenario: str, *, embedded: bool) -> int | None:
    """All that can be wrong with a configuration for a load run; the budget. Raises `ConfigError`; sends nothing."""
    baseline_of(config)
    if SCENARIOS[scenario].delivery == "always" and config.result_destination is None:
        raise ConfigError(
            "configuration", "result_destination", "missing, and this scenario has results delivered",
            "say where Ringback may listen for them",
        )  # fmt: skip
    return check_budget(config, embedded=embedded)


def run_load(
    config: Config,
    plan: LoadPlan,
    directory: Path,
    *,
    embedded: bool,
    meeting: Meeting | None = None,
    on_progress: Progress | None = None,
) -> LoadOutcome:
    """Load the deployment as planned and account for every call; section and windows are left in `directory` too.

    With a `meeting`, the workers come by themselves and meet this process there. Ctrl-C ends the run early with what
    was seen; a second one ends it at once. A child that dies or hangs makes the outcome an open question, with what it
    told last. `on_progress` is called about twice a second with `phase`, `seconds`, `duration`, `scheduled`, `sent`,
    `accepted`, `final`, `in_flight`, `errors`, `rate_limited`, `p99_ms`, `lag_p99_ms` and `section`, all that is known.
    Raises `ConfigError` before anything is sent, if the configuration is not fit for it.
    """
    budget = check_before(config, plan.scenario, embedded=embedded)
    directory.mkdir(parents=True, exist_ok=True)
    for left_over in (LOAD_FILE, WINDOWS_FILE):
        (directory / left_over).unlink(missing_ok=True)
    role: Role = "master" if meeting is not None else "alone" if plan.workers == 1 else "company"
    task = Task(
        role, plan, str(directory), budget,
        host="" if meeting is None else meeting.host, port=0 if meeting is None else meeting.port,
        patience=0.0 if meeting is None else meeting.patience,
    )  # fmt: skip
    ended = LoadProcess(config, task, directory).follow(on_progress)
    section, questions = _settled(plan, directory, ended)
    baseline = baseline_of(config)
    if baseline is not None:
        questions = (*questions, *unlike(section, baseline))
    return LoadOutcome(
        section=section,
        limits=evaluate(config.limits, section, baseline, search=plan.what.searches),
        open_questions=questions,
        interrupted=ended.interrupted,
        accepted=int(section["calls"]["accepted"]),
        unwritten=(f"{LOAD_FILE} and {WINDOWS_FILE} were not written: {ended.unwritten}",) if ended.unwritten else (),
    )


def join_master(config: Config, meeting: Meeting, name: str, directory: Path) -> Ended:
    """Be a worker: join a master, do what it says, and return when it says that the run is over."""
    task = Task("worker", directory=str(directory), host=meeting.host, port=meeting.port, name=name)
    return LoadProcess(config, task, directory).follow(None)


def _settled(plan: LoadPlan, directory: Path, ended: Ended) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The child's section, or the last that it told if it did not come to its end."""
    section = ended.last_section or empty_section(plan)
    if ended.failure is None and ended.last_section is not None:
        return section, ended.open_questions
    try:
        write_load(directory, section)
    except OSError as error:
        ended.unwritten = error.strerror or type(error).__name__
    reason = ended.failure or "the load generator ended without a result"
    return section, (f"{reason}; what is told is what was known before", *ended.open_questions)
