"""`ringback replay`: send one recorded request again and see whether the deviation is still there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from ringback.commands.running import Options, new_directory, settle_sources
from ringback.config import ConfigError
from ringback.config.loading import Sources
from ringback.contract.verdict import ExitCode
from ringback.deployment import Answer, Exchange, ExchangeError, NotSent, Trigger
from ringback.replaying import (
    CannotReplay,
    Cited,
    Judgement,
    RecordedRun,
    ReplayOutcome,
    Restored,
    Seen,
    judge_again,
    read_recorded,
    restore,
    send_again,
)
from ringback.replaying.recorded import answer_of
from ringback.reporting import print_plan
from ringback.reporting.artifacts import unless_written
from ringback.reporting.terminal.replay import ReplayedClause, ReplayReport, print_replay, write_replay
from ringback.rundir import complain
from ringback.rundir.names import EXCHANGES_FILE, REPLAY_FILE, VERDICT_FILE
from ringback.rundir.verdict import NotARun, read_run
from ringback.sandbox import DIALECTS, FAULTS
from ringback.target import Target, resolve

__all__ = ["replay"]


def replay(
    console: Console, run: Path, evidence: str, options: Options, *, yes: bool, ask: Callable[[str], bool] | None = None
) -> int:
    """Run the command; returns the exit code. Raises `ConfigError` if the request was not sent.

    `ask` asks the user a yes-or-no question; None if there is no terminal.
    """
    try:
        saved = read_run(run, windows=False)
        recorded = read_recorded(run if run.is_dir() else run.parent, saved)
        exchange = recorded.find(evidence)
        with resolve(_sources(options, recorded)) as target:
            _same_deployment(recorded, target, options)
            restored = restore(recorded, exchange, target.config)
            _knows_its_calls(recorded, restored, exchange, target)
            _print_plan(console, target, exchange, restored)
            _confirm(target, restored, yes=yes, ask=ask)
            return _replay(console, run, evidence, recorded, exchange, restored, target, options)
    except NotARun as why:
        raise ConfigError(str(run), None, f"not a run: {why}", "name a run's directory") from None
    except CannotReplay as why:
        problem, _, fix = str(why).partition("; ")
        raise ConfigError(f"{run}, exchange {evidence}", None, problem, fix or "name another") from None


def _sources(options: Options, recorded: RecordedRun) -> Sources:
    """The configuration's sources; for a run on the embedded sandbox, one with the same faults and dialects."""
    sources = settle_sources(options)
    if not recorded.embedded or options.base_url is not None:
        return sources
    sources.tree.pop("deployment", None)
    unknown = [*(set(recorded.faults) - set(FAULTS)), *(set(recorded.dialects) - set(DIALECTS))]
    if unknown:
        raise CannotReplay(f"this version's sandbox does not know {unknown[0]}; check the clause again")
    sources.put("sandbox", "faults", list(recorded.faults), "the run")
    sources.put("sandbox", "dialects", list(recorded.dialects), "the run")
    return sources


def _same_deployment(recorded: RecordedRun, target: Target, options: Options) -> None:
    if recorded.embedded and target.embedded:
        return
    base_url = target.config.deployment.base_url
    if options.base_url is None and base_url != recorded.base_url:
        here = "no deployment" if target.embedded else base_url
        raise CannotReplay(
            f"it was sent to {recorded.base_url}, but the configuration names {here}; add --config, or name the "
            "deployment with --base-url"
        )


def _knows_its_calls(recorded: RecordedRun, restored: Restored, exchange: Exchange, target: Target) -> None:
    if not (target.embedded and restored.is_poll):
        return
    ids = recorded.unique_ids()
    if any(unique_id in exchange.request_body for unique_id in ids):
        raise CannotReplay(
            "it polls calls of the run's own sandbox, which has stopped; check the clause again with --clause and the "
            "run's --seed"
        )


def _print_plan(console: Console, target: Target, exchange: Exchange, restored: Restored) -> None:
    deployment = target.config.deployment
    where = deployment.base_url + (" (a new embedded sandbox)" if target.embedded else "")
    calls = "none: it is a poll" if restored.is_poll else "at most 1: an accepted trigger places a call"
    rows = [
        ("deployment", where),
        ("request", f"{restored.method} {restored.path}, {exchange.purpose}"),
        ("restored", ", ".join(restored.restored)),
        ("calls", calls),
    ]
    budget = target.config.budget
    if not restored.is_poll and budget.cost_per_call is not None:
        rows.append(("cost", f"at most {budget.cost_per_call:.2f} {budget.currency}"))
    print_plan(console, [row for row in rows if row[1]])


