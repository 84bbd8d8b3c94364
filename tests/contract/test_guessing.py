"""Guessable identifiers are found; random ones are not."""

from __future__ import annotations

import random
import secrets
import time
import uuid
from collections.abc import Callable

import pytest

from ringback.contract.guessing import why_guessable

GUESSABLE: dict[str, Callable[[int], str]] = {
    "a counter": lambda n: str(1000 + n),
    "a counter behind a prefix": lambda n: f"call-{1000 + n}-eu",
    "a counter in hexadecimal": lambda n: f"{0xABC000 + n:x}",
    "a counter with leading zeros": lambda n: f"{n:012d}",
    "a counter that leaps": lambda n: f"id{5000 + n * 37}",
    "milliseconds": lambda n: str(1_760_000_000_000 + n * 13),
    "a UUID of version 1": lambda n: str(uuid.UUID(fields=(0x1234_0000 + n * 7919, 0x1111, 0x11EE, 0x80, 0, 0xABCDEF))),
    "few random digits": lambda n: f"{random.Random(n).randrange(10**6):06d}",
    "few random letters": lambda n: "fixed-" + "".join(random.Random(n).choices("abcdef", k=4)),
}
RANDOM: dict[str, Callable[[int], str]] = {
    "UUIDs": lambda _n: str(uuid.uuid4()),
    "UUIDs in upper case": lambda _n: str(uuid.uuid4()).upper(),
    "random hexadecimal": lambda _n: secrets.token_hex(16),
    "random base64": lambda _n: secrets.token_urlsafe(16),
    "random decimals": lambda _n: str(secrets.randbits(64)),
    "a clock before enough randomness": lambda n: f"{int(time.time() * 1000) + n:013d}-{secrets.token_hex(12)}",
    "a prefix before enough randomness": lambda _n: f"tenant-1-{secrets.token_hex(10)}",
}


@pytest.mark.parametrize("kind", GUESSABLE)
@pytest.mark.parametrize("count", [4, 12, 58])
def test_guessable_ids_are_found(kind: str, count: int) -> None:
    if count == 4 and "few" in kind:
        pytest.skip("four ids show little of how much varies")
    assert why_guessable([GUESSABLE[kind](n) for n in range(count)])


@pytest.mark.parametrize("kind", RANDOM)
@pytest.mark.parametrize("count", [4, 12, 58])
def test_random_ids_are_not_called_guessable(kind: str, count: int) -> None:
    for _ in range(60):
        assert why_guessable([RANDOM[kind](n) for n in range(count)]) is None


@pytest.mark.parametrize(
    "ids", [[], ["a"], ["1", "2", "3"], ["1", "1", "1", "1", "1"], ["7", "7", "8", "8", "9", "9"]], ids=repr
)
def test_too_few_ids_prove_nothing(ids: list[str]) -> None:
    assert why_guessable(ids) is None


@pytest.mark.parametrize("ids", [["", "a", "b", "c"], ["a", "ab", "abc", "abcd"], ["é", "ß", "٣", "\ud800"]], ids=ascii)
def test_unusual_ids_are_accepted(ids: list[str]) -> None:
    assert why_guessable(ids)
