"""The Hypothesis state machine: which steps there are, and how many.

Importing this module imports Hypothesis. The choice of a step does not depend on answers, so that a script can be
shortened and replayed.
"""

from __future__ import annotations

import contextlib

import hypothesis
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from ringback.suite.generated.runs import isolated, quiet
from ringback.suite.stateful.steps import BATCH, Conversation
from ringback.suite.stateful.talk import DeviationFound, Talk

__all__ = ["run_conversations"]

_EXAMPLES = 22
_STEPS = 8

_SYMBOLS = st.one_of(
    st.integers(0, 7).map(lambda at: ("call", at)),
    st.integers(0, 7).map(lambda at: ("call", at)),
    st.integers(0, 2).map(lambda at: ("unknown", at)),
)


def run_conversations(talk: Talk, seed: int) -> None:
    """Run conversations until one deviates or there have been enough; `talk` has the result."""
    machine = hypothesis.seed(seed)(_machine(talk))
    settings = quiet(max_examples=_EXAMPLES, stateful_step_count=_STEPS)
    # `talk` has the result and repeats it; Flaky means that a script did not fail again.
    with isolated(), contextlib.suppress(DeviationFound, Flaky):
        run_state_machine_as_test(machine, settings=settings)


def _machine(talk: Talk) -> type[RuleBasedStateMachine]:
    lines = list(dict.fromkeys(call.line for call in talk.roster))
    most = min(BATCH, len(talk.roster))

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.conversation = Conversation(talk)

        @precondition(lambda self: len(self.conversation.tracked) < most)
        @rule(line=st.sampled_from(lines))
        def trigger(self, line: str) -> None:
            self.conversation.trigger(line)

        @precondition(lambda self: len(self.conversation.tracked) < most)
        @rule(count=st.integers(2, BATCH))
        def trigger_several(self, count: int) -> None:
            self.conversation.trigger_several(min(count, most - len(self.conversation.tracked)))

        @precondition(lambda self: bool(self.conversation.tracked))
        @rule(symbols=st.lists(_SYMBOLS, min_size=1, max_size=8))
        def poll(self, symbols: list[tuple[str, int]]) -> None:
            talk_ids = {"call": self.conversation.call_id, "unknown": self.conversation.unknown_id}
            ids = [talk_ids[kind](at) for kind, at in symbols]
            self.conversation.poll([one for one in ids if one is not None])

        @precondition(lambda self: len(self.conversation.tracked) > 1)
        @rule(backwards=st.booleans(), extra=st.none() | st.tuples(_SYMBOLS, st.integers(0, BATCH)))
        def poll_all(self, backwards: bool, extra: tuple[tuple[str, int], int] | None) -> None:
            ids = [known.unique_id for known in self.conversation.tracked]
            ids = ids[::-1] if backwards else ids
            if extra is not None:
                (kind, at), place = extra
                more = self.conversation.call_id(at) if kind == "call" else self.conversation.unknown_id(at)
                ids = ids[: BATCH - 1]
                if more is not None:
                    ids.insert(place, more)
            self.conversation.poll(ids)

        @rule(indexes=st.lists(st.integers(0, 11), min_size=1, max_size=3))
        def poll_for_unknown_ids(self, indexes: list[int]) -> None:
            ids = [self.conversation.odd_id(at) for at in indexes]
            self.conversation.poll([one for one in ids if one is not None])

        @precondition(lambda self: self.conversation.last is not None)
        @rule()
        def poll_again(self) -> None:
            self.conversation.poll(self.conversation.last or [])

        @precondition(lambda self: bool(self.conversation.tracked))
        @rule()
        def wait(self) -> None:
            self.conversation.wait()

    return Machine
