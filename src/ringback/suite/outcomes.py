"""How a contract test ends other than by passing: a deviation, an open question, or nothing to exercise."""

from __future__ import annotations

from collections.abc import Iterable

from _pytest.outcomes import Skipped

from ringback.deployment import Answer, Exchange

__all__ = ["Deviation", "Inconclusive", "NotExercised"]

_SHOWN = 3


class Deviation(AssertionError):
    """The deployment broke the clause: what was expected, what came, and the exchanges that show it."""

    def __init__(
        self,
        observed: str,
        *,
        expected: str = "",
        evidence: Iterable[Answer | Exchange] = (),
        clause: str | None = None,
    ) -> None:
        super().__init__(observed)
        self.observed = observed
        self.expected = expected
        self.clause = clause
        """The clause that is broken, where a test looks at several; the others are then left as they were."""
        found = [item.exchange if isinstance(item, Answer) else item for item in evidence]
        # The smallest request shows a deviation best.
        self.evidence = tuple(sorted(dict.fromkeys(found), key=lambda e: e.request_bytes)[:_SHOWN])


# pytest.skip.Exception by the name under which type checkers can see that it is a class.
class Inconclusive(Skipped):
    """It could not be decided, and why; never counted as passed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, _use_item_location=True)


class NotExercised(Skipped):
    """The configuration lacks what the test needs, and what that is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, _use_item_location=True)
