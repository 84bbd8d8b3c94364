"""`run_load`: a load run from the outside. It happens in a child process; this side never imports gevent or Locust.

What lives here: checks before anything is sent, and what is made of the child's answer, or of its lack.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ringback.config import Config, ConfigError
from ringback.loadgen.limits import evaluate
from ringback.loadgen.plan import LoadOutcome, LoadPlan
from ringback.loadgen.process import Ended, LoadProcess
from ringback.loadgen.section import empty_section

__all__ = ["LOAD_FILE", "LoadOutcome", "LoadPlan", "check_budget", "run_load"]

LOAD_FILE = "load.json"
"""The load section, in the run's directory."""

Progress = Callable[[Mapping[str, Any]], None]


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


def run_load(
    config: Config,
    plan: LoadPlan,
    directory: Path,
    *,
    embedded: bool,
    on_progress: Progress | None = None,
) -> LoadOutcome:
    """Load the deployment as planned and account for every call; the section is left in `directory` too.

    Ctrl-C ends the run early with what was seen; a second one ends it at once. A child that dies or hangs makes the
    outcome an open question, with what it told last. `on_progress` is called about twice a second with `phase`,
    `seconds`, `duration`, `scheduled`, `sent`, `accepted`, `final`, `in_flight`, `errors`, `rate_limited`, `p99_ms`
    and `lag_p99_ms`. Raises `ConfigError` before anything is sent, if the budget is missing.
    """
    check_budget(config, embedded=embedded)
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / LOAD_FILE
    target.unlink(missing_ok=True)
    ended = LoadProcess(config, plan, target, embedded=embedded).follow(on_progress)
    section, questions = _settled(plan, target, ended)
    return LoadOutcome(
        section=section,
        limits=evaluate(config.limits, section),
        open_questions=questions,
        interrupted=ended.interrupted,
        accepted=int(section["calls"]["accepted"]),
    )


def _settled(plan: LoadPlan, target: Path, ended: Ended) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The child's section, or the last that it told if it did not live to write one."""
    if ended.failure is None and target.is_file():
        section: dict[str, Any] = json.loads(target.read_bytes())
        return section, ended.open_questions
    section = ended.last_section or empty_section(plan)
    _write(target, section)
    reason = ended.failure or "the load generator ended without a result"
    return section, (f"{reason}; what is told is what was known before", *ended.open_questions)


def _write(target: Path, section: Mapping[str, Any]) -> None:
    unfinished = target.with_suffix(".part")
    unfinished.write_text(json.dumps(section, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(target)
