"""The plan: its numbers agree with each other and with what is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.suite.campaign import AT_ONCE
from ringback.suite.plan import Plan
from ringback.suite.probes import accepted, either, refused, unchanged
from ringback.suite.probes.baseline import BASELINE
from ringback.suite.probes.common import LINE_CALLS

from .tiny import LINES, Tiny, running, settings

CONFIG = settings(9)


def plan_of(*, probes: int = 0, eithers: int = 0, refusals: int = 0, burst: bool = False, identical: int = 0,
            pool: int = 0, drawn: int = 0) -> Plan:  # fmt: skip
    lines = list(LINES)
    every = (
        *(accepted(f"probe {n}", line=lines[n % 7]) for n in range(probes)),
        *(either(f"either {n}", unchanged) for n in range(eithers)),
        *(refused(f"refused {n}", lambda draft: draft.drop("Tenant")) for n in range(refusals)),
    )
    return Plan(every, burst, identical, pool, drawn, ())


@given(
    probes=st.integers(0, 9), eithers=st.integers(0, 4), refusals=st.integers(0, 9), burst=st.booleans(),
    identical=st.sampled_from([0, 2, 3]), pool=st.integers(0, 40), drawn=st.integers(0, 6),
)  # fmt: skip
def test_the_calls_by_line_add_up_to_the_calls(
    probes: int, eithers: int, refusals: int, burst: bool, identical: int, pool: int, drawn: int
) -> None:
    plan = plan_of(probes=probes, eithers=eithers, refusals=refusals, burst=burst, identical=identical, pool=pool,
                   drawn=drawn)  # fmt: skip
    assert plan.calls_by_line(CONFIG).total() == plan.calls
    assert plan.triggers == plan.calls + refusals
    assert plan.placed >= pool


def test_the_baseline_is_counted_once() -> None:
    assert Plan((BASELINE,), False, 0, 0, 0, ()).calls == Plan((), False, 0, 0, 0, ()).calls == 1


@pytest.mark.parametrize("pool", [0, 30])
def test_the_number_of_placed_calls_is_the_planned_one(pool: int) -> None:
    plan = plan_of(probes=3, refusals=2, burst=True, identical=3, pool=pool)
    tiny = Tiny(lambda asked: 200 if "Tenant" in asked.body else 400)
    with running(tiny, plan.probes, burst=True, identical=3, pool=pool) as session:
        assert session.budget.accepted == plan.calls == max(pool, 1 + AT_ONCE)
        by_line = plan.calls_by_line(session.config)
        sent = dict.fromkeys(LINES, 0)
        for call in session.record.calls:
            sent[call.line] += 1
        assert sent == {name: by_line[name] for name in LINES}


def test_the_trigger_rate_decides_how_long_sending_takes() -> None:
    slow = settings(9, budget={"triggers_per_second": 2})
    assert plan_of(probes=9, pool=10).seconds(slow) == 4
    assert plan_of().seconds(CONFIG) == 0


def test_a_line_that_is_not_configured_is_replaced_by_the_first() -> None:
    config = CONFIG.model_copy(update={"lines": CONFIG.lines.model_copy(update={"answered": None})})
    assert set(plan_of(probes=7).calls_by_line(config)) <= set(LINES) - {"answered"}


def test_a_call_to_a_line_that_is_not_configured_is_named_by_the_line_it_dials() -> None:
    assert LINE_CALLS["error"].title_on("answered") == "a call to the line answered"
    assert LINE_CALLS["busy"].title_on("busy") == "a call to the line busy"
    assert BASELINE.title_on("busy") == BASELINE.title
