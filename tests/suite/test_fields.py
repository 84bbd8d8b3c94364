"""Mixtures of odd text: which of them make a trigger with one kind of text unnecessary."""

from __future__ import annotations

import pytest

from ringback.suite.probes.fields import ALL_ODD, ODD_TEXTS, covering

ADDRESS = "ResultDestination"


def test_everything_is_tried_together_first_but_nul_in_an_address() -> None:
    for (kind, where), probe in ODD_TEXTS.items():
        first = [ALL_ODD] if (kind, where) != ("NUL", ADDRESS) else []
        assert covering(kind, where)[:1] == first, probe


@pytest.mark.parametrize("refused", [kind for kind, _ in ODD_TEXTS])
def test_a_deployment_that_refuses_one_kind_accepts_one_trigger_with_the_others(refused: str) -> None:
    others = [(kind, where) for kind, where in ODD_TEXTS if kind != refused and where != ADDRESS]
    shared = [
        mixture for mixture in covering(*others[0])
        if mixture not in covering(refused, "every text that is stored")
        and all(mixture in covering(*other) for other in others)
    ]  # fmt: skip
    assert shared
