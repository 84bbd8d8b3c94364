"""The load section and the lines of windows."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from ringback.config import Limit
from ringback.loadgen.accounting.reconcile import Account, DeliveryCounts, LineAccount
from ringback.loadgen.judging.capacity import Capacity, Step
from ringback.loadgen.judging.limits import evaluate, value_of
from ringback.loadgen.judging.snapshot import LoadSnapshot
from ringback.loadgen.metrics.histogram import Histogram
from ringback.loadgen.metrics.section import window_lines
from ringback.loadgen.metrics.windows import Windows
from ringback.loadgen.schedule.origin import POLL, TRIGGER, origin
from ringback.loadgen.schedule.plan import LoadPlan
from ringback.loadgen.schedule.profiles import constant, steps
from ringback.reporting import SCHEMA_PATH
from tests.loadgen.deployments import config_for

DEFS = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))["$defs"]
LOAD = jsonschema.Draft202012Validator({"$ref": "#/$defs/load", "$defs": DEFS})


def played(steady: tuple[float, float] = (2.0, math.inf), late: tuple[int, ...] = ()) -> Windows:
    """20 s of 100 triggers and 10 polls a second: slow in the first two seconds, late in some."""
    windows = Windows(steady, name="worker-1")
    for second in range(20):
        for number in range(100):
            service = 1.0 if second < 2 else 0.01
            lag = 0.5 if second in late and number < 10 else 0.0001
            windows.take(TRIGGER, second + number / 100, service + lag, service)
        for number in range(10):
            windows.take(POLL, second + number / 10, 0.02, 0.02, "http_500" if number == 9 and second < 3 else None)
        done = 100 * (second + 1)
        windows.tick(second + 1.0, scheduled=done, sent=done, accepted=done, final=done - 50, in_flight=50, cpu=0.2)
    windows.sending_ended = 20.0
    windows.close()
    return windows


PLAN = LoadPlan("lifecycle", 100.0, 1, 20.0, 7, profile=constant(100, 20))


def snapshot_of(windows: Windows, plan: LoadPlan = PLAN, limits: Iterable[str] = (), **more: Any) -> LoadSnapshot:
    """A run with these windows; `limits` are metrics that have one."""
    time_to_final = Histogram()
    for number in range(1, 101):
        time_to_final.record(number / 100)
    part = {
        "name": "worker-1", "seconds": 20.0, "reached": True, "unusable": None, "scheduled": 2000, "sent": 2000,
        "held_back": 0, "indeterminate": 0, "unfinished_ids": [], "time_to_final": {"busy": time_to_final.to_plain()},
        "account": {"accepted": 2000}, "connections": dict.fromkeys(("opened", "reused", "tls_resumed", "stale"), 3),
        "dns": "resolved once: 127.0.0.1", "open_files": 20, "open_files_limit": 1024, "receiver": None,
        "examples": {"trigger": {}, "poll": {}},
    }  # fmt: skip
    lines = {
        "answered": LineAccount(accepted=9, final=9, by_state={"Answered": 9}),
        "busy": LineAccount(accepted=6, final=5, unfinished=1, wrong_state=3, by_state={"Answered": 3, "Busy": 2}),
    }
    account = Account(accepted=2000, final=2000, by_state={"Busy": 2000}, by_line=lines, deliveries=DeliveryCounts())
    config = config_for("http://127.0.0.1:1", **{f"limits__{metric}": ">= 0" for metric in limits})
    return LoadSnapshot(config, plan, [part], account, windows, lost={}, **more)


def section_of(windows: Windows, **more: Any) -> dict[str, Any]:
    return snapshot_of(windows, **more).section()


def test_a_section_fits_the_schema_whole_and_empty() -> None:
    capacity = Capacity(400.0, 400.0, None, (Step(400.0, None, "", error_rate=0.0, arrived_rate=399.8),), "")
    for section in (
        section_of(played(late=(5,)), capacity=capacity),
        section_of(played(late=tuple(range(20))), plan=replace(PLAN, workers=2)),
        section_of(Windows()),
        LoadSnapshot.empty(config_for("http://127.0.0.1:1"), PLAN).section(),
    ):
        LOAD.validate(section)
        assert json.loads(json.dumps(section, allow_nan=False)) == section


def test_only_the_limit_on_the_slow_step_and_on_the_slow_line_fails() -> None:
    plan = replace(PLAN, profile=steps([(100, 4)] * 3))
    windows = Windows(plan.steady, cuts=plan.cuts)
    for second in range(12):
        for number in range(100):
            line = "busy" if number % 4 == 0 else "answered"
            slow = 0.7 if 4 <= second < 8 and line == "busy" else 0.01
            windows.take(origin("trigger", line), second + number / 100, slow, slow)
        windows.tick(second + 1.0, scheduled=100 * (second + 1), sent=100 * (second + 1))
    windows.close()
    section = section_of(windows, plan=plan, limits=["line.no_answer.trigger.count"])
    LOAD.validate(section)
    assert [step["trigger"]["count"] for step in section["step"].values()] == [400, 400, 400]
    assert {line: found["trigger"]["count"] for line, found in section["line"].items()} == {
        "answered": 900, "busy": 300, "no_answer": 0
    }  # fmt: skip
    names = ("step.1", "step.2", "step.3", "line.answered", "line.busy", "line.no_answer")
    limits = [Limit.parse(f"{name}.trigger.latency_ms.p90", "< 500") for name in names]
    held = {result.metric.removesuffix(".trigger.latency_ms.p90"): result for result in evaluate(limits, section)}
    assert {name: held[name].verdict.value for name in names} == {
        "step.1": "pass", "step.2": "fail", "step.3": "pass",
        "line.answered": "pass", "line.busy": "fail", "line.no_answer": "inconclusive",
    }  # fmt: skip
    assert held["line.no_answer"].why == "no trigger succeeded"
    of_calls = {
        "line.busy.calls.wrong_state == 0": "fail", "line.answered.calls.wrong_state == 0": "pass",
        "line.busy.calls.by_state.answered == 3": "pass", "line.no_answer.calls.lost == 0": "inconclusive",
        "line.busy.calls.lost == 0": "inconclusive", "line.busy.time_to_final_ms.max < 800": "fail",
        "line.busy.time_to_final_ms.p50 < 600": "pass", "line.answered.time_to_final_ms.p50 < 3000": "inconclusive",
    }  # fmt: skip
    limits = [Limit.parse(*text.split(" ", 1)) for text in of_calls]
    results = evaluate(limits, section)[: len(limits)]
    assert [held.verdict.value for held in results] == list(of_calls.values())
    why = {held.metric: held.why for held in results}
    assert why["line.no_answer.calls.lost"] == "no call was accepted"
    assert why["line.busy.calls.lost"] == "1 calls were unfinished when the run ended"
    assert why["line.answered.time_to_final_ms.p50"] == "no call ended"
    old = {**section, "line": {"busy": {"trigger": section["line"]["busy"]["trigger"]}}}
    (relative,) = evaluate([Limit.parse("line.busy.calls.final", "<= 1x baseline")], section, old)[:1]
    assert relative.verdict.value == "inconclusive", "a baseline without calls of lines is not one of the whole run"
    baseline = {**section, "step": {"2": section["step"]["1"]}}
    (slower,) = (
        r
        for r in evaluate([Limit.parse("step.2.trigger.latency_ms.p50", "< 1.2x baseline")], section, baseline)
        if r.metric.startswith("step")
    )
    assert slower.verdict.value == "pass", "the median is that of the other line"
    (unknown,) = (
        r
        for r in evaluate([Limit.parse("step.3.trigger.latency_ms.p50", "< 1.2x baseline")], section, baseline)
        if r.metric.startswith("step")
    )
    assert unknown.verdict.value == "inconclusive", "the baseline had no such step"


def test_a_step_in_which_the_generator_was_the_limit_has_no_verdict_on_times_and_spoils_no_other() -> None:
    plan = replace(PLAN, profile=steps([(100, 4)] * 2))
    windows = Windows(plan.steady, cuts=plan.cuts)
    for second in range(8):
        for number in range(100):
            lag = 0.4 if second < 4 else 0.0001
            windows.take(TRIGGER, second + number / 100, 0.01 + lag, 0.01)
    windows.close()
    section = section_of(windows, plan=plan)
    limits = [Limit.parse(f"step.{n}.trigger.latency_ms.p90", "< 100") for n in (1, 2)]
    held = {result.metric: result.verdict.value for result in evaluate(limits, section)}
    assert (held["step.1.trigger.latency_ms.p90"], held["step.2.trigger.latency_ms.p90"]) == ("inconclusive", "pass")


def test_figures_come_from_the_steady_part_with_the_whole_beside() -> None:
    section = section_of(played())
    assert section["steady"] == {"from_s": 2.0, "to_s": 20.0}
    assert section["trigger"]["count"] == 1800
    assert section["trigger"]["latency_ms"]["max"] == pytest.approx(10.1)
    assert section["poll"]["errors"] == {"http_500": 1}
    assert section["poll"]["error_rate"] == pytest.approx(1 / 180, abs=1e-6)
    assert section["trigger"]["whole"] == {"count": 2000, "errors": {}}
    assert section["poll"]["whole"] == {"count": 200, "errors": {"http_500": 3}}
    assert "sound" not in section["trigger"]
    assert section["generator"]["windows"] == 18
    assert section["generator"]["lag_ms"]["p99"] == pytest.approx(0.1, rel=0.01)


def test_a_steady_part_that_is_the_whole_run_agrees_with_it() -> None:
    section = section_of(played((0.0, math.inf)))
    for operation in ("trigger", "poll"):
        members = section[operation]
        assert members["whole"] == {"count": members["count"], "errors": members["errors"]}


def test_a_part_may_be_a_step() -> None:
    section, lines = snapshot_of(played((0.0, math.inf))).between(0.0, 2.0)
    assert [line["from_s"] for line in lines] == [0.0, 1.0]
    assert section["steady"] == {"from_s": 0.0, "to_s": 2.0}
    assert section["trigger"]["latency_ms"]["p50"] == pytest.approx(1000, rel=0.01)


def test_the_distribution_has_latency_and_service_side_by_side() -> None:
    members = section_of(played(late=(5,)))["trigger"]["distribution"]
    assert 35 <= len(members) <= 45
    assert members[0][0] == 0.0
    assert members[-1] == [100.0, 510.0, 10.0]
    assert section_of(Windows())["trigger"]["distribution"] == []


def test_times_without_limited_windows_are_reported_as_sound() -> None:
    section = section_of(played(late=(5,)))
    assert section["generator"]["limited"] is False
    assert section["generator"]["limited_windows"] == 1
    assert section["trigger"]["latency_ms"]["max"] == 510
    assert section["trigger"]["sound"]["count"] == 1700
    assert section["trigger"]["sound"]["latency_ms"]["max"] == pytest.approx(10.1, rel=0.01)


def test_every_metric_of_limits_is_found() -> None:
    windows, capacity = played(), Capacity(1.0, 1.0, 2.0, (), "")
    for metric in (
        "trigger.latency_ms.p99_99", "poll.service_ms.p50", "trigger.error_rate", "poll.rate_limited",
        "trigger.errors.timeout", "poll.whole.errors.http_500", "trigger.own_faults.guard", "trigger.whole.count",
        "time_to_final_ms.p75", "calls.changed_state", "calls.by_state.busy", "calls.deliveries.missing",
        "calls.deliveries.contradicting", "arrivals.held_back", "generator.limited_windows", "generator.lag_ms.p99",
        "generator.connections.reused", "generator.open_files", "capacity.rate",
    ):  # fmt: skip
        members = section_of(windows, capacity=capacity, limits=[metric])
        assert value_of(members, metric) is not None, metric
        assert metric in {result.metric for result in evaluate([Limit.parse(metric, ">= 0")], members)}


def test_the_lines_of_windows() -> None:
    lines = list(window_lines(played(late=(5,))))
    assert len(lines) == 20
    first, sixth = lines[0], lines[5]
    assert {
        key: first[key] for key in ("from_s", "to_s", "phase", "scheduled", "sent", "accepted", "final", "in_flight")
    } == {
        "from_s": 0.0, "to_s": 1.0, "phase": "ramp", "scheduled": 100, "sent": 100, "accepted": 100, "final": 50,
        "in_flight": 50,
    }  # fmt: skip
    assert first["trigger"]["p50_ms"] == pytest.approx(1000, rel=0.01)
    assert (first["poll"]["count"], first["poll"]["errors"]) == (10, 1)
    assert (sixth["phase"], sixth["limited"]) == ("steady", True)
    assert sixth["limited_by"] == [
        f"1 % of its requests left {sixth['lag_ms']['p99']:.0f} ms or more after they were due"
    ]
    assert sixth["trigger"]["service_p99_ms"] < 11 < sixth["trigger"]["p99_ms"]
    assert json.loads(json.dumps(lines, allow_nan=False)) == lines


def test_a_line_without_measurements_has_nulls() -> None:
    windows = Windows()
    windows.tick(1.0, scheduled=0)
    (line,) = window_lines(windows)
    assert line["trigger"]["count"] == 0
    assert line["trigger"]["p99_ms"] is line["poll"]["mean_ms"] is line["lag_ms"]["p50"] is None


def test_percentiles_of_a_freezing_deployment_agree_with_the_formula() -> None:
    """Frozen for 2 s in every 10, at 1,000 uniform arrivals a second: 20 % wait, evenly between 0 and 2 s."""
    windows = Windows((0, math.inf))
    chance = random.Random(1)
    for number in range(20_000):
        due = number / 1000
        waits = max(0.0, 2.0 - due % 10)
        windows.take(TRIGGER, due, waits + chance.uniform(1e-4, 3e-4), 2e-4)
    members = section_of(windows)["trigger"]["latency_ms"]
    assert [members[key] for key in ("p90", "p95", "p99")] == [pytest.approx(ms, rel=0.01) for ms in (1000, 1500, 1900)]
