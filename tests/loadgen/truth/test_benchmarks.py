"""The load benchmarks judge figures and read other programs' output. No load is run here."""

from __future__ import annotations

import itertools
import os
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest
from benchmarks import load_false_alarms, load_growth, load_scale, load_schedule, load_speed, load_truth
from benchmarks.load_runs import Ended, LoadRan, figure, measured, offers
from benchmarks.load_truth import CASES, Judged, Row
from benchmarks.servers.running import Known

HEY = """
Summary:
  Total:	2.0005 secs
  Slowest:	0.0141 secs
  Requests/sec:	17370.4441

Status code distribution:
  [200]	34700 responses
  [502]	45 responses

Error distribution:
  [5]	Post "http://127.0.0.1:1/v2/call": dial tcp 127.0.0.1:1: connect: connection refused
"""


def ran(section: dict[str, Any], code: int = 0, reasons: tuple[str, ...] = ()) -> LoadRan:
    whole = {"generator": {"limited": False, "lag_ms": {"p99": 1.0}}} | section
    return LoadRan(Ended(code, 10.0, 5.0, ""), whole, [], reasons)


class KnownByValues(Known):
    """A deployment with given values, without a server."""

    def __init__(self, truth: dict[str, Any], arrived: list[float], answered: list[float]) -> None:
        super().__init__("http://127.0.0.1:1", 0)
        object.__setattr__(self, "_kept_truth", (truth, array("d", arrived), array("d", answered)))

    def truth(self) -> dict[str, Any]:
        truth: dict[str, Any] = self._kept_truth[0]  # type: ignore[attr-defined]  # set in spite of being frozen
        return truth

    def instants(self) -> tuple[array[float], array[float]]:
        return self._kept_truth[1], self._kept_truth[2]  # type: ignore[attr-defined]  # as above


def trigger(**latency_ms: float) -> dict[str, Any]:
    return {"arrivals": {"sent": 2000}, "trigger": {"latency_ms": latency_ms, "errors": {}}}


def frozen_for(seconds: float, *, block: bool = False) -> KnownByValues:
    due = [number / 1000 for number in range(2000)]
    answered = [at if at % 1 < 0.9 else at + 1 - at % 1 for at in due]
    thaws = [{"at": 1.0, "held": 100, "seconds": seconds}, {"at": 2.0, "held": 3, "seconds": 9.0}]
    return KnownByValues(
        {"for_s": 0.1, "every_s": 1.0, "thaws": thaws, "triggers": 2000, "block": block}, due, answered
    )


def test_percentiles_of_a_freeze_are_right_within_5_percent_and_the_base_latency() -> None:
    case = CASES["freeze-short"].shortened(0.1)
    assert case.seconds == 2
    rows = load_truth.freezes(case, ran(trigger(p50=1.9, p95=53.4, p99=84.6)), frozen_for(0.0), 0.001)
    assert [row.holds for row in rows] == [True] * 6
    assert [row.name for row in rows][:3] == ["p50 ms", "p95 ms", "p99 ms"]
    assert [row.known for row in rows][:3] == pytest.approx([1.0, 50.0, 90.0])
    assert [row.saw for row in rows][:3] == pytest.approx([0.0, 50.0, 90.0], abs=1.001)
    rows = load_truth.freezes(case, ran(trigger(p50=2.2, p95=53.6, p99=84.4)), frozen_for(0.0), 0.001)
    assert [row.holds for row in rows] == [False] * 3 + [True] * 3


def test_a_deployment_that_sleeps_is_judged_by_its_own_clock() -> None:
    case = CASES["freeze-block"].shortened(0.1)
    rows = load_truth.freezes(case, ran(trigger(p50=1.0, p95=52.0, p99=90.0)), frozen_for(0.0, block=True), 0.001)
    assert [row.known for row in rows][:3] == pytest.approx([1.0, 50.0, 90.0], abs=1.001)
    assert [row.ideal for row in rows][:3] == [None] * 3
    assert all(row.holds for row in rows)


def test_a_deployment_that_is_slow_to_catch_up_is_no_yardstick() -> None:
    case = CASES["freeze-short"].shortened(0.1)
    answer = ran(trigger(p50=1.0, p95=50.0, p99=90.0))
    assert load_truth._unfit(load_truth.freezes(case, answer, frozen_for(0.001), 0.001)) is None
    slow = load_truth.freezes(case, answer, frozen_for(0.01), 0.001)
    assert [row.known for row in slow][1:3] == pytest.approx([55.0, 91.0])
    assert "p95 ms 55.0, not 50.0" in (load_truth._unfit(slow) or "")


def test_a_missing_arrival_is_no_matter_of_percent() -> None:
    section = trigger(p50=1.0, p95=50.0, p99=90.0) | {"arrivals": {"sent": 1999}}
    rows = load_truth.freezes(CASES["freeze-short"].shortened(0.1), ran(section), frozen_for(0.0), 0.001)
    assert [row.name for row in rows if not row.holds] == ["arrivals sent"]


def test_what_was_not_reported_is_not_right() -> None:
    rows = [Row("p50 ms", 1.0, None, allowed=1.0), Row("lost", 0, None), Row("rate", 400.0, None, 20.0)]
    assert not any(row.holds for row in rows)
    assert all(row.cells()[-1] == "NO" for row in rows)


@pytest.mark.parametrize(("reported", "holds"), [(380.0, True), (421.0, False), (379.0, False), (None, False)])
def test_capacity_is_right_within_5_percent(reported: float | None, holds: bool) -> None:
    section = {"capacity": {"rate": reported, "low": reported, "high": reported}}
    (row,) = load_truth.capacity(CASES["queue"], ran(section), KnownByValues({"rate": 400.0}, [], []), 0.001)
    assert row.holds is holds


