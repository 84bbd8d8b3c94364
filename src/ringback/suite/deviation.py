"""How a contract test ends if it does not pass: a deviation, an open question, or nothing to exercise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from _pytest.outcomes import Skipped

from ringback.checks import Violation
from ringback.deployment import Answer, Exchange

__all__ = ["Deviation", "Inconclusive", "NotExercised", "must_all_hold", "must_be_answered", "must_hold"]

A = TypeVar("A", bound=Answer)

_SHOWN = 3


class Deviation(AssertionError):
    """The deployment deviates from a clause: what was expected, what came, and the exchanges that show it."""

    def __init__(
        self,
        observed: str,
        *,
        expected: str = "",
        evidence: Iterable[Answer | Exchange] = (),
        clause: str | None = None,
        fix: str = "",
        together: bool = False,
    ) -> None:
        """`together`: the requests show the deviation together, and may show it again if they are sent again."""
        super().__init__(observed)
        self.observed = observed
        self.expected = expected
        self.clause = clause
        """The broken clause, where a test covers several; the test says nothing of the others."""
        self.fix = fix
        found = [item.exchange if isinstance(item, Answer) else item for item in evidence]
        self.together = tuple(dict.fromkeys(found)) if together else ()
        # The smallest request shows a deviation best.
        self.evidence = tuple(sorted(dict.fromkeys(found), key=lambda e: e.request_bytes)[:_SHOWN])


# pytest.skip.Exception by the name under which type checkers can see that it is a class.
class Inconclusive(Skipped):
    """The test could not decide, and why; it never counts as passed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, _use_item_location=True)


class NotExercised(Skipped):
    """The configuration lacks something that the test needs, and what."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, _use_item_location=True)


def must_hold(violation: Violation | None, *evidence: Answer | Exchange, together: bool = False) -> None:
    """Raise the `Deviation` that a check found, if it found one; `together` as there."""
    if violation is not None:
        raise Deviation(
            violation.observed, expected=violation.expected, evidence=evidence, clause=violation.clause,
            together=together,
        )  # fmt: skip


def must_all_hold(check: Callable[[A], Violation | None], answers: Iterable[A]) -> None:
    """Raise the `Deviation` of the smallest request whose answer breaks a rule, if any does."""
    broken = [(answer, violation) for answer in answers if (violation := check(answer)) is not None]
    if broken:
        _, violation = min(broken, key=lambda pair: pair[0].exchange.request_bytes)
        such = f" ({len(broken)} such answers)" if len(broken) > 1 else ""
        must_hold(replace(violation, observed=violation.observed + such), *(answer for answer, _ in broken))


def must_be_answered(answer: Answer) -> None:
    """Raise `Inconclusive` if no answer came, so that there is nothing to judge."""
    if answer.status is None:
        raise Inconclusive(f"no answer to judge: {answer.describe_answer()} (see ROB-02)")
