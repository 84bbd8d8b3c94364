"""The memory for ids: a dict from digest to note, but smaller."""

from __future__ import annotations

import subprocess
import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.loadgen.accounting.id_memory import IdMemory, digest_of, pack_digests, unpack_digests

NOTES = st.integers(0, 2**48 - 1)
FEW_DIGESTS = st.integers(0, 40).map(lambda number: number << 10 | 7) | st.integers(0, 2**58 - 1)


@given(st.lists(st.tuples(FEW_DIGESTS, NOTES), max_size=200))
def test_it_is_a_dict_that_does_not_overwrite(digests: list[tuple[int, int]]) -> None:
    memory, model = IdMemory(), dict[int, int]()
    for digest, note in digests:
        place = memory.claim(digest)
        assert (place >= 0) == (digest not in model)
        if place >= 0:
            memory.set_note(place, note)
        model.setdefault(digest, note)
    assert len(memory) == len(model)
    assert dict(memory.items()) == model
    assert all(memory.get(digest) == note for digest, note in model.items())


def test_places_stay_while_it_grows_and_notes_can_be_replaced() -> None:
    memory = IdMemory()
    digests = [number << 10 | 5 for number in range(3_000)] + [digest_of(f"id-{number}") for number in range(20_000)]
    places = [memory.claim(digest) for digest in digests]
    assert min(places) >= 0
    assert [memory.note(place) for place in places] == [0] * len(digests)
    for note, place in enumerate(places):
        memory.set_note(place, note << 24)
    assert [memory.get(digest) for digest in digests] == [note << 24 for note in range(len(digests))]
    assert [memory.digest(place) for place in places] == digests
    assert [memory.claim(digest) for digest in digests] == [-1 - place for place in places]
    assert len(memory) == len(digests)


def test_an_id_never_seen_is_not_known() -> None:
    memory = IdMemory()
    assert memory.get(0) is None
    assert memory.find(5) is None
    memory.set_note(memory.claim(0), 1)
    assert memory.get(0) == 1
    assert memory.get(1 << 10) is None


def test_new_digests_are_reported_once() -> None:
    memory, marks = IdMemory(), array("L")
    first, second = ([digest_of(f"{part}{number}") for number in range(3_000)] for part in "ab")
    for digest in first:
        memory.claim(digest)
    assert sorted(memory.since(marks)) == sorted(first)
    for digest in (*first, *second):
        memory.claim(digest)
    assert sorted(memory.since(marks)) == sorted(second)
    assert not memory.since(marks)


def test_digests_are_the_same_in_every_process() -> None:
    ran = subprocess.run(
        [
            sys.executable, "-c",
            "from ringback.loadgen.accounting.id_memory import digest_of; print(digest_of('c0ffee'))",
        ],
        env={"PYTHONHASHSEED": "4711"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(ran.stdout) == digest_of("c0ffee")


def test_different_texts_have_different_digests() -> None:
    texts = ["", "a", "A", "é", "e\u0301", "\ud800", "\udc80", "☎", "\x00", "a\x00"]
    digests = {digest_of(text) for text in texts}
    assert len(digests) == len(texts)
    assert all(0 <= digest < 2**58 for digest in digests)


@given(st.lists(st.integers(0, 2**58 - 1)))
def test_digests_are_packed_and_unpacked(digests: list[int]) -> None:
    packed = pack_digests(array("Q", digests))
    assert packed == b"".join(digest.to_bytes(8, "little") for digest in digests)
    assert list(unpack_digests(packed)) == digests


def test_bytes_of_a_wrong_length_are_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        unpack_digests(b"1234567")