def test_counts_are_exact() -> None:
    calls = {"accepted": 30, "final": 27, "lost": 1, "duplicate_ids": 2, "wrong_state": 1, "by_state": {"Busy": 27}}
    section = trigger() | {"calls": {**calls, "unfinished": 0}, "arrivals": {"sent": 30_000}}
    known = KnownByValues({"calls": calls, "triggers": 30_000}, [], [])
    assert all(row.holds for row in load_truth.counted(CASES["faulty-1"], ran(section), known, 0.001))
    section["calls"]["by_state"] = {"Busy": 26, "Rejected": 1}
    wrong = [row.name for row in load_truth.counted(CASES["faulty-1"], ran(section), known, 0.001) if not row.holds]
    assert wrong == ["by_state"]


def test_a_run_in_doubt_is_neither_right_nor_wrong() -> None:
    right = [Row("lost", 1, 1)]
    assert Judged(right, None).holds
    assert not Judged(right, "the generator was the limit").holds
    assert ran({}).doubt is None
    assert ran({}, code=1).doubt is None
    assert ran({}, code=3, reasons=("it was late",)).doubt == "exit 3: it was late"
    assert ran({"generator": {"limited": True}}).doubt == "the generator was the limit"


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Judged([Row("lost", 1, 1)], None)], 0),
        ([Judged([Row("lost", 1, 2)], None), Judged([Row("lost", 1, 1)], "late")], 1),
        ([Judged([Row("lost", 1, 2)], "late")], 3),
    ],
)
def test_the_exit_code_tells_wrong_from_undecided(
    verdicts: list[Judged], code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(load_truth, "run", lambda case: iter(verdicts))
    assert load_truth.main(["--cases", "slow", "--out", str(tmp_path / "figures.json")]) == code
    assert (tmp_path / "figures.json").stat().st_size > 20


def test_figures_of_hey_are_read() -> None:
    assert load_speed.read_hey(HEY) == (34750, 50, 2.0005)
    with pytest.raises(RuntimeError, match="does not understand"):
        load_speed.read_hey("hey: not found")


def test_start_up_is_taken_off() -> None:
    runs = iter([load_speed.Done(1_000, 0, 2.1, 1.0), load_speed.Done(11_000, 1, 2.6, 10.0)])

    class Server:
        clock = itertools.count(0.0, 2.5)

        def cpu(self) -> float:
            return next(self.clock)

    course: Any = load_speed.Course(Server(), 32, 0, Path())  # type: ignore[arg-type]  # all that is asked of it
    figures = load_speed._figures(lambda _course, _seconds: next(runs), course, 10)
    assert figures == pytest.approx(
        {"rate": 1100, "per_cpu": 20_000, "with_start": 11_000 / 2.6, "server": 0.25, "failed": 1, "remark": ""}
    )


def test_a_ratio_is_taken_within_each_round() -> None:
    row = {"rate": 1.0, "with_start": 1.0, "server": 0.5, "failed": 0, "remark": ""}
    rounds = [
        {"ringback": {**row, "per_cpu": ours}, "hey": {**row, "per_cpu": theirs}}
        for ours, theirs in ((30.0, 10.0), (10.0, 10.0), (40.0, 20.0))
    ]
    assert load_speed.ratio_to("hey", rounds) == 2.0
    assert load_speed.ratio_to("wrk", rounds) is None
    assert load_speed.table("http", rounds, 32).splitlines()[3].split() == ["hey", "1", "10", "1", "50%", "0", "2.00"]


def test_scale_is_printed_with_what_limits_it() -> None:
    assert "the second decides" in load_scale.verdict(1.4, 1.95, cores=2)
    assert "the second decides" not in load_scale.verdict(1.9, 1.95, cores=8)


def test_lines_of_figures_are_kept_truth() -> None:
    assert load_schedule.line("Ringback says", {"p99": 1.234}).split() == ["Ringback", "says", "p99", "1.23", "ms"]
    section = {"trigger": {"latency_ms": {"p99": None}}}
    reported = load_false_alarms.line(7, "inconclusive", ran(section, code=3, reasons=("late", "busy")))
    assert " ".join(reported.split()) == "7 inconclusive latency p99 0 ms, lag p99 1 ms: late; busy"


def test_a_program_is_measured_with_its_children() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\nprint('done')"
    ended = measured([sys.executable, "-c", program], on=sorted(os.sched_getaffinity(0))[:1], patience=60)
    assert (ended.code, ended.printed) == (0, "done\n")
    assert 0.3 <= ended.cpu <= ended.seconds


def test_a_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(RuntimeError, match="no end after"):
        measured(["sleep", "600"], patience=0.2)


def test_a_figure_is_found_by_its_path() -> None:
    assert figure({"trigger": {"latency_ms": {"p99": 3.0}}}, "trigger.latency_ms.p99") == 3.0
    assert figure({"trigger": {}}, "trigger.latency_ms.p99") is None


def test_what_this_version_offers_is_asked_of_itself() -> None:
    assert offers("lifecycle")
    assert offers("--rate")
    assert not offers("--rat")
    assert not offers("cycle")


def test_growth_is_the_slope_after_the_first_third() -> None:
    readings = [load_growth.Reading(at, 100 + 0.5 * max(at, 40), 30, 10) for at in range(130)]
    later = load_growth.settled(readings, 120)
    assert (later[0].at, later[-1].at) == (41, 119)
    assert load_growth.slope([(r.at, r.memory_mb) for r in later]) == pytest.approx(0.5)
    assert load_growth.slope([(r.at, r.open_files) for r in later]) == 0
    assert load_growth.slope([(1, 5)]) == 0
    assert load_growth.settled([], 120) == []
