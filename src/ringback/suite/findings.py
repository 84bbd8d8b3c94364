"""Findings on clauses, made from how a test ended, with the evidence that a reader needs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ringback.config.errors import unexpected
from ringback.contract.clauses import CLAUSES
from ringback.contract.verdict import Evidence, Finding, Script, Verdict
from ringback.deployment import Exchange, curl, script
from ringback.deployment.causes import Cause
from ringback.suite.deviation import Deviation, Inconclusive, NotExercised
from ringback.suite.plan import clauses_of, probes_of
from ringback.suite.probes.baseline import BASELINE
from ringback.suite.session import Session

__all__ = ["failed", "finding_of", "judged_early", "judged_with_gaps", "looks_at_any_answer", "must_bear", "only_sends"]

_CONNECTION = {"TRN-01", "TRN-02"}
"""Clauses that need no answer to a trigger."""
_SEEN = {"ROB-04"}
"""Clauses that one answer breaks, whatever it answers. That none does proves nothing where no valid trigger works."""
_WHOLE_RUN = ("burst", "identical", "pool", "after_final", "at_end", "looks_back_on", "draws", "generates")
"""Markers of tests that need more than the answers to their own probes: these pass only on a whole run."""


def finding_of(
    clause: str, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> Finding | None:
    """The finding on a clause that follows from a test's end; only a `Deviation` fails the clause.

    None if a test of several clauses found a deviation from another one, or none: what it sends varies, so it may not
    have tried a clause. Each clause also has tests of its own.
    """
    name = _name(item)
    error = call.excinfo.value if call.excinfo is not None else None
    seconds = report.duration
    if len(clauses_of(item)) > 1 and isinstance(error, Inconclusive | NotExercised | None):
        return None
    if error is None:
        return Finding(clause, Verdict.PASS, name, seconds=seconds)
    if isinstance(error, Deviation) and error.clause not in {None, clause}:
        return None
    if isinstance(error, Deviation):
        expected = error.expected or CLAUSES[clause].expects
        evidence = tuple(_shown(exchange) for exchange in error.evidence)
        return Finding(
            clause, Verdict.FAIL, name, error.observed, expected, error.observed, evidence, seconds, error.fix,
            _script(error.together),
        )  # fmt: skip
    if isinstance(error, NotExercised):
        return Finding(clause, Verdict.NOT_EXERCISED, name, str(error.msg), seconds=seconds)
    if isinstance(error, pytest.skip.Exception):
        return Finding(clause, Verdict.INCONCLUSIVE, name, str(error.msg), seconds=seconds)
    where = getattr(report.longrepr, "reprcrash", None)
    place = f" at {where.path.rsplit('/', 1)[-1]}:{where.lineno}" if where is not None else ""
    return Finding(clause, Verdict.INCONCLUSIVE, name, unexpected(error, place), seconds=seconds)


def failed(finding: Finding) -> str | None:
    """What plain pytest shows of a deviation, in place of a traceback; None for any other finding."""
    if finding.verdict is not Verdict.FAIL:
        return None
    clause = CLAUSES[finding.clause]
    lines = [
        f"{clause.id} ({clause.level}): {clause.title}",
        f"  expected: {finding.expected}",
        f"  observed: {finding.observed}",
    ]
    for evidence in finding.evidence[:1]:
        lines += ["", evidence.request, "", evidence.response, "", evidence.curl]
    lines += ["", f"  fix: {finding.fix or clause.fix}"]
    return "\n".join(lines)


def _shown(exchange: Exchange) -> Evidence:
    return Evidence(exchange.id, exchange.request_text(), exchange.response_text(), curl(exchange))


def _script(exchanges: Sequence[Exchange]) -> Script | None:
    in_order = sorted(exchanges, key=lambda exchange: (exchange.at, exchange.id))
    commands = script(in_order) if len(in_order) > 1 else ()
    return Script(tuple(exchange.id for exchange in in_order), commands) if commands else None


def _name(item: pytest.Item) -> str:
    """What the test sends, in words: its function's name and its parameter."""
    function = getattr(item, "originalname", item.name)
    words = function.removeprefix("test_").replace("_", " ").capitalize()
    callspec = getattr(item, "callspec", None)
    return f"{words} [{callspec.id}]" if callspec is not None else words


def only_sends(item: pytest.Item) -> bool:
    """Whether a test only generates requests, so that it need not begin once nothing is sent any more."""
    return len(clauses_of(item)) > 1


def looks_at_any_answer(item: pytest.Item) -> bool:
    """Whether a test may find a deviation although no valid trigger is accepted; it cannot pass then."""
    return not _SEEN.isdisjoint(clauses_of(item))


def must_bear(cause: Cause, item: pytest.Item) -> None:
    """Raise `Inconclusive` unless a test can decide its clause although no valid trigger is accepted.

    If the deployment fails, one test shows it: that of the documents' example, or of the certificate.
    """
    decides = BASELINE in probes_of(item) or not _CONNECTION.isdisjoint(clauses_of(item))
    if (cause.ours or not decides) and not looks_at_any_answer(item):
        raise Inconclusive(cause.elsewhere)


def judged_early(finding: Finding, item: pytest.Item, session: Session) -> Finding:
    """The finding that still holds if the run ended early.

    Deviations, and what the configuration lacks, hold. A pass holds if each of the test's probes was answered. Anything
    else is inconclusive: the test may lack what was never sent.
    """
    if finding.verdict in {Verdict.FAIL, Verdict.NOT_EXERCISED}:
        return finding
    probes = probes_of(item)
    whole_run = any(item.get_closest_marker(marker) for marker in _WHOLE_RUN)
    if finding.verdict is Verdict.PASS and probes and not whole_run and all(map(session.record.was_answered, probes)):
        return finding
    reason = session.ended_early or ""
    return Finding(finding.clause, Verdict.INCONCLUSIVE, finding.test, reason, seconds=finding.seconds)


def judged_with_gaps(finding: Finding, dropped: int) -> Finding:
    """The finding that still holds if the receiver dropped deliveries: none that deliveries decide."""
    if not dropped or not finding.clause.startswith("DST") or finding.verdict not in {Verdict.PASS, Verdict.FAIL}:
        return finding
    reason = f"the receiver was sent more than it records: it dropped {dropped} deliveries or connections"
    return Finding(finding.clause, Verdict.INCONCLUSIVE, finding.test, reason, seconds=finding.seconds)
