"""Windows: nothing is lost or counted twice, however they are cut, packed, doubled and merged."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.loadgen.metrics.histogram import Histogram
from ringback.loadgen.metrics.measures import Measures
from ringback.loadgen.metrics.saturation import causes
from ringback.loadgen.metrics.section import window_lines
from ringback.loadgen.metrics.window import LoadWindow
from ringback.loadgen.metrics.windows import MOST_WINDOWS, Windows
from ringback.loadgen.schedule.origin import POLL, TRIGGER, Origin, origin

STEADY = (2.5, 7.25)
CUTS = (2.5, 4.0, 6.6, 7.25)
"""Edges of steps in it."""
FOLLOWING = origin("poll")
"""A poll that follows calls."""
ORIGINS = [
    origin("trigger", "busy", frozenset({"trigger", "poll"})),
    origin("trigger", "busy", frozenset({"trigger", "delivery"})),
    origin("trigger", "answered", frozenset({"trigger", "poll"})),
    origin("poll", tags=frozenset({"poll"})),
    FOLLOWING,
]


@dataclass(frozen=True)
class Request:
    at: Origin
    due: float
    service: float
    lag: float
    error: str | None
    worker: int

    def taken_by(self, windows: Windows) -> None:
        windows.take(self.at, self.due, self.service + self.lag, self.service, self.error)


requests = st.builds(
    Request,
    at=st.sampled_from(ORIGINS),
    due=st.one_of(st.floats(-0.01, 12.0), st.floats(0, 20_000)),
    service=st.sampled_from([1e-5, 0.003, 0.4, 20.0]),
    lag=st.sampled_from([0.0, 1e-4, 0.3]),
    error=st.sampled_from([None, None, None, "timeout", "connect", "rate_limited", "generator"]),
    worker=st.integers(0, 2),
)
steps = st.lists(st.one_of(requests, st.just("tick"), st.just("drain")), max_size=120)


def measured(taken: list[Request], wanted: Origin) -> Measures:
    measures = Measures()
    for request in taken:
        if wanted.covers(request.at):
            measures.take(request.error, request.service + request.lag, request.service)
    return measures


def due_from(taken: list[Request], start: float, end: float) -> list[Request]:
    return [request for request in taken if start <= max(request.due, 0) + 1e-6 < end]


def same(mine: Measures, theirs: Measures) -> bool:
    plain = [
        {**m.to_plain(), "times": [m.latency.counts, m.service.counts, m.failed_latency.counts]} for m in (mine, theirs)
    ]
    return plain[0] == plain[1] and mine.latency.total == pytest.approx(theirs.latency.total)


def travelled(plain: dict[str, Any]) -> dict[str, Any]:
    again: dict[str, Any] = json.loads(json.dumps(plain))
    return again


def all_of(worker: Windows) -> dict[str, Any]:
    """What a worker sends at its end: its open windows, too."""
    worker.close()
    return worker.drain()


@settings(max_examples=100, deadline=None)
@given(steps)
def test_three_merged_processes_count_the_same_as_one(course: list[Request | str]) -> None:
    alone, together = Windows(STEADY, cuts=CUTS), Windows(STEADY, cuts=CUTS)
    workers = [Windows(STEADY, cuts=CUTS, name=f"worker-{number}", relay=True) for number in range(3)]
    taken: list[Request] = []
    now = 0.0
    for step in course:
        if isinstance(step, Request):
            taken.append(step)
            step.taken_by(alone)
            step.taken_by(workers[step.worker])
            now = max(now, step.due) if step.due < 12 else now
        elif step == "tick":
            now += 0.7
            for windows in (alone, *workers):
                windows.tick(now)
        else:
            for worker in workers:
                together.merge(travelled(worker.drain()))
    for worker in workers:
        together.merge(travelled(all_of(worker)))
    steady = due_from(taken, *STEADY)
    wanted = [TRIGGER, POLL, *ORIGINS, origin("trigger", "busy"), origin("trigger", tags=frozenset({"poll"}))]
    for windows in (alone, together):
        windows.close()
        for found, expected in ((windows.steady_part().total, steady), (windows.whole, taken)):
            assert all(same(found.of(each), measured(expected, each)) for each in wanted)
            assert found.lag.count == sum(1 for request in expected if request.lag)
        lines = list(window_lines(windows))
        assert sum(line["trigger"]["count"] for line in lines) == windows.whole.of(TRIGGER).count
        assert len(lines) <= MOST_WINDOWS
        for line in lines:
            inside = [r for r in due_from(taken, line["from_s"], line["to_s"]) if r.error != "generator"]
            assert line["trigger"]["count"] + line["poll"]["count"] == len(inside)
        judged = [bool(causes(span.window)) for span in windows.spans() if span.phase == "steady"]
        assert windows.steady_part().judgement.limited_windows == sum(judged)
        for start, end in ((2.5, 4.0), (4.0, 6.6), (6.6, 7.25), STEADY):
            part = windows.stretch(start, end)
            for each in wanted:
                whole = measured(due_from(taken, start, end), each)
                assert same(part.total.of(each), whole), "a step's figures are those of the requests due in it"
                assert part.limited.of(each).latency.count + part.sound(each).latency.count == whole.latency.count


def test_a_request_due_at_an_edge_belongs_to_what_begins_there() -> None:
    """Its due time was computed, so it may lie before the edge by a rounding error."""
    windows = Windows((0.3, math.inf), cuts=(0.3, 0.6, 0.9))
    for start in (0.3, 0.6, 0.9):
        windows.take(TRIGGER, math.nextafter(start, 0), 0.1, 0.1)
        windows.take(TRIGGER, start, 0.1, 0.1)
        windows.take(TRIGGER, start - 1e-5, 0.1, 0.1)
    counts = [windows.stretch(start, end).total.of(TRIGGER).count for start, end in ((0, 0.3), (0.3, 0.6), (0.6, 0.9))]
    assert counts == [1, 3, 3]


def test_the_edges_of_the_steady_part_cut_windows() -> None:
    windows = Windows(STEADY)
    windows.sending_ended = 9.0
    for tenth in range(100):
        windows.take(TRIGGER, tenth / 10, 0.1, 0.1)
    lines = list(window_lines(windows))
    assert [(line["from_s"], line["to_s"], line["phase"]) for line in lines] == [
        (0, 1, "ramp"), (1, 2, "ramp"), (2, 2.5, "ramp"), (2.5, 3, "steady"), (3, 4, "steady"), (4, 5, "steady"),
        (5, 6, "steady"), (6, 7, "steady"), (7, 7.25, "steady"), (7.25, 8, "cool"), (8, 9, "cool"), (9, 10, "drain"),
    ]  # fmt: skip
    assert windows.steady_part().total.of(TRIGGER).count == 48


def test_a_part_is_the_windows_that_lie_in_it() -> None:
    windows = Windows()
    for tenth in range(100):
        windows.take(TRIGGER, tenth / 10, tenth / 10, tenth / 10)
        windows.tick(tenth / 10)
    part = windows.part(3, 7)
    assert part.total.of(TRIGGER).count == 40
    assert part.judgement.windows == 4
    assert part.total.of(TRIGGER).latency.longest == 6.9
    assert windows.part(3.5, 7).total.of(TRIGGER).count == 30


@given(st.lists(st.tuples(st.floats(0.01, 9), st.integers(0, 50), st.floats(0, 2)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_counts_between_ticks_are_spread_without_loss(ticks: list[tuple[float, int, float]]) -> None:
    windows = Windows((1.5, 4.25), name="me")
    at, count, cpu = 0.0, 0, 0.0
    for seconds, more, work in ticks:
        at, count, cpu = at + seconds, count + more, cpu + work
        windows.tick(at, scheduled=count, sent=count // 2, cpu=cpu, in_flight=more)
    windows.close()
    lines = list(window_lines(windows))
    assert sum(line["scheduled"] for line in lines) == count
    assert sum(line["sent"] for line in lines) == count // 2
    assert all(line["scheduled"] >= 0 for line in lines)
    assert lines[-1]["in_flight"] == ticks[-1][1]
    share = windows.whole.shares["me"]
    assert [share.cpu, share.wall] == pytest.approx([cpu, at])


def test_a_late_tick_spreads_over_the_windows_that_it_missed() -> None:
    windows = Windows()
    windows.tick(1.0, scheduled=50, cpu=0.5)
    windows.tick(4.0, scheduled=200, cpu=2.0)
    assert [(line["scheduled"], line["cpu"]) for line in window_lines(windows)] == [(50, 0.5)] * 4


def test_a_decreasing_counter_makes_no_window_negative() -> None:
    windows = Windows()
    for at, sent in ((1.0, 10), (2.0, 8), (3.0, 15)):
        windows.tick(at, sent=sent)
    assert [line["sent"] for line in window_lines(windows)] == [10, 0, 5]


def test_of_several_processes_the_busiest_counts_and_calls_in_flight_add_up() -> None:
    master = Windows()
    for name, cpu, in_flight in (("worker-1", 0.2, 7), ("worker-2", 0.8, 5)):
        worker = Windows(name=name, relay=True)
        worker.tick(0.5, cpu=cpu / 2, in_flight=100)
        master.merge(all_of(worker))
        worker.tick(1.0, cpu=cpu, in_flight=in_flight)
        master.merge(all_of(worker))
    (line,) = window_lines(master)
    assert (line["cpu"], line["in_flight"]) == (0.8, 12)


def test_windows_of_another_steady_part_are_refused() -> None:
    with pytest.raises(ValueError, match="steady"):
        Windows((1, 2)).merge(Windows((1, 3)).to_plain())
    with pytest.raises(ValueError, match="relay"):
        Windows().drain()
    with pytest.raises(ValueError, match="steady"):
        Windows((3, 3))


def test_merging_longer_windows_makes_windows_longer() -> None:
    short, long = Windows(), Windows()
    short.take(TRIGGER, 2.0, 0.1, 0.1)
    short.take(TRIGGER, 3.0, 0.1, 0.1)
    for due in (3.0, 2_000.0):
        long.take(TRIGGER, due, 0.1, 0.1)
    short.merge(long.to_plain())
    assert short.length == long.length == 2.0
    assert [line["trigger"]["count"] for line in window_lines(short)] == [3, 1]


def test_memory_is_bounded_however_long_the_run() -> None:
    """Every bucket of every histogram filled, in every window that there can be."""
    chance = random.Random(1)
    window = LoadWindow()
    histograms = [
        h for measures in (window.cell(TRIGGER), window.cell(POLL)) for h in (measures.latency, measures.service)
    ]
    for histogram in (*histograms, window.lag):
        histogram.counts = {bucket: chance.randrange(1, 10_000) for bucket in range(2_023)}
    assert MOST_WINDOWS * len(window.pack()) < 50_000_000


def test_memory_is_flat_once_windows_are_merged() -> None:
    windows = Windows((60, math.inf))
    chance = random.Random(1)
    sizes, lines, still_open = [], 0, 0
    for second in range(6_000):
        for _ in range(8):
            service = chance.lognormvariate(-6, 0.3)
            windows.take(TRIGGER, second + chance.random(), service + 1e-4, service)
        windows.tick(second + 1.0, scheduled=8 * (second + 1), cpu=0.1 * second)
        still_open = max(still_open, len(windows._open))
        if second % 1_000 == 999:
            sizes.append(windows.size)
            lines = len({*windows._closed, *windows._open})
    assert lines <= MOST_WINDOWS
    assert windows.length == 8.0
    assert still_open <= 4
    assert sizes[-1] < 1.3 * sizes[1]
    windows.close()
    assert sum(line["scheduled"] for line in window_lines(windows)) == 48_000
    assert windows.whole.of(TRIGGER).count == 48_000


def test_late_answers_leave_few_windows_open() -> None:
    windows = Windows()
    for second in range(220):
        for due in range(max(0, second - 160), second):
            windows.take(TRIGGER, due + 0.5, second - due, second - due)
        windows.tick(float(second))
        assert len(windows._open) <= 122
    windows.close()
    assert windows.whole.of(TRIGGER).latency.count == sum(min(second, 160) for second in range(220))


def test_the_inlined_recording_agrees_with_the_histogram() -> None:
    """`take` inlines `Histogram.record`; they must agree, also for unusual durations."""
    chance = random.Random(2)
    values = [0.0, -1.0, 1e-9, 5e-7, 1e-6, 700.0, 1e9, *(10 ** chance.uniform(-6, 2.7) for _ in range(500))]
    windows, expected = Windows(), Histogram()
    for value in values:
        windows.take(POLL, 0.5, value, value)
        expected.record(value)
    for found in (windows.whole.of(POLL).latency, windows.whole.of(POLL).service):
        assert (found.counts, found.longest) == (expected.counts, expected.longest)
        assert found.total == pytest.approx(expected.total)
