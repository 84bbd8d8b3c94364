"""Profiles: how the arrival rate runs over time, and what the configuration may say of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.config import ConfigError, Load
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.schedule.profiles import (
    Profile,
    Segment,
    constant,
    parse_step,
    profile_from,
    ramp,
    spike,
    steps,
)

from .rates import rate_at

rates = st.floats(0.5, 2000)
times = st.floats(0.5, 40)
profiles = st.one_of(
    st.builds(lambda rate, up, level: constant(rate, up + level, up), rates, st.just(0.0) | times, times),
    st.builds(ramp, st.just(0.0) | rates, rates, times, st.just(0.0) | times),
    st.builds(ramp, rates, st.just(0.0), times),
    st.builds(steps, st.lists(st.tuples(rates, times), min_size=1, max_size=8)),
    st.builds(
        lambda base, more, at, lasting, rest: spike(base, base + more, at, lasting, at + lasting + rest),
        rates, rates, st.just(0.0) | times, times, times,
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "duration", "expected", "steady", "text"),
    [
        (constant(50, 60), 60, 3000, (0, 60), "50 a second for 60 s"),
        (constant(50, 60, 5), 60, 2875, (5, 60), "up to 50 a second over 5 s, then 50 for 55 s"),
        (constant(2.5, 14_400, 60), 14_400, 35_925, (60, 14_400), "up to 2.5 a second over 60 s, then 2.5 for 239 min"),
        (constant(20, 14_400), 14_400, 288_000, (0, 14_400), "20 a second for 4 h"),
        (ramp(10, 200, 30, 60), 90, 15_150, (30, 90), "ramp from 10 to 200 a second over 30 s, then 200 for 60 s"),
        (ramp(200, 0, 30), 30, 3000, (0, 30), "ramp from 200 to 0 a second over 30 s"),
        (steps([(50, 30), (0, 10), (75, 600)], 5), 640, 46_500, (5, 640),
         "50 a second for 30 s, then 0 for 10 s, then 75 for 10 min"),
        (steps([(50 * n, 10) for n in range(1, 11)]), 100, 27_500, (0, 100),
         "10 steps between 50 and 500 a second over 100 s"),
        (spike(50, 500, 20, 5, 60), 60, 5250, (0, 60),
         "50 a second for 60 s, with a spike to 500 after 20 s that lasts 5 s"),
    ],
)  # fmt: skip
def test_a_profile_describes_itself(
    profile: Profile, duration: float, expected: float, steady: tuple[float, float], text: str
) -> None:
    assert (profile.duration, profile.expected(), profile.steady, profile.text) == (duration, expected, steady, text)
    assert profile.count() == expected


def test_the_rate_at_an_instant() -> None:
    climb = ramp(10, 200, 10, 5)
    assert [rate_at(climb, at) for at in (-1, 0, 5, 10, 14.9, 15, 99)] == [0, 10, 105, 200, 200, 0, 0]
    burst = spike(50, 500, 20, 5, 60)
    assert [rate_at(burst, at) for at in (0, 19.9, 20, 24.9, 25, 59)] == [50, 50, 500, 500, 50, 50]


@given(profiles)
def test_expected_arrivals_are_the_integral_of_the_rate(profile: Profile) -> None:
    # On straight lines the midpoint rule is exact, so long as no sample crosses a jump.
    total, start = 0.0, 0.0
    for segment in profile.segments:
        part = segment.seconds / 50
        total += part * math.fsum(rate_at(profile, start + (number + 0.5) * part) for number in range(50))
        start += segment.seconds
    assert profile.expected() == pytest.approx(total, rel=1e-9)
    assert profile.duration == pytest.approx(start)


@given(profiles)
def test_a_profile_is_sent_unchanged(profile: Profile) -> None:
    plan = LoadPlan("lifecycle", 1.0, 1, 1.0, 0, profile=profile)
    assert LoadPlan.from_plain(json.loads(json.dumps(plan.to_plain()))) == plan


@pytest.mark.parametrize("change", [{"segments": [[1, 2]]}, {"segments": None}, {"steady": [1]}])
def test_other_values_than_profiles_are_refused(change: dict[str, Any]) -> None:
    plan = LoadPlan("lifecycle", 5.0, 1, 5.0, 0, profile=constant(5, 5)).to_plain()
    plan["profile"] |= change
    with pytest.raises(ValueError, match="profile"):
        LoadPlan.from_plain(plan)


@pytest.mark.parametrize(
    ("make", "key", "problem"),
    [
        (lambda: constant(0, 10), "rate", "there would be no arrivals"),
        (lambda: constant(math.inf, 10), "rate", "finite"),
        (lambda: constant(5, 10, 11), "ramp_up", "make it shorter"),
        (lambda: constant(5, 10, 10), "ramp_up", "make it shorter"),
        (lambda: ramp(-1, 10, 10), "rate", "0 or more"),
        (lambda: ramp(0, 0, 10), "rate", "there would be no arrivals"),
        (lambda: steps([]), "steps", "missing; list some"),
        (lambda: steps([(-5, 10)]), "rate", "0 or more"),
        (lambda: steps([(5, 10), (9, 10)], 10), "ramp_up", "as long as the first step or longer"),
        (lambda: spike(50, 50, 1, 1, 10), "spike_rate", "use a higher rate"),
        (lambda: spike(50, 90, 8, 3, 10), "spike_at", "begin it earlier"),
        (lambda: Profile("constant", (Segment(1, math.nan, 1),), (0, 1), ""), "rate", "finite"),
        (lambda: Profile("constant", (Segment(1, 1, 1),), (0, 2), ""), "ramp_up", "make it shorter"),
    ],
)
def test_a_wrong_shape_names_the_setting_and_the_fix(make: Callable[[], Profile], key: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.key == (f"--{key}" if key == "rate" else f"load.{key}")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "step"),
    [("50 for 30s", (50.0, 30.0)), (" 2.5  for 500 ms ", (2.5, 0.5)), ("0 for 1m", (0.0, 60.0))],
)
def test_a_step_is_read(text: str, step: tuple[float, float]) -> None:
    assert parse_step(text) == step


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("50", 'such as "50 for 30s"'),
        ("-5 for 3s", "not a step"),
        ("50 for 30", 'in "50 for 30": not a duration'),
        ("50 for 0s", "out of range"),
        ("50 for ever", "units"),
    ],
)
def test_a_wrong_step_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=r"^load: load\.steps: ") as caught:
        parse_step(text)
    assert problem in str(caught.value)


def load(**settings: object) -> Load:
    return Load.model_validate(settings)


TWO_STEPS = ["5 for 10s", "9 for 10s"]


@pytest.mark.parametrize(
    ("settings", "rate", "duration", "profile"),
    [
        (load(), 50, 60, constant(50, 60)),
        (load(), None, None, constant(20, 30)),
        (load(ramp_up="5s"), 50, 60, constant(50, 60, 5)),
        (load(shape="soak", ramp_up="5s"), 50, 600, constant(50, 600, 5, shape="soak")),
        (load(shape="ramp", from_rate=10, ramp_up="30s"), 200, 90, ramp(10, 200, 30, 60)),
        (load(shape="ramp", from_rate=0), 200, 90, ramp(0, 200, 90)),
        (load(shape="ramp", from_rate=0, ramp_up="90s"), 200, 90, ramp(0, 200, 90)),
        (load(shape="steps", steps=TWO_STEPS, ramp_up="2s"), None, None, steps([(5, 10), (9, 10)], 2)),
        (load(shape="spike", spike_rate=500, spike_at="20s", spike_for="5s"), 50, 60, spike(50, 500, 20, 5, 60)),
    ],
)
def test_settings_make_a_profile(settings: Load, rate: float | None, duration: float | None, profile: Profile) -> None:
    assert profile_from(settings, rate, duration) == profile


@pytest.mark.parametrize(
    ("settings", "rate", "duration", "key"),
    [
        (load(spike_rate=5), 5, 5, "load.spike_rate"),
        (load(shape="spike", ramp_up="5s"), 5, 5, "load.ramp_up"),
        (load(shape="soak", steps=["5 for 5s"]), 5, 5, "load.steps"),
        (load(shape="steps", from_rate=0), None, None, "load.from_rate"),
        (load(shape="steps"), None, None, "load.steps"),
        (load(shape="steps", steps=["5 for 5s"]), 5, None, "--rate"),
        (load(shape="steps", steps=["5 for 5s"]), None, 5, "--duration"),
        (load(shape="ramp"), 5, 5, "load.from_rate"),
        (load(shape="ramp", from_rate=1, ramp_up="9s"), 5, 5, "load.ramp_up"),
        (load(shape="spike", spike_rate=9), 5, 5, "load.spike_at"),
        (load(shape="spike", spike_rate=9, spike_at="1s"), 5, 5, "load.spike_for"),
        (load(shape="spike"), 5, 5, "load.spike_rate"),
    ],
)
def test_wrong_settings_name_the_key(settings: Load, rate: float | None, duration: float | None, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        profile_from(settings, rate, duration)
    assert caught.value.key == key
    assert caught.value.fix
