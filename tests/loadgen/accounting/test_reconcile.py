"""Several workers' ledgers merge to the account that one ledger with all their calls would have."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.loadgen.accounting.ledger import Ledger
from ringback.loadgen.accounting.reconcile import Account, DeliveryCounts, IdFate, LineAccount, Reconciler

SETTLE = 10.0
LINES = ["Busy", "Answered", "No Answer"]
BUSY, ANSWERED, NO_ANSWER = range(3)


class Workers:
    """Some workers and a master, and one ledger with all calls of the workers."""

    def __init__(self, number: int, offsets: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)) -> None:
        self.ledgers = {f"worker-{each}": Ledger(SETTLE, LINES) for each in range(1, number + 1)}
        self.offsets = dict(zip(self.ledgers, offsets, strict=False))
        self.one = Ledger(SETTLE, LINES)
        self.master = Reconciler(SETTLE)

    def accept(self, worker: str, unique_id: str, line: int, at: float) -> None:
        self.ledgers[worker].accept(unique_id, line, at - self.offsets[worker])
        self.one.accept(unique_id, line, at)

    def report(self, worker: str, unique_id: str, state: str, at: float) -> None:
        self.ledgers[worker].report(unique_id, state, at - self.offsets[worker])
        self.one.report(unique_id, state, at)

    def missed(self, worker: str, unique_id: str, at: float) -> None:
        if self.ledgers[worker].follows(unique_id):
            self.ledgers[worker].missed(unique_id, at - self.offsets[worker])
            self.one.missed(unique_id, at)

    def drain(self, worker: str) -> int:
        return self.master.take(worker, self.ledgers[worker].drain_digests())

    def merged(self) -> Account:
        """Accounts and fates in plain values, as they are sent over a network."""
        for worker in self.ledgers:
            self.drain(worker)
        accounts = {
            worker: Account.from_dict(json.loads(json.dumps(asdict(ledger.account()))))
            for worker, ledger in self.ledgers.items()
        }
        fates = {
            worker: [
                IdFate.from_plain(json.loads(json.dumps(fate)))
                for fate in ledger.fates(self.master.shared(worker), self.offsets[worker])
            ]
            for worker, ledger in self.ledgers.items()
        }
        return self.master.merge(accounts, fates)


def adds_up(account: Account) -> bool:
    return account.accepted == account.final + account.lost + account.duplicate_ids + account.unfinished


def test_an_id_given_to_calls_of_two_workers_is_one_call_and_one_duplicate() -> None:
    workers = Workers(2)
    workers.accept("worker-1", "x", BUSY, 1)
    workers.accept("worker-2", "x", ANSWERED, 2)
    workers.report("worker-1", "x", "Answered", 3)
    workers.report("worker-2", "x", "Answered", 4)
    merged = workers.merged()
    assert merged == workers.one.account()
    assert merged.by_line == {
        "answered": LineAccount(accepted=1, duplicate_ids=1),
        "busy": LineAccount(accepted=1, final=1, by_state={"Answered": 1}),
    }
    assert replace(merged, by_line={}) == Account(accepted=2, final=1, duplicate_ids=1, by_state={"Answered": 1})


def test_different_states_at_two_workers_are_a_changed_state() -> None:
    workers = Workers(2)
    workers.accept("worker-1", "x", BUSY, 1)
    workers.report("worker-1", "x", "Busy", 2)
    workers.accept("worker-2", "x", ANSWERED, 3)
    workers.report("worker-2", "x", "Answered", 4)
    merged = workers.merged()
    assert merged == workers.one.account()
    assert (merged.changed_state, merged.wrong_state, merged.by_state) == (1, 0, {"Busy": 1})


def test_a_line_dialled_after_the_end_does_not_excuse_a_wrong_state() -> None:
    workers = Workers(2)
    workers.accept("worker-1", "x", BUSY, 1)
    workers.report("worker-1", "x", "Answered", 2)
    workers.accept("worker-2", "x", ANSWERED, 3)
    workers.report("worker-2", "x", "Answered", 4)
    merged = workers.merged()
    assert merged == workers.one.account()
    assert merged.wrong_state == 1


@pytest.mark.parametrize(("again", "lost"), [(5.0, 0), (20.0, 1)])
def test_an_id_lost_to_one_worker_is_lost_unless_another_call_gave_it_more_time(again: float, lost: int) -> None:
    workers = Workers(2)
    workers.accept("worker-1", "x", BUSY, 1)
    if again < 12:
        workers.accept("worker-2", "x", BUSY, again)
    workers.missed("worker-1", "x", 12)
    if again > 12:
        workers.accept("worker-2", "x", BUSY, again)
    workers.report("worker-2", "x", "Busy", max(again, 12) + 2)
    merged = workers.merged()
    assert merged == workers.one.account()
    assert (merged.lost, merged.final, merged.duplicate_ids) == (lost, 1 - lost, 1)


def test_a_late_state_at_one_worker_ends_a_call_that_another_still_followed() -> None:
    workers = Workers(2)
    workers.accept("worker-1", "x", BUSY, 1)
    workers.accept("worker-2", "x", BUSY, 5)
    workers.missed("worker-1", "x", 12)
    workers.report("worker-1", "x", "Answered", 13)
    workers.report("worker-2", "x", "Busy", 14)
    merged = workers.merged()
    assert merged == workers.one.account()
    assert (merged.final, merged.wrong_state, merged.changed_state) == (1, 1, 1)


def test_a_wrong_state_of_a_shared_id_is_counted_once() -> None:
    workers = Workers(2)
    workers.accept("worker-1", "x", BUSY, 1)
    workers.accept("worker-1", "x", BUSY, 2)
    workers.report("worker-1", "x", "Answered", 3)
    workers.accept("worker-2", "x", BUSY, 4)
    merged = workers.merged()
    assert merged == workers.one.account()
    assert (merged.wrong_state, merged.duplicate_ids) == (1, 2)


def test_an_id_that_two_workers_still_follow_is_unfinished_once() -> None:
    workers = Workers(3)
    for number, worker in enumerate(workers.ledgers):
        workers.accept(worker, "x", BUSY, number)
    merged = workers.merged()
    assert merged == workers.one.account()
    assert merged.by_line == {"busy": LineAccount(accepted=3, duplicate_ids=2, unfinished=1)}
    assert replace(merged, by_line={}) == Account(accepted=3, duplicate_ids=2, unfinished=1)


def test_different_clocks_are_translated() -> None:
    workers = Workers(2, offsets=(-1000.0, -5000.0))
    workers.accept("worker-1", "x", BUSY, 1)
    workers.report("worker-1", "x", "Busy", 3)
    workers.accept("worker-2", "x", ANSWERED, 4)
    workers.report("worker-2", "x", "Answered", 5)
    merged = workers.merged()
    assert merged == workers.one.account()
    assert merged.by_state == {"Busy": 1}


def test_the_master_finds_a_shared_id_once_and_asks_only_its_workers() -> None:
    workers = Workers(3)
    for worker in ("worker-1", "worker-2"):
        workers.accept(worker, "x", BUSY, 1)
        workers.accept(worker, worker, BUSY, 1)
    assert [workers.drain(worker) for worker in workers.ledgers] == [0, 1, 0]
    workers.accept("worker-1", "y", BUSY, 1)
    assert [workers.drain(worker) for worker in workers.ledgers] == [0, 0, 0]
    assert workers.master.shared("worker-1") == workers.master.shared("worker-2") != []
    assert workers.master.shared("worker-3") == []
    assert [workers.master._taken[worker] for worker in workers.ledgers] == [3, 2, 0]


def test_a_lost_worker_counts_with_what_it_reported() -> None:
    workers = Workers(2)
    for unique_id in ("a", "b", "c"):
        workers.accept("worker-2", unique_id, BUSY, 1)
    workers.report("worker-2", "a", "Busy", 2)
    last = workers.ledgers["worker-2"].account()
    workers.accept("worker-2", "d", BUSY, 3)
    workers.drain("worker-2")
    workers.accept("worker-1", "b", BUSY, 4)
    workers.report("worker-1", "b", "Busy", 5)
    workers.drain("worker-1")
    survivor = workers.ledgers["worker-1"]
    merged = workers.master.merge(
        {"worker-1": survivor.account(), "worker-2": last},
        {"worker-1": survivor.fates(workers.master.shared("worker-1"))},
    )
    expected = Account(accepted=5, final=2, duplicate_ids=1, unfinished=2, by_state={"Busy": 2})
    assert replace(merged, by_line={}) == expected
    assert merged.by_line["busy"].accepted == 4, "what was accepted after the last report has no line"
    assert adds_up(merged)


def test_a_worker_lost_before_its_first_account_has_only_unfinished_calls() -> None:
    workers = Workers(1)
    workers.accept("worker-1", "a", BUSY, 1)
    workers.report("worker-1", "a", "Busy", 2)
    workers.drain("worker-1")
    assert workers.master.merge({}, {}) == Account(accepted=1, unfinished=1)


@pytest.mark.parametrize("state", ["Busy", None])
def test_shared_ids_of_lost_workers_still_add_up(state: str | None) -> None:
    workers = Workers(2)
    for worker in workers.ledgers:
        workers.accept(worker, "x", BUSY, 1)
        if state is None:
            workers.missed(worker, "x", 20)
        else:
            workers.report(worker, "x", state, 2)
        workers.drain(worker)
    merged = workers.master.merge({name: ledger.account() for name, ledger in workers.ledgers.items()}, {})
    assert adds_up(merged)
    assert (merged.accepted, merged.duplicate_ids) == (2, 1)


def test_a_delivery_to_one_of_two_workers_is_not_missing() -> None:
    workers = Workers(2)
    for worker, ledger in workers.ledgers.items():
        workers.accept(worker, "x", BUSY, 1)
        workers.accept(worker, worker, BUSY, 1)
        for unique_id in ("x", worker):
            ledger.expect_delivery(unique_id)
            workers.report(worker, unique_id, "Busy", 2)
    workers.ledgers["worker-1"].delivered("x", "Busy", 3)
    for ledger in workers.ledgers.values():
        ledger.close_deliveries(now=100, delivery_time=5)
    assert workers.merged().deliveries == DeliveryCounts(expected=3, arrived=1, missing=2, stated=1)


@dataclass(frozen=True)
class Happening:
    what: str
    worker: int
    unique_id: str
    line: int
    state: str
    wait: int


happenings = st.builds(
    Happening,
    st.sampled_from(["accept", "accept", "missed", "missed", "report", "drain"]),
    st.integers(1, 4),
    st.sampled_from("abc"),
    st.integers(0, 2),
    st.sampled_from([*LINES, "", "odd"]),
    st.sampled_from([1, 7, 130, 400, 700, 1100]),
)


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 4), st.lists(happenings, min_size=10, max_size=60), st.tuples(*[st.integers(-9000, 0)] * 4))
def test_any_history_merges_to_the_account_of_one_ledger(
    number: int, history: list[Happening], offsets: tuple[int, ...]
) -> None:
    workers = Workers(number, tuple(offset / 100 for offset in offsets))
    given_to: set[tuple[str, str]] = set()
    hundredths = 0
    for each in history:
        worker = f"worker-{(each.worker - 1) % number + 1}"
        hundredths += each.wait
        at = hundredths / 100
        if each.what == "accept":
            workers.accept(worker, each.unique_id, each.line, at)
            given_to.add((worker, each.unique_id))
        elif each.what == "drain":
            workers.drain(worker)
        elif (worker, each.unique_id) in given_to:
            if each.what == "report":
                workers.report(worker, each.unique_id, each.state, at)
            else:
                workers.missed(worker, each.unique_id, at)
    merged = workers.merged()
    assert merged == workers.one.account()
    assert adds_up(merged)


def test_an_account_is_sent_unchanged_and_refuses_unknown_members() -> None:
    line = LineAccount(accepted=3, final=1, unfinished=2, by_state={"Busy": 1})
    account = Account(
        accepted=3, final=1, unfinished=2, by_state={"Busy": 1}, by_line={"busy": line},
        deliveries=DeliveryCounts(expected=3),
    )  # fmt: skip
    assert Account.from_dict(json.loads(json.dumps(asdict(account)))) == account
    with pytest.raises(TypeError):
        Account.from_dict({"won": 1})
