"""Whose fault an odd answer is: further polls that differ in one thing, and the one clause that they leave.

An answer that a repetition does not confirm accuses nobody: then the clause is None.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ringback.deployment import Poll
from ringback.suite.stateful.model import Fault, Known, Oddity, fault_of, final_told, first_oddity, is_early

__all__ = ["Controls"]

_ALWAYS = {
    Fault.STATUS: "RES-01",
    Fault.BODY: "RES-02",
    Fault.ENTRY: "RES-03",
    Fault.FOREIGN: "RES-05",
    Fault.WORD: "STA-01",
}
"""Faults for which no other part of the request can be to blame."""


@dataclass(slots=True)
class Controls:
    """Attributes one oddity. `ask` polls, with no other request of ours under way."""

    ask: Callable[[Sequence[str]], Poll]
    party: Sequence[Known]
    strangers: Mapping[str, str]
    pending_words: Collection[str]
    typical_age: float | None
    """Seconds at which calls usually become final, if known."""
    spare: Sequence[str] = ()
    """Final calls that take no part in the conversation."""
    thorough: bool = True
    """False: fewer repetitions, for looking at a fault that has been confirmed before."""
    telling: list[Poll] = field(default_factory=list)
    """The polls that a reader should see beside the odd one."""

    def clause(self, odd: Oddity, poll: Poll) -> str | None:
        """The clause that the answer breaks; None if it can't be told."""
        if odd.fault in _ALWAYS:
            return _ALWAYS[odd.fault] if self._repeats(odd, poll) else None
        if odd.fault is Fault.REFUSED:
            return self._refused(odd, poll)
        if odd.fault is Fault.UNKNOWN_HAS_STATE:
            return self._stranger(odd, poll)
        known = next(known for known in self.party if known.unique_id == odd.about)
        return self._wrongly_told(known, poll)

    def _oddity(self, poll: Poll) -> Oddity | None:
        return first_oddity(poll, self.party, self.strangers, self.pending_words)

    def _repeats(self, odd: Oddity, poll: Poll) -> bool:
        if not self.thorough:
            return True
        again = self._oddity(self.ask(poll.asked))
        return again is not None and again.fault is odd.fault

    def _variants(self, poll: Poll) -> list[tuple[str, tuple[str, ...]]]:
        """The same poll without what may be to blame, from one to the next, and the clause that forbids blaming it."""
        variants: list[tuple[str, tuple[str, ...]]] = []
        ids = poll.asked
        if any(one in self.strangers for one in ids):
            ids = tuple(one for one in ids if one not in self.strangers)
            variants.append(("RES-07", ids))
        if len(set(ids)) < len(ids):
            ids = tuple(dict.fromkeys(ids))
            variants.append(("RES-09", ids))
        return variants

    def _too_many(self, poll: Poll, wrong: Callable[[Poll], bool]) -> bool:
        """Whether as many ids, all different and all known, are answered just as wrongly: then their number is it."""
        spare = iter([one for one in self.spare if one not in poll.asked])
        seen: set[str] = set()
        ids: list[str] = []
        for one in poll.asked:
            kept = one if one not in self.strangers and one not in seen else next(spare, None)
            if kept is None:
                return False
            seen.add(one)
            ids.append(kept)
        return len(ids) > 1 and tuple(ids) != poll.asked and wrong(self.ask(ids))

    # -- refusals -------------------------------------------------------------------------------------------------

    def _refused(self, odd: Oddity, poll: Poll) -> str | None:
        if not self._repeats(odd, poll):
            return None
        distinct = [one for one in dict.fromkeys(poll.asked) if one not in self.strangers]
        if self._too_many(poll, lambda answer: answer.refused):
            return "RES-04"
        for clause, ids in self._variants(poll):
            control = self.ask(ids)
            if control.status == 200:
                self.telling = [control]
                return clause
        if len(distinct) < 2:
            return "RES-01"
        for one in distinct:
            control = self.ask([one])
            if control.status != 200:
                self.telling = [control]
                return "RES-01"
        return "RES-04"

    # -- known calls ----------------------------------------------------------------------------------------------

    def _wrongly_told(self, known: Known, poll: Poll) -> str | None:
        """A final call left out, told otherwise or too often: the call itself, or what it was asked together with?"""
        alone = self.ask([known.unique_id])
        if alone.status != 200 or not alone.json.readable:
            return None
        self.telling = [alone]
        if (wrong := fault_of(alone, known)) is not None:
            return self._itself(known, wrong)
        if set(poll.asked) == {known.unique_id} and len(poll.asked) == 1:
            # The very same poll, answered otherwise the next moment.
            return "STA-04" if fault_of(poll, known) in {Fault.LEFT_OUT, Fault.OTHERWISE} else None
        if self.thorough and not self._only_in(poll, known):
            return None
        if self._too_many(poll, lambda answer: answer.status != 200 or fault_of(answer, known) is not None):
            return "RES-04"
        for clause, ids in self._variants(poll):
            if clause == "RES-07" and fault_of(poll, known) not in {Fault.LEFT_OUT, Fault.OTHERWISE}:
                continue
            control = self.ask(ids)
            if control.status == 200 and fault_of(control, known) is None:
                self.telling = [control]
                return clause
        return "RES-04" if len(set(poll.asked)) > 1 else None

    def _itself(self, known: Known, wrong: Fault) -> str | None:
        """What polls for the call alone say is wrong: the call lost its state, or was given one too early."""
        again = self.ask([known.unique_id]) if self.thorough else self.telling[0]
        if fault_of(again, known) is not wrong:
            return None
        if wrong not in {Fault.LEFT_OUT, Fault.OTHERWISE}:
            return "RES-04"
        early = is_early(known, final_told(again, known.unique_id), self.typical_age)
        return None if early is None else "STA-05" if early else "STA-04"

    def _only_in(self, poll: Poll, known: Known) -> bool:
        """Whether the fault is this poll's at each repetition, and never that of one for the call alone.

        The order tells a call that comes and goes at every second or third poll from a batch that is wrong.
        """
        if fault_of(self.ask([known.unique_id]), known) is not None:
            return False
        return all(fault_of(self.ask(poll.asked), known) is not None for _ in range(2))

    # -- unknown ids ----------------------------------------------------------------------------------------------

    def _stranger(self, odd: Oddity, poll: Poll) -> str | None:
        if not self._repeats(odd, poll):
            return None
        known_only = [one for one in poll.asked if one not in self.strangers]
        if known_only:
            without = self._oddity(self.ask(known_only))
            if without is not None:
                return None if without.fault in {Fault.LEFT_OUT, Fault.OTHERWISE} else _ALWAYS.get(without.fault)
        return "RES-06"
