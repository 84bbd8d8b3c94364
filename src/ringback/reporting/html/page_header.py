"""The top of the page: the verdict and its reason, the deployment, facts, and how to repeat the run."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

from ringback.contract.clauses import Level
from ringback.contract.verdict import ClauseResult, ExitCode, LimitResult, RunVerdict, Verdict
from ringback.reporting.html.limits import metric_words
from ringback.reporting.model.figures import count, duration
from ringback.reporting.model.repeat import repeat_line
from ringback.reporting.model.safe import one_line, shell_line
from ringback.reporting.model.verdicts import MARKS, WORDS, WORST_FIRST, with_verdict
from ringback.rundir import SINK
from ringback.rundir.run import RunReport

__all__ = ["page_header"]

_WORDS = {RunVerdict.PASS: "Pass", RunVerdict.FAIL: "Fail", RunVerdict.INCONCLUSIVE: "Inconclusive"}
_MARKS = {RunVerdict.PASS: "✓", RunVerdict.FAIL: "✗", RunVerdict.INCONCLUSIVE: "?"}
_NAMED = 4
_REASON, _LONG, _LINE = 200, 400, 2_000


def page_header(report: RunReport) -> dict[str, Any]:
    """What the template of the top of a run's page needs."""
    verdict = report.conclusion.verdict
    started = report.started.astimezone(UTC)
    host = one_line(urlsplit(_url(report)).netloc or report.base_url, 100)
    counts = report.counts()
    return {
        "title": f"{_WORDS[verdict]} · ringback {report.command} · {host} · {started:%Y-%m-%d}",
        "verdict": verdict.value,
        "word": _WORDS[verdict],
        "mark": _MARKS[verdict],
        "why": _why(report),
        "deployment": one_line(report.base_url, _LONG),
        "aside": _aside(report),
        "facts": _facts(report),
        "again": shell_line(SINK.clean(repeat_line(report)))[:_LINE],
        "again_aside": _again_aside(report),
        "counts": [(each.value, MARKS[each], WORDS[each], counts[each]) for each in WORST_FIRST if counts[each]],
        "exit_code": report.conclusion.exit_code,
    }


def _url(report: RunReport) -> str:
    try:
        urlsplit(report.base_url)
    except ValueError:
        return ""
    return report.base_url


# -- why ----------------------------------------------------------------------------------------------------------


def _why(report: RunReport) -> str:
    """The reason for the verdict, in one or two sentences."""
    broken = with_verdict(report, Verdict.FAIL)
    exceeded = [held for held in report.limits if held.verdict is Verdict.FAIL]
    match report.conclusion.verdict:
        case RunVerdict.FAIL:
            text = _sentences([_broken(broken, len(report.results)), _exceeded(exceeded, len(report.limits))])
        case RunVerdict.PASS:
            text = _sentences([_holding(report), _limits_met(report)])
        case _:
            text = _undecided(report)
    if report.conclusion.exit_code == ExitCode.INTERRUPTED:
        text = f"The run was interrupted. Until then: {text}"
    return text


def _broken(broken: list[ClauseResult], of: int) -> str:
    if not broken:
        return ""
    verb = "is" if len(broken) == 1 else "are"
    broken = sorted(broken, key=lambda result: result.clause.level is not Level.MUST)
    ids = _listed([result.clause.id for result in broken])
    text = f"{count(len(broken))} of {count(of)} clauses {verb} broken ({ids})"
    seen = one_line(broken[0].summary, _REASON).removesuffix(".")
    if not seen:
        return text
    return f"{text}: {seen}" if len(broken) == 1 else f"{text}; the first: {seen}"


def _exceeded(exceeded: list[LimitResult], of: int) -> str:
    if not exceeded:
        return ""
    verb = "does" if len(exceeded) == 1 else "do"
    names = _listed([metric_words(held.metric) for held in exceeded], "; ")
    return f"{count(len(exceeded))} of {count(of)} limits {verb} not hold ({names})"


def _holding(report: RunReport) -> str:
    total, counts = len(report.results), report.counts()
    if not total:
        return ""
    if counts[Verdict.PASS] == total:
        return "the one clause holds" if total == 1 else f"all {count(total)} clauses hold"
    words = (
        (Verdict.WARN, "with a warning"),
        (Verdict.WAIVED, "waived by you"),
        (Verdict.NOT_EXERCISED, "not exercised"),
    )
    aside = ", ".join(f"{count(counts[verdict])} {word}" for verdict, word in words if counts[verdict])
    return f"{count(counts[Verdict.PASS])} of {count(total)} clauses hold; none is broken ({aside})"


def _limits_met(report: RunReport) -> str:
    total = len(report.limits)
    if not total:
        return ""
    return "the one limit holds" if total == 1 else f"all {count(total)} limits hold"


def _undecided(report: RunReport) -> str:
    reasons = [one_line(reason, _REASON) for reason in report.conclusion.reasons if reason != "interrupted"]
    if not reasons:
        return "Nothing was decided."
    more = f" (and {count(len(reasons) - 1)} more)" if len(reasons) > 1 else ""
    first = reasons[0].removesuffix(".")
    return f"No deviation was observed, but not everything could be decided: {first}{more}."


def _listed(names: list[str], separator: str = ", ") -> str:
    more = f" and {count(len(names) - _NAMED)} more" if len(names) > _NAMED else ""
    return separator.join(names[:_NAMED]) + more


def _sentences(parts: list[str]) -> str:
    text = [f"{part[0].upper()}{part[1:]}." for part in parts if part]
    return " ".join(text) or "There is no further information."


# -- facts --------------------------------------------------------------------------------------------------------


def _aside(report: RunReport) -> str:
    if not report.embedded:
        return ""
    if report.variation:
        return f"the embedded sandbox, with {one_line(', '.join(report.variation), _LONG)}"
    return "the embedded sandbox"


def _facts(report: RunReport) -> tuple[tuple[str, str, str], ...]:
    started = report.started.astimezone(UTC)
    budget = f"of at most {count(report.calls_budget)}" if report.calls_budget else "no limit"
    more = f"; {count(report.calls_may_have_dialled)} more may have dialled" if report.calls_may_have_dialled else ""
    levels = {
        Level.MUST: "only MUST fails",
        Level.SHOULD: "MUST and SHOULD fail",
        Level.ADVISORY: "MUST and SHOULD fail",
    }
    facts = [
        ("Started", f"{started:%Y-%m-%d %H:%M:%S}", "UTC"),
        ("Took", duration(report.seconds), ""),
        ("Calls placed", count(report.calls_accepted), f"{budget}{more}"),
        ("Command", f"ringback {report.command}", f"version {one_line(report.version, 40)}"),
    ]
    if report.results:
        facts.append(("Level", report.level.value, levels[report.level]))
    facts.append(("Seed", str(report.seed), ""))
    return tuple(facts)


def _again_aside(report: RunReport) -> str:
    if report.embedded:
        return "The command starts and stops the sandbox; no telephone rings."
    text = "Needs the configuration of this run, and the access token in its variable."
    return f"{text} It places up to {count(report.calls_budget)} calls." if report.calls_budget else text
