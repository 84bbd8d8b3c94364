"""Which clause a wrong answer breaks: control polls that differ from it in one thing leave one clause.

Without a repetition that confirms the problem, the clause is None.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ringback.deployment import Poll
from ringback.suite.stateful.model import (
    Problem,
    ProblemKind,
    TrackedCall,
    final_reported,
    first_problem,
    is_early,
    problem_of,
)

__all__ = ["Controls"]

_ALWAYS = {
    ProblemKind.STATUS: "RES-01",
    ProblemKind.BODY: "RES-02",
    ProblemKind.ENTRY: "RES-03",
    ProblemKind.FOREIGN: "RES-05",
    ProblemKind.WORD: "STA-01",
}
"""Problems that no part of the request can explain."""


@dataclass(slots=True)
class Controls:
    """Finds the clause of one problem. `ask` polls while the watch sends nothing."""

    ask: Callable[[Sequence[str]], Poll]
    tracked: Sequence[TrackedCall]
    unknown_ids: Mapping[str, str]
    pending_words: Collection[str]
    typical_age: float | None
    """Seconds at which calls usually become final, if known."""
    spare: Sequence[str] = ()
    """Final calls that are not part of the conversation."""
    thorough: bool = True
    """False: fewer repetitions, for a problem that was confirmed before."""
    shown: list[Poll] = field(default_factory=list)
    """The control polls that a reader should see."""

    def clause(self, problem: Problem, poll: Poll) -> str | None:
        """The clause that the answer breaks; None if that stays open."""
        if problem.kind in _ALWAYS:
            return _ALWAYS[problem.kind] if self._repeats(problem, poll) else None
        if problem.kind is ProblemKind.REFUSED:
            return self._refused(problem, poll)
        if problem.kind is ProblemKind.UNKNOWN_HAS_STATE:
            return self._unknown(problem, poll)
        known = next(known for known in self.tracked if known.unique_id == problem.about)
        return self._wrongly_reported(known, poll)

    def _problem(self, poll: Poll) -> Problem | None:
        return first_problem(poll, self.tracked, self.unknown_ids, self.pending_words)

    def _repeats(self, problem: Problem, poll: Poll) -> bool:
        if not self.thorough:
            return True
        again = self._problem(self.ask(poll.asked))
        return again is not None and again.kind is problem.kind

    def _variants(self, poll: Poll) -> list[tuple[str, tuple[str, ...]]]:
        """The same poll without unknown ids, then without repeated ones; each with the clause that allows these."""
        variants: list[tuple[str, tuple[str, ...]]] = []
        ids = poll.asked
        if any(one in self.unknown_ids for one in ids):
            ids = tuple(one for one in ids if one not in self.unknown_ids)
            variants.append(("RES-07", ids))
        if len(set(ids)) < len(ids):
            ids = tuple(dict.fromkeys(ids))
            variants.append(("RES-09", ids))
        return variants

    def _too_many(self, poll: Poll, wrong: Callable[[Poll], bool]) -> bool:
        """Whether a poll for as many ids, all known and different, is answered just as wrongly."""
        spare = iter([one for one in self.spare if one not in poll.asked])
        seen: set[str] = set()
        ids: list[str] = []
        for one in poll.asked:
            usable = one if one not in self.unknown_ids and one not in seen else next(spare, None)
            if usable is None:
                return False
            seen.add(one)
            ids.append(usable)
        return len(ids) > 1 and tuple(ids) != poll.asked and wrong(self.ask(ids))

    # -- refusals -------------------------------------------------------------------------------------------------

    def _refused(self, problem: Problem, poll: Poll) -> str | None:
        if not self._repeats(problem, poll):
            return None
        distinct = [one for one in dict.fromkeys(poll.asked) if one not in self.unknown_ids]
        if self._too_many(poll, lambda answer: answer.refused):
            return "RES-04"
        for clause, ids in self._variants(poll):
            control = self.ask(ids)
            if control.status == 200:
                self.shown = [control]
                return clause
        if len(distinct) < 2:
            return "RES-01"
        for one in distinct:
            control = self.ask([one])
            if control.status != 200:
                self.shown = [control]
                return "RES-01"
        return "RES-04"

    # -- known calls ----------------------------------------------------------------------------------------------

    def _wrongly_reported(self, known: TrackedCall, poll: Poll) -> str | None:
        """The clause for a final call that is reported wrongly: is it the call itself, or the other ids in the poll?"""
        alone = self.ask([known.unique_id])
        if alone.status != 200 or not alone.json.readable:
            return None
        self.shown = [alone]
        if (wrong := problem_of(alone, known)) is not None:
            return self._itself(known, wrong)
        if set(poll.asked) == {known.unique_id} and len(poll.asked) == 1:
            # The same poll was answered differently the next moment.
            return "STA-04" if problem_of(poll, known) in {ProblemKind.LEFT_OUT, ProblemKind.OTHERWISE} else None
        if self.thorough and not self._only_in(poll, known):
            return None
        if self._too_many(poll, lambda answer: answer.status != 200 or problem_of(answer, known) is not None):
            return "RES-04"
        for clause, ids in self._variants(poll):
            if clause == "RES-07" and problem_of(poll, known) not in {ProblemKind.LEFT_OUT, ProblemKind.OTHERWISE}:
                continue
            control = self.ask(ids)
            if control.status == 200 and problem_of(control, known) is None:
                self.shown = [control]
                return clause
        return "RES-04" if len(set(poll.asked)) > 1 else None

    def _itself(self, known: TrackedCall, wrong: ProblemKind) -> str | None:
        """The clause if polls for the call alone are wrong too: its state was lost, or came too early."""
        again = self.ask([known.unique_id]) if self.thorough else self.shown[0]
        if problem_of(again, known) is not wrong:
            return None
        if wrong not in {ProblemKind.LEFT_OUT, ProblemKind.OTHERWISE}:
            return "RES-04"
        early = is_early(known, final_reported(again, known.unique_id), self.typical_age)
        return None if early is None else "STA-05" if early else "STA-04"

    def _only_in(self, poll: Poll, known: TrackedCall) -> bool:
        """Whether each repetition of this poll is wrong, and no poll for the call alone is.

        The order of the polls excludes a call whose result comes and goes at every second or third poll.
        """
        if problem_of(self.ask([known.unique_id]), known) is not None:
            return False
        return all(problem_of(self.ask(poll.asked), known) is not None for _ in range(2))

    # -- unknown ids ----------------------------------------------------------------------------------------------

    def _unknown(self, problem: Problem, poll: Poll) -> str | None:
        if not self._repeats(problem, poll):
            return None
        known_only = [one for one in poll.asked if one not in self.unknown_ids]
        if known_only:
            without = self._problem(self.ask(known_only))
            if without is not None:
                return (
                    None if without.kind in {ProblemKind.LEFT_OUT, ProblemKind.OTHERWISE} else _ALWAYS.get(without.kind)
                )
        return "RES-06"
