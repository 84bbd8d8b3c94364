"""The population of calls to poll again: in turn, none twice in one poll."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringback.loadgen.generator import call_placer as module
from ringback.loadgen.generator.call_placer import Population


@given(st.integers(1, 7), st.integers(0, 30))
def test_calls_are_polled_in_turn(batch: int, calls: int) -> None:
    population = Population()
    for n in range(calls):
        population.add(f"id-{n}")
    assert len(population) == calls
    asked = [unique_id for _ in range(4 * calls) for unique_id in population.next_batch(batch)]
    if calls:
        assert asked == [f"id-{n % calls}" for n in range(len(asked))]
        assert len(asked) == 4 * calls * min(batch, calls)
    else:
        assert population.next_batch(batch) == []


def test_a_duplicate_id_is_in_a_poll_only_once() -> None:
    population = Population()
    for unique_id in ("a", "b", "a", "c"):
        population.add(unique_id)
    batches = [population.next_batch(3) for _ in range(6)]
    assert all(len(set(batch)) == len(batch) for batch in batches)
    assert {unique_id for batch in batches for unique_id in batch} == {"a", "b", "c"}


def test_the_oldest_are_forgotten() -> None:
    population = Population()
    for n in range(module._MOST + 3):
        population.add(str(n))
    assert len(population) == module._MOST
    assert population.next_batch(2) == ["3", "4"]
