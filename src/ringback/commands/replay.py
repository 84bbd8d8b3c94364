"""`ringback replay`: send recorded requests again and see whether the deviation is still there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ringback.commands.running import Options, new_directory, settle_sources
from ringback.config import ConfigError
from ringback.config.loading import Sources
from ringback.contract.verdict import ExitCode
from ringback.deployment import Answer, Exchange, NotSent, Trigger
from ringback.deployment.shell import given_id, in_rounds, is_trigger
from ringback.replaying import (
    CannotReplay,
    Cited,
    Judgement,
    RecordedRun,
    ReplayOutcome,
    Seen,
    Step,
    Together,
    Work,
    check_all,
    is_undecided,
    judge_again,
    judge_together,
    read_recorded,
    restore,
    send_again,
)
from ringback.replaying.recorded import answer_of, line_of
from ringback.reporting import print_plan
from ringback.reporting.artifacts import unless_written
from ringback.reporting.terminal.replay import ReplayedClause, ReplayedStep, ReplayReport, print_replay, write_replay
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
        exchanges = recorded.find(evidence)
        with resolve(_sources(options, recorded)) as target:
            _same_deployment(recorded, target, options)
            work = Work(
                [
                    Step(restore(recorded, exchange, target.config, any_person=len(exchanges) > 1))
                    for exchange in exchanges
                ]
            )
            _knows_its_calls(recorded, exchanges, target)
            check_all(target.config, work.steps)
            _print_plan(console, target, work)
            _confirm(target, work, yes=yes, ask=ask)
            return _Replay(console, run, evidence, recorded, work, target, options).run()
    except NotSent as refused:
        raise ConfigError(f"{run}, exchange {evidence}", None, str(refused), "check its clause again") from None
    except NotARun as why:
        raise ConfigError(str(run), None, f"not a run: {why}", "name a run's directory") from None
    except CannotReplay as why:
        raise ConfigError.of(f"{run}, exchange {evidence}", None, why) from None


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


def _knows_its_calls(recorded: RecordedRun, exchanges: Sequence[Exchange], target: Target) -> None:
    """Raise `CannotReplay` if one of them polls calls that a sandbox started for the replay cannot know."""
    if not target.embedded:
        return
    placed_again = {given_id(exchange) for exchange in exchanges if is_trigger(exchange)}
    polls = [exchange.request_body for exchange in exchanges if not is_trigger(exchange)]
    unknown = [poll for poll in polls if not any(again and again in poll for again in placed_again)]
    if any(unique_id in poll for poll in unknown for unique_id in recorded.unique_ids()):
        raise CannotReplay(
            "it polls calls of the run's own sandbox, which has stopped; check the clause again with --clause and the "
            "run's --seed"
        )


def _print_plan(console: Console, target: Target, work: Work) -> None:
    deployment, budget = target.config.deployment, target.config.budget
    where = deployment.base_url + (" (a new embedded sandbox)" if target.embedded else "")
    calls = f"at most {work.triggers}: an accepted trigger places a call" if work.triggers else "none: it is a poll"
    requests = [f"{s.restored.method} {s.restored.path}, {s.restored.exchange.purpose}" for s in work.steps]
    waits = sum(turn.wait for turn in in_rounds(step.restored.exchange for step in work.steps))
    rows = [
        ("deployment", where),
        *(("request" if index == 0 else "then", request) for index, request in enumerate(requests)),
        ("restored", ", ".join(_restored(work))),
        ("calls", calls),
        ("time", f"{waits:.1f} s of recorded waits" if waits else ""),
    ]
    if work.triggers and budget.cost_per_call is not None:
        rows.append(("cost", f"at most {work.triggers * budget.cost_per_call:.2f} {budget.currency}"))
    print_plan(console, [row for row in rows if row[1]])


def _restored(work: Work) -> tuple[str, ...]:
    return tuple(dict.fromkeys(what for step in work.steps for what in step.restored.restored))


def _confirm(target: Target, work: Work, *, yes: bool, ask: Callable[[str], bool] | None) -> None:
    if yes or target.embedded or not work.triggers:
        return
    if ask is None:
        raise ConfigError("--yes", None, "a trigger may place a call; there is no terminal to ask", "add --yes")
    sys.stdout.flush()
    what = "this trigger" if len(work.steps) == 1 else f"these {len(work.steps)} requests"
    calls = "a call" if work.triggers == 1 else f"up to {work.triggers} calls"
    if not ask(f"Send {what} to {target.config.deployment.base_url}? It may place {calls}."):
        raise ConfigError("replay", None, "not confirmed; nothing was sent", "add --yes, or answer y")


@dataclass(frozen=True, slots=True)
class _Replay:
    console: Console
    path: Path
    """The run, as given."""
    evidence: str
    recorded: RecordedRun
    work: Work
    target: Target
    options: Options

    def run(self) -> int:
        directory = self._directory()
        work, config = self.work, self.target.config
        cited = self._cited()
        together = len(work.steps) > 1
        send_again(
            config, work, directory / EXCHANGES_FILE,
            lambda answers: any(is_undecided(one.clause.id, self._then(), self._now(answers)) for one in cited),
        )  # fmt: skip
        first, now = work.steps[-1].restored.exchange, work.steps[-1].answer
        then_answer = answer_of(first, self.recorded.base_url)
        trouble = work.trouble
        if trouble or now is None:
            judgements = [Judgement(one, ReplayOutcome.UNDECIDED, trouble) for one in cited]
        elif together:
            judgements = [judge_together(one, self._then(), self._now(work.answers)) for one in cited]
        else:
            pending = config.dialect.pending_states
            then = Seen(then_answer, pending, self.recorded.unique_ids(but=first.id))
            seen = Seen(now, pending, self.recorded.unique_ids())
            judgements = [judge_again(one, then, seen, fresh=self.target.embedded) for one in cited]
        code, reason = _conclude(judgements, then_answer, now, trouble)
        if work.interrupted:
            code = ExitCode.INTERRUPTED
        report = ReplayReport(
            run=str(self.path),
            steps=tuple(_replayed_step(step, trouble) for step in work.steps),
            clauses=tuple(_replayed(one) for one in judgements),
            exit_code=code,
            reason=reason,
            base_url=config.deployment.base_url,
            calls=work.calls,
            restored=_restored(work),
        )
        unwritten = unless_written(REPLAY_FILE, lambda: write_replay(report, directory))
        print_replay(self.console, report, directory)
        for note in unwritten:
            complain(note)
        return code

    def _directory(self) -> Path:
        out = self.options.out
        if out is not None and out.resolve() == (self.path if self.path.is_dir() else self.path.parent).resolve():
            raise CannotReplay("--out names the run itself and would overwrite its evidence; name another folder")
        is_a_run = out is not None and (out / VERDICT_FILE).exists()
        return new_directory("replay", out, force=not is_a_run)  # an earlier replay may be replaced

    def _cited(self) -> tuple[Cited, ...]:
        """The clauses to judge, with the finding of each that the exchanges show."""
        found = (one for step in self.work.steps for one in self.recorded.cited.get(step.restored.exchange.id, ()))
        if len(self.work.steps) == 1 and self.evidence.isdigit():
            return tuple(found)
        mine = tuple(dict.fromkeys(one for one in found if one.clause.id == self.evidence.upper()))
        return mine[:1] if len(self.work.steps) > 1 else mine

    def _then(self) -> Together:
        answers = [answer_of(step.restored.exchange, self.recorded.base_url) for step in self.work.steps]
        return self._together(answers)

    def _now(self, answers: Sequence[Answer]) -> Together:
        return self._together(sorted(answers, key=lambda answer: answer.begun))

    def _together(self, answers: Sequence[Answer]) -> Together:
        lines = [line_of(step.restored.exchange) for step in self.work.steps if not step.restored.is_poll]
        return Together(answers, lines, self.target.config)


def _conclude(judgements: Sequence[Judgement], then: Answer, now: Answer | None, trouble: str) -> tuple[int, str]:
    """The exit code and its reason: 1 wins over 3; without a clause, the recorded answer is the expected one."""
    if now is None or trouble:
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


def _replayed_step(step: Step, trouble: str) -> ReplayedStep:
    exchange = step.restored.exchange
    now = step.answer.exchange.response_text() if step.answer is not None else f"no answer: {trouble or 'not sent'}"
    return ReplayedStep(exchange.id, exchange.purpose, exchange.request_text(), exchange.response_text(), now)


def _replayed(judgement: Judgement) -> ReplayedClause:
    cited: Cited = judgement.cited
    return ReplayedClause(
        cited.clause.id, cited.test, cited.expected, cited.observed, judgement.outcome.value, judgement.reason
    )