def _confirm(target: Target, restored: Restored, *, yes: bool, ask: Callable[[str], bool] | None) -> None:
    if yes or target.embedded or restored.is_poll:
        return
    if ask is None:
        raise ConfigError("--yes", None, "a trigger may place a call; there is no terminal to ask", "add --yes")
    sys.stdout.flush()
    if not ask(f"Send this trigger to {target.config.deployment.base_url}? It may place a call."):
        raise ConfigError("replay", None, "not confirmed; nothing was sent", "add --yes, or answer y")


def _replay(
    console: Console,
    run: Path,
    evidence: str,
    recorded: RecordedRun,
    exchange: Exchange,
    restored: Restored,
    target: Target,
    options: Options,
) -> int:
    if options.out is not None and options.out.resolve() == (run if run.is_dir() else run.parent).resolve():
        raise CannotReplay("--out names the run itself and would overwrite its evidence; name another folder")
    is_a_run = options.out is not None and (options.out / VERDICT_FILE).exists()
    directory = new_directory("replay", options.out, force=not is_a_run)  # an earlier replay may be replaced
    purpose = f"replay of exchange {exchange.id}: {exchange.purpose}"
    calls, trouble, answer = 0, "", None
    try:
        answer, calls = send_again(target.config, restored, purpose, directory / EXCHANGES_FILE)
    except NotSent as refused:
        raise CannotReplay(f"not sent: {refused}; check its clause again") from None
    except ExchangeError as error:
        trouble = str(error)
    cited = recorded.cited.get(exchange.id, ())
    if not evidence.isdigit():
        cited = tuple(one for one in cited if one.clause.id == evidence.upper())
    pending = target.config.dialect.pending_states
    judgements: list[Judgement] = []
    then_answer = answer_of(exchange, recorded.base_url)
    if answer is not None:
        then = Seen(then_answer, pending, recorded.unique_ids(but=exchange.id))
        now = Seen(answer, pending, recorded.unique_ids())
        judgements = [judge_again(one, then, now, fresh=target.embedded) for one in cited]
    else:
        judgements = [Judgement(one, ReplayOutcome.UNDECIDED, trouble) for one in cited]
    code, reason = _conclude(judgements, then_answer, answer, trouble)
    report = ReplayReport(
        run=str(run),
        exchange=exchange.id,
        purpose=exchange.purpose,
        request=exchange.request_text(),
        then=exchange.response_text(),
        now=answer.exchange.response_text() if answer is not None else f"no answer: {trouble}",
        clauses=tuple(_replayed(one) for one in judgements),
        exit_code=code,
        reason=reason,
        base_url=target.config.deployment.base_url,
        calls=calls,
        restored=restored.restored,
    )
    unwritten = unless_written(REPLAY_FILE, lambda: write_replay(report, directory))
    print_replay(console, report, directory)
    for note in unwritten:
        complain(note)
    return code


def _conclude(judgements: Sequence[Judgement], then: Answer, now: Answer | None, trouble: str) -> tuple[int, str]:
    """The exit code and its reason: 1 wins over 3; without a clause, the recorded answer is the expected one."""
    if now is None:
        return ExitCode.INCONCLUSIVE, trouble
    outcomes = {one.outcome for one in judgements}
    if ReplayOutcome.STILL_FAILS in outcomes:
        return ExitCode.BROKEN, ""
    if ReplayOutcome.UNDECIDED in outcomes:
        return ExitCode.INCONCLUSIVE, next(one.reason for one in judgements if one.outcome is ReplayOutcome.UNDECIDED)
    if judgements:
        return ExitCode.OK, ""
    if _kind(then) == _kind(now):
        return ExitCode.OK, "no clause cites the exchange, and the answer is like the recorded one"
    return (
        ExitCode.INCONCLUSIVE,
        f"no clause says which answer is right: recorded {then.describe_answer()}, now {now.describe_answer()}",
    )


def _kind(answer: Answer) -> tuple[object, ...]:
    """What makes two answers alike to a client."""
    accepted = answer.accepted if isinstance(answer, Trigger) else None
    return answer.status, answer.failure, accepted, answer.json.problem is None, bool(answer.exchange.leaks)


def _replayed(judgement: Judgement) -> ReplayedClause:
    cited: Cited = judgement.cited
    return ReplayedClause(
        cited.clause.id, cited.test, cited.expected, cited.observed, judgement.outcome.value, judgement.reason
    )
